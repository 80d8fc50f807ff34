"""A back-test put together: recorded series, the operator's own engine, what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from akeso.api.scalars import from_unix
from akeso.backtest import suggest
from akeso.backtest.judge import Drawn, Question, Told, judged, rule, spans, together, workloads
from akeso.backtest.model import BackTest
from akeso.backtest.regular import History, histories
from akeso.clients.clock import SystemClock
from akeso.clients.tables.columns import Columns
from akeso.clients.tables.csv_file import read_csv
from akeso_predictors.backtest import JUDGING

ALL = "all"


@dataclass(frozen=True, slots=True)
class Recorded:
    """Series that were read, from where, and what is to be told of them. `query` is what was asked
    of Prometheus; `own_query`: it was a person's, not the class's. `limit` held for all of them."""

    source: str
    histories: Sequence[History]
    notes: tuple[str, ...] = ()
    query: str | None = None
    limit_query: str | None = None
    own_query: bool = False
    limit: float | None = None

    @property
    def rows(self) -> int:
        """Rows that will be replayed."""
        return sum(h.rows for h in self.histories if h.step is not None)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a back-test says, and the series to be drawn."""

    told: BackTest
    drawn: Sequence[Drawn]


def from_csv(path: Path, limit: float | None, step: float | None) -> Recorded:
    return _from_columns(read_csv(path), limit, step)


def _from_columns(columns: Columns, limit: float | None, step: float | None) -> Recorded:
    found = histories(columns, limit, step)
    return Recorded(columns.source, found, columns.notes, limit=limit)


def judge(recorded: Recorded, question: Question, told: Told = lambda _: None) -> Judgement:
    """Replays and judges all series; `told` hears how many more rows are done."""
    drawn = judged(recorded.histories, question, told)
    results = tuple(d.result for d in drawn)
    found = workloads(results)
    start, end = spans(results)
    percent = round(100 * question.probability)
    basis = suggest.Basis(
        question.metric_class,
        question.horizon,
        percent,
        recorded.query if recorded.own_query else None,
        recorded.limit,
    )
    return Judgement(
        BackTest(
            made=from_unix(SystemClock().now()),
            source=recorded.source,
            metric_class=question.metric_class,
            query=recorded.query,
            limit_query=recorded.limit_query,
            start=start,
            end=end,
            horizon_seconds=question.horizon,
            probability_percent=percent,
            lead_seconds=JUDGING.lead,
            calibrated=question.calibration is not None,
            rule=rule(question),
            total=together(ALL, results),
            workloads=found,
            series=results,
            notes=recorded.notes,
            policy=suggest.policy(basis, results),
            advice=suggest.advice(results, found),
        ),
        drawn,
    )
