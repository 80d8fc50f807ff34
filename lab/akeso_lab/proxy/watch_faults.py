"""Faults inside a watch: events lost, doubled, swapped, repeated from the past, or broken."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from akeso_lab.proxy.events import WatchEvent
from akeso_lab.proxy.exchange import Delivery, EventFault
from akeso_lab.proxy.status import error_event, garble


@dataclass(frozen=True, kw_only=True)
class DropEvent(EventFault):
    """Swallow watch events; the stream goes on as if they had never been."""

    def deliver(self, event: WatchEvent, older: Sequence[bytes]) -> Delivery:
        """Nothing."""
        return Delivery()


@dataclass(frozen=True, kw_only=True)
class DelayEvent(EventFault):
    """Hold watch events, and all behind them in the same stream, for `seconds`."""

    seconds: float

    def deliver(self, event: WatchEvent, older: Sequence[bytes]) -> Delivery:
        """The event, late."""
        return Delivery(now=(event.raw,), wait=self.seconds)


@dataclass(frozen=True, kw_only=True)
class DuplicateEvent(EventFault):
    """Deliver watch events `copies` times in a row."""

    copies: int = 2

    def deliver(self, event: WatchEvent, older: Sequence[bytes]) -> Delivery:
        """The same line again."""
        return Delivery(now=(event.raw,) * self.copies)


@dataclass(frozen=True, kw_only=True)
class SwapEvents(EventFault):
    """Deliver a watch event after the one that follows it.

    The event waits for its successor or for the end of the stream, however long that takes.
    """

    def deliver(self, event: WatchEvent, older: Sequence[bytes]) -> Delivery:
        """The event, behind the next."""
        return Delivery(later=(event.raw,))


@dataclass(frozen=True, kw_only=True)
class ReplayEvents(EventFault):
    """After an event, deliver the `count` events before it of the same object once more.

    The proxy keeps the past of each object from every watch it has served, so the events of an
    earlier object with the same name are replayed as well.
    """

    count: int = 1

    def deliver(self, event: WatchEvent, older: Sequence[bytes]) -> Delivery:
        """The event, then its past, oldest first."""
        return Delivery(now=(event.raw, *older[max(0, len(older) - self.count) :]))


@dataclass(frozen=True, kw_only=True)
class ErrorEvent(EventFault):
    """Deliver an ERROR event with `code` in place of the event, then end the watch."""

    code: int = 410

    def deliver(self, event: WatchEvent, older: Sequence[bytes]) -> Delivery:
        """An error and the end."""
        return Delivery(now=(error_event(self.code),), then="end")


@dataclass(frozen=True, kw_only=True)
class GarbageEvent(EventFault):
    """Deliver a broken line in place of the event.

    `truncated`: the first half as a line of its own; `garbled`: bytes that are not JSON;
    `severed`: the first half without its newline, then the connection is cut.
    """

    style: Literal["truncated", "garbled", "severed"] = "truncated"

    def deliver(self, event: WatchEvent, older: Sequence[bytes]) -> Delivery:
        """Half a line, or no line at all."""
        line = event.raw.rstrip(b"\n")
        if self.style == "severed":
            return Delivery(now=(garble(line, "truncated"),), then="cut")
        return Delivery(now=(garble(line, self.style) + b"\n",))
