"""Pauses between attempts at what fails."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from akeso.errors import AkesoError, SilentError, UnreachedError

LONGEST_PAUSE_SECONDS = 30.0
# A query that gets no answer in time may be too much itself; so many in a row are the server.
SILENT_IN_A_ROW = 3


@dataclass(slots=True)
class Backoff:
    """Exponential pauses with jitter, so that many watchers do not come back at once."""

    first: float = 0.5
    longest: float = LONGEST_PAUSE_SECONDS
    failures: int = 0

    def reset(self) -> None:
        self.failures = 0

    def next(self, at_least: float | None = None) -> float:
        self.failures += 1
        top = min(self.longest, self.first * 2.0 ** min(self.failures - 1, 16))
        jittered: float = top * random.uniform(0.5, 1.0)
        return max(jittered, min(at_least or 0.0, 2 * self.longest))


@dataclass(slots=True)
class Gate:
    """Whether a server that many ask is asked now. After it could not be reached nobody waits for it
    until a pause is over: each is told at once what the last one learned. So one cycle with many
    queries waits for few of them, and a server that comes back is not overrun. Who asks in another
    `way` (with new credentials) asks at once."""

    clock: Callable[[], float] = time.monotonic
    _backoff: Backoff = field(default_factory=lambda: Backoff(first=1.0))
    _silent: int = 0
    _down: UnreachedError | SilentError | None = None
    _until: float = 0.0
    _way: object = None

    @contextmanager
    def passed(self, way: object = None) -> Generator[None]:
        """Around one request. Raises the last error where it is not the time to ask."""
        if way != self._way:
            self._open()
            self._way = way
        if self._down is not None and self.clock() < self._until:
            raise type(self._down)(str(self._down))
        try:
            yield
        except UnreachedError as error:
            self._shut(error)
            raise
        except SilentError as error:
            self._silent += 1
            if self._down is not None or self._silent >= SILENT_IN_A_ROW:
                self._shut(error)
            raise
        except AkesoError:  # it answered, if only that it will not
            self._open()
            raise
        self._open()

    def _shut(self, error: UnreachedError | SilentError) -> None:
        self._down = error
        self._until = self.clock() + self._backoff.next()

    def _open(self) -> None:
        self._down, self._silent = None, 0
        self._backoff.reset()
