"""The ports of an engine, played from a tape: made by reflection, like those that record."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from akeso.api.policy import HealingPolicy
from akeso.domain.finding import Decision
from akeso.domain.node import Nodes
from akeso.domain.workload import Snapshot, WorkloadRef
from akeso.errors import GoneError
from akeso.simulation import codec
from akeso.simulation.codec import NotRecorded
from akeso.simulation.memory import Memory
from akeso.simulation.methods import Form, Method, methods
from akeso.simulation.ports import Ports
from akeso.simulation.tape import Tape, raised


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the replay and the recorded world part: decisions from number `after` on are no
    longer about what would have followed. `at` in Unix seconds.
    """

    after: int
    at: float
    why: str


class Player:
    """One replay. `told` are its decisions, `departure` the first write that the worlds differ in.

    `change` puts another spec in the place of a recorded one.
    """

    def __init__(self, tape: Tape, change: Callable[[HealingPolicy], HealingPolicy]) -> None:
        self.told: list[Decision] = []
        self.departure: Departure | None = None
        self._tape = tape
        self._memory = Memory(tape, change)

    def ports(self, absent: Collection[str]) -> Ports:
        """What an engine is put together with; of the present run of the tape."""
        self._memory.begin_cycle()
        names = [f.name for f in fields(Ports)]
        made: dict[str, Any] = {n: None if n in absent else self._port(n) for n in names}
        return Ports(**made)

    def _port(self, port: str) -> Any:
        answers = {"clock": self._clock, "notifier": self._notify, "records": self._records}
        special = answers.get(port, self._world)
        members = {m.attribute: _member(m, self._ask, special) for m in methods()[port]}
        return type(f"Played{port.capitalize()}", (), members)()

    def _ask(self, method: Method) -> Any:
        """A synchronous method."""
        if method.form is Form.READING:
            return self._tape.read(method.name)
        view = self._memory.view if method.port == "records" else self._tape.view
        items = view(method)
        return items if method.many else items[0]

    # -- calls, by port -----------------------------------------------------------------------

    async def _clock(self, method: Method, arguments: Sequence[Any]) -> None:
        """Sleeping is where a cycle ends."""
        if any(name == "cluster.perform" for name, _ in self._tape.all_of("cluster")):
            self._depart(0, "what was written then is not written in the replay")
        self._tape.next_cycle()
        self._memory.begin_cycle()

    async def _notify(self, method: Method, arguments: Sequence[Any]) -> None:
        if isinstance(arguments[0], Decision):
            self.told.append(arguments[0])

    async def _records(self, method: Method, arguments: Sequence[Any]) -> Any:
        key = codec.key_of(method, arguments)
        item = arguments[0] if arguments else None
        if method.live:
            return self._memory.live(method, key, item)
        return self._memory.write(method, key, arguments[0])

    async def _world(self, method: Method, arguments: Sequence[Any]) -> Any:
        answer = self._tape.answer(method, codec.key_of(method, arguments))
        if answer is None:
            self._tape.missing[method.name] += 1
            return self._not_recorded(method, arguments)
        items = raised(answer)
        if method.item is None:
            return None
        return items if method.many else items[0]

    # -- what was never recorded --------------------------------------------------------------

    def _not_recorded(self, method: Method, arguments: Sequence[Any]) -> Any:
        """A write is taken for done; a workload is what the informers saw; nodes hold nothing up;
        else nothing is known."""
        if method.port == "cluster" and method.item is None:
            self._depart(1, f"{_target(arguments)} was not written to when this was recorded")
            return None
        if method.name == "cluster.live":
            return self._seen(arguments[0])
        if method.name == "cluster.nodes":
            return Nodes(namespaced=True)  # nothing is known of them, and nothing held up for it
        raise NotRecorded(f"the recording holds no answer to this call of {method.name}")

    def _seen(self, ref: WorkloadRef) -> Snapshot:
        shown: tuple[Snapshot, ...] = self._tape.peek("cluster.snapshots")
        found = next((s for s in shown if s.ref == ref), None)
        if found is None:
            raise GoneError(f"{ref} is gone")
        return replace(found, live=True)

    def _depart(self, more: int, why: str) -> None:
        """`more` decisions from here on still belong to what both worlds share."""
        if self.departure is None:
            self.departure = Departure(len(self.told) + more, self._tape.now(), why)


def _target(arguments: Sequence[Any]) -> str:
    seen = next((a for a in arguments if isinstance(a, Snapshot)), None)
    return str(seen.ref) if seen is not None else "this object"


def _member(method: Method, ask: Callable[[Method], Any], answer: Callable[..., Any]) -> Any:
    if method.form is Form.CALL:

        async def call(_: Any, *given: Any, **named: Any) -> Any:
            return await answer(method, method.bound(given, named))

        return call

    def asked(_: Any, *given: Any, **named: Any) -> Any:
        return ask(method)

    return property(asked) if method.is_property else asked
