"""Gathers once per cycle what workloads bear, from everything that measures it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from akeso.api.policy import HealingPolicy
from akeso.domain.finding import Signal as About
from akeso.domain.forecast import Forecast, SeriesKey
from akeso.engine.ceilings import FROM_INFORMERS
from akeso.engine.follow import Feed, Follower
from akeso.engine.load import (
    CLOCK_AHEAD_SECONDS,
    CpuUse,
    Loads,
    Measured,
    Watched,
    bounded,
    cpu_days,
    cpu_of,
    cpu_of_workloads,
    cpu_past,
    horizons_of,
    of_query,
    watched,
)
from akeso.engine.selection import Selection
from akeso.engine.volumes import VolumeUse, claims_of, of_volumes, queries
from akeso.errors import AkesoError
from akeso.protocols import MetricSource, Predictor, Reading
from akeso.settings import Settings


@dataclass(frozen=True, slots=True)
class Borne:
    """What was measured in one cycle. `horizons`: of every series measured, how far to look ahead
    in seconds, and the probability from which to act."""

    cpu: CpuUse
    volumes: VolumeUse
    feeds: tuple[Feed, ...]
    horizons: dict[SeriesKey, tuple[float, float]]


class LoadObserver:
    """Asks the sources that no other signal asks, and follows every series of a load."""

    def __init__(self, source: MetricSource, predictor: Predictor, settings: Settings) -> None:
        self._source = source
        self._settings = settings
        self._follower = Follower(predictor, settings)

    async def observe(
        self,
        selection: Selection,
        policies: Sequence[HealingPolicy],
        readings: Mapping[str, Sequence[Reading]],
        now: float,
    ) -> Borne:
        """Raises nothing; `readings` is what each query of the policies returns now."""
        in_cpu = tuple(watched(selection, policies, About.CPU_SATURATION))
        in_queries = tuple(watched(selection, policies, About.QUERY))
        in_volumes = tuple(
            pair
            for pair in watched(selection, policies, About.VOLUME_FILLING)
            if claims_of(pair.seen)
        )
        cpu, volumes = await self._cpu(in_cpu, now), await self._volumes(in_volumes)
        feeds = (
            *self._cpu_feeds(in_cpu, cpu, now),
            *self._query_feeds(in_queries, readings),
            *self._volume_feeds(in_volumes, volumes),
        )
        for feed in feeds:
            await self._follower.take(feed, now)
        self._follower.forget_silent(now)
        horizons = horizons_of((*in_cpu, *in_queries, *in_volumes), self._settings.bar)
        return Borne(cpu, volumes, feeds, self._follower.wanted(horizons, feeds))

    def loads(self, borne: Borne, forecasts: Mapping[SeriesKey, Forecast]) -> Loads:
        """What was measured, with what is expected of it."""
        return self._follower.loads(borne.feeds, forecasts)

    async def _cpu(self, pairs: Sequence[Watched], now: float) -> CpuUse:
        """The use of the containers of workloads whose CPU is watched."""
        names = {key for pair in pairs for key, _, _ in bounded(pair.seen)}
        if not names:
            return CpuUse()
        try:
            found = await self._source.cpu()
        except AkesoError as error:
            return CpuUse(error=str(error))
        uses = ((SeriesKey(u.namespace, u.pod, u.container), u) for u in found)
        latest = now + CLOCK_AHEAD_SECONDS
        return CpuUse(
            {k: u for k, u in uses if k in names and math.isfinite(u.value) and u.time <= latest}
        )

    def _cpu_feeds(self, pairs: Sequence[Watched], cpu: CpuUse, now: float) -> Iterator[Feed]:
        if not pairs:
            return
        step = self._settings.scrape_interval_seconds
        found = (cpu_of(p, cpu.by_container, now - self._settings.stale_after) for p in pairs)

        async def past(start: float, end: float) -> Iterable[Measured]:
            return cpu_past(pairs, await self._source.cpu_history(start, end, step))

        now_there = [m for m in found if m is not None]

        async def days(start: float, end: float, step: float) -> Iterable[Measured]:
            past: list[Measured] = []
            for kind in dict.fromkeys(pair.seen.ref.kind for pair in pairs):
                of_kind = [pair for pair in pairs if pair.seen.ref.kind is kind]
                query = cpu_of_workloads(kind, of_kind, self._settings)
                for series in await self._source.evaluate_range(query, start, end, step):
                    past += cpu_days(of_kind, now_there, series)
            return past

        yield Feed("CPU", now_there, past, days)

    async def _volumes(self, pairs: Sequence[Watched]) -> VolumeUse:
        if not pairs:
            return VolumeUse()
        try:
            return VolumeUse(
                {of: await self._source.evaluate(q) for of, q in queries(self._settings).items()}
            )
        except AkesoError as error:
            return VolumeUse(error=str(error))

    def _volume_feeds(self, pairs: Sequence[Watched], use: VolumeUse) -> Iterator[Feed]:
        if not pairs:
            return
        step = self._settings.scrape_interval_seconds

        async def days(start: float, end: float, step: float) -> Iterable[Measured]:
            found: dict[str, Sequence[Reading]] = {}
            for of, query in queries(self._settings).items():
                series = await self._source.evaluate_range(query, start, end, step)
                found[of] = [reading for one in series for reading in one]
            return of_volumes(pairs, VolumeUse(found))

        async def past(start: float, end: float) -> Iterable[Measured]:
            return await days(start, end, step)

        yield Feed("volumes", list(of_volumes(pairs, use)), past, days)

    def _query_feeds(
        self, pairs: Sequence[Watched], readings: Mapping[str, Sequence[Reading]]
    ) -> Iterator[Feed]:
        by_query: defaultdict[str, list[Watched]] = defaultdict(list)
        for pair in pairs:
            by_query[pair.signal.asked(self._settings) or ""].append(pair)
        for query, asking in by_query.items():
            yield self._query_feed(query, asking, readings.get(query, ()))

    def _query_feed(self, query: str, pairs: Sequence[Watched], found: Sequence[Reading]) -> Feed:
        step = self._settings.scrape_interval_seconds

        async def days(start: float, end: float, step: float) -> Iterable[Measured]:
            if query in FROM_INFORMERS:
                return ()
            series = await self._source.evaluate_range(query, start, end, step)
            return of_query(pairs, [reading for one in series for reading in one], days=True)

        async def past(start: float, end: float) -> Iterable[Measured]:
            if query in FROM_INFORMERS:
                return ()
            series = await self._source.evaluate_range(query, start, end, step)
            return of_query(pairs, [reading for one in series for reading in one])

        return Feed(query, list(of_query(pairs, found)), past, days)
