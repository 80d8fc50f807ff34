"""What came of claims: the limit was reached, it was not, or nobody can know.

A claim at row r with a horizon of h rows is true when the limit is reached by r + h, and false when
a sample at or after r + h has come without that. It is censored, and counts as neither, when the
container is replaced, somebody acts, the limit changes or samples are missing before that is known: a healing
that worked is no proof that its forecast was wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from akeso_predictors.calibration import CLAIM
from akeso_predictors.checks import Bools, Floats, Ints
from akeso_predictors.settings import DecisionSettings

# Claims that are followed per horizon: neighbours say the same, so more would cost and not teach.
PER_HORIZON = 12
# Times are compared up to this many horizons after the claim, when the trend went on that long.
TIMES_WITHIN = 2.0
_NEVER = np.iinfo(np.int64).max // 4


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Matured claims: `claims` (N, 3) and `times` (M, 5) as `Calibration.learned` takes them,
    `horizons` (M,) in rows, and how many were `censored`."""

    claims: Floats
    times: Floats
    horizons: Floats
    censored: int


def spacing(horizon: Floats) -> Ints:
    """Rows from one claim that is followed to the next."""
    return np.maximum(np.rint(horizon / PER_HORIZON), 1).astype(np.int64)


def weight(horizon: Floats) -> Floats:
    """What one claim counts: those of one horizon of one series are one outcome."""
    return np.minimum(spacing(horizon) / horizon, 1)


def followed(probability: Floats, level: Floats, age: Ints, horizon: Floats) -> Bools:
    """Which evaluations (N,) are claims to follow, chosen by the row of the leg alone so that a
    restart of the operator and a history choose the same."""
    due = age % spacing(horizon) == 0
    chosen: Bools = (probability > CLAIM) & (level < 1) & due
    return chosen


@dataclass(frozen=True, slots=True)
class Events:
    """Rows (S, T) at which a limit is reached, and at which nothing further can be known."""

    reached: Bools
    censored: Bools


def events(values: Floats, limits: Floats, resets: Bools, settings: DecisionSettings) -> Events:
    """Events of rows (S, T), oldest first, with the limits that hold; `resets` mark the first row of
    another container or after an action."""
    valid = np.isfinite(values)
    rows: Ints = np.arange(values.shape[1], dtype=np.int64)
    at = np.maximum.accumulate(np.where(valid, rows, -1), axis=1)
    before = np.concatenate([np.full((len(at), 1), -1), at[:, :-1]], axis=1)
    changed: Bools = np.zeros(valid.shape, np.bool_)
    was, now = limits[:, :-1], limits[:, 1:]
    with np.errstate(invalid="ignore"):
        changed[:, 1:] = np.abs(now - was) > settings.limit_change * was
        reached = valid & (values >= limits)
    censored = resets | changed
    # A gap takes away all that follows the sample before it.
    late, gone = np.nonzero(valid & (before >= 0) & (rows - before > settings.missed_scrapes + 1))
    censored[late, before[late, gone] + 1] = True
    return Events(reached, censored)


def first_after(marks: Bools) -> Ints:
    """The first marked row after each one, (S, T)."""
    rows: Ints = np.arange(marks.shape[1], dtype=np.int64)
    at = np.where(marks, rows, _NEVER)
    coming = np.minimum.accumulate(at[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([coming[:, 1:], np.full((len(at), 1), _NEVER)], axis=1)


def crossing(seen: Ints, told: Ints, ends: Ints) -> Ints:
    """The row at which the limit was reached: `seen` in a sample before `ends`, or `told` (an OOM
    kill, which ends what it proves); where neither, a row that never comes."""
    rows: Ints = np.where(seen < ends, seen, np.where(told <= ends, told, _NEVER))
    return rows


def matured(
    row: Ints, horizon: Floats, probability: Floats, ttf: Floats, passed: Ints, ends: Ints,
    last: Ints,
) -> Outcomes:  # fmt: skip
    """Outcomes of claims (N,) at `row`: `passed` is the row at which the limit was reached next,
    `ends` the one from which nothing can be known, `last` the newest one; `ttf` (N, 3) in rows."""
    reached = passed < _NEVER
    within = reached & (passed - row <= horizon)
    silent = ~within & (ends - row > horizon) & (last - row >= horizon)
    known = within | silent
    share = weight(horizon)
    claims = np.stack([probability, within.astype(float), share], axis=1)[known]
    timed = reached & (passed - row <= TIMES_WITHIN * horizon) & (ttf[:, 1] <= horizon)
    timed &= np.isfinite(ttf).all(axis=1)
    took = (passed - row).astype(np.float64)
    times: Floats = np.concatenate([ttf, took[:, None], share[:, None]], axis=1)[timed]
    return Outcomes(claims, times, horizon[timed], int((~known).sum()))
