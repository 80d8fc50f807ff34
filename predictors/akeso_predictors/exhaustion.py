"""The predictor that the operator runs: which containers will reach their limit, and when.

Everything it knows comes from the samples in its rings, so that after a restart a back-fill brings
back the votes as well, and a crash delays no alarm.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from akeso.domain.forecast import Forecast, Readiness, Sample, SeriesKey
from akeso_predictors import checks
from akeso_predictors.calibration import Calibration
from akeso_predictors.checks import Bools, Floats, Ints
from akeso_predictors.classes import class_of
from akeso_predictors.engine import Assessment, Windows, assess, joined
from akeso_predictors.follower import ClaimFollower
from akeso_predictors.kin import Kin
from akeso_predictors.series import SeriesRings
from akeso_predictors.settings import DecisionSettings
from akeso_predictors.shapes import bank
from akeso_predictors.track import Pending, Track
from akeso_predictors.verdicts import (
    Verdicts,
    alarming,
    corrected_by,
    decide,
    forecasts,
    levelled_off,
)


class ExhaustionPredictor:
    """Forecasts exhaustion of limits from samples; one evaluation per cycle of all known series.

    `calibration` is what was learned so far of `metric_class`; it is corrected as claims mature.
    Not thread-safe; no clock of its own: `now` is an argument. Times are Unix seconds.
    """

    def __init__(
        self, step_seconds: float, settings: DecisionSettings | None = None,
        metric_class: str = "memory", calibration: Calibration | None = None,
    ) -> None:  # fmt: skip
        self.settings = settings or DecisionSettings()
        self.metric_class = class_of(metric_class).name
        self._rings = SeriesRings(step_seconds, self.settings.capacity_rows)
        self._track = Track(self._rings, self.settings)
        self._kin = Kin(self._rings, self._track)
        self._bank = bank(self.settings.trend)
        known = calibration or Calibration()
        self._claims = ClaimFollower(self._rings, self.settings, self.metric_class, known)

    @property
    def calibration(self) -> Calibration:
        """The correction that the next evaluation uses."""
        return self._claims.calibration

    @calibration.setter
    def calibration(self, known: Calibration) -> None:
        """Go on from what was learned elsewhere, or in an earlier life."""
        self._claims.calibration = known

    @property
    def matured(self) -> Mapping[str, int]:
        """How many claims have matured, by what became of them: `Reached`, `NotReached` or
        `Censored` (nobody will know); `Missed` counts limits that were reached without a claim."""
        return dict(self._claims.counts)

    def belong(self, groups: Mapping[SeriesKey, str]) -> None:
        """Series that begin now run the same as the others of their group (containers of one name in the pods
        of one workload): they begin with what earlier rises of these taught. To be told before their
        first evaluation; without it a series knows its own past only."""
        self._kin.belong(groups)

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
        threshold: Mapping[SeriesKey, float] | float | None = None,
        acted_on: Collection[SeriesKey] = (),
    ) -> dict[SeriesKey, Forecast]:  # fmt: skip
        """Forecast every known series; a series that a mapping leaves out is not evaluated.

        `horizon` in seconds; `threshold` is the probability p* from which an alarm is raised
        (None, or left out of the mapping: the settings').
        Nothing is learned of series that are `acted_on`: where alarms are answered, the leaks are
        gone before their limit, and only the false alarms would be left to learn from.
        Evaluating again without new samples gives the same answer and counts no further vote.
        """
        self._forget_old(now)
        self._kin.adopt(now)
        keys, columns, spans = _aligned(self._rings.column, "horizon", horizon)
        bars = _bars(keys, threshold, self.settings.bar)
        learn = np.ones(len(keys), dtype=np.bool_)
        if acted_on:
            learn[:] = [key not in acted_on for key in keys]
        verdicts = self._judge(columns, spans, bars, now, learn)
        told = dict(zip(keys, forecasts(verdicts, self._rings, keys, spans), strict=True))
        self._claims.look()
        return told

    def peek(
        self, key: SeriesKey, now: float, horizon: float, threshold: float | None = None
    ) -> Forecast:
        """What `evaluate` would say of one series with this horizon; changes nothing."""
        column = self._rings.column.get(key)
        span = checks.positive("horizon", horizon)
        if column is None:
            return Forecast(key, Readiness.NO_DATA, horizon)
        columns, spans = np.array([column]), np.array([span])
        with self._track.preview(columns):
            verdicts = self._judge(
                columns, spans, _bars([key], threshold, self.settings.bar), now, None
            )
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

    def mark_reached(self, key: SeriesKey, time: float) -> None:
        """The limit was reached at `time` though no sample shows it: the container was OOM-killed.
        To be told before the samples of its successor come; once or more often."""
        column = self._rings.column.get(key)
        if column is not None:
            self._claims.reached(column, time)
            self._rings.kill(column, time)

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
        self._kin.leave(gone)
        columns = [self._rings.column[k] for k in gone if k in self._rings.column]
        self._track.forget(np.array(columns, np.int64))
        self._claims.forget(np.array(columns, np.int64))
        self._rings.forget(gone)

    def _forget_old(self, now: float) -> None:
        """Evict series that vanished, and those whose clock ran ahead: their next true sample would
        look late for ever."""
        newest = self._rings.newest
        ahead = now + self.settings.clock_ahead
        old = now - self.settings.evict_after
        gone = np.isfinite(newest) & ~((old <= newest) & (newest <= ahead))
        if gone.any():
            self.forget([k for k, c in self._rings.column.items() if gone[c]])

    def _assess(self, pending: Pending, spans: Floats) -> tuple[Assessment, Bools]:
        """Evaluate rows within horizons of `spans` (N,) seconds and count the votes; also, which series
        have levelled off (N,)."""
        found: list[Assessment] = []
        levelled: list[Bools] = [np.zeros(0, dtype=np.bool_)]
        horizon = (spans / self._rings.step).astype(np.float32)
        for part, some in pending.blocks():
            windows = Windows(
                self._rings.recent(some.column, self.settings.trend.window_rows, some.back),
                partial(self._longer, some),
                some.limit, some.safe, some.age, some.samples, some.turns,
            )  # fmt: skip
            found.append(
                assess(windows, horizon[part], self._bank, self.settings, self._rings.step)
            )
            self._track.count(some, found[-1].probability)
            levelled.append(levelled_off(windows.values, some, self.settings))
        return joined(found), np.concatenate(levelled)

    def _longer(self, pending: Pending, some: Ints, rows: int) -> Floats:
        """So many rows up to some of those pending, NaN where a ring may know no more."""
        known = min(rows, self.settings.known_rows)
        found = np.full((len(some), rows), np.nan, dtype=np.float32)
        found[:, rows - known :] = self._rings.recent(pending.column[some], known, pending.back)
        return found

    def _judge(
        self, columns: Ints, spans: Floats, bars: Floats, now: float, learn: Bools | None
    ) -> Verdicts:
        """Evaluate what came since the last time, then the newest row of each series, and decide.
        Of those that `learn` claims are followed; None: nothing is remembered."""
        order = np.argsort(columns)
        for earlier in self._track.advance(columns):
            place = order[np.searchsorted(columns, earlier.column, sorter=order)]
            found, _ = self._assess(earlier, spans[place])
            self._decided(earlier, found, spans[place], bars[place])
            if learn is not None:
                self._claims.consider(earlier, found, spans[place], learn[place])
        newest = self._track.newest(columns)
        found, levelled = self._assess(newest, spans)
        if learn is not None:
            self._claims.consider(newest, found, spans, learn)
        corrected, alarm = self._decided(newest, found, spans, bars)
        return decide(self._rings, newest, corrected, levelled, alarm, now, self.settings)

    def _decided(
        self, pending: Pending, found: Assessment, spans: Floats, bars: Floats
    ) -> tuple[Assessment, Bools]:
        """Evaluations with what was learned, and whether there is an alarm (N,), which is remembered."""
        corrected = corrected_by(self.calibration, self.metric_class, found, spans)
        votes = self.calibration.probability(self.metric_class, self._track.votes[pending.column])
        alarm = alarming(
            pending, corrected, votes, bars, self._track.alarm[pending.column], self._rings.step,
            self.settings,
        )  # fmt: skip
        self._track.alarm[pending.column] = alarm
        return corrected, alarm


def _aligned(
    known: Mapping[SeriesKey, int], name: str, given: Mapping[SeriesKey, float] | float
) -> tuple[list[SeriesKey], Ints, Floats]:
    """Keys, columns and values of the series that `given` covers."""
    if isinstance(given, Mapping):
        both = [(key, c, given[key]) for key, c in known.items() if key in given]
        keys, columns = [key for key, _, _ in both], [c for _, c, _ in both]
        values = np.array([value for _, _, value in both], dtype=np.float64)
    else:
        keys, columns = list(known), list(known.values())
        values = np.full(len(keys), checks.positive(name, given), dtype=np.float64)
    if not (np.isfinite(values) & (values > 0)).all():
        raise checks.InputError(f"{name} must be finite seconds above zero")
    return keys, np.array(columns, dtype=np.int64), values


def _bars(
    keys: Sequence[SeriesKey], threshold: Mapping[SeriesKey, float] | float | None, usual: float
) -> Floats:
    """The threshold of each key; the `usual` one where none is given."""
    if isinstance(threshold, Mapping):
        return np.array([threshold.get(key, usual) for key in keys], dtype=np.float64)
    return np.full(len(keys), usual if threshold is None else threshold, dtype=np.float64)
