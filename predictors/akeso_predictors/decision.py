"""From probabilities to an alarm: the votes, and the conditions that must hold beside them."""

from __future__ import annotations

import numpy as np

from akeso_predictors.checks import Bools, Floats, Ints
from akeso_predictors.settings import DecisionSettings


def elected(recent: Floats, threshold: Floats | float, settings: DecisionSettings) -> Bools:
    """Whether enough of the last evaluations agree.

    `recent` (..., votes_of), oldest first, NaN where there was none; `threshold` broadcasts over
    the leading axes.
    """
    bar = np.asarray(threshold)[..., None]
    agree = np.greater_equal((recent >= bar).sum(axis=-1), settings.votes)
    sure = np.maximum(bar, settings.sure_probability)
    certain = (recent[..., -settings.sure_votes :] >= sure).all(axis=-1)
    decided: Bools = np.logical_or(agree, certain)
    return decided


def actionable(
    level: Floats,
    ttf: Floats,
    fresh: Ints,
    fresh_age: Ints,
    step: float,
    settings: DecisionSettings,
    repeated: Bools,
) -> Bools:
    """Whether acting now is justified beside the probability.

    `level` (N,) as share of the limit; `ttf` (N, 3) in rows; `fresh`, `fresh_age` (N,) samples and
    rows since the last restart or action; `step` in seconds; `repeated` (N,) whether former rises alike
    reached the limit: then no level needs to be waited for.
    """
    help_takes = settings.action + settings.slack
    soon = ttf[..., 0] * step < help_takes
    pressing = (level >= settings.act_level) | soon | repeated
    # Below the time that help takes it is all the same how much sooner it may be.
    narrow: Bools = ttf[..., 2] * step <= settings.max_spread * np.maximum(
        ttf[..., 0] * step, help_takes
    )
    settled = (fresh >= settings.min_new_samples) & (seconds(fresh_age, step) >= settings.min_age)
    return pressing & narrow & settled


def in_time(level: Floats, ttf: Floats, settings: DecisionSettings) -> Bools:
    """Whether an alarm (N,) may begin: help can still come, or the limit has been reached already, or is a bound
    that may be touched, where late help is help."""
    timely: Bools = (ttf[..., 2] >= settings.too_late_rows) | (level >= 1)
    return timely | (not settings.by_peaks)


def begun(alarm: Bools, timely: Bools, first: Bools) -> Bools:
    """Of consecutive evaluations (N,) of series after series, each of which begins with a `first` one, the alarms
    from the one on that was `timely`. What was on before the first is not known, so that it may go on."""
    index: Ints = np.arange(len(alarm), dtype=np.int64)
    since = np.maximum.accumulate(np.where(first | ~alarm, index, 0))
    newest = np.maximum.accumulate(np.where(alarm & (timely | first), index, -1))
    on: Bools = alarm & (newest >= since)
    return on


def seconds(rows: Ints, step: float) -> Floats:
    """Time that a number of rows spans: n rows are n - 1 steps."""
    return (rows - 1) * step
