"""The vocabulary that faults are written in: an exchange, a reply, and what wraps them."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import ClientResponse
from multidict import CIMultiDict

from akeso_lab.proxy.events import WatchEvent
from akeso_lab.proxy.gate import Gate
from akeso_lab.proxy.match import EVERYTHING, Match
from akeso_lab.proxy.traffic import RequestRecord

BODY_HEADERS = ("Content-Length", "Content-Encoding", "Transfer-Encoding")


class ConnectionCut(ConnectionError):
    """The client's connection is to be closed without (the rest of) an answer."""


@dataclass(kw_only=True)
class Exchange:
    """One request on its way to the upstream."""

    record: RequestRecord
    raw_target: str
    """Path and query exactly as the client sent them."""
    headers: CIMultiDict[str]
    """What will be sent upstream; a fault may change it before forwarding."""
    gate: Gate
    opened: list[ClientResponse] = field(default_factory=list[ClientResponse])
    """Answers still being streamed from the upstream, closed when the exchange ends."""

    def ask_for_plain_body(self) -> None:
        """Have the upstream answer uncompressed, for faults that read or rewrite the body."""
        self.headers["Accept-Encoding"] = "identity"


@dataclass(kw_only=True)
class Reply:
    """An answer on its way to the client: either `body`, or `source` still to be streamed."""

    status: int
    reason: str | None = None
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict[str])
    body: bytes | None = None
    source: ClientResponse | None = None
    cut_after: int | None = None
    """Close the connection after that many bytes of the body."""
    afterwards: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    """Called once the client has the answer, or is gone."""

    async def read(self) -> bytes:
        """The whole body, as encoded by the upstream."""
        if self.body is None:
            self.body = await self.source.read() if self.source is not None else b""
        return self.body

    def replace_body(self, body: bytes) -> None:
        """Answer with another, unencoded body."""
        for name in BODY_HEADERS:
            self.headers.popall(name, None)
        self.body = body


Forward = Callable[[], Awaitable[Reply]]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that goes wrong, to the requests or events that its rule matches."""

    match: Match = EVERYTHING

    def falls_on(self, occurrence: int) -> bool:
        """Whether the fault applies to this one of the requests or events it matches."""
        return self.match.falls_on(occurrence)


class Armed:
    """A fault that was added to a proxy, and how often it matched and applied."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.seen = 0
        self.applied = 0
        self.happened = asyncio.Event()
        """Set once the fault has applied for the first time."""

    def strikes(self, record: RequestRecord) -> bool:
        """Count one more match; True if the fault applies to it, which the record then says."""
        self.seen += 1
        if not self.fault.falls_on(self.seen):
            return False
        self.applied += 1
        self.happened.set()
        record.faults.append(type(self.fault).__name__)
        return True


class RequestFault(Fault, ABC):
    """A fault around a whole exchange; the fault added first is the outermost."""

    @abstractmethod
    async def around(self, exchange: Exchange, forward: Forward) -> Reply:
        """Answer the request, with or without asking `forward` for the real answer.

        Raises ConnectionCut to close the client's connection instead.
        """


@dataclass(frozen=True, slots=True)
class Delivery:
    """What becomes of one watch event."""

    now: tuple[bytes, ...] = ()
    later: tuple[bytes, ...] = ()
    """Delivered right after the next event of the stream, or at its end."""
    wait: float = 0.0
    """Seconds to hold this and everything after it."""
    then: Literal["continue", "end", "cut"] = "continue"


class EventFault(Fault, ABC):
    """A fault inside a watch: a pure function of the event and the object's past."""

    @abstractmethod
    def deliver(self, event: WatchEvent, older: Sequence[bytes]) -> Delivery:
        """What to deliver in place of `event`; `older` are earlier lines, oldest first."""
