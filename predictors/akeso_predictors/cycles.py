"""Cycles: whether their peaks, or the troughs between them, grow towards the limit.

Under a saw-tooth no single tooth tells a leak; the line through its peaks does (a heap whose next
collection comes when it has grown by a share), or the line through its floors (a heap whose peaks always reach its
ceiling), or through all its troughs, where every collection is a full one. Each line is flat up to one of the
turns and rises from there; lines are weighted by BIC and damped as every other trend is.
"""

from __future__ import annotations

import numpy as np

from akeso_predictors.checks import Floats, Ints
from akeso_predictors.passage import normal
from akeso_predictors.settings import TrendSettings
from akeso_predictors.shapes import AHEAD
from akeso_predictors.turns import KEPT

# Turns that a line needs, and how many of them must have risen.
FEWEST = 3
_RISEN = 3
# Weight of what turns scatter by habit, in turns, against what these were seen to scatter.
_HABIT = 2.0
# Standard deviations by which what stands now may fall below the line through the troughs.
_DOUBT = 2.0
# Lines that rise, against no rise at all.
_PRIOR_FLAT = 0.5


def growing(
    ago: Floats,
    level: Floats,
    scatter: Floats,
    whole: Ints,
    horizon: Floats,
    settings: TrendSettings,
    above: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Probability of turns beyond the limit by `AHEAD` rows, (N, G) each: with the chance that the
    growth ends, and without.

    `ago`, `level` (N, KEPT) of turns in rows and as share of the limit, newest last, NaN where there
    are none; `scatter` (N,) is how far they lie apart by habit; `whole` (N,) the rows that the instance
    is seen for, `horizon` (N,) in rows. Of troughs, `above` (N,) is what stands above them now: where it
    is below the line, the next one will be as well.
    """
    there = np.isfinite(level)
    w = there.astype(np.float64)
    n = np.maximum(w.sum(axis=1), 1)[:, None]
    t, y = np.where(there, -ago, 0.0), np.where(there, level, 0.0)
    # Line k is flat until turn k: (N, K, KEPT).
    bend = np.where(there, -ago, np.nan)
    f = np.nan_to_num(np.maximum(t[:, None, :] - bend[:, :, None], 0)) * w[:, None, :]
    usable = there & ((f > 0).sum(axis=2) >= _RISEN)
    f_mean, y_mean = f.sum(axis=2) / n, (y.sum(axis=1) / n[:, 0])[:, None]
    spread = np.maximum((f**2).sum(axis=2) - n * f_mean**2, 1e-12)
    joint = (f * y[:, None, :]).sum(axis=2) - n * f_mean * y_mean
    slope = joint / spread
    total = np.maximum(((y - y_mean) ** 2 * w).sum(axis=1)[:, None], 0)
    habit = _HABIT * scatter[:, None] ** 2
    left = np.maximum(total - slope * joint, 0) + habit
    score = -0.5 * (n + _HABIT) * np.log(left / (total + habit)) - 0.5 * np.log(n)
    score += np.log((1 - _PRIOR_FLAT) / _PRIOR_FLAT / KEPT)
    odds = np.where(usable, np.exp(score.clip(-50, 50)), 0)
    weight = np.where(slope > 0, odds, 0) / (1 + odds.sum(axis=1, keepdims=True))
    noise = left / np.maximum(n - 2 + _HABIT, 1)
    along = AHEAD[None, None, :] - np.nan_to_num(bend)[:, :, None]
    reach = y_mean[:, :, None] + slope[:, :, None] * (along - f_mean[:, :, None])
    doubt = noise[:, :, None] * (
        1 + 1 / n[:, :, None] + (along - f_mean[:, :, None]) ** 2 / spread[:, :, None]
    )
    passed = normal((reach - 1) / np.sqrt(doubt))
    # No turn has lain beyond the limit yet.
    already = passed[:, :, :1]
    passed = (passed - already).clip(0) / np.maximum(1 - already, 0.05) * weight[:, :, None]
    age = np.nan_to_num(ago)[:, :, None]
    if above is not None:
        stands = (above[:, None] - reach[:, :, 0]) / np.sqrt(doubt[:, :, 0])
        passed *= normal(stands + _DOUBT)[:, :, None]
    start = (y_mean - slope * f_mean)[:, :, None]
    lasts = _lasts(age, start, whole, horizon, settings)
    lasting, going_on = (passed * lasts).sum(axis=1), passed.sum(axis=1)
    return (
        np.maximum.accumulate(lasting, axis=1).clip(0, 1),
        np.maximum.accumulate(going_on, axis=1).clip(0, 1),
    )


def _lasts(
    age: Floats, start: Floats, whole: Ints, horizon: Floats, settings: TrendSettings
) -> Floats:
    """How likely lines that began `age` rows ago at `start` (N, K, 1) go on until every `AHEAD`, (N, K, G).

    Growth that was not seen to begin from a rest is more often the first of a cycle of cycles (young
    collections until the first full one) than a leak, unless it is fast."""
    rested = (settings.rested * (whole[:, None, None] - age) / np.maximum(age, 1)).clip(0, 1)
    amid = ((start - settings.born) / settings.born).clip(0, 1)
    slow = (age / horizon[:, None, None]).clip(0, 1)
    power = settings.persistence + settings.cyclic * (1 - rested) * amid * slow
    lasts: Floats = (age / np.maximum(age + AHEAD, 1)) ** power
    return lasts


def middle(values: Floats) -> Floats:
    """Median (N,) of what is there in each row (N, C), the upper one of two; inf where nothing is."""
    ranked = np.sort(np.where(np.isfinite(values), values, np.inf), axis=1)
    place = np.isfinite(values).sum(axis=1) // 2
    found: Floats = ranked[np.arange(len(ranked)), np.minimum(place, ranked.shape[1] - 1)]
    return found
