"""How former rises ended, and what that says of the one that is under way.

Of the rises that were as fast, some ended at the limit and some below it. They count as much as what
the trend alone says of its end: a Beta prior of weight one whose mean the trend gives, and as many
observations as there are rises alike. One that ended at the limit is evidence for the limit; those
that ended below it are for as much as their predictive distribution (Student's t) has beyond
the present level. Instances are asked together: what a container did before its restart it may do again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from akeso_predictors.checks import Floats
from akeso_predictors.passage import normal
from akeso_predictors.settings import DecisionSettings

# Rows by which the highest value that was seen lags behind the highest that was.
_UNSEEN = 3
# Observations that the usual scatter of ends counts as.
_HABIT = 0.25


@dataclass(frozen=True, slots=True)
class Lessons:
    """How many former rises (N,) speak for the limit and for an end below it; how many more of them
    reached it than had come as far as this one and ended."""

    at_limit: Floats
    below: Floats
    repeated: Floats


def lessons(
    rises: Floats, level: Floats, pace: Floats, lasted: Floats, limit: Floats,
    settings: DecisionSettings,
) -> Lessons:  # fmt: skip
    """What the former `rises` (N, KEPT, 5) (see `Turns.rises`) say of one that stands at `level` (N,), grows by
    `pace` (N,) each row, both as shares of the `limit` (N,), and has lasted for so many rows."""
    top, height, speed = (rises[..., i] / limit[:, None] for i in (1, 2, 3))
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.log(speed / pace[:, None]) / np.log(settings.alike)
    alike = np.nan_to_num(np.exp(-0.5 * apart**2), nan=0.0)
    # Peaks that lie within the trend are ripples on it.
    alike = np.where(rises[..., 0] > lasted[:, None], alike, 0)
    # Whoever was that near to this limit may have been stopped by it, unless the limit kills: then it turned
    # by itself. What was stopped by a lower one would have gone on.
    near = 1 - settings.limit_near
    killed = rises[..., 4] > 0
    here = killed & (top + _UNSEEN * speed >= near)
    at_limit = np.where(here | (top >= 1), alike, 0).sum(axis=1)
    turned = top < (1 if settings.killed_below else near)
    weight = np.where(~killed & turned, alike, 0)
    count = weight.sum(axis=1)
    some = np.maximum(count, 1e-6)
    top, height = np.nan_to_num(top), np.nan_to_num(height)
    mean = (weight * top).sum(axis=1) / some
    # Of few, ends scatter as peaks usually do.
    usual = settings.safe_spread * (weight * height).sum(axis=1) / some
    squares = (weight * (top - mean[:, None]) ** 2).sum(axis=1) + _HABIT * usual**2
    scale = np.sqrt(squares / some * (1 + 1 / some)) + settings.trend.noise_floor
    further = _beyond((level - mean) / scale, some)
    passed = np.minimum(_beyond((1 - mean) / scale, some), further)
    below = count * (further - passed)
    return Lessons(at_limit + count * passed, below, at_limit - below)


def _beyond(score: Floats, freedom: Floats) -> Floats:
    """Upper tail of Student's t with `freedom` (N,), by Wallace's normal approximation (1959, Ann. Math.
    Stat. 30): within .01."""
    v = np.maximum(freedom, 1)
    like = np.sqrt(v * np.log1p(score**2 / v)) * (8 * v + 1) / (8 * v + 3)
    tail: Floats = normal(-np.sign(score) * like)
    return tail
