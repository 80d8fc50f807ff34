"""A history judged: what failed, what was foreseen and how early, what was a false alarm.

    backtest(values, limits, step_seconds, horizon_seconds, ...)     both methods on each series

Pure; also for notebooks. A failure is a sample at or above the limit, or a restart right after a
sample near it (a limit that kills is never passed in the samples). An alarm is good when it begins
at most `foreseen` before a failure, and that failure counts as foreseen when `lead` was left. What
nobody can know is neither: an alarm that was cut short by a restart, an action or a raised limit, or
by the end of the history, within the horizon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from akeso.domain.forecast import Readiness
from akeso_predictors import checks, linear
from akeso_predictors.checks import Bools, Floats, Ints
from akeso_predictors.replay import History, Replay, read, replay

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Judging:
    """How alarms are held against what happened. Times in seconds."""

    # What a person or a healer needs: an alarm later than this is late, and no hit.
    lead: float = 300.0
    # An alarm so many horizons before the failure was luck, not foresight.
    foreseen: float = 2.0
    # An alarm, or a crossing, that is back within this time is the same one.
    apart: float = 600.0
    # A restart whose last sample was at this share of the limit was the limit's doing.
    near: float = 0.9


JUDGING = Judging()


@dataclass(frozen=True, slots=True)
class Failure:
    """At `row` the limit was reached; `killed`: what shows it is the restart after."""

    row: int
    killed: bool


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm from `row` to `end` (its last row). `failure`: index of the one it foretold, if
    any; `false`: it foretold none; neither: nobody can know."""

    row: int
    end: int
    failure: int | None
    false: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """The alarms of one method on one series, and per failure the lead in seconds that the first
    good alarm left (None: none came)."""

    alarms: tuple[Alarm, ...]
    leads: tuple[float | None, ...]

    def foreseen(self, judging: Judging = JUDGING) -> int:
        """Failures with an alarm early enough."""
        return sum(lead is not None and lead >= judging.lead for lead in self.leads)

    def late(self, judging: Judging = JUDGING) -> int:
        """Failures with an alarm, but too late for anybody."""
        return sum(lead is not None and lead < judging.lead for lead in self.leads)

    @property
    def missed(self) -> int:
        return sum(lead is None for lead in self.leads)

    @property
    def false(self) -> int:
        return sum(alarm.false for alarm in self.alarms)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One series: `days` it was watched below its limit, what failed, and how both methods did.
    `abstained` counts rows by reason, of `rows` from the first sample to the last."""

    rows: int
    days: float
    failures: tuple[Failure, ...]
    akeso: Judged
    linear: Judged
    abstained: dict[Readiness, int]


@dataclass(frozen=True, slots=True)
class BackTest:
    """What was decided row by row (T, S), by Akeso and by gated predict_linear, and how each
    series came out of it."""

    replay: Replay
    linear: Bools
    outcomes: tuple[Outcome, ...]


def backtest(
    values: ArrayLike,
    limits: ArrayLike,
    step_seconds: float,
    horizon_seconds: float,
    restarts: ArrayLike | None = None,
    metric_class: str = "memory",
    breaks: ArrayLike | None = None,
    *,
    judging: Judging = JUDGING,
    **options: Any,
) -> BackTest:
    """Replay a history and judge it. Arguments and `options` as those of `replay`."""
    given = checks.matrix("values", values)
    rows, series = given.shape
    said = replay(
        given, limits, step_seconds, horizon_seconds, restarts, metric_class, breaks, **options
    )
    rule = linear.alarms(given, limits, step_seconds, horizon_seconds, restarts)
    clean = checks.cleaned(given)
    known = checks.bounds("limits", limits, rows, series)
    begun = checks.flags("restarts", restarts, rows, series)
    acted = checks.flags("breaks", breaks, rows, series)
    settings = options.get("settings")
    history = read(given, limits, step_seconds, restarts, metric_class, breaks, settings)
    reasons = _reasons(clean, history, said)
    spans = judging, step_seconds, horizon_seconds
    outcomes = tuple(
        _outcome(
            _Series(clean[:, s], _filled(known[:, s]), begun[:, s], acted[:, s]),
            said.alarm[:, s], rule[:, s], reasons[:, s], *spans,
        )
        for s in range(series)
    )  # fmt: skip
    return BackTest(said, rule, outcomes)


@dataclass(frozen=True, slots=True)
class _Series:
    """One series, all (T,): values, limits (filled forward), restarts, actions."""

    values: Floats
    limits: Floats
    restarts: Bools
    breaks: Bools


def _outcome(
    one: _Series, alarm: Bools, rule: Bools, reasons: Ints, judging: Judging, step: float,
    horizon: float,
) -> Outcome:  # fmt: skip
    there = np.flatnonzero(np.isfinite(one.values))
    if not len(there):
        nothing = Judged((), ())
        return Outcome(0, 0.0, (), nothing, nothing, {})
    inside = slice(int(there[0]), int(there[-1]) + 1)
    failed = failures(one.values, one.limits, one.restarts, step, judging)
    below = np.isfinite(one.values) & (one.values < one.limits)
    ends = _ends(one, failed, int(there[-1]))
    counts = np.bincount(reasons[inside], minlength=len(_REASONS) + 1)[1:]
    return Outcome(
        rows=inside.stop - inside.start,
        days=float(below.sum()) * step / DAY,
        failures=failed,
        akeso=judge(alarm, failed, ends, below, step, horizon, judging),
        linear=judge(rule, failed, ends, below, step, horizon, judging),
        abstained={r: int(n) for r, n in zip(_REASONS, counts, strict=True) if n},
    )


def failures(
    values: Floats, limits: Floats, restarts: Bools, step_seconds: float, judging: Judging = JUDGING
) -> tuple[Failure, ...]:
    """What failed in one series (T,), oldest first; NaN where there is no value, or no other limit
    than before. A series that begins above its limit has not failed: that bounds nothing."""
    values, limits = checks.cleaned(np.asarray(values, dtype=np.float64)), _filled(limits)
    there: Ints = np.flatnonzero(np.isfinite(values)).astype(np.int64)
    apart = judging.apart / step_seconds
    found: list[Failure] = []
    last_over, before = -np.inf, -1
    begun: Ints = np.cumsum(restarts, dtype=np.int64)
    for row in _eventful(values, limits, there, begun, judging.near):
        at = int(np.searchsorted(there, row))
        before = int(there[at - 1]) if at else -1
        again = before >= 0 and begun[row] > begun[before]
        killed = again and values[before] >= judging.near * limits[before]
        if killed and (last_over < before - apart or not found) and values[before] < limits[before]:
            found.append(Failure(before + 1, True))
        if again:
            last_over = -np.inf
        if values[row] >= limits[row]:
            rose = before >= 0 and (again or values[before] < limits[before])
            if rose and row - last_over > apart:
                found.append(Failure(int(row), False))
            last_over = row
    return tuple(found)


def _eventful(
    values: Floats, limits: Floats, there: Ints, begun: Ints, near: float
) -> Sequence[int]:
    """Rows with a sample at or above the limit, or after a restart; few of many."""
    with np.errstate(invalid="ignore"):
        over = values[there] >= limits[there]
    again = np.diff(begun[there], prepend=begun[there[:1]]) > 0
    return [int(row) for row in there[over | again]]


def _ends(one: _Series, failed: Sequence[Failure], last: int) -> Ints:
    """Rows that end what can be known: restarts and actions, raised limits, the history's end."""
    raised = np.zeros(len(one.values), dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        raised[1:] = one.limits[1:] > one.limits[:-1] * 1.001
    marks = np.flatnonzero(one.restarts | one.breaks | raised)
    ends: Ints = np.union1d(marks, [last]).astype(np.int64)
    return ends


def judge(
    alarm: Bools, failed: Sequence[Failure], ends: Ints, below: Bools, step: float, horizon: float,
    judging: Judging = JUDGING,
) -> Judged:  # fmt: skip
    """The alarms (T,) of one method on one series. `ends`: rows at which something cut short what
    was foretold; `below` (T,): the rows at which an alarm may begin at all."""
    ahead, apart = horizon / step, judging.apart / step
    leads: list[float | None] = [None] * len(failed)
    told: list[Alarm] = []
    at = [f.row for f in failed]
    for begin, end in _episodes(alarm, apart, at):
        if not below[begin]:
            continue
        after = int(np.searchsorted(at, begin, side="right")) if at else 0
        lead = at[after] - begin if after < len(at) else np.inf
        if lead <= judging.foreseen * ahead:
            if leads[after] is None:
                leads[after] = float(lead * step)
            told.append(Alarm(begin, end, after, False))
            continue
        cut = ends[int(np.searchsorted(ends, begin, side="right")) :][:1]
        unknown = len(cut) > 0 and cut[0] - begin <= ahead
        told.append(Alarm(begin, end, None, not unknown))
    return Judged(tuple(told), tuple(leads))


def _episodes(alarm: Bools, apart: float, cuts: Sequence[int]) -> list[tuple[int, int]]:
    """First and last rows of alarms; one that is back soon is the same, unless a failure lies
    between."""
    rows = np.flatnonzero(alarm)
    if not len(rows):
        return []
    sides = np.searchsorted(np.asarray(cuts, dtype=np.int64), rows, side="right")
    new = np.ones(len(rows), dtype=np.bool_)
    pause = np.diff(rows)
    new[1:] = (pause > apart) | ((pause > 1) & (np.diff(sides) > 0))
    first = np.flatnonzero(new)
    last = np.append(first[1:] - 1, len(rows) - 1)
    return [(int(rows[a]), int(rows[b])) for a, b in zip(first, last, strict=True)]


# By code from 1 on; 0 claims something.
_REASONS = (
    Readiness.NO_LIMIT, Readiness.STALE, Readiness.INSUFFICIENT_HISTORY, Readiness.BURSTY,
)  # fmt: skip


def _reasons(clean: Floats, history: History, said: Replay) -> Ints:
    """Why nothing is claimed, as codes (T, S)."""
    codes = np.zeros(clean.shape, dtype=np.int64)
    if clean.size == 0:
        return codes
    legs, chosen = history.legs, history.settings
    held = _held(clean)
    newest = np.take_along_axis(clean, np.maximum(held, 0), axis=0)
    away = np.arange(len(clean))[:, None] - held > chosen.missed_scrapes
    with np.errstate(invalid="ignore"):
        unbounded = ~np.isfinite(legs.limit.T) | (newest >= legs.limit.T)
    few = legs.samples.T < chosen.min_samples
    codes[said.abstained] = 4
    for code, holds in ((3, few), (2, (held < 0) | away), (1, unbounded & (held >= 0))):
        codes[said.abstained & holds] = code
    return codes


def _held(clean: Floats) -> Ints:
    """Row of the newest sample at each row, -1 before the first."""
    rows = np.arange(len(clean))[:, None]
    held: Ints = np.maximum.accumulate(np.where(np.isfinite(clean), rows, -1), axis=0)
    return held


def _filled(limits: Floats) -> Floats:
    """The limit that holds at each row (T,): the last one known."""
    held = _held(limits[:, None])[:, 0]
    return np.where(held >= 0, limits[np.maximum(held, 0)], np.nan)
