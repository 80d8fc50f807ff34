"""Follows what workloads bear from cycle to cycle: rings, onsets, and what came before we looked."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from akeso.domain.forecast import Forecast, LoadKey, Sample, SeriesKey
from akeso.engine.load import Load, Loads, Measured
from akeso.errors import AkesoError, PermanentError
from akeso.protocols import Predictor
from akeso.settings import Settings

log = logging.getLogger(__name__)

HISTORY_ROWS = 260  # samples per series that back-fill asks for: the window of the predictor
SAMPLES_AT_ONCE = 25_000  # of them; each piece takes about 15 MiB until it is in the rings
SHORTEST_PIECE = 10  # rows, however many series there are: each piece is a request
# A new series is asked after this often, in seconds, however many appear: a query whose labels
# change all the time must not ask for history all the time.
HISTORY_EVERY = 600.0
# Days are read at the step of `akeso_predictors.outlook`, so many pieces in one cycle.
DAYS_STEP = 900.0
PIECES_PER_CYCLE = 4
# A series that nothing was heard of for this long, in seconds, is gone (as in the predictor).
FORGET_AFTER = 3_600.0


@dataclass(frozen=True, slots=True)
class Feed:
    """One source of measurements: those of this cycle, and how to ask for earlier ones.

    `past` takes start and end in Unix seconds, `days` a step beside them: the same of days ago, for
    series that outlive pods.
    """

    source: str
    measured: Sequence[Measured]
    past: Callable[[float, float], Awaitable[Iterable[Measured]]]
    days: Callable[[float, float, float], Awaitable[Iterable[Measured]]] | None = None


@dataclass(slots=True)
class _Older:
    """What is still to be read of the days before: of whom, and from when until when."""

    keys: set[LoadKey]
    start: float
    end: float


@dataclass(slots=True)
class _Track:
    """What is remembered of one series. The predictor knows limits that are approached from below:
    it is told `reach` less the way that is left."""

    reach: float = 0.0
    heard_at: float = 0.0
    since: float | None = None
    foreseen: bool = False


class Follower:
    """Keeps what is measured of workloads in the predictor's rings, and the onsets of crossings."""

    def __init__(self, predictor: Predictor, settings: Settings) -> None:
        self._predictor = predictor
        self._settings = settings
        self._tracks: dict[LoadKey, _Track] = {}
        self._asked: dict[str, float] = {}  # by source: when history was last asked for
        self._older: dict[str, _Older] = {}  # by source

    async def take(self, feed: Feed, now: float) -> None:
        """Takes one feed's measurements, and what came before them where they are new."""
        new = {m.key for m in feed.measured if m.key not in self._tracks}
        if new and now - self._asked.get(feed.source, float("-inf")) >= HISTORY_EVERY:
            self._asked[feed.source] = now
            try:
                await self._history(feed, new, now)
            except AkesoError as error:  # what comes now is worth having without it
                log.warning("No history of %s, forecasts begin anew: %s", feed.source, error)
                if not isinstance(error, PermanentError):
                    del self._asked[feed.source]
            self._plan(feed, new, now)
        self._reach(feed.measured)
        await self._days(feed)
        self._ingest(feed.measured)

    def _plan(self, feed: Feed, new: set[LoadKey], now: float) -> None:
        lasting = {key for key in new if not key.pod}
        days = self._settings.history_days
        if feed.days is not None and lasting and days > 0:
            # In the middle of each row, where one value stands best for all of it.
            start = ((now - 86_400 * days) // DAYS_STEP + 0.5) * DAYS_STEP
            self._older[feed.source] = _Older(lasting, start, now)

    async def _days(self, feed: Feed) -> None:
        """A few pieces of the days before, oldest first: the rest in the next cycles."""
        older = self._older.get(feed.source)
        if older is None or feed.days is None:
            return
        rows = max(SHORTEST_PIECE, SAMPLES_AT_ONCE // len(older.keys))
        for _ in range(PIECES_PER_CYCLE):
            until = min(older.end, older.start + rows * DAYS_STEP)
            try:
                past = await feed.days(older.start, until, DAYS_STEP)
            except AkesoError as error:  # what comes now is worth having without it
                log.warning(
                    "No history of days of %s, its cycles are unknown: %s", feed.source, error
                )
                del self._older[feed.source]
                return
            self._predictor.remember(
                [self._sample(m) for m in past if m.key in older.keys and m.key in self._tracks]
            )
            older.start = until + DAYS_STEP
            if older.start >= older.end:
                del self._older[feed.source]
                return

    async def _history(self, feed: Feed, new: set[LoadKey], now: float) -> None:
        """In pieces, oldest first, so that it takes little memory and holds up no other task."""
        step = self._settings.scrape_interval_seconds
        rows = max(SHORTEST_PIECE, min(HISTORY_ROWS, SAMPLES_AT_ONCE // len(new)))
        for back in range(HISTORY_ROWS, 0, -rows):
            since, until = now - back * step, now - max(0, back - rows) * step
            past = [m for m in await feed.past(since, until) if m.key in new]
            self._reach([*past, *(m for m in feed.measured if m.key in new)])
            self._ingest(sorted(past, key=_time))

    def wanted(
        self, horizons: Mapping[tuple[str, str], tuple[float, float]], feeds: Iterable[Feed]
    ) -> dict[SeriesKey, tuple[float, float]]:
        """Horizon and bar of every series that was measured in this cycle."""
        return {
            m.key: horizons[m.key.source, m.key.target]
            for feed in feeds
            for m in feed.measured
            if (m.key.source, m.key.target) in horizons
        }

    def loads(self, feeds: Iterable[Feed], forecasts: Mapping[SeriesKey, Forecast]) -> Loads:
        """What was measured in this cycle, by source and workload."""
        found: defaultdict[tuple[str, str], list[Load]] = defaultdict(list)
        for feed in feeds:
            for m in {m.key: m for m in feed.measured}.values():
                track, forecast = self._tracks[m.key], forecasts.get(m.key)
                # Beyond the bound nothing is forecast any more; what was foreseen has come.
                if not m.crossed:
                    track.foreseen = forecast is not None and forecast.alarm
                load = Load(m, track.since, forecast, track.foreseen)
                found[m.key.source, m.key.target].append(load)
        return {key: tuple(loads) for key, loads in found.items()}

    def forget_silent(self, now: float) -> None:
        """Drops what nothing was heard of for an hour."""
        silent = [k for k, t in self._tracks.items() if now - t.heard_at > FORGET_AFTER]
        for key in silent:
            del self._tracks[key]
        self._predictor.forget(silent)

    def _reach(self, measured: Iterable[Measured]) -> None:
        """A bound as far off as its own size, at least; further where the series has been. It is
        set once, because what the rings hold follows from it."""
        ways: defaultdict[LoadKey, list[float]] = defaultdict(list)
        for m in measured:
            track = self._tracks.get(m.key)
            if track is None or track.reach <= 0:
                ways[m.key] += (abs(m.bound.value), m.way)
        for key, found in ways.items():
            self._tracks.setdefault(key, _Track()).reach = max(0.0, *found)

    def _ingest(self, measured: Sequence[Measured]) -> None:
        self._predictor.ingest([self._sample(m) for m in measured])
        for m in measured:
            self._mark(self._tracks[m.key], m)

    def _sample(self, m: Measured) -> Sample:
        if m.whole is not None:  # a limit that may change with the pods, in cores
            return Sample(m.key, m.time, m.value, m.bound.value, m.instance)
        reach = self._tracks[m.key].reach
        limit = reach * m.unit or None
        return Sample(m.key, m.time, max(0.0, reach - m.way) * m.unit, limit, m.instance)

    def _mark(self, track: _Track, m: Measured) -> None:
        """The onset of a crossing is its first sample; a gap in the samples begins it anew."""
        gap = m.time - track.heard_at > self._settings.stale_after
        track.heard_at = max(track.heard_at, m.time)
        if not m.crossed:
            track.since = None
        elif track.since is None or gap:
            track.since = m.time


def _time(measured: Measured) -> float:
    return measured.time
