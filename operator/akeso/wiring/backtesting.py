"""A back-test put together: recorded series, the operator's own engine, what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from akeso.api.scalars import from_unix
from akeso.backtest import asked, suggest
from akeso.backtest.judge import Drawn, Question, Told, judged, rule, spans, together, workloads
from akeso.backtest.model import BackTest
from akeso.backtest.regular import History, histories
from akeso.clients.access import Access
from akeso.clients.clock import SystemClock
from akeso.clients.prometheus import LARGEST_RESPONSE
from akeso.clients.prometheus_archive import Archive, Found, Range
from akeso.clients.prometheus_history import Way
from akeso.clients.tables.columns import Columns
from akeso.clients.tables.csv_file import read_csv
from akeso.clients.tables.parquet_file import read_parquet
from akeso.errors import PermanentError
from akeso.settings import Settings
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
    labels: frozenset[str] = frozenset()  # that all series of an own query have

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


def from_parquet(path: Path, limit: float | None, step: float | None) -> Recorded:
    return _from_columns(read_parquet(path), limit, step)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of Prometheus: the span in Unix seconds with its step, a query and a query of
    limits instead of the class's own, and where pieces are kept (None: nowhere)."""

    start: float
    end: float
    step: float
    metric_class: str = "memory"
    namespace: str | None = None
    query: str | None = None
    limit_query: str | None = None
    limit: float | None = None
    folder: Path | None = None

    def queries(self, settings: Settings) -> asked.Queries:
        """PermanentError where the class has no query of its own."""
        if self.query is not None:
            limits = None if self.limit is not None else self.limit_query
            return asked.Queries(self.query, limits, limit=self.limit)
        found = asked.of_class(settings, self.metric_class, self.step, self.namespace)
        return found if self.limit is None else replace(found, limits=None, limit=self.limit)

    def ranges(self, settings: Settings) -> list[Range]:
        """What is asked at most."""
        own = self.queries(settings)
        return [
            Range(query, self.start, self.end, self.step)
            for query in (own.values, own.limits, own.restarts)
            if query is not None
        ]


async def from_prometheus(settings: Settings, wanted: Wanted, told: Told) -> Recorded:
    """What Prometheus has of it; `told` hears of each piece. PermanentError where it has nothing."""
    if settings.prometheus_url is None:
        raise PermanentError("No Prometheus is set: give --prometheus-url.")
    access = Access.of("Prometheus", settings.prometheus_url, settings)
    way = Way(access, settings.prometheus_timeout_seconds, LARGEST_RESPONSE)
    archive = Archive(way, wanted.folder, SystemClock().now())
    queries = wanted.queries(settings)

    async def read(query: str | None) -> list[Found]:
        if query is None:
            return []
        return await archive.read(Range(query, wanted.start, wanted.end, wanted.step), told)

    own = wanted.query is not None
    values = await read(queries.values)
    if wanted.namespace is not None:
        values = [v for v in values if v.labels.get("namespace") == wanted.namespace]
    if not values:
        raise PermanentError(_nothing(access.host, queries.values))
    limits = await read(queries.limits)
    if queries.limit is None and not limits:
        raise PermanentError(_unbounded(access.host, queries))
    if not queries.containers:
        found = asked.of_query(values, limits, wanted.step, queries.limit)
    else:
        restarts = [] if asked.told_runs(values) else await read(queries.restarts)
        found = asked.of_containers(values, limits, restarts, wanted.step, queries.limit)
    notes: tuple[str, ...] = ()
    if wanted.step != settings.scrape_interval_seconds and not own:
        said = (
            f"Replayed every {wanted.step:g} s; the operator decides every"
            f" {settings.scrape_interval_seconds:g} s (--scrape-interval-seconds). A --step of"
            " that length is nearest to what it would have decided."
        )
        notes = (said,)
    shared = frozenset[str].intersection(*(frozenset(v.labels) for v in values))
    return Recorded(
        access.host, found, notes, queries.values, queries.limits, own, wanted.limit, shared
    )


def _nothing(host: str, query: str) -> str:
    return (
        f"Prometheus at {host} has nothing for that time. It keeps samples for a limited time"
        f" (--storage.tsdb.retention.time); shorten --last, or correct the query: {query}"
    )


def _unbounded(host: str, queries: asked.Queries) -> str:
    if queries.limits is None:
        return "A query has no limits of its own: give --limit NUMBER or --limit-query QUERY."
    return (
        f"Prometheus at {host} has no limits for that time (asked was: {queries.limits}). Give"
        " --limit NUMBER, which then holds for every series."
    )


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
        recorded.labels,
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
            advice=suggest.advice(basis, found),
        ),
        drawn,
    )
