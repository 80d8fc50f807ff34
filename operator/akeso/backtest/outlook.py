"""One series and what is expected of it: the values ahead with their band. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akeso.api.meta import Model
from akeso.api.scalars import Time, from_unix
from akeso.backtest.regular import History
from akeso.errors import PermanentError
from akeso_predictors import forecast

LEVELS = (80.0, 95.0)
NO_SEASON = 1  # a cycle of one row is none
# More rows ahead are no forecast, and cost seconds.
MOST_ROWS = 5_000
VERSION = "v1"


class Ahead(Model):
    """What is expected at one moment; `lower` and `upper` for each of the levels."""

    at: Time
    mean: float
    lower: tuple[float, ...]
    upper: tuple[float, ...]


class Reached(Model):
    """When the limit is reached: by the mean, and by the edge of the narrowest band that is nearer to
    it; None: not within the horizon."""

    limit: float
    mean: Time | None
    earliest: Time | None
    probable_percent: float  # the level of that band


class Outlook(Model):
    """One series and its forecast; the fields are stable."""

    version: str = VERSION
    made: Time
    source: str
    query: str | None
    series: str
    start: Time
    end: Time
    samples: int
    step_seconds: float
    horizon_seconds: float
    value: float  # the newest
    model: str
    levels: tuple[float, ...]
    points: tuple[Ahead, ...]
    reached: Reached | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """Seconds ahead; the cycle in seconds (None: found, 0: none), the limit, the method."""

    horizon: float
    season: float | None = None
    limit: float | None = None
    method: str = "ensemble"


@dataclass(frozen=True, slots=True)
class Lines:
    """What is drawn: times in Unix seconds, and values."""

    time: NDArray[Any]
    value: NDArray[Any]
    ahead: NDArray[Any]
    mean: NDArray[Any]
    lower: NDArray[Any]  # (L, H)
    upper: NDArray[Any]
    limit: float | None


def look(
    history: History, asked: Asked, source: str, query: str | None, made: float
) -> tuple[Outlook, Lines]:
    """The forecast of one series. PermanentError where it says too little."""
    there = np.flatnonzero(np.isfinite(history.value))
    if history.step is None or not len(there):
        raise PermanentError(f"{history.name}: {history.samples} sample is no history to forecast.")
    step, last = history.step, int(there[-1]) + 1
    rows = max(1, round(asked.horizon / step))
    if rows > MOST_ROWS:
        raise PermanentError(
            f"{rows} steps of {step:g} s ahead are more than {MOST_ROWS}: give a longer --step, or a"
            " nearer --horizon."
        )
    values = history.value[:last]
    season = None if asked.season is None else max(NO_SEASON, round(asked.season / step))
    said = forecast(values, rows, season, LEVELS, step, method=asked.method)
    floor = 0.0 if np.nanmin(values) >= 0 else -np.inf  # what never was negative is no such thing
    mean = np.maximum(said.mean[:, 0], floor)
    if not np.isfinite(mean).all():
        raise PermanentError(
            f"{history.name}: {len(there)} samples say too little to forecast; give a longer --last"
            " or a shorter --step."
        )
    ahead = history.time[last - 1] + step * np.arange(1, rows + 1)
    lines = Lines(
        history.time[:last], values, ahead, mean, np.maximum(said.lower[:, :, 0], floor),
        np.maximum(said.upper[:, :, 0], floor), asked.limit,
    )  # fmt: skip
    told = Outlook(
        made=from_unix(made),
        source=source,
        query=query,
        series=history.name,
        start=from_unix(float(history.time[there[0]])),
        end=from_unix(float(history.time[last - 1])),
        samples=history.samples,
        step_seconds=step,
        horizon_seconds=rows * step,
        value=_short(values[-1]),
        model=str(said.model[0]),
        levels=LEVELS,
        points=_points(lines),
        reached=None if asked.limit is None else _reached(lines, asked.limit),
        notes=history.notes,
    )
    return told, lines


def _short(value: float) -> float:
    return float(f"{float(value):.7g}")


def _points(lines: Lines) -> tuple[Ahead, ...]:
    return tuple(
        Ahead(
            at=from_unix(float(at)),
            mean=_short(lines.mean[i]),
            lower=tuple(_short(v) for v in lines.lower[:, i]),
            upper=tuple(_short(v) for v in lines.upper[:, i]),
        )
        for i, at in enumerate(lines.ahead)
    )


def _reached(lines: Lines, limit: float) -> Reached:
    """A limit above the newest value is reached from below, one below it from above."""
    rising = lines.value[-1] < limit

    def first(path: NDArray[Any]) -> Any:
        hits = np.flatnonzero(path >= limit if rising else path <= limit)
        return from_unix(float(lines.ahead[hits[0]])) if len(hits) else None

    edge = lines.upper[0] if rising else lines.lower[0]
    return Reached(
        limit=limit,
        mean=first(lines.mean),
        earliest=first(edge),
        probable_percent=LEVELS[0],
    )


def extent(lines: Lines) -> tuple[float, float]:
    """What is worth showing: all values, the likelier band, and of the wider one not more than as
    much again, since a band may be very wide."""
    parts = [lines.value, lines.mean, lines.lower[0], lines.upper[0]]
    if lines.limit is not None:
        parts.append(np.array([lines.limit]))
    every = np.concatenate([p[np.isfinite(p)] for p in parts])
    low, high = float(every.min()), float(every.max())
    room = 0.08 * (high - low) or max(1.0, abs(high)) * 0.1
    floor = 0.0 if low >= 0 and low - room < 0 else low - room
    return floor, high + room
