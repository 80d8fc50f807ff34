"""From a history with known ends to a Calibration."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from akeso_predictors import checks
from akeso_predictors.calibration import Calibration, given
from akeso_predictors.checks import Ints
from akeso_predictors.outcomes import (
    Claims,
    crossing,
    events,
    first_after,
    followed,
    judged,
    lessons,
)
from akeso_predictors.replay import assessed, read
from akeso_predictors.settings import DecisionSettings


def calibrate(
    values: ArrayLike,
    limits: ArrayLike,
    step_seconds: float,
    horizon_seconds: float,
    restarts: ArrayLike | None = None,
    metric_class: str = "memory",
    breaks: ArrayLike | None = None,
    healed: ArrayLike | None = None,
    *,
    reached: ArrayLike | None = None,
    known: Calibration | None = None,
    settings: DecisionSettings | None = None,
) -> Calibration:
    """Learn from a history what its forecasts were worth; `replay` and the operator take the result.

    Arguments as of `replay`. What became of a claim is looked up in the rows after it: the limit
    was reached within the horizon, or it was not. It counts as neither when `restarts` or `breaks`
    mark a row in between, somebody acted (`healed` (T,) or (T, S), non-zero), the limit changed, or
    the samples end. `reached` marks rows at which the limit was reached though no sample shows
    it (the container was OOM-killed). `known` is what was learned before: give it to learn from several
    histories, classes or horizons in turn. Raises `InputError` naming the argument.
    """
    history = read(values, limits, step_seconds, restarts, metric_class, breaks, settings)
    horizon_seconds = checks.positive("horizon_seconds", horizon_seconds)
    series, rows = history.values.shape
    acted = checks.flags("healed", healed, rows, series).T
    died = checks.flags("reached", reached, rows, series).T
    before = given("known", known)
    if rows == 0 or series == 0:
        return before
    horizon = horizon_seconds / history.step
    found = assessed(history, horizon)
    legs, which = history.legs, found.which
    chosen = followed(
        found.probability, found.level, legs.age.ravel()[which], np.full(len(which), horizon)
    )
    chosen &= ~found.silent
    spot = which[chosen]
    own, at = np.divmod(spot, rows)
    claims = Claims(at, np.full(len(at), horizon), found.probability[chosen], found.ttf[chosen])
    seen = events(history.values, legs.limit, history.resets | acted, history.settings)
    ends = first_after(seen.censored)
    passed = crossing(seen, died)
    numbers: Ints = np.arange(rows, dtype=np.int64)
    last = np.where(np.isfinite(history.values), numbers, -1).max(axis=1)
    told = judged(claims, passed.ravel()[spot], ends.ravel()[spot], last[own])
    return before.learned(history.metric_class, *lessons(claims, told), history.step)
