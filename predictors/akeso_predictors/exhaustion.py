"""The predictor that the operator runs: which containers will reach their limit, and when.

Everything it knows comes from the samples in its rings, so that after a restart a back-fill brings
back the votes as well, and a crash delays no alarm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from akeso.domain.forecast import Forecast, Readiness, Sample, SeriesKey
from akeso_predictors import checks
from akeso_predictors.checks import Floats, Ints
from akeso_predictors.engine import Assessment, Windows, assess
from akeso_predictors.series import SeriesRings
from akeso_predictors.settings import DecisionSettings
from akeso_predictors.shapes import bank
from akeso_predictors.track import Pending, Track
from akeso_predictors.verdicts import Verdicts, decide, forecasts


class ExhaustionPredictor:
    """Forecasts exhaustion of limits from samples; one evaluation per cycle of all known series.

    Not thread-safe; no clock of its own: `now` is an argument. Times are Unix seconds.
    """

    def __init__(self, step_seconds: float, settings: DecisionSettings | None = None) -> None:
        self.settings = settings or DecisionSettings()
        self._rings = SeriesRings(step_seconds, self.settings.capacity_rows)
        self._track = Track(self._rings, self.settings)
        self._bank = bank(self.settings.trend)

    def ingest(self, samples: Iterable[Sample]) -> None:
        """Add samples in any order, once or more often; also to back-fill."""
        self._rings.ingest(samples)

    def ingest_columns(
        self, keys: Sequence[SeriesKey], times: ArrayLike, values: ArrayLike, limits: ArrayLike,
        instances: Sequence[str],
    ) -> None:  # fmt: skip
        """Add a block as a range query answers it: `times` (T,), `values` (T, S) with NaN where
        missing, `limits` scalar, (S,) or (T, S), one instance per series."""
        self._rings.ingest_columns(keys, times, values, limits, instances)

    def evaluate(
        self, now: float, horizon: Mapping[SeriesKey, float] | float,
        threshold: Mapping[SeriesKey, float] | float = 0.8,
    ) -> dict[SeriesKey, Forecast]:  # fmt: skip
        """Forecast every known series; a series that a mapping leaves out is not evaluated.

        `horizon` in seconds; `threshold` is the probability p* from which an alarm is raised.
        Evaluating again without new samples gives the same answer and counts no further vote.
        """
        self._forget_old(now)
        keys, columns, spans = _aligned(self._rings.column, "horizon", horizon)
        bars = _bars(keys, threshold)
        verdicts = self._judge(columns, spans, bars, now)
        return dict(zip(keys, forecasts(verdicts, self._rings, keys, spans), strict=True))

    def peek(self, key: SeriesKey, now: float, horizon: float, threshold: float = 0.8) -> Forecast:
        """What `evaluate` would say of one series with this horizon; changes nothing."""
        column = self._rings.column.get(key)
        span = checks.positive("horizon", horizon)
        if column is None:
            return Forecast(key, Readiness.NO_DATA, horizon)
        columns, spans = np.array([column]), np.array([span])
        with self._track.preview(columns):
            verdicts = self._judge(columns, spans, np.array([threshold]), now)
        return forecasts(verdicts, self._rings, [key], spans)[0]

    def mark_action(self, key: SeriesKey | tuple[str, str], now: float) -> None:
        """An action or a rollout of ours: new samples are awaited before an alarm.

        `key` is a series or (namespace, start of the pod's name), such as
        ("shop", "cart-") for a workload.
        """
        if isinstance(key, SeriesKey):
            chosen = [key]
        else:
            namespace, pod = key
            chosen = [
                k for k in self._rings.column if k.namespace == namespace and k.pod.startswith(pod)
            ]
        known = self._rings.column
        self._rings.mark(np.array([known[k] for k in chosen if k in known], dtype=np.int64), now)

    def history(self, key: SeriesKey) -> tuple[Floats, Floats]:
        """Times (Unix seconds) and values of the samples that are kept, oldest first."""
        column = self._rings.column.get(key)
        if column is None:
            return np.zeros(0), np.zeros(0)
        where = self._rings.spots(np.array([column]), self._rings.capacity)
        times, values = self._rings.times[where][0], self._rings.values[where][0]
        there = np.isfinite(values)
        return times[there], values[there].astype(np.float64)

    def forget(self, keys: Iterable[SeriesKey]) -> None:
        """Drop series that are gone; unknown ones are ignored."""
        gone = list(keys)
        self._track.forget(
            np.array([self._rings.column[k] for k in gone if k in self._rings.column], np.int64)
        )
        self._rings.forget(gone)

    def _forget_old(self, now: float) -> None:
        """Evict series that vanished, and those whose clock ran ahead: their next true sample would
        look late for ever."""
        newest = self._rings.newest
        ahead = now + self.settings.clock_ahead
        old = now - self.settings.evict_after
        self.forget(
            [
                k
                for k, c in self._rings.column.items()
                if np.isfinite(newest[c]) and not old <= newest[c] <= ahead
            ]
        )

    def _assess(self, pending: Pending, spans: Floats) -> Assessment:
        """Evaluate rows within horizons of `spans` (N,) seconds and count the votes."""
        where = self._rings.spots(pending.column, self.settings.trend.window_rows, pending.back)
        windows = Windows(
            self._rings.values[where], pending.limit, pending.safe, pending.age, pending.samples
        )
        found = assess(
            windows, (spans / self._rings.step).astype(np.float32), self._bank, self.settings
        )
        self._track.count(pending, found.probability)
        return found

    def _judge(self, columns: Ints, spans: Floats, bars: Floats, now: float) -> Verdicts:
        """Evaluate what came since the last time, then the newest row of each series, and decide."""
        order = np.argsort(columns)
        for earlier in self._track.advance(columns):
            place = order[np.searchsorted(columns, earlier.column, sorter=order)]
            self._assess(earlier, spans[place])
        newest = self._track.newest(columns)
        found = self._assess(newest, spans)
        return decide(
            self._rings, newest, found, self._track.votes[columns], bars, now, self.settings
        )


def _aligned(
    known: Mapping[SeriesKey, int], name: str, given: Mapping[SeriesKey, float] | float
) -> tuple[list[SeriesKey], Ints, Floats]:
    """Keys, columns and values of the series that `given` covers."""
    if isinstance(given, Mapping):
        keys = [key for key in known if key in given]
        values = np.array([given[key] for key in keys], dtype=np.float64)
    else:
        keys = list(known)
        values = np.full(len(keys), checks.positive(name, given), dtype=np.float64)
    if not (np.isfinite(values) & (values > 0)).all():
        raise checks.InputError(f"{name} must be finite seconds above zero")
    return keys, np.array([known[key] for key in keys], dtype=np.int64), values


def _bars(keys: Sequence[SeriesKey], threshold: Mapping[SeriesKey, float] | float) -> Floats:
    """The threshold of each key; 0.8 where a mapping leaves it out."""
    if isinstance(threshold, Mapping):
        return np.array([threshold.get(key, 0.8) for key in keys], dtype=np.float64)
    return np.full(len(keys), threshold, dtype=np.float64)
