"""What the operator would have decided at every row of a history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from akeso_predictors import checks
from akeso_predictors.calibration import Calibration, given
from akeso_predictors.checks import Bools, Floats, Ints
from akeso_predictors.classes import class_of, for_metric
from akeso_predictors.decision import actionable, begun, elected, in_time
from akeso_predictors.engine import Windows, assess
from akeso_predictors.legs import ACTED, REPLACED, Legs, fresh_carry, no_legs, trace
from akeso_predictors.settings import DecisionSettings
from akeso_predictors.shapes import bank

# Evaluations at once, so that a long history needs no more memory than a short one.
_BATCH = 1 << 14


@dataclass(frozen=True, slots=True)
class Replay:
    """One evaluation per row. `probability` (T, S) of reaching the limit within the horizon;
    `alarm` (T, S); `ttf` (T, S, 3) seconds at the quantiles .1/.5/.9 (inf: not foreseeable);
    `abstained` (T, S): nothing is claimed there, the probability is 0 and no alarm is raised."""

    probability: Floats
    alarm: Bools
    ttf: Floats
    abstained: Bools


def replay(
    values: ArrayLike,
    limits: ArrayLike,
    step_seconds: float,
    horizon_seconds: float,
    restarts: ArrayLike | None = None,
    metric_class: str = "memory",
    breaks: ArrayLike | None = None,
    calibration: Calibration | None = None,
    *,
    threshold: float | None = None,
    settings: DecisionSettings | None = None,
) -> Replay:
    """Decide at every row from the rows up to it, exactly as `ExhaustionPredictor` would.

    `values` (T, S) or (T,), oldest first, one row per `step_seconds`, NaN where a scrape is missing;
    `limits` a scalar, (S,) or (T, S) in the same unit, NaN where there is none. `restarts` and
    `breaks` (T,) or (T, S) mark (non-zero) the first row of a new container and the first row
    after a rollout or an action of our own: both begin a leg and wait for new samples.
    `calibration` corrects probabilities and times at every row, as it does in the operator. An alarm
    takes a probability of `threshold` (None: p* of the settings).
    Raises `InputError` naming the argument. Garbage values (negative, infinite) count as missing.
    """
    history = read(values, limits, step_seconds, restarts, metric_class, breaks, settings)
    horizon = checks.positive("horizon_seconds", horizon_seconds)
    known = given("calibration", calibration)
    series, rows = history.values.shape
    if rows == 0 or series == 0:
        return _nothing(rows, series)
    found = assessed(history, horizon / history.step)
    bar = history.settings.bar if threshold is None else checks.positive("threshold", threshold)
    return _decided(history, found.corrected(known, horizon), bar)


@dataclass(frozen=True, slots=True)
class History:
    """Arguments, checked: `values` (S, T) float32, `resets` (S, T) where a container or a leg of
    ours begins, its legs, the step in seconds."""

    values: Floats
    resets: Bools
    legs: Legs
    step: float
    metric_class: str
    settings: DecisionSettings


def read(
    values: ArrayLike, limits: ArrayLike, step_seconds: float, restarts: ArrayLike | None,
    metric_class: str, breaks: ArrayLike | None, settings: DecisionSettings | None,
) -> History:  # fmt: skip
    """The history that arguments of `replay` describe. Raises `InputError` naming the argument."""
    array = checks.matrix("values", values)
    rows, series = array.shape
    step = checks.positive("step_seconds", step_seconds)
    known = checks.bounds("limits", limits, rows, series)
    acted = checks.flags("breaks", breaks, rows, series)
    marks = checks.flags("restarts", restarts, rows, series) | acted
    chosen = for_metric(metric_class, settings or DecisionSettings())
    clean = checks.cleaned(array).astype(np.float32).T
    valid = np.isfinite(clean)
    resets = shown(marks.T, valid)
    begins = np.where(resets, np.where(shown(acted.T, valid), ACTED, REPLACED), 0)
    carry = fresh_carry(series)
    if rows and series:
        legs, _ = trace(clean.astype(np.float64), known.T, begins, carry, chosen)
    else:
        legs = no_legs(series)
    return History(clean, resets, legs, step, class_of(metric_class).name, chosen)


def shown(marks: Bools, valid: Bools) -> Bools:
    """Marks (S, T) where the operator would see them: at the first sample after each."""
    marked = np.cumsum(marks, axis=1)
    told = np.maximum.accumulate(np.where(valid, marked, 0), axis=1)
    before = np.concatenate([np.zeros((len(marks), 1), dtype=told.dtype), told[:, :-1]], axis=1)
    return valid & (marked > before)


def _nothing(rows: int, series: int) -> Replay:
    shape = (rows, series)
    return Replay(
        np.zeros(shape), np.zeros(shape, np.bool_), np.zeros((*shape, 3)), np.ones(shape, np.bool_)
    )


@dataclass(frozen=True, slots=True)
class Assessed:
    """Evaluations of a history: where (N,) in its flat rows, probability (N,), time to the limit
    (N, 3) in rows, level (N,), whether nothing is claimed (N,), and whether former rises alike reached the
    limit (N,)."""

    history: History
    which: Ints
    probability: Floats
    ttf: Floats
    level: Floats
    silent: Bools
    repeated: Bools

    def corrected(self, calibration: Calibration, horizon_seconds: float) -> Assessed:
        """With what outcomes have taught."""
        name = self.history.metric_class
        return replace(
            self,
            probability=calibration.probability(name, self.probability),
            ttf=calibration.ttf(name, horizon_seconds, self.ttf),
        )


def windows_at(history: History) -> Callable[[Ints], Windows]:
    """What the operator would look at in some of the flat rows of a history, each with a sample and a limit."""
    values, legs, settings = history.values, history.legs, history.settings
    series, rows = values.shape
    width, reach = settings.trend.window_rows, settings.trend.grid.reach
    padded = np.full((series, reach - 1 + rows), np.nan, dtype=np.float32)
    padded[:, reach - 1 :] = values
    views = sliding_window_view(padded[:, reach - width :], width, axis=1)
    longer = sliding_window_view(padded, reach, axis=1)

    def seen(s: Ints, t: Ints, some: Ints, wanted: int) -> Floats:
        """What a ring would still know of so many rows up to some of these."""
        found: Floats = longer[s[some], t[some], reach - wanted :]
        found[:, : max(wanted - settings.known_rows, 0)] = np.nan
        return found

    def at(which: Ints) -> Windows:
        s, t = np.divmod(which, rows)
        return Windows(
            views[s, t], partial(seen, s, t), legs.limit[s, t], legs.safe[s, t], legs.age[s, t], legs.samples[s, t],
            legs.turns.at(s, t),
        )  # fmt: skip

    return at


def assessed(history: History, horizon: float) -> Assessed:
    """Evaluate every row with a sample and a limit; `horizon` in rows."""
    settings = history.settings
    which = np.flatnonzero((np.isfinite(history.values) & np.isfinite(history.legs.limit)).ravel())
    windows = windows_at(history)
    shapes = bank(settings.trend)
    size = len(which)
    probability, level = np.zeros(size, np.float32), np.zeros(size, np.float32)
    ttf, silent = np.full((size, 3), np.inf, np.float32), np.ones(size, np.bool_)
    repeated = np.zeros(size, np.bool_)
    for start in range(0, size, _BATCH):
        part = slice(start, start + _BATCH)
        some = which[part]
        found = assess(
            windows(some), np.full(len(some), horizon, np.float32), shapes, settings, history.step
        )
        probability[part], ttf[part], level[part] = found.probability, found.ttf, found.level
        repeated[part] = found.repeated
        silent[part] = found.bursty | found.unbounded | found.short
    return Assessed(history, which, probability, ttf, level, silent, repeated)


def _decided(history: History, found: Assessed, threshold: float) -> Replay:
    """Vote over the evaluations, and hold the result over missed scrapes."""
    series, rows = history.values.shape
    legs, settings, which = history.legs, history.settings, found.which
    recent = _votes(found.probability, legs, which, rows, settings)
    alarm = elected(recent, threshold, settings) & ~found.silent
    fresh, fresh_age = legs.fresh.ravel()[which], legs.fresh_age.ravel()[which]
    alarm &= actionable(
        found.level, found.ttf, fresh, fresh_age, history.step, settings, found.repeated
    )
    first = np.diff(which // rows, prepend=-1) > 0
    alarm = begun(alarm, in_time(found.level, found.ttf, settings), first)
    held = _newest(which, series, rows, settings.missed_scrapes)
    out = _nothing(rows, series)
    told = held >= 0
    told[told] &= ~found.silent[held[told]]
    out.abstained[:] = ~told.T
    out.probability.T[told] = found.probability[held[told]]
    out.alarm.T[told] = alarm[held[told]]
    out.ttf[:] = np.inf
    out.ttf.transpose(1, 0, 2)[told] = found.ttf[held[told]].astype(np.float64) * history.step
    return out


def _votes(
    probability: Floats, legs: Legs, which: Ints, rows: int, settings: DecisionSettings
) -> Floats:
    """The last evaluations of the same leg against a limit as high, without a gap between them, (N, votes_of),
    oldest first, NaN where there were fewer."""
    votes_of, limit = settings.votes_of, legs.limit.ravel()[which]
    recent = np.full((len(which), votes_of), np.nan, dtype=np.float32)
    leg_start = which - legs.age.ravel()[which] + 1
    joined = np.concatenate([[False], np.diff(which) <= settings.missed_scrapes + 1])[: len(which)]
    near = np.ones(len(which), dtype=np.bool_)
    for back in range(votes_of):
        earlier = np.arange(len(which)) - back
        same = (earlier >= 0) & near
        earlier = np.maximum(earlier, 0)
        same &= which[earlier] >= np.maximum(leg_start, which // rows * rows)
        same &= ~(limit > limit[earlier] * (1 + settings.limit_change))
        recent[same, votes_of - 1 - back] = probability[earlier[same]]
        near &= joined[earlier]
    return recent


def _newest(which: Ints, series: int, rows: int, missed: int) -> Ints:
    """Index (S, T) of the evaluation that holds at each row; -1 where there is none or it is stale."""
    index = np.full(series * rows, -1, dtype=np.int64)
    index[which] = np.arange(len(which))
    index = np.maximum.accumulate(index.reshape(series, rows), axis=1)
    own = np.arange(series)[:, None]
    spot = np.where(index >= 0, which[index] if len(which) else 0, -1)
    stale = (spot < 0) | (spot // rows != own) | (np.arange(rows) - spot % rows > missed)
    return np.where(stale, -1, index)
