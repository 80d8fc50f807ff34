"""A recording as it is played: the present cycle's answers, handed out in the recorded order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from akeso.domain.finding import Decision
from akeso.errors import AkesoError
from akeso.simulation.codec import NotRecorded
from akeso.simulation.header import Header
from akeso.simulation.lines import Answer, Cycle, Part
from akeso.simulation.methods import Method

NOW = "clock.now"


class RunEnded(Exception):
    """The recorded process lived no longer. The engine, which catches AkesoErrors, lets it pass."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How one part's file ends where that is not the end of a cycle."""

    path: Path
    how: str


class Tape:
    """Plays the parts of one or more runs. `told` are the decisions that were recorded."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = list(parts)
        self._cycles: Iterator[Cycle] = iter(())
        self._part: Part | None = None
        self._cycle = Cycle()
        self._ordinals: Counter[str] = Counter()
        self._view: dict[str, tuple[Any, ...]] = {}
        self._reading: dict[str, float] = {}
        self.began = parts[0].header.began
        self.cycles = 0
        self.told: list[Decision] = []
        self.endings: list[Ending] = []
        self.missing: Counter[str] = Counter()  # what was asked for and is not recorded
        self.headless: list[Header] = []  # parts of a run whose beginning is not there

    # -- the course of it ---------------------------------------------------------------------

    def next_run(self) -> Header | None:
        """Begins the next recorded process; None at the end."""
        self._end_part()
        if not self._parts:
            return None
        self._view, self._reading, self._cycle = {}, {}, Cycle()
        header = self._parts[0].header
        if header.part > 1:
            self.headless.append(header)
        self._start_part()
        try:
            self._load()
        except RunEnded:
            return self.next_run()
        return header

    def next_cycle(self) -> None:
        """Raises RunEnded after the last one."""
        for name, changes in self._cycle.views.items():
            if changes:  # asked for less often than it was recorded
                self._view[name] = changes[-1][1]
        self._load()

    def _load(self) -> None:
        if not self._cycle.complete and not self._cycle.empty:
            self._cycle = Cycle()
            raise RunEnded  # it was broken off
        while True:
            found = next(self._cycles, None)
            if found is not None:
                break
            self._end_part()
            if not self._continues():
                self._cycle = Cycle()
                raise RunEnded
            self._start_part()
        self._cycle = found
        self._ordinals.clear()
        self.cycles += 1
        self.told.extend(found.told)

    def _start_part(self) -> None:
        self._part = self._parts.pop(0)
        self._cycles = self._part.cycles()

    def _end_part(self) -> None:
        if self._part is not None and self._part.broken_off:
            self.endings.append(Ending(self._part.path, self._part.broken_off))
            self._part.broken_off = None

    def _continues(self) -> bool:
        if not self._parts or self._part is None:
            return False
        here, there = self._part.header, self._parts[0].header
        return there.run == here.run and there.part == here.part + 1

    # -- answers ------------------------------------------------------------------------------

    def read(self, name: str) -> float:
        """The next recorded value; the last one where the replay asks more often."""
        values = self._cycle.readings.get(name)
        if values:
            self._reading[name] = values.popleft()
        elif not self._cycle.complete:
            raise RunEnded  # the file ends in this cycle; what is beyond it is not made up
        return self._reading.get(name, 0.0)

    def view(self, method: Method) -> tuple[Any, ...]:
        """The items that were seen at this call, or at the last one before it."""
        self._ordinals[method.name] += 1
        changes = self._cycle.views.get(method.name)
        while changes and changes[0][0] <= self._ordinals[method.name]:
            self._view[method.name] = changes.popleft()[1]
        if method.name not in self._view:
            if method.many:
                return ()
            self.missing[method.name] += 1
            raise NotRecorded(f"the recording does not hold {method.name}")
        return self._view[method.name]

    def peek(self, name: str) -> tuple[Any, ...]:
        """What a view showed last; nothing where it was not looked at yet."""
        return self._view.get(name, ())

    def answer(self, method: Method, key: str) -> Answer | None:
        """The next answer of this cycle to such a call; None where there is none."""
        answers = self._cycle.calls.get((method.name, key))
        if answers:
            return answers.popleft()
        if not self._cycle.complete:
            raise RunEnded
        return None

    def all_of(self, port: str) -> Iterator[tuple[str, Answer]]:
        """Method and answer of every call of a port in this cycle that is not played yet."""
        for (name, _), found in self._cycle.calls.items():
            if name.startswith(f"{port}."):
                yield from ((name, answer) for answer in found)

    def now(self) -> float:
        """The time of the last reading of the clock, Unix seconds."""
        return self._reading.get(NOW, self.began)


def raised(answer: Answer) -> tuple[Any, ...]:
    """The items of an answer, or its error."""
    if isinstance(answer.error, AkesoError):
        raise answer.error
    return answer.items
