"""Days of history from somebody's Prometheus: in pieces, unhurried, and each piece only once.

The range is cut at fixed moments, so that a run that was killed, or one of tomorrow, finds the pieces
of the last one. Pieces are files in a folder of the query they answer: whole or not there at all, and
each says what it answers, so that nothing of another server, query or step is ever mixed in.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import zipfile
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akeso.clients import prometheus_history
from akeso.clients.kubernetes.raw import Json, part
from akeso.clients.prometheus_history import TooLargeError, Way
from akeso.errors import AkesoError, PermanentError, TransientError

# Points per series and request: a day at one minute. Prometheus takes 11,000, but all series come
# at once, and a thousand of them are 36 MB then.
POINTS = 1_440
# What Prometheus is left alone for after an answer: as long as it took, between these (seconds).
LEAST_PAUSE, MOST_PAUSE = 0.05, 5.0
# Waits between attempts once it has answered before: it may be restarting, or busy.
WAITS = (1.0, 2.0, 4.0, 8.0, 15.0)
# A piece that ends less than this before now may still grow: late samples, remote writes.
SETTLED = 600.0

Told = Callable[[float], None]
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Range:
    """A query at every multiple of `step` from `start` to `end`, all in seconds (Unix time)."""

    query: str
    start: float
    end: float
    step: float

    def pieces(self) -> list[tuple[float, float]]:
        """First and last point of each piece; whole ones begin at multiples of their length."""
        return list(self._pieces())

    def _pieces(self) -> Iterator[tuple[float, float]]:
        first, last = math.ceil(self.start / self.step), math.floor(self.end / self.step)
        while first <= last:
            end = min(last, (first // POINTS + 1) * POINTS - 1)
            yield first * self.step, end * self.step
            first = end + 1


@dataclass(frozen=True, slots=True)
class Found:
    """One series: its labels, times (N,) in Unix seconds and values (N,), oldest first."""

    labels: Mapping[str, str]
    time: NDArray[np.float64]
    value: NDArray[np.float64]


@dataclass(slots=True)
class Archive:
    """`folder` None: nothing is kept. `now` in Unix seconds."""

    way: Way
    folder: Path | None
    now: float
    sleep: Sleep = asyncio.sleep
    _answered: bool = field(default=False, init=False)

    async def read(self, asked: Range, told: Told = lambda _: None) -> list[Found]:
        """All series of a range; `told` hears of each piece. What went wrong says how to go on."""
        kept = _Kept.of(self.folder, self.way, asked)
        pieces = asked.pieces()
        joined: dict[str, list[Found]] = {}
        for done, (low, high) in enumerate(pieces):
            found = kept.load(low, high) if kept is not None else None
            if found is None:
                try:
                    found = await self._asked(asked, low, high)
                except AkesoError as error:
                    raise _with_state(error, done, len(pieces), kept) from error
                if kept is not None and high < self.now - SETTLED:
                    kept.save(low, high, found)
            for series in found:
                joined.setdefault(json.dumps(dict(series.labels), sort_keys=True), []).append(
                    series
                )
            told(1)
        return [_one(parts) for _, parts in sorted(joined.items())]

    async def _asked(self, asked: Range, low: float, high: float) -> list[Found]:
        """One piece, in halves where it is too large at once."""
        try:
            # Beyond the last point, so that one point is a range as well.
            span = low, high + asked.step / 2, asked.step
            found = map(_found, await self._patiently(asked.query, span))
            return [series for series in found if len(series.time)]
        except TooLargeError:
            if high - low < asked.step:
                raise
            middle = low + asked.step * math.floor((high - low) / asked.step / 2)
            first = await self._asked(asked, low, middle)
            return first + await self._asked(asked, middle + asked.step, high)

    async def _patiently(self, query: str, span: tuple[float, float, float]) -> list[Json]:
        """A server that has answered before is given some time; one that never has is not there."""
        clock = asyncio.get_running_loop().time
        for wait in (*WAITS, None):
            began = clock()
            try:
                rows = await prometheus_history.steps(self.way, query, span)
            except TooLargeError:
                raise
            except TransientError as error:
                if wait is None or not self._answered:
                    raise
                await self.sleep(error.retry_after or wait)
                continue
            self._answered = True
            await self.sleep(min(MOST_PAUSE, max(LEAST_PAUSE, clock() - began)))
            return rows
        raise AssertionError("unreachable")


def _with_state(error: AkesoError, done: int, of: int, kept: _Kept | None) -> AkesoError:
    if isinstance(error, PermanentError) or not done:
        return error
    where = f"; they are kept in {kept.folder}, run it again to go on" if kept is not None else ""
    return TransientError(f"{str(error).rstrip('.')} ({done} of {of} pieces are read{where}).")


def _found(row: Json) -> Found:
    try:
        points = [(float(time), float(said)) for time, said in row["values"]]
        labels = {str(k): str(v) for k, v in part(row, "metric").items()}
    except (LookupError, TypeError, ValueError, AttributeError) as e:
        raise TransientError(f"Prometheus answered what is no result: {e!r:.200}") from e
    times, values = np.array(points, dtype=np.float64).reshape(-1, 2).T
    return Found(labels, times.copy(), values.copy())


def _one(parts: Sequence[Found]) -> Found:
    times = np.concatenate([p.time for p in parts])
    return Found(parts[0].labels, times, np.concatenate([p.value for p in parts]))


# What reading a file raises that was cut short, or is no file of ours.
_DAMAGED = (
    OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Kept:
    """The folder of the pieces of one query, and what they must say of themselves."""

    folder: Path
    identity: str

    @classmethod
    def of(cls, folder: Path | None, way: Way, asked: Range) -> _Kept | None:
        if folder is None:
            return None
        access = way.access
        said = {"url": access.url, "tenant": access.tenant, "user": access.username}
        identity = json.dumps({**said, "query": asked.query, "step": asked.step}, sort_keys=True)
        own = folder / hashlib.sha256(identity.encode()).hexdigest()[:24]
        try:
            own.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as e:
            raise PermanentError(
                f"{folder} can't hold what is read: {e.strerror or e}. Give another folder with"
                " --cache, or --no-cache."
            ) from e
        return cls(own, identity)

    def _file(self, low: float, high: float) -> Path:
        return self.folder / f"{low:.3f}-{high:.3f}.npz"

    def load(self, low: float, high: float) -> list[Found] | None:
        """None where it is not there, or is not what it should be: then it is asked for again."""
        try:
            file = self._file(low, high)
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as held:
                about: Any = json.loads(held["about"].tobytes())
                if about["identity"] != self.identity:
                    return None
                counts = np.cumsum(held["counts"])[:-1]
                times = np.split(held["times"], counts)
                values = np.split(held["values"], counts)
                labels: list[dict[str, str]] = about["labels"]
                rows = zip(labels, times, values, strict=True)
                return [Found(*row) for row in rows]
        except _DAMAGED:
            return None

    def save(self, low: float, high: float, found: Sequence[Found]) -> None:
        merged: dict[str, list[Found]] = {}
        for series in found:  # halves of a piece
            merged.setdefault(json.dumps(dict(series.labels), sort_keys=True), []).append(series)
        rows = [_one(parts) for parts in merged.values()]
        about = {"identity": self.identity, "labels": [dict(r.labels) for r in rows]}
        file = self._file(low, high)
        unfinished = file.with_name(f".{file.name}.unfinished")
        nothing = np.zeros(0)
        try:
            with unfinished.open("wb") as out:
                np.savez_compressed(
                    out,
                    about=np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
                    counts=np.array([len(r.time) for r in rows], dtype=np.int64),
                    times=np.concatenate([nothing, *(r.time for r in rows)]),
                    values=np.concatenate([nothing, *(r.value for r in rows)]),
                )
            unfinished.replace(file)
        except OSError as e:
            unfinished.unlink(missing_ok=True)
            raise PermanentError(
                f"{file} can't be written: {e.strerror or e}. Make room, or give another folder"
                " with --cache, or --no-cache."
            ) from e
