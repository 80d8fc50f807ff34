"""Legs: the stretches of a series that one cause can explain, and the peaks known to be safe.

A leg begins at a restart, a new instance, a lowered limit, our own action, a gap longer than the
masked scrapes, or a fall too deep for a garbage collection. A raised limit changes nothing about how
a series grows. Within an instance a fall from a peak
shows that the peak was survived: that peak is safe, and only growth above it is news.

Everything here is a running maximum or a running count, so it can be computed for a whole history
at once (`replay`) or row by row with a carry (the operator) with the same result.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from akeso_predictors.checks import Bools, Floats, Ints
from akeso_predictors.settings import DecisionSettings
from akeso_predictors.turns import CUT, ENDED, REACHED, History, Swing, fresh_swing, scan

# Larger than any scaled value, so that a later segment always wins a running maximum.
_LIFT = 4.0
# What begins an instance: another container, an action or a rollout, a container after an OOM kill.
REPLACED, ACTED, KILLED = 1, 2, 3
# Rows at its pace within which a series may have reached its limit unseen.
_UNSEEN = 2


@dataclass(frozen=True, slots=True)
class Carry:
    """What the next row of each series needs to know of the rows before it; all of shape (S,)."""

    last: Floats  # the last three valid values, newest first, and their median
    before: Floats
    third: Floats
    smooth: Floats
    gap: Ints  # rows since the last valid sample
    limit: Floats
    age: Ints  # rows of the leg so far
    samples: Ints  # valid samples of the leg so far
    fresh: Ints  # valid samples since a restart or an action
    fresh_age: Ints  # rows since a restart or an action
    peak: Floats  # highest smoothed value of the instance
    safe: Floats  # highest peak that was followed by a turn (0: none)
    swing: Swing

    def take(self, which: Ints | Bools) -> Carry:
        """The carry of some of the series."""
        own: dict[str, Any] = {name: getattr(self, name)[which] for name in _PLAIN}
        return Carry(**own, swing=self.swing.take(which))

    def joined(self, other: Carry) -> Carry:
        """This carry followed by that of more series."""
        both: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in _PLAIN
        }
        return Carry(**both, swing=self.swing.joined(other.swing))

    def put(self, which: Ints, other: Carry) -> None:
        """Overwrite the carry of some of the series in place."""
        for name in _PLAIN:
            getattr(self, name)[which] = getattr(other, name)
        self.swing.put(which, other.swing)


_PLAIN = tuple(item.name for item in fields(Carry) if item.name != "swing")


def fresh_carry(series: int) -> Carry:
    """The carry of series of which nothing was seen."""

    def nothing() -> Floats:
        return np.full(series, np.nan)

    def none() -> Ints:
        return np.zeros(series, dtype=np.int64)

    return Carry(
        last=nothing(), before=nothing(), third=nothing(), smooth=nothing(), gap=none(),
        limit=nothing(), age=none(), samples=none(), fresh=none(), fresh_age=none(), peak=np.zeros(series), safe=np.zeros(series),
        swing=fresh_swing(series),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Legs:
    """Per row and series, shapes (S, R): rows and samples of the leg, samples and rows since a
    restart or action, and the safe peak, all including the row itself; the limit that holds; the
    turns."""

    age: Ints
    samples: Ints
    fresh: Ints
    fresh_age: Ints
    safe: Floats
    limit: Floats
    turns: History


def no_legs(series: int) -> Legs:
    """The legs of no rows."""
    none, nothing = np.zeros((series, 0), np.int64), np.zeros((series, 0))
    turns, _ = scan(nothing, nothing, none, none, fresh_swing(series))
    return Legs(none, none, none, none, nothing, nothing, turns)


def trace(
    values: Floats, limits: Floats, begins: ArrayLike, carry: Carry, settings: DecisionSettings
) -> tuple[Legs, Carry]:
    """Segment rows (S, R), oldest first, that follow `carry`; returns the next carry.

    `values` and `limits` are NaN where missing; `begins` (S, R) marks the first row of another
    container (`REPLACED`; `KILLED` where the one before is known to have reached its limit) and the
    first after a rollout or an action (`ACTED`). A missing limit keeps the one before.
    """
    valid = np.isfinite(values)
    first_ever = valid & ~_any_before(valid, np.isfinite(carry.last))
    marks: Ints = np.asarray(begins, dtype=np.int64)
    resets = (marks > 0) | first_ever
    known = _filled(limits, carry.limit)
    first, second, third, gaps = _recent(values, valid, carry)
    fresh = _count(valid, resets, carry.fresh)
    smooth = _median(first, second, third, fresh)
    previous, bound = _one_before(smooth, carry.smooth), _one_before(known, carry.limit)
    broken = valid & (gaps > settings.gap_rows)
    lowered = bound - known > settings.limit_change * bound
    fell = valid & (previous - smooth > settings.leg_drop * known)
    starts = resets | broken | lowered | fell
    measured = np.where(valid, smooth, np.nan)
    peak, safe = _peaks(measured, known, resets, carry, settings)
    fresh_age = _count(np.ones_like(valid), resets, carry.fresh_age)
    swings = np.nan_to_num(settings.turn_drop * known, nan=np.inf)
    ends = np.where(first_ever, ENDED, marks)
    instance, row = np.nonzero(marks)
    if len(row):
        last, before, third_last = (
            _one_before(part, carried)[instance, row]
            for part, carried in ((first, carry.last), (second, carry.before), (third, carry.third))
        )
        ends[instance, row] = _ended(
            marks[instance, row], last, before, third_last, bound[instance, row], settings
        )
    turns, swing = scan(measured, swings, ends, fresh_age, carry.swing)
    legs = Legs(
        age=_count(np.ones_like(valid), starts, carry.age),
        samples=_count(valid, starts, carry.samples),
        fresh=fresh,
        fresh_age=fresh_age,
        safe=safe,
        limit=known,
        turns=turns,
    )
    ended = Carry(
        first[:, -1], second[:, -1], third[:, -1], smooth[:, -1], np.where(valid[:, -1], 0, gaps[:, -1]),
        known[:, -1], legs.age[:, -1], legs.samples[:, -1], legs.fresh[:, -1],
        legs.fresh_age[:, -1], peak[:, -1], safe[:, -1], swing,
    )  # fmt: skip
    return legs, ended


def _one_before(rows: Floats, carried: Floats) -> Floats:
    """Of rows (S, R), those one row earlier."""
    return np.concatenate([carried[:, None], rows[:, :-1]], axis=1)


def _ended(
    how: Ints,
    first: Floats,
    second: Floats,
    third: Floats,
    limit: Floats,
    settings: DecisionSettings,
) -> Ints:
    """How instances ended after these samples (N,), newest first. No sample shows the last moment: where
    nobody told (`KILLED`), one row on at the pace of the last tells that the limit was reached, and where
    two would have been needed nobody knows."""
    with np.errstate(invalid="ignore"):
        pace = np.fmax(np.fmax(first - second, (first - third) / 2), 0)
        near = (1 - settings.limit_near) * limit
        reached = (how == KILLED) | (first + pace >= near)
        unknown = (how == ACTED) | (first + _UNSEEN * pace >= near)
    return np.where(reached, REACHED, np.where(unknown, CUT, ENDED))


def _any_before(valid: Bools, carried: Bools) -> Bools:
    """Whether any row before each one was valid."""
    seen = np.logical_or.accumulate(np.concatenate([carried[:, None], valid], axis=1), axis=1)
    return seen[:, :-1]


def _filled(values: Floats, before: Floats) -> Floats:
    """Carry the last known value forward over missing ones (limits change rarely)."""
    rows: Ints = np.arange(values.shape[1], dtype=np.int64)
    at = np.maximum.accumulate(np.where(np.isfinite(values), rows, -1), axis=1)
    filled = np.take_along_axis(values, np.maximum(at, 0), axis=1)
    return np.where(at >= 0, filled, before[:, None])


def _recent(values: Floats, valid: Bools, carry: Carry) -> tuple[Floats, Floats, Floats, Ints]:
    """The three newest valid values at each row, and the rows since the one before this row."""
    first = _filled(values, carry.last)
    second = _before(first, valid, carry.last, carry.before)
    third = _before(second, valid, carry.before, carry.third)
    rows: Ints = np.arange(values.shape[1], dtype=np.int64)
    at = np.maximum.accumulate(np.where(valid, rows, -1), axis=1)
    earlier = np.concatenate([np.full((len(at), 1), -1), at[:, :-1]], axis=1)
    gaps = np.where(earlier >= 0, rows - earlier, rows + 1 + carry.gap[:, None])
    return first, second, third, np.where(np.isfinite(first), gaps, 0)


def _median(first: Floats, second: Floats, third: Floats, fresh: Ints) -> Floats:
    """Median of the last three values of the instance, of those that are there: a restarted pod
    must not inherit the peak of the one that died."""
    three = np.fmax(np.fmin(first, second), np.fmin(np.fmax(first, second), third))
    return np.where(fresh >= 3, three, np.where(fresh == 2, np.fmin(first, second), first))


def _before(filled: Floats, valid: Bools, carried: Floats, older: Floats) -> Floats:
    """What `filled` was before the newest valid row: the previous valid value."""
    shifted = np.concatenate([carried[:, None], filled[:, :-1]], axis=1)
    return _filled(np.where(valid, shifted, np.nan), older)


def _count(what: Bools, starts: Bools, before: Ints) -> Ints:
    """Running count of `what` that begins anew at each start."""
    total = before[:, None] + np.cumsum(what, axis=1, dtype=np.int64)
    base = np.maximum.accumulate(np.where(starts, total - what, -1), axis=1)
    return np.where(base >= 0, total - base, total)


def _peaks(
    smooth: Floats, limits: Floats, resets: Bools, carry: Carry, settings: DecisionSettings
) -> tuple[Floats, Floats]:
    """Highest smoothed value of the instance, and the highest one that a turn has made safe."""
    segment = np.cumsum(resets, axis=1, dtype=np.int64)
    peak = _running_max(np.nan_to_num(smooth), segment, carry.peak)
    turned = peak - smooth >= settings.turn_drop * limits
    safe = _running_max(np.where(turned, peak, 0.0), segment, carry.safe)
    return peak, safe


def _running_max(values: Floats, segment: Ints, before: Floats) -> Floats:
    """Running maximum of non-negative values that begins anew with each segment."""
    top = np.maximum(values.max(axis=1), before)
    scale = np.where(top > 0, top, 1.0)[:, None]
    lifted = values / scale + _LIFT * segment
    lifted[:, 0] = np.where(
        segment[:, 0] == 0, np.maximum(lifted[:, 0], before / scale[:, 0]), lifted[:, 0]
    )
    highest: Floats = np.maximum.accumulate(lifted, axis=1)
    return (highest - _LIFT * segment) * scale
