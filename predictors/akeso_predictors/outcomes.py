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
NEVER = np.iinfo(np.int64).max // 4


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims that are followed, all arrays (N,) but `ttf` (N, 3): the `row` at which each was made,
    its `horizon` and `ttf` in rows, the raw `probability`."""

    row: Ints
    horizon: Floats
    probability: Floats
    ttf: Floats

    def take(self, which: Ints | Bools) -> Claims:
        """Some of them."""
        return Claims(
            self.row[which], self.horizon[which], self.probability[which], self.ttf[which]
        )


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of claims (N,): the limit was reached within the horizon, was known not to be,
    and `rows` until it was reached, where that was within `TIMES_WITHIN` horizons (else 0)."""

    within: Bools
    silent: Bools
    rows: Ints


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
    """Rows (S, T) at which a sample reaches its limit; from which the series is another one (a
    new container, an action, another limit); and from which nothing further can be known, because
    of that or because samples are missing."""

    reached: Bools
    ended: Bools
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
    ended = resets | changed
    censored = ended.copy()
    # A gap takes away all that follows the sample before it.
    late, gone = np.nonzero(valid & (before >= 0) & (rows - before > settings.missed_scrapes + 1))
    censored[late, before[late, gone] + 1] = True
    return Events(reached, ended, censored)


def first_after(marks: Bools) -> Ints:
    """The first marked row after each one, (S, T)."""
    rows: Ints = np.arange(marks.shape[1], dtype=np.int64)
    at = np.where(marks, rows, NEVER)
    coming = np.minimum.accumulate(at[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([coming[:, 1:], np.full((len(at), 1), NEVER)], axis=1)


def crossing(seen: Events, told: Bools) -> Ints:
    """The row (S, T) after each one at which the limit is reached: in a sample before anything
    ends, or `told` (an OOM kill, which ends what it proves). Where neither, one that never comes."""
    passed, ends = first_after(seen.reached), first_after(seen.censored)
    died, ended = first_after(told), first_after(seen.ended)
    rows: Ints = np.where(passed < ends, passed, np.where(died <= ended, died, NEVER))
    return rows


def judged(claims: Claims, passed: Ints, ends: Ints, last: Ints) -> Outcomes:
    """Outcomes of claims: `passed` (N,) is the row at which the limit was reached next, `ends` the one
    from which nothing can be known, `last` the newest row that is known."""
    took = passed - claims.row
    within = took <= claims.horizon
    silent = ~within & (ends - claims.row > claims.horizon)
    silent &= last - claims.row >= claims.horizon
    timely = took <= TIMES_WITHIN * claims.horizon
    return Outcomes(within, silent, np.where(timely, took, 0))


def lessons(claims: Claims, found: Outcomes) -> tuple[Floats, Floats]:
    """What `Calibration.learned` takes of them: claims (N, 3), and per claim whose limit was reached
    its three quantiles, the actual time, its weight and its horizon, all in rows (M, 6)."""
    share = weight(claims.horizon)
    known = found.within | found.silent
    pairs = np.stack([claims.probability, found.within.astype(np.float64), share], axis=1)
    timed = (found.rows > 0) & (claims.ttf[:, 1] <= claims.horizon)
    timed &= np.isfinite(claims.ttf).all(axis=1)
    rest = np.stack([found.rows.astype(np.float64), share, claims.horizon], axis=1)
    times: Floats = np.concatenate([claims.ttf, rest], axis=1)[timed]
    return pairs[known], times
