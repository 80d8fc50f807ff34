"""Histories replayed through the operator's own engine, and what came of it in the model's words."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akeso.api.scalars import from_unix
from akeso.backtest.model import (
    Abstention,
    Alarm,
    Failure,
    Kind,
    Method,
    Score,
    SeriesResult,
    Verdict,
    WorkloadResult,
)
from akeso.backtest.regular import History, batches, stacked
from akeso.domain.forecast import Readiness
from akeso_predictors import Calibration, calibrate
from akeso_predictors import backtest as judging
from akeso_predictors.backtest import JUDGING, Judged, Outcome, backtest
from akeso_predictors.linear import GATE

# Rows times series replayed at once: some 50 MB.
CELLS = 100_000
SAID = {
    Readiness.NO_LIMIT: "it has no limit, or lies above it all the time",
    Readiness.STALE: "no sample for more than three steps",
    Readiness.INSUFFICIENT_HISTORY: "too few samples since it began, restarted or fell",
    Readiness.BURSTY: "too bursty to foresee anything",
    Readiness.NO_DATA: "no sample that is a measurement",
}

Told = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every series; seconds, and the probability (0..1) from which to act."""

    horizon: float
    probability: float
    metric_class: str = "memory"
    calibration: Calibration | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """A series as it may be drawn: its history, the probability (T,) and what came of it."""

    history: History
    probability: NDArray[np.floating[Any]]
    result: SeriesResult


def rule(question: Question) -> str:
    """The opponent as people write it."""
    return (
        f"predict_linear(x[{GATE.window_seconds / 3600:g}h], {question.horizon:g}) > limit and"
        f" x > {GATE.level:g} * limit, for {GATE.hold_seconds / 60:g}m"
    )


def judged(
    found: Sequence[History], question: Question, told: Told = lambda _: None
) -> list[Drawn]:
    """Every series, by name; `told` hears how many more rows are done."""
    done = [_lone(h) for h in found if h.step is None]
    for block in batches(found, CELLS):
        done += _block(block, question)
        told(sum(h.rows for h in block))
    return sorted(done, key=lambda d: d.result.name)


def _block(block: Sequence[History], question: Question) -> list[Drawn]:
    values, limits, marks = stacked(block)
    step = block[0].step or 0.0
    said = backtest(
        values, limits, step, question.horizon, marks, question.metric_class,
        calibration=question.calibration, threshold=question.probability,
    )  # fmt: skip
    return [
        Drawn(
            h,
            said.replay.probability[: h.rows, s],
            _result(h, said.outcomes[s], said.replay.probability[:, s], said.replay.ttf[:, s]),
        )
        for s, h in enumerate(block)
    ]


def learned(found: Sequence[History], question: Question) -> Calibration:
    """What these histories teach, beside what the question's calibration knew already."""
    known = question.calibration or Calibration()
    for block in batches(found, CELLS):
        values, limits, marks = stacked(block)
        step = block[0].step or 0.0
        reached = np.zeros(values.shape, np.bool_)
        for s in range(len(block)):
            failed = judging.failures(values[:, s], limits[:, s], marks[:, s], step)
            reached[[f.row for f in failed if f.killed], s] = True
        known = calibrate(
            values, limits, step, question.horizon, marks, question.metric_class,
            reached=reached, known=known,
        )  # fmt: skip
    return known


def _lone(history: History) -> Drawn:
    """One sample: nothing can be said of it."""
    why = Abstention(
        reason=Readiness.INSUFFICIENT_HISTORY, percent=100.0, said="one sample is no history"
    )
    result = _bare(history).model_copy(update={"abstained_percent": 100.0, "abstentions": (why,)})
    return Drawn(history, np.zeros(history.rows), result)


