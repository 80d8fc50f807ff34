"""When each breach of a threshold began, also across a restart of the operator.

Kept in RAM; a breach that is met for the first time without having been seen below the
threshold before is looked up in the source's history.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from akeso.api.policy import Threshold
from akeso.errors import AkesoError
from akeso.protocols import MetricSource, Reading

Labels = frozenset[tuple[str, str]]


def labels_of(reading: Reading) -> Labels:
    return frozenset(reading.labels.items())


_RANGE = re.compile(r"\[([^\]:]+)")
_SPAN = re.compile(r"(\d+)(ms|[smhdwy])")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "y": 31_536_000}


def window_of(query: str) -> float:
    """The longest range, in seconds, over which a query looks back; 0 where it has none.

    https://prometheus.io/docs/prometheus/latest/querying/basics/#range-vector-selectors
    """
    spans = (_SPAN.findall(found) for found in _RANGE.findall(query))
    return max((sum(int(n) * _SECONDS[unit] for n, unit in span) for span in spans), default=0.0)


class Onsets:
    """The onset of every breach of one query's threshold.

    `lookback` is how far back, in seconds, an onset is searched for.
    """

    def __init__(self, query: str, threshold: Threshold, lookback: float, step: float) -> None:
        self._query = query
        self._threshold = threshold
        self._lookback = lookback
        self._step = step
        self._since: dict[Labels, float] = {}
        self._below: set[Labels] = set()

    async def update(
        self, source: MetricSource | None, readings: Sequence[Reading], now: float
    ) -> Mapping[Labels, float]:
        """Takes one evaluation; returns the breaching series with their onset (Unix seconds).

        Without a source there is no history: an onset is the first sight of it.
        """
        breaching = {labels_of(r) for r in readings if self._threshold.crossed_by(r.value)}
        fine = {labels_of(r) for r in readings} - breaching
        known = {s: t for s, t in self._since.items() if s in breaching}
        fresh = breaching - known.keys()
        if source is not None and fresh - self._below:
            known |= await self._from_history(source, fresh - self._below, now)
        self._since = {s: known.get(s, now) for s in breaching}
        # A series that is missing keeps its mark for one round only: no data is not health.
        self._below = fine
        return self._since

    async def _from_history(
        self, source: MetricSource, wanted: set[Labels], now: float
    ) -> dict[Labels, float]:
        step = max(self._step, self._lookback / 1000)
        try:
            history = await source.evaluate_range(self._query, now - self._lookback, now, step)
        except AkesoError:
            return {}  # without history the onset is the first sight of it
        found: dict[Labels, float] = {}
        for series in history:
            if series and labels_of(series[0]) in wanted:
                found[labels_of(series[0])] = self._onset(series, now)
        return found

    def _onset(self, series: Sequence[Reading], now: float) -> float:
        onset = now
        for reading in reversed(series):
            if not self._threshold.crossed_by(reading.value):
                break
            onset = min(onset, reading.time)
        return onset
