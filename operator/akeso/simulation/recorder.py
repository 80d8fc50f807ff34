"""Writes down what the engine meets at its ports. It never changes an answer, nor stops one."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from akeso.errors import AkesoError
from akeso.protocols import Clock
from akeso.settings import Settings
from akeso.simulation import codec
from akeso.simulation.codec import Streams
from akeso.simulation.files import Lines, check, rotate
from akeso.simulation.header import Header, settings_out
from akeso.simulation.methods import Form, Method, methods
from akeso.simulation.ports import Ports

log = logging.getLogger(__name__)

SLEEP = "clock.sleep"


class Recorder:
    """One recording: its parts, and the proxies that write to it.

    An error of the disk ends the recording and is logged once; the engine does not notice.
    """

    def __init__(self, settings: Settings, version: str, clock: Clock, path: Path) -> None:
        self._settings = settings
        self._version = version
        self._clock = clock
        self._path = path
        self._run = secrets.token_hex(8)
        self._part = 0
        self._sink: Lines | None = None
        self._ended = False
        self._streams = Streams()
        self._ordinals: dict[str, int] = {}
        self._read: dict[str, list[float]] = {}
        self._absent: tuple[str, ...] = ()
        self._constants: list[str] = []  # lines that each part begins with
        check(path)

    def ports(self, real: Ports) -> Ports:
        """The same ports, recorded."""
        there = {f.name: getattr(real, f.name) for f in fields(real)}
        self._absent = tuple(name for name, port in there.items() if port is None)
        made: dict[str, Any] = {
            n: None if port is None else self._port(n, port) for n, port in there.items()
        }
        return Ports(**made)

    def close(self) -> None:
        """Ends the file in good order."""
        if self._sink is not None:
            self._safely(self._sink.close)
        self._ended, self._sink = True, None

    def _port(self, port: str, real: Any) -> Any:
        members = {m.attribute: _member(m, real, self) for m in methods()[port]}
        return type(f"Recorded{type(real).__name__}", (), members)()

    # -- what proxies tell --------------------------------------------------------------------

    def reading(self, method: Method, value: float) -> None:
        if not self._ended:
            self._read.setdefault(method.name, []).append(value)

    def view(self, method: Method, items: Sequence[Any]) -> None:
        """One answer of a synchronous method; written where it is another one than last time."""
        self._safely(lambda: self._view(method, items))

    def before(self, method: Method, arguments: Sequence[Any]) -> None:
        """A call begins. A process that dies in a write leaves what led to it in the file."""
        if method.name == SLEEP:
            self._safely(lambda: self._cycle_ended(float(arguments[0])))
        elif method.item is None and method.port == "cluster" and self._sink is not None:
            self._safely(self._sink.flush)

    def after(
        self,
        method: Method,
        arguments: Sequence[Any],
        items: Sequence[Any],
        error: AkesoError | None = None,
    ) -> None:
        """A call got its answer, or error."""
        if method.name != SLEEP:
            self._safely(lambda: self._called(method, arguments, items, error))

    # -- inside -------------------------------------------------------------------------------

    def _safely(self, write: Callable[[], object]) -> None:
        """A full disk, or a value that can't be written down, ends the recording and no more."""
        if self._ended:
            return
        try:
            write()
        except (OSError, ValueError, TypeError, LookupError) as error:
            self._ended = True
            with suppress(OSError):
                if self._sink is not None:
                    self._sink.close()
            log.error("The recording %s ends here, healing goes on: %s", self._path, error)

    def _view(self, method: Method, items: Sequence[Any]) -> None:
        self._ordinals[method.name] = number = self._ordinals.get(method.name, 0) + 1
        if codec.unchanged(items, self._streams.last(method, "")):
            return
        line = {"view": method.name, "n": number, **self._answer(method, "", items)}
        if method.is_property:  # asked for once, when the engine is put together
            self._constants.append(_text({**line, "n": 1}))
        else:
            self._line(line)

    def _called(
        self,
        method: Method,
        arguments: Sequence[Any],
        items: Sequence[Any],
        error: AkesoError | None,
    ) -> None:
        line: dict[str, Any] = {"call": method.name}
        if method.port == "notifier":
            line["told"] = codec.dump(method.arguments[0], [arguments[0]])[0]
        else:
            line["of"] = codec.key_of(method, arguments)
        if error is not None:
            line["error"] = codec.error_out(error)
        elif method.item is not None:
            line |= self._answer(method, line.get("of", ""), items)
        self._line(line)
        if "told" in line and self._sink is not None:
            self._sink.flush()

    def _answer(self, method: Method, key: str, items: Sequence[Any]) -> dict[str, Any]:
        before = self._streams.last(method, key)
        self._streams.keep(method, key, items)
        return {"list": codec.steps(method, items, before or ())}

    def _cycle_ended(self, seconds: float) -> None:
        self._line({"slept": seconds})
        self._ordinals.clear()
        sink = self._sink
        if sink is None:
            return
        sink.flush()
        if sink.size >= self._settings.record_max_mib * 2**20:
            sink.close()
            self._sink = None
            self._streams = Streams()  # each part tells everything anew

    def _line(self, line: dict[str, Any]) -> None:
        if self._read:
            line["read"], self._read = self._read, {}
        if self._sink is None:
            self._sink = self._open()
        self._sink.write(_text(line))

    def _open(self) -> Lines:
        self._part += 1
        rotate(self._path, self._settings.record_parts)
        sink = Lines(self._path)
        header = Header(
            version=self._version,
            run=self._run,
            part=self._part,
            began=self._clock.now(),
            absent=self._absent,
            settings=settings_out(self._settings),
        )
        for line in (header.line(), *self._constants):
            sink.write(line)
        return sink


def _text(line: dict[str, Any]) -> str:
    return json.dumps(line, separators=(",", ":"), ensure_ascii=False)


def _member(method: Method, real: Any, recorder: Recorder) -> Any:
    """A method, or property, that passes on to the real one and tells the recorder."""
    if method.form is Form.CALL:

        async def call(_: Any, *given: Any, **named: Any) -> Any:
            arguments = method.bound(given, named)
            recorder.before(method, arguments)
            try:
                answer = await getattr(real, method.attribute)(*arguments)
            except AkesoError as error:
                recorder.after(method, arguments, (), error)
                raise
            items = tuple(answer) if method.many else (answer,)
            recorder.after(method, arguments, items)
            return items if method.many else answer

        return call

    def ask(_: Any, *given: Any, **named: Any) -> Any:
        answer = getattr(real, method.attribute)
        if not method.is_property:
            answer = answer(*given, **named)
        if method.form is Form.READING:
            recorder.reading(method, answer)
            return answer
        items = tuple(answer) if method.many else (answer,)
        recorder.view(method, items)
        return items if method.many else answer

    return property(ask) if method.is_property else ask