def _bare(history: History) -> SeriesResult:
    there = np.flatnonzero(np.isfinite(history.value))
    limits = history.limit[np.isfinite(history.limit)]
    return SeriesResult(
        name=history.name,
        workload=workload_of(history.name),
        samples=history.samples,
        step_seconds=history.step,
        start=from_unix(float(history.time[there[0]])) if len(there) else None,
        end=from_unix(float(history.time[there[-1]])) if len(there) else None,
        days=0.0,
        limit=float(limits[-1]) if len(limits) else None,
        highest=float(history.value[there].max()) if len(there) else None,
        akeso=Score(),
        predict_linear=Score(),
        notes=history.notes,
    )


def _result(
    history: History, outcome: Outcome, probability: NDArray[Any], ttf: NDArray[Any]
) -> SeriesResult:
    times = [
        *_alarms(history, outcome.akeso, Method.AKESO, probability, ttf),
        *_alarms(history, outcome.linear, Method.PREDICT_LINEAR),
    ]
    total = outcome.rows
    if not total:
        why = Abstention(reason=Readiness.NO_DATA, percent=100.0, said=SAID[Readiness.NO_DATA])
        silent: tuple[Abstention, ...] = (why,)
    else:
        silent = tuple(
            Abstention(reason=r, percent=round(100 * n / total, 2), said=SAID[r])
            for r, n in sorted(outcome.abstained.items(), key=lambda item: -item[1])
        )
    rows = zip(outcome.failures, outcome.akeso.leads, outcome.linear.leads, strict=True)
    return _bare(history).model_copy(
        update={
            "days": round(outcome.days, 4),
            "akeso": _score(outcome.akeso, outcome.days),
            "predict_linear": _score(outcome.linear, outcome.days),
            "failures": tuple(_failure(history, f, ours, theirs) for f, ours, theirs in rows),
            "alarms": tuple(sorted(times, key=lambda a: (a.at, a.method))),
            "abstained_percent": round(min(100.0, sum(a.percent for a in silent)), 2),
            "abstentions": silent,
        }
    )


def _failure(
    history: History, failure: judging.Failure, ours: float | None, theirs: float | None
) -> Failure:
    row = failure.row - 1 if failure.killed else failure.row
    return Failure(
        at=from_unix(history.time[min(failure.row, history.rows - 1)]),
        kind=Kind.KILLED if failure.killed else Kind.REACHED,
        value=_finite(history.value[row]),
        limit=_finite(_held(history.limit, row)),
        akeso_lead_seconds=ours,
        predict_linear_lead_seconds=theirs,
    )


def _alarms(
    history: History, one: Judged, method: Method, probability: NDArray[Any] | None = None,
    ttf: NDArray[Any] | None = None,
) -> Iterable[Alarm]:  # fmt: skip
    for alarm in one.alarms:
        if alarm.failure is not None:
            verdict = Verdict.FORETOLD
        else:
            verdict = Verdict.FALSE if alarm.false else Verdict.UNKNOWN
        expected = None if ttf is None else tuple(_finite(q) for q in ttf[alarm.row])
        yield Alarm(
            method=method,
            at=from_unix(history.time[alarm.row]),
            until=from_unix(history.time[min(alarm.end, history.rows - 1)]),
            verdict=verdict,
            value=_finite(_held(history.value, alarm.row)),
            limit=_finite(_held(history.limit, alarm.row)),
            probability=None if probability is None else _finite(probability[alarm.row]),
            expected=(expected[0], expected[1], expected[2]) if expected is not None else None,
        )


def _finite(value: float) -> float | None:
    """As JSON has it; float32 has seven digits."""
    return float(f"{float(value):.7g}") if math.isfinite(value) else None


def _held(values: NDArray[Any], row: int) -> float:
    there = np.flatnonzero(np.isfinite(values[: row + 1]))
    return float(values[there[-1]]) if len(there) else math.nan


