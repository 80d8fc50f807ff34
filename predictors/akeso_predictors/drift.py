"""Theil and Sen's line: robust against bursts and single outliers."""

from __future__ import annotations

import numpy as np

from akeso_predictors.checks import Floats

# Share of the rows whose median is the level from which the line goes on.
_NEWEST = 8


def drift(values: Floats, rows: Floats) -> Floats:
    """Forecasts (h, N) of the given `rows` ahead (h,) of columns (T, N), NaN where missing: the
    median slope between rows half a window apart, from the level of the newest rows."""
    half = len(values) // 2
    slope = median(values[half:] - values[:-half]) / half
    t = np.arange(1 - len(values), 1.0)[:, None]
    level = median((values - slope * t)[-max(len(values) // _NEWEST, 3) :])
    return level + slope * rows[:, None]


def median(values: Floats) -> Floats:
    """Medians of columns (n, ...) over the first axis, NaN left out, 0 where all are missing."""
    known = np.isfinite(values)
    ordered = np.sort(np.where(known, values, np.inf), axis=0)
    count = known.sum(axis=0)
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0)[None] // 2, axis=0)[0]
    high = np.take_along_axis(ordered, np.minimum(count // 2, len(values) - 1)[None], axis=0)[0]
    high = np.where(np.isfinite(high), high, 0.0)
    return np.where(count > 0, np.where(np.isfinite(low), low, 0.0) / 2 + high / 2, 0.0)
