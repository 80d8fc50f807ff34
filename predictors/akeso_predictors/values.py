"""Forecasts of values with prediction intervals, for capacity questions and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from akeso_predictors import checks, ensemble, members, seasons
from akeso_predictors.checks import Floats
from akeso_predictors.seasons import Seasons

# Name of the model where a series says too little to forecast it.
ABSTAINED = "none"
_FEWEST = 4


@dataclass(frozen=True, slots=True)
class Forecast:
    """`mean` (H, S); `lower`, `upper` (L, H, S) for the levels asked for, in their order; `model`
    (S,) names the kind of model that weighs most, "none" (and NaN) where fewer than four samples
    say nothing."""

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
    method: str = "ensemble",
) -> Forecast:
    """Forecast the next `horizon` rows of each series with intervals of `levels` per cent.

    `values` (T, S) or (T,), oldest first, evenly spaced, NaN (or infinite) where missing; they may be
    negative, and a series that never was is not forecast to be. `season` is the length of a cycle in
    rows. Where it is None, cycles are looked for: a day, a week and an hour if `step_seconds` is
    given, and any other that is clear. A season is used only where the history holds two and it makes
    past forecasts better. `method` is "ensemble" (many models, weighted by back-test), "ets" or "stl"
    (statsmodels' ETSModel or STLForecast, one fit per series, slow). Raises `InputError` naming the
    argument.
    """
    given = checks.matrix("values", values)
    ahead = checks.whole("horizon", horizon)
    wanted = checks.shares("levels", levels)
    cycle = None if season is None else checks.whole("season", season)
    step = None if step_seconds is None else checks.positive("step_seconds", step_seconds)
    if given.size == 0:
        raise checks.InputError("values must hold at least one row and one series")
    if method not in ("ensemble", "ets", "stl"):
        raise checks.InputError(f'method must be "ensemble", "ets" or "stl", got {method!r}')
    said = _nothing(ahead, given.shape[1], len(wanted))
    measured = seasons.usable(given[-members.needed(*_longest(cycle, step)) :])
    able = np.flatnonzero(np.isfinite(measured).sum(axis=0) >= _FEWEST)
    found = _seasons(measured[:, able], cycle, step)
    for short, long in sorted(set(zip(found.short.tolist(), found.long.tolist(), strict=True))):
        group = able[(found.short == short) & (found.long == long)]
        some = measured[-members.needed(short, long) :, group]
        if method == "ensemble":
            part = ensemble.blended(some, ahead, wanted, short, long)
        else:
            from akeso_predictors import ets

            part = ets.fitted(method, some, ahead, wanted, short)
        least = _least(some)
        said.mean[:, group], said.model[group] = np.maximum(part.mean, least), part.model
        said.lower[:, :, group] = np.maximum(part.lower, least)
        said.upper[:, :, group] = np.maximum(part.upper, least)
    return said


def _nothing(horizon: int, series: int, levels: int) -> Forecast:
    bounds = np.full((2, levels, horizon, series), np.nan)
    names = np.full(series, ABSTAINED, dtype="U32")
    return Forecast(np.full((horizon, series), np.nan), bounds[0], bounds[1], names)


def _least(values: Floats) -> Floats:
    """What no forecast of columns (T, S) is below: 0 where nothing ever was, as of counts and shares."""
    never = np.where(np.isfinite(values), values, 0.0).min(axis=0) >= 0
    return np.where(never, 0.0, -np.inf)


def _longest(cycle: int | None, step: float | None) -> tuple[int, int]:
    """Rows of the cycles that may be found: what is older than their needs is not looked at."""
    if cycle is not None:
        return cycle, 7 * cycle
    return (0, seasons.WEEK) if step is None else (round(86400 / step), round(604800 / step))


def _seasons(values: Floats, cycle: int | None, step: float | None) -> Seasons:
    """Cycles of each series: what the caller named, or what is found."""
    if cycle is None:
        return seasons.found(values, step)
    if 2 <= cycle <= len(values) // seasons.CYCLES:
        return seasons.beside(values, cycle)
    none = np.zeros(values.shape[1], dtype=np.int64)
    return Seasons(none, none)
