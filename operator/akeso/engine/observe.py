"""Step one and two of the loop: what is there, what was measured, what is to come."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

from akeso.api.policy import HealingPolicy, Signal, Threshold
from akeso.domain.finding import Signal as About
from akeso.domain.forecast import Forecast, Sample, SeriesKey
from akeso.engine.acted import acted_on
from akeso.engine.alerts import NO_ALERTMANAGER, Firing, read_alerts, read_silences
from akeso.engine.breaches import Breaches
from akeso.engine.ceilings import FROM_INFORMERS
from akeso.engine.garbage import uncollected
from akeso.engine.load import CLOCK_AHEAD_SECONDS, CpuUse, Load, Loads, source_of
from akeso.engine.loads import LoadObserver
from akeso.engine.onsets import Labels, Onsets, labels_of
from akeso.engine.selection import Selection, select
from akeso.engine.series import Incarnation, containers_of, horizons_of
from akeso.engine.volumes import VolumeUse
from akeso.errors import AkesoError, PermanentError
from akeso.policy.case import NO_SILENCES, Silences
from akeso.protocols import (
    AlertSource,
    Clock,
    Cluster,
    MetricSource,
    Predictor,
    Reading,
    Usage,
)
from akeso.settings import Settings

log = logging.getLogger(__name__)

HISTORY_ROWS = 400  # samples per series that back-fill asks for: enough for the longest slope
SAMPLES_AT_ONCE = 25_000  # of them; each piece takes about 15 MiB until it is in the rings
SHORTEST_PIECE = 10  # rows, however many series there are: each piece is a request


# A watch with nothing to tell is heard at each bookmark or, where none comes, at its reconnect
# after 100 s: quiet for that long it is as fresh as can be.
QUIET_WATCH_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class QueryResult:
    """One query's outcome: the readings and those that breach its threshold, or the error."""

    readings: tuple[Reading, ...] = ()
    breaches: Breaches = field(default_factory=Breaches)
    error: AkesoError | None = None


QueryKey = tuple[str, Threshold]


@dataclass(frozen=True, slots=True)
class Observation:
    """One cycle's view of the world."""

    now: float
    selection: Selection
    forecasts: Mapping[SeriesKey, Forecast]
    queries: Mapping[QueryKey, QueryResult]
    memory_error: AkesoError | None
    newest_memory: float | None  # sample time of the newest memory sample seen so far
    cluster_age: float
    healthy: Mapping[str, tuple[str, ...]]  # per workload uid: revisions seen healthy
    containers: int = 0
    firing: Firing = NO_ALERTMANAGER
    silences: Silences = NO_SILENCES
    loads: Loads = field(default_factory=dict[tuple[str, str], tuple[Load, ...]])
    cpu: CpuUse = field(default_factory=CpuUse)
    volumes: VolumeUse = field(default_factory=VolumeUse)

    def loads_of(self, signal: Signal, uid: str) -> tuple[Load, ...]:
        """What a workload bears under a signal, as measured in this cycle."""
        source = source_of(signal)
        return self.loads.get((source, uid), ()) if source is not None else ()

    def source_age(self, about: About, key: QueryKey | None = None) -> float | None:
        """Age in seconds of the newest datum of a signal's own source; None: no data."""
        if about is About.MEMORY_EXHAUSTION:
            return None if self.newest_memory is None else self.now - self.newest_memory
        if about is About.ALERT:
            return None if self.firing.error else 0.0
        if about is About.CPU_SATURATION:
            newest = max((use.time for use in self.cpu.by_container.values()), default=None)
            return None if newest is None else self.now - newest
        if about is About.VOLUME_FILLING:
            return None if self.volumes.error or not any(self.volumes.readings.values()) else 0.0
        if about is About.QUERY and key is not None:
            result = self.queries.get(key)
            return None if result is None or result.error or not result.readings else 0.0
        return max(0.0, self.cluster_age - QUIET_WATCH_SECONDS)


def error_query(signal: Signal, settings: Settings) -> QueryKey:
    """The error-ratio query and threshold a RolloutFailing signal uses."""
    if signal.query is not None and signal.threshold is not None:
        return signal.query, signal.threshold
    return settings.error_ratio_query, Threshold(value=settings.error_ratio)


def query_key(signal: Signal, settings: Settings) -> QueryKey | None:
    """The query a signal evaluates every cycle, if any."""
    if signal.about is About.ROLLOUT_FAILING:
        return error_query(signal, settings)
    asked, bound = signal.asked(settings), signal.bound
    return (asked, bound) if asked is not None and bound is not None else None