def _score(one: Judged, days: float) -> Score:
    leads = [lead for lead in one.leads if lead is not None and lead >= JUDGING.lead]
    return Score(
        foreseen=one.foreseen(),
        late=one.late(),
        missed=one.missed,
        false_alarms=one.false,
        false_alarms_per_series_day=_rate(one.false, days),
        unknown=sum(a.failure is None and not a.false for a in one.alarms),
        median_lead_seconds=median(leads) if leads else None,
        shortest_lead_seconds=min(leads) if leads else None,
    )


def _rate(count: int, days: float) -> float | None:
    return round(count / days, 4) if days > 0 else None


def workloads(results: Sequence[SeriesResult]) -> tuple[WorkloadResult, ...]:
    """The series of each workload together, by name."""
    by_name: dict[str, list[SeriesResult]] = {}
    for result in results:
        by_name.setdefault(result.workload, []).append(result)
    return tuple(together(name, found) for name, found in sorted(by_name.items()))


def together(name: str, found: Sequence[SeriesResult]) -> WorkloadResult:
    days = sum(r.days for r in found)
    reasons: dict[Readiness, float] = {}
    said: dict[Readiness, str] = {}
    for result in found:
        for silent in result.abstentions:
            reasons[silent.reason] = reasons.get(silent.reason, 0.0) + silent.percent / len(found)
            said[silent.reason] = SAID[silent.reason] if len(found) > 1 else silent.said
    return WorkloadResult(
        name=name,
        series=len(found),
        days=round(days, 4),
        failures=sum(len(r.failures) for r in found),
        akeso=_sum(
            [r.akeso for r in found],
            [f.akeso_lead_seconds for r in found for f in r.failures],
            days,
        ),
        predict_linear=_sum(
            [r.predict_linear for r in found],
            [f.predict_linear_lead_seconds for r in found for f in r.failures],
            days,
        ),
        abstained_percent=round(sum(r.abstained_percent for r in found) / max(1, len(found)), 2),
        abstentions=tuple(
            Abstention(reason=r, percent=round(p, 2), said=said[r])
            for r, p in sorted(reasons.items(), key=lambda item: -item[1])
        ),
    )


def _sum(scores: Sequence[Score], leads: Sequence[float | None], days: float) -> Score:
    enough = [lead for lead in leads if lead is not None and lead >= JUDGING.lead]
    false = sum(s.false_alarms for s in scores)
    return Score(
        foreseen=sum(s.foreseen for s in scores),
        late=sum(s.late for s in scores),
        missed=sum(s.missed for s in scores),
        false_alarms=false,
        false_alarms_per_series_day=_rate(false, days),
        unknown=sum(s.unknown for s in scores),
        median_lead_seconds=median(enough) if enough else None,
        shortest_lead_seconds=min(enough) if enough else None,
    )


# Names end in what Kubernetes makes up, in an alphabet without vowels, or in an ordinal.
# https://github.com/kubernetes/apimachinery/blob/v0.36.0/pkg/util/rand/rand.go
_MADE_UP = "[bcdfghjklmnpqrstvwxz2456789]"
_TAILS = (
    re.compile(f"-{_MADE_UP}{{6,10}}-{_MADE_UP}{{5}}$"),
    re.compile(f"-{_MADE_UP}{{5}}$"),
    re.compile("-[0-9]{1,4}$"),
)


def workload_of(name: str) -> str:
    """`shop/web-6f7c9d4b8-x2k4z/app` -> `shop/web`; a name without slashes stands for itself."""
    parts = name.split("/")
    if len(parts) != 3:
        return name
    for tail in _TAILS:
        shorter = tail.sub("", parts[1])
        if shorter and shorter != parts[1]:
            return f"{parts[0]}/{shorter}"
    return f"{parts[0]}/{parts[1]}"


def spans(results: Sequence[SeriesResult]) -> tuple[datetime | None, datetime | None]:
    """The first sample of all, and the last."""
    starts = [r.start for r in results if r.start is not None]
    ends = [r.end for r in results if r.end is not None]
    return (min(starts) if starts else None), (max(ends) if ends else None)
