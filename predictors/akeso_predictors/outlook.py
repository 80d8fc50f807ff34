"""What the days before say of the hours to come: load that follows a daily or weekly cycle.

The rings hold hours at the scrape interval. Of load, two weeks are kept beside them at a coarse step;
where a season is found there and makes past forecasts better, its path and band correct the trend:
growth that the band explains is no news, and a path that passes the limit is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from akeso.domain.forecast import Forecast, Readiness, Sample, SeriesKey
from akeso_predictors import seasons
from akeso_predictors.checks import HUGE, Floats
from akeso_predictors.ets import Fit, Job
from akeso_predictors.values import forecast

# A quarter of an hour: a ramp of load takes longer, and two weeks are 1,344 rows.
STEP = 900.0
ROWS = 1344
# Series of which so much is kept: 11 MB. Those that come later have their rings only.
MOST_SERIES = 2_000
# Fits in one evaluation, 10-20 ms each; each series is due once per row.
AT_ONCE = 8
# From this probability on a series is fitted before the others.
URGENT = 0.2
# Up to this one a path has not decided: statsmodels is asked too, for so many in one evaluation.
UNDECIDED = 0.8
ASKED_AT_ONCE = 2
# Rows that are forecast at once, so that a path serves until the next one and its horizon: 7 h.
AHEAD = 28
# The shortest cycle that matters here is a day; two of them must have been seen.
_FEWEST = round(seasons.CYCLES * 86_400 / STEP)
_LEVELS = (80.0, 95.0)
_DAY = round(86_400 / STEP)


@dataclass(frozen=True, slots=True)
class Path:
    """A seasonal forecast; `first` is the number of its first row (rows begin at row * STEP),
    `before` the last value that was known."""

    first: int
    before: float
    mean: Floats
    near: tuple[Floats, Floats]  # lower and upper bound of the 80 % band
    wide: tuple[Floats, Floats]  # of the 95 % band

    def rows(self, start: float, end: float) -> slice | None:
        """The rows between two moments; None where the path does not reach so far."""
        first, last = int(start // STEP) - self.first, int(end // STEP) - self.first
        return slice(first, last + 1) if 0 <= first and last < len(self.mean) else None

    def moved(self, by: Floats) -> Path:
        """The same path and bands, higher by so much in each row."""
        low, high = (self.near[0] + by, self.near[1] + by), (self.wide[0] + by, self.wide[1] + by)
        return Path(self.first, self.before, self.mean + by, low, high)

    def usual(self, row: int) -> tuple[float, float]:
        """What is usual within a row: its band is one of means, and on a ramp its end is as far from
        its mean as the mean of the row before, half of the way."""
        way = abs(self.mean[row] - (self.mean[row - 1] if row else self.before)) / 2
        return float(self.wide[0][row] - way), float(self.wide[1][row] + way)


class Fitter(Protocol):
    """Fits models elsewhere, between two evaluations."""

    def submit(self, jobs: Sequence[Job]) -> None:
        """Begin; results of jobs before these are not wanted any more."""
        ...

    async def settled(self) -> None:
        """Wait until the last jobs are done or have taken too long."""
        ...

    def collect(self) -> Sequence[Fit | None]:
        """The fits of the last jobs, None for those that are not done; empty where all failed."""
        ...


@dataclass(slots=True)
class _Past:
    """Rows of one series, stored modulo ROWS; `newest` is still being averaged."""

    means: Floats
    newest: int = -1
    count: int = 0
    fitted: int = -1  # the newest row that was complete when it was last fitted
    path: Path | None = None


class Outlook:
    """Coarse history of load series, and what their cycles say. Memory is bounded.

    A `fitter` is asked for the paths that leave it open whether the limit is passed; its answer is
    used in the next evaluation, whenever it came: `settled` waits for it.
    """

    def __init__(self, fitter: Fitter | None = None) -> None:
        self._pasts: dict[SeriesKey, _Past] = {}
        self._fitter = fitter
        self._asked: list[tuple[SeriesKey, int]] = []  # with the first row of the path

    def ingest(self, samples: Iterable[Sample]) -> None:
        """Add samples of any step; those of one row are averaged. Older ones fill rows that are
        empty and change no other."""
        for sample in samples:
            if np.isfinite(sample.value) and abs(sample.value) < HUGE and 0 < sample.time < HUGE:
                past = self._past(sample.key)
                if past is not None:
                    _add(past, int(sample.time // STEP), sample.value)

    def forget(self, keys: Iterable[SeriesKey]) -> None:
        """Drop series that are gone; unknown ones are ignored."""
        for key in keys:
            self._pasts.pop(key, None)

    async def settled(self) -> None:
        """Wait for what the next evaluation asks the fitter for."""
        if self._fitter is not None and self._asked:
            await self._fitter.settled()

    def corrected(
        self, told: Mapping[SeriesKey, Forecast], now: float, bars: Mapping[SeriesKey, float]
    ) -> dict[SeriesKey, Forecast]:
        """The forecasts of the trend, each with what the cycles of its series say; `bars` are the
        probabilities from which to act."""
        self._refresh(told, now)
        return {key: self._one(found, now, bars[key]) for key, found in told.items()}

    def path(self, key: SeriesKey) -> Path | None:
        """The seasonal path of a series; None where no season is believed."""
        past = self._pasts.get(key)
        return None if past is None else past.path

    def _past(self, key: SeriesKey) -> _Past | None:
        past = self._pasts.get(key)
        if past is None and len(self._pasts) < MOST_SERIES:
            past = _Past(np.full(ROWS, np.nan, dtype=np.float32))
            self._pasts[key] = past
        return past

    def _refresh(self, told: Mapping[SeriesKey, Forecast], now: float) -> None:
        """Fit those that have a new complete row: a fixed number, so that a replay does the same."""
        self._refine()
        due = [
            (key, past)
            for key in told
            if (past := self._pasts.get(key)) is not None and past.fitted < past.newest - 1
        ]
        due.sort(key=lambda pair: ((told[pair[0]].probability or 0.0) < URGENT, pair[1].fitted))
        fitted = [key for key, _ in due[:AT_ONCE]]
        for _, past in due[:AT_ONCE]:
            past.fitted = past.newest - 1
            past.path = _fitted(past)
        if self._fitter is not None:
            self._ask(self._fitter, [k for k in fitted if self._undecided(told[k], now)])

    def _undecided(self, found: Forecast, now: float) -> bool:
        path = self.path(found.key)
        coming = path.rows(now, now + found.horizon) if path is not None else None
        if path is None or coming is None or not found.limit:
            return False
        return URGENT <= float(_beyond(path, coming, found.limit).max()) <= UNDECIDED

    def _ask(self, fitter: Fitter, keys: Sequence[SeriesKey]) -> None:
        asked = [(k, past, path) for k in keys if (past := self._pasts[k]) and (path := past.path)]
        jobs = [Job(_known(past), AHEAD, _DAY, "stl") for _, past, _ in asked[:ASKED_AT_ONCE]]
        if jobs:
            fitter.submit(jobs)
            self._asked = [(key, path.first) for key, _, path in asked[:ASKED_AT_ONCE]]

    def _refine(self) -> None:
        """Move the paths that were asked about half of the way to what the fits say. Their bands, by
        what the ensemble missed, stay as wide."""
        if self._fitter is None or not self._asked:
            return
        asked, self._asked = self._asked, []
        for (key, first), found in zip(asked, self._fitter.collect(), strict=False):
            past = self._pasts.get(key)
            path = past.path if past is not None else None
            if past is None or path is None or path.first != first or found is None:
                continue
            if np.isfinite(found.mean).all():
                past.path = path.moved((found.mean - path.mean) / 2)

    def _one(self, found: Forecast, now: float, bar: float) -> Forecast:
        path, limit, value = self.path(found.key), found.limit, found.value
        if found.readiness is not Readiness.READY or path is None or not limit or value is None:
            return found
        here, coming = path.rows(now, now), path.rows(now, now + found.horizon)
        if here is None or coming is None:
            return found
        least, most = path.usual(here.start)
        if value < least:
            return found  # far below its usual path: that says nothing today
        likely = float(_beyond(path, coming, limit).max())
        trend = found.probability or 0.0
        if value <= most and path.wide[1][coming].max() < limit:
            return replace(found, probability=min(trend, likely), alarm=False)
        if likely <= trend:
            return found
        ttf = _times(path, coming, limit, now)
        return replace(found, probability=likely, ttf=ttf, alarm=found.alarm or likely >= bar)


def _add(past: _Past, row: int, value: float) -> None:
    if row > past.newest:
        gap = row - past.newest
        if past.newest >= 0 and gap < ROWS:
            past.means[np.arange(past.newest + 1, row) % ROWS] = np.nan
        elif past.newest >= 0:
            past.means[:] = np.nan
        past.newest, past.count = row, 1
        past.means[row % ROWS] = value
    elif row == past.newest:
        past.count += 1
        past.means[row % ROWS] += (value - past.means[row % ROWS]) / past.count
    elif row > past.newest - ROWS and np.isnan(past.means[row % ROWS]):
        past.means[row % ROWS] = value


def _known(past: _Past) -> Floats:
    """The complete rows from the first known one on."""
    rows = past.means[np.arange(past.newest - ROWS + 1, past.newest) % ROWS].astype(np.float64)
    known = np.flatnonzero(np.isfinite(rows))
    return rows[known[0] :] if len(known) else rows[:0]


def _fitted(past: _Past) -> Path | None:
    """A path from the rows that are complete; None without a season that helps."""
    rows = _known(past)
    known = np.isfinite(rows)
    if known.sum() < _FEWEST:
        return None
    said = forecast(rows, AHEAD, levels=_LEVELS, step_seconds=STEP)
    if not str(said.model[0]).startswith("seasonal"):
        return None
    lower, upper = said.lower[:, :, 0], said.upper[:, :, 0]
    mean, before = said.mean[:, 0], float(rows[known][-1])
    return Path(past.newest, before, mean, (lower[0], upper[0]), (lower[1], upper[1]))


def _beyond(path: Path, rows: slice, limit: float) -> Floats:
    """Probability of being above the limit in each row, with errors of a Laplace distribution."""
    mean = path.mean[rows]
    scale = np.maximum((path.near[1][rows] - mean) / np.log(1 / (1 - _LEVELS[0] / 100)), 1e-12)
    tail: Floats = 0.5 * np.exp(-np.abs(limit - mean) / scale)
    return np.where(mean > limit, 1 - tail, tail)


def _times(path: Path, rows: slice, limit: float, now: float) -> tuple[float, float, float]:
    """Seconds until the upper bound, the mean and the lower bound pass the limit."""

    def first(line: Floats) -> float:
        there = np.flatnonzero(line[rows] >= limit)
        row = path.first + rows.start + int(there[0]) if len(there) else None
        return float("inf") if row is None else max(0.0, row * STEP - now)

    return first(path.near[1]), first(path.mean), first(path.near[0])
