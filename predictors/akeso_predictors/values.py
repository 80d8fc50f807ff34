"""Forecasts of values with prediction intervals, for capacity questions and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from akeso_predictors import checks
from akeso_predictors.checks import Floats
from akeso_predictors.smoothing import Smoothed, grid, smooth, variance_growth

# Rows that are looked at: more change little and cost a Python step each.
_ROWS = 1440
# Cycles that a season must have shown before it is believed.
_CYCLES = 2
# Past origins from which the models are judged.
_ORIGINS = 8
# Weight of the textbook variance in forecast errors, against those seen in the back-test.
_TRUST = 12.0
# A model must have this share of the error of the last value at most: few origins prove little.
_GAIN = 0.8
# Name of the model where a series says too little to forecast it.
ABSTAINED = "none"
_FEWEST = 4


@dataclass(frozen=True, slots=True)
class Forecast:
    """`mean` (H, S); `lower`, `upper` (L, H, S) for the levels asked for, in their order; `model`
    (S,) names the winner of the back-test, "none" (and NaN) where fewer than four samples say
    nothing."""

    mean: Floats
    lower: Floats
    upper: Floats
    model: NDArray[np.str_]


def forecast(
    values: ArrayLike,
    horizon: int,
    season: int | None = None,
    levels: Sequence[float] = (80, 95),
    step_seconds: float | None = None,
    *,
    method: str = "grid",
) -> Forecast:
    """Forecast the next `horizon` rows of each series with intervals of `levels` per cent.

    `values` (T, S) or (T,), oldest first, NaN (or infinite) where missing. `season` is the length
    of a cycle in rows; where it is None and `step_seconds` is given, a day is tried if the history
    holds two. `method` is "grid" (a grid of exponential smoothers, selected by back-test; about a
    millisecond per series) or "ets" (maximum likelihood by statsmodels' ETSModel; ten times that).
    Raises `InputError` naming the argument.
    """
    given = checks.matrix("values", values)
    ahead = checks.whole("horizon", horizon)
    wanted = checks.shares("levels", levels)
    usable = np.where(np.isfinite(given) & (np.abs(given) < checks.HUGE), given, np.nan)
    if usable.size == 0:
        raise checks.InputError("values must hold at least one row and one series")
    cycle = _cycle(season, step_seconds, len(usable))
    recent = usable[-max(_ROWS, (cycle or 0) * (_CYCLES + 2)) :]
    if method == "grid":
        mean, deviation, model = _gridded(recent, ahead, cycle)
    elif method == "ets":
        from akeso_predictors.ets import fitted

        mean, deviation, model = fitted(recent, ahead, cycle)
    else:
        raise checks.InputError(f'method must be "grid" or "ets", got {method!r}')
    mute = np.isfinite(recent).sum(axis=0) < _FEWEST
    mean[:, mute], model[mute] = np.nan, ABSTAINED
    z = np.array([NormalDist().inv_cdf(0.5 + level / 200) for level in wanted])[:, None, None]
    return Forecast(mean, mean - z * deviation, mean + z * deviation, model)


def _cycle(season: int | None, step_seconds: float | None, rows: int) -> int | None:
    """Rows of a cycle that the history shows often enough, or None."""
    if season is None and step_seconds is not None:
        season = round(86400 / checks.positive("step_seconds", step_seconds))
    elif season is not None:
        season = checks.whole("season", season)
    return season if season is not None and 2 <= season <= rows // _CYCLES else None


def _gridded(
    values: Floats, horizon: int, season: int | None
) -> tuple[Floats, Floats, NDArray[np.str_]]:
    """Mean and standard deviation (H, S) and name (S,) of the best setting of each series."""
    chosen = grid(season)
    found = smooth(values, horizon, season, chosen, _ORIGINS)
    best = _selected(found)
    each: NDArray[np.int64] = np.arange(values.shape[1], dtype=np.int64)
    growth = variance_growth(chosen, horizon, season)[best].T
    seen = found.origins
    believed = (_TRUST + seen * found.standardised[best, each]) / (_TRUST + seen)
    variance = found.variance[best, each] * growth * believed
    names = np.array(chosen.names)[best].astype("U16")
    return found.paths[best, :, each].T.copy(), np.sqrt(variance), names


def _selected(found: Smoothed) -> NDArray[np.int64]:
    """The setting (S,) with the least error in the back-test, or one step ahead where none was; the
    last value, which comes first in the grid, unless another is clearly better."""
    score = np.where(found.origins > 0, found.absolute, found.variance)
    score[0] *= _GAIN
    best: NDArray[np.int64] = score.argmin(axis=0)
    return best