class Observer:
    """Gathers one `Observation` per cycle; keeps ring buffers and onsets, nothing else."""

    def __init__(
        self,
        cluster: Cluster,
        source: MetricSource,
        predictor: Predictor,
        clock: Clock,
        settings: Settings,
        alerts: AlertSource | None = None,
    ) -> None:
        self._cluster = cluster
        self._source = source
        self._predictor = predictor
        self._clock = clock
        self._settings = settings
        self._alerts = alerts
        self._onsets: dict[QueryKey, Onsets] = {}
        self._loads = LoadObserver(source, predictor, settings)
        self._newest: float | None = None
        self._filled: set[SeriesKey] = set()

    async def observe(self, policies: Sequence[HealingPolicy]) -> Observation:
        """Raises nothing: what fails is in the observation."""
        selection = select(policies, self._cluster.snapshots())
        now = self._clock.now()
        containers = containers_of(selection, policies)
        memory_error = await self._memory(containers, now)
        queries = await self._queries(policies, selection, now)
        borne = await self._loads.observe(selection, policies, _readings(queries), now)
        firing = await read_alerts(self._alerts, policies, self._settings)
        silences = await read_silences(self._alerts if policies else None)
        await self._predictor.settled()
        now = self._clock.now()
        horizons = horizons_of(selection, policies, self._settings.bar) | borne.horizons
        acted = acted_on(horizons, selection, policies)
        with uncollected():
            forecasts = self._predictor.evaluate(
                now,
                {key: float(f[0]) for key, f in horizons.items()},
                {key: f[1] for key, f in horizons.items()},
                acted,
            )
        return Observation(
            now=now,
            selection=selection,
            forecasts={key: f for key, f in forecasts.items() if key in horizons},
            queries=queries,
            memory_error=memory_error,
            newest_memory=self._newest,
            cluster_age=self._cluster.age(now),
            healthy=_healthy(policies),
            containers=len(containers),
            firing=firing,
            silences=silences,
            loads=self._loads.loads(borne, forecasts),
            cpu=borne.cpu,
            volumes=borne.volumes,
        )

    async def _memory(
        self, containers: Mapping[SeriesKey, Incarnation], now: float
    ) -> AkesoError | None:
        if not containers:
            return None
        try:
            await self._backfill(containers, now)
            usages = await self._source.memory()
        except AkesoError as error:
            return error
        for key, container in containers.items():
            if container.oom_killed_at is not None:
                self._predictor.mark_reached(key, container.oom_killed_at)
        with uncollected():
            self._predictor.ingest(self._samples(usages, containers, now))
        return None

    async def _backfill(self, containers: Mapping[SeriesKey, Incarnation], now: float) -> None:
        """Asks for history once for containers that ran before we looked at them."""
        settled = now - 4 * self._settings.scrape_interval_seconds
        new = containers.keys() - self._filled
        self._predictor.belong({k: c.kin for k, c in containers.items() if k in new})
        if any(containers[key].started_at < settled for key in new):
            rows = max(SHORTEST_PIECE, min(HISTORY_ROWS, SAMPLES_AT_ONCE // len(containers)))
            await self._history({key: containers[key] for key in new}, now, rows)
        self._predictor.forget(self._filled - containers.keys())
        self._filled = set(containers)

    async def _history(self, new: Mapping[SeriesKey, Incarnation], now: float, rows: int) -> None:
        """In pieces of `rows`, oldest first, so that it neither takes much memory nor holds up
        the renewal of the Lease."""
        step = self._settings.scrape_interval_seconds
        for back in range(HISTORY_ROWS, 0, -rows):
            since, until = now - back * step, now - max(0, back - rows) * step
            try:
                history = await self._source.memory_history(since, until)
            except PermanentError as error:  # what comes now is worth having without it
                log.warning("No history of memory, forecasts begin anew: %s", error)
                return
            self._predictor.ingest(self._samples(history, new, now, past=True))

    def _samples(
        self,
        usages: Iterable[Usage],
        containers: Mapping[SeriesKey, Incarnation],
        now: float,
        past: bool = False,
    ) -> Iterator[Sample]:
        """Samples of the running containers; of the `past`, those of their predecessors too."""
        for name, run in groupby(usages, attrgetter("namespace", "pod", "container")):
            key = SeriesKey(*name)
            known = containers.get(key)
            for usage in run:
                own = known is not None and usage.time >= known.started_at
                if known is None or not (own or (past and usage.time >= known.created_at)):
                    continue  # nobody's, or of a predecessor
                if math.isfinite(usage.value) and usage.time <= now + CLOCK_AHEAD_SECONDS:
                    self._newest = max(self._newest or 0.0, usage.time)
                yield Sample(
                    key,
                    usage.time,
                    usage.value,
                    known.limit,
                    known.instance if own else known.before,
                )

    async def _queries(
        self, policies: Sequence[HealingPolicy], selection: Selection, now: float
    ) -> dict[QueryKey, QueryResult]:
        wanted = {
            key
            for policy in policies
            for signal in policy.spec.signals
            if (key := query_key(signal, self._settings)) is not None
        }
        for gone in self._onsets.keys() - wanted:
            del self._onsets[gone]
        return {key: await self._query(key, selection, now) for key in wanted}

    async def _query(self, key: QueryKey, selection: Selection, now: float) -> QueryResult:
        onsets = self._onsets.setdefault(
            key,
            Onsets(
                key[0],
                key[1],
                self._settings.rollout_blame_seconds,
                self._settings.scrape_interval_seconds,
            ),
        )
        from_informers = FROM_INFORMERS.get(key[0])
        if from_informers is not None:
            readings = tuple(from_informers(selection, now))
            since = await onsets.update(None, readings, now)
            return QueryResult(readings, _breaches(readings, since))
        try:
            found = await self._source.evaluate(key[0])
        except AkesoError as error:
            return QueryResult(error=error)
        readings = tuple(r for r in found if math.isfinite(r.value))  # 0/0 and x/0 say nothing
        since = await onsets.update(self._source, readings, now)
        return QueryResult(readings, _breaches(readings, since))


def _breaches(readings: Sequence[Reading], since: Mapping[Labels, float]) -> Breaches:
    marked = ((r, since.get(labels_of(r))) for r in readings)
    return Breaches((r, t) for r, t in marked if t is not None)


def _readings(queries: Mapping[QueryKey, QueryResult]) -> dict[str, Sequence[Reading]]:
    """What each query returns, whatever it is compared with."""
    return {key[0]: result.readings for key, result in queries.items()}


def _healthy(policies: Sequence[HealingPolicy]) -> dict[str, tuple[str, ...]]:
    """What the policies remember of workloads; policies that overlap remember the same."""
    found: dict[str, tuple[str, ...]] = {}
    for policy in policies:
        for record in policy.status.revisions:
            found[record.uid] = tuple(dict.fromkeys((*found.get(record.uid, ()), *record.healthy)))
    return found
