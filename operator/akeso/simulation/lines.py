"""Reads a recording: its parts in their order, and the lines of each, one cycle at a time."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from akeso.domain.finding import Decision
from akeso.errors import AkesoError, PermanentError
from akeso.simulation import codec, header
from akeso.simulation.codec import Garbled, Streams
from akeso.simulation.header import Header
from akeso.simulation.methods import Method, by_name

GZIP = b"\x1f\x8b"
LONGEST_LINE = 512 * 2**20


@dataclass(slots=True)
class Answer:
    """What one call got: `items`, or the `error` it raised."""

    items: tuple[Any, ...] = ()
    error: AkesoError | None = None


@dataclass(slots=True)
class Cycle:
    """One cycle as it was recorded: `complete` is false for one that the file ends in.

    `views`: per method the answers with the ordinal of the call that first got them. `slept` is
    how long the engine slept after it.
    """

    calls: dict[tuple[str, str], deque[Answer]] = field(
        default_factory=lambda: defaultdict[tuple[str, str], deque[Answer]](deque)
    )
    views: dict[str, deque[tuple[int, tuple[Any, ...]]]] = field(
        default_factory=lambda: defaultdict[str, deque[tuple[int, tuple[Any, ...]]]](deque)
    )
    readings: dict[str, deque[float]] = field(
        default_factory=lambda: defaultdict[str, deque[float]](deque)
    )
    told: list[Decision] = field(default_factory=list[Decision])
    complete: bool = False
    empty: bool = True


class Part:
    """One file of a recording. PermanentError says what is wrong with it, and in which line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.broken_off: str | None = None  # how the file ends where that is not a cycle's end
        self._number = 0
        self._streams = Streams()
        self._raw: dict[tuple[str, str], list[Any]] = {}
        self._file = _open(path)
        self._lines = self._all_lines()
        try:
            self.header: Header = header.parse(next(self._lines, ""), str(path))
        except PermanentError:
            self.close()
            raise

    def close(self) -> None:
        self._file.close()

    def cycles(self) -> Iterator[Cycle]:
        """All that can be read, the last one perhaps incomplete."""
        cycle = Cycle()
        try:
            for text in self._lines:
                raw = self._parsed(text)
                if raw is None:
                    break
                try:
                    self._take(raw, cycle)
                except (Garbled, ValidationError, LookupError, TypeError, ValueError) as error:
                    raise PermanentError(
                        f"{self._here()} is damaged: {_brief(error)}. Nothing after it can be"
                        " played; cut the file off before this line to play what is there."
                    ) from error
                if cycle.complete:
                    yield cycle
                    cycle = Cycle()
        finally:
            self.close()
        if not cycle.empty:
            self.broken_off = self.broken_off or "in the middle of a cycle"
            yield cycle

    def _all_lines(self) -> Iterator[str]:
        while True:
            try:
                line = self._file.readline(LONGEST_LINE)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                self.broken_off = f"after line {self._number}: {_brief(error)}"
                return
            except OSError as error:
                raise PermanentError(f"{self.path} can't be read: {error.strerror}.") from error
            if not line:
                return
            self._number += 1
            if not line.endswith(b"\n"):
                self.broken_off = f"in the middle of line {self._number}"
                if self._number > 1:
                    return
            try:
                yield line.decode()
            except UnicodeDecodeError:
                if self._number == 1:
                    yield repr(line[:20])
                    continue
                raise PermanentError(f"{self._here()} is damaged: it is no text.") from None

    def _parsed(self, text: str) -> dict[str, Any] | None:
        try:
            raw: Any = json.loads(text)
        except ValueError as error:
            raise PermanentError(f"{self._here()} is damaged: it is not JSON ({error}).") from None
        if not isinstance(raw, dict):
            raise PermanentError(f"{self._here()} is damaged: it is no line of a recording.")
        return raw  # pyright: ignore[reportUnknownVariableType]

    def _here(self) -> str:
        return f"{self.path}, line {self._number},"

    def _take(self, raw: dict[str, Any], cycle: Cycle) -> None:
        cycle.empty = False
        for name, values in raw.get("read", {}).items():
            cycle.readings[name].extend(float(v) for v in values)
        if "slept" in raw:
            cycle.complete = True
        elif not {"view", "call"} & raw.keys():
            raise Garbled("it is no line of a recording")
        elif (method := by_name().get(raw.get("view") or raw["call"])) is None:
            return  # another version of Akeso asked for it, this one never will
        elif "view" in raw:
            cycle.views[method.name].append((int(raw["n"]), self._items(method, "", raw)))
        elif "told" in raw:
            cycle.told.append(method.arguments[0].validate_python([raw["told"]])[0])
            key = str(len(cycle.told))
            cycle.calls[method.name, key].append(Answer(error=_error(raw)))
        else:
            key = str(raw["of"])
            error = _error(raw)
            items = () if error or "list" not in raw else self._items(method, key, raw)
            cycle.calls[method.name, key].append(Answer(items, error))

    def _items(self, method: Method, key: str, line: dict[str, Any]) -> tuple[Any, ...]:
        """The answer in full. What was copied from the last one is not read again."""
        if method.item is None:
            raise Garbled(f"{method.name} gives no answer")
        before = self._streams.last(method, key)
        place = self._streams.place(method, key)
        items, raw = _Reader(method, before, self._raw.get(place)).read(line["list"])
        self._streams.keep(method, key, items)
        if self._streams.last(method, key) is not None:
            self._raw[place] = raw
        return items


class _Reader:
    """Turns steps into values."""

    def __init__(
        self, method: Method, before: Sequence[Any] | None, raw: Sequence[Any] | None
    ) -> None:
        self._method = method
        self._before = before or ()
        self._raw = (raw or ()) if before else ()

    def read(self, steps: Sequence[Any]) -> tuple[tuple[Any, ...], list[Any]]:
        assert self._method.item is not None
        raw = codec.replay(steps, self._raw)
        known = {id(r): item for r, item in zip(self._raw, self._before, strict=True)}
        fresh = [r for r in raw if id(r) not in known]
        made = iter(self._method.item.validate_python(fresh))
        items = tuple(known[id(r)] if id(r) in known else next(made) for r in raw)
        if not self._method.many and len(items) != 1:
            raise Garbled(f"{self._method.name} gives one answer, not {len(items)}")
        return items, raw


def _error(raw: dict[str, Any]) -> AkesoError | None:
    return codec.error_in(raw["error"]) if "error" in raw else None


def _open(path: Path) -> IO[bytes] | gzip.GzipFile:
    try:
        with open(path, "rb") as file:
            magic = file.read(len(GZIP))
        # Closed by Part.
        return gzip.GzipFile(path, "rb") if magic == GZIP else open(path, "rb")
    except FileNotFoundError:
        raise PermanentError(f"There is no file {path}. {header.HOW}") from None
    except IsADirectoryError:
        raise PermanentError(f"{path} is a folder; name the file in it.") from None
    except OSError as error:
        raise PermanentError(f"{path} can't be read: {error.strerror}.") from error


def _brief(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error) or type(error).__name__


def parts_of(paths: Sequence[Path]) -> list[Part]:
    """The files opened, in the order in which they were written."""
    found: list[Part] = []
    try:
        found.extend(map(Part, paths))
    except PermanentError:
        for part in found:
            part.close()
        raise
    return sorted(found, key=lambda part: (part.header.began, part.header.part))
