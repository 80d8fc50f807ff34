"""One watch passing through: line by line, through whatever event faults are armed just then."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from aiohttp import ClientError

from akeso_lab.proxy.events import WatchEvent
from akeso_lab.proxy.exchange import Armed, ConnectionCut, Delivery, EventFault
from akeso_lab.proxy.traffic import RequestRecord

REMEMBERED_EVENTS = 16
"""How many events of one object can be replayed; a rollout makes fewer per object."""

WAITING_LINES = 64
"""How many lines may wait for a slow client before the upstream is no longer read."""

Write = Callable[[bytes], Awaitable[None]]


class History:
    """The last events of every object, per watched path."""

    def __init__(self) -> None:
        self._past: defaultdict[tuple[str, str, str], deque[bytes]] = defaultdict(
            lambda: deque(maxlen=REMEMBERED_EVENTS)
        )

    def add(self, path: str, event: WatchEvent) -> Sequence[bytes]:
        """Remember the event; returns what was known of its object before, oldest first."""
        past = self._past[path, event.kind, event.object_name]
        older = tuple(past)
        past.append(event.raw)
        return older


class EventLine:
    """The event faults of one stream, applied in the order in which they were added."""

    def __init__(self, record: RequestRecord, armed: Callable[[], Iterable[Armed]]) -> None:
        self._record = record
        self._armed = armed
        self._later: dict[Armed, tuple[bytes, ...]] = {}

    def through(self, event: WatchEvent, older: Sequence[bytes]) -> Delivery:
        """What is delivered when the upstream sends `event`."""
        lines: tuple[bytes, ...] = (event.raw,)
        wait = 0.0
        armed = list(self._armed())
        for one in armed:
            out: list[bytes] = []
            for line in lines:
                delivery = self._one(one, WatchEvent.parse(line), older)
                out.extend(delivery.now)
                wait += delivery.wait
                if delivery.then != "continue":
                    return Delivery(now=tuple(out), wait=wait, then=delivery.then)
            lines = tuple(out)
        return Delivery(now=(*lines, *self.leftovers(keep=armed)), wait=wait)

    def leftovers(self, keep: Sequence[Armed] = ()) -> tuple[bytes, ...]:
        """Lines still held back, by faults that are gone or, without `keep`, by all."""
        gone = [one for one in self._later if one not in keep]
        return tuple(line for one in gone for line in self._later.pop(one))

    def _one(self, armed: Armed, event: WatchEvent, older: Sequence[bytes]) -> Delivery:
        fault = armed.fault
        if not isinstance(fault, EventFault) or not fault.match.selects_event(event):
            return Delivery(now=(event.raw,))
        # The event that overtakes a held one is not itself held, or nothing would ever swap.
        if held := self._later.pop(armed, ()):
            return Delivery(now=(event.raw, *held))
        if not armed.strikes(self._record):
            return Delivery(now=(event.raw,))
        delivery = fault.deliver(event, older)
        if delivery.later:
            self._later[armed] = delivery.later
        return delivery


@dataclass(frozen=True, slots=True)
class _End:
    """The upstream's last word: what came after the last newline, and whether it broke off."""

    rest: bytes
    broken: bool


class WatchStream:
    """Carries one watch to its client; lines can also be pushed in from outside."""

    def __init__(self, record: RequestRecord, line: EventLine, history: History) -> None:
        self.record = record
        self._line = line
        self._history = history
        self._inbox: asyncio.Queue[Delivery | WatchEvent | _End] = asyncio.Queue(WAITING_LINES)

    async def push(self, delivery: Delivery) -> None:
        """Deliver something of our own between two events."""
        await self._inbox.put(delivery)

    async def carry(self, chunks: AsyncIterator[bytes], write: Write) -> None:
        """Write the stream until it ends.

        Raises ConnectionCut if a fault cuts it or the upstream breaks off.
        """
        feeder = asyncio.create_task(self._feed(chunks))
        try:
            while True:
                delivery = self._next(await self._inbox.get())
                if delivery.wait:
                    await asyncio.sleep(delivery.wait)
                if body := b"".join(delivery.now):
                    await write(body)
                if delivery.then == "cut":
                    raise ConnectionCut("watch cut")
                if delivery.then == "end":
                    return
        finally:
            feeder.cancel()
            await asyncio.gather(feeder, return_exceptions=True)

    def _next(self, item: Delivery | WatchEvent | _End) -> Delivery:
        if isinstance(item, Delivery):
            return item
        if isinstance(item, _End):
            last = (*self._line.leftovers(), item.rest)
            return Delivery(now=last, then="cut" if item.broken else "end")
        older = self._history.add(self.record.path, item) if item.type else ()
        return self._line.through(item, older)

    async def _feed(self, chunks: AsyncIterator[bytes]) -> None:
        rest, broken = b"", False
        try:
            async for chunk in chunks:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    await self._inbox.put(WatchEvent.parse(line + b"\n"))
        except (ClientError, ConnectionError, TimeoutError):
            broken = True
        await self._inbox.put(_End(rest, broken))
