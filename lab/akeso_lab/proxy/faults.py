"""Faults around a whole request: late, lost, refused, garbled, and the crash point."""

import asyncio
import json
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

from multidict import CIMultiDict

from akeso_lab.proxy.exchange import ConnectionCut, Exchange, Forward, Reply, RequestFault
from akeso_lab.proxy.match import JSON_ANSWERS, WATCHES, WRITES, Match
from akeso_lab.proxy.status import error_event, garble, kubernetes_status


@dataclass(frozen=True, kw_only=True)
class Delay(RequestFault):
    """Hold a request for `seconds` before it is forwarded, or its answer before it is sent."""

    seconds: float
    before: Literal["request", "response"] = "request"

    async def around(self, exchange: Exchange, forward: Forward) -> Reply:
        """Sleep on the chosen side of the upstream."""
        if self.before == "request":
            await asyncio.sleep(self.seconds)
            return await forward()
        reply = await forward()
        await asyncio.sleep(self.seconds)
        return reply


@dataclass(frozen=True, kw_only=True)
class Cut(RequestFault):
    """Close the connection: before forwarding, or once `after_bytes` of the body were sent.

    Watches that are open already are cut with `FaultProxy.cut_watches`.
    """

    after_bytes: int | None = None

    async def around(self, exchange: Exchange, forward: Forward) -> Reply:
        """Answer nothing, or too little."""
        if self.after_bytes is None:
            raise ConnectionCut("cut before forwarding")
        reply = await forward()
        reply.cut_after = self.after_bytes
        return reply


@dataclass(frozen=True, kw_only=True)
class Swallow(RequestFault):
    """Never answer and never forward: the client waits until its own timeout."""

    async def around(self, exchange: Exchange, forward: Forward) -> Reply:
        """Wait until the client goes away."""
        await asyncio.Event().wait()
        raise ConnectionCut("swallowed")


@dataclass(frozen=True, kw_only=True)
class LoseResponse(RequestFault):
    """The upstream commits the request, but the client sees only a closed connection."""

    match: Match = WRITES

    async def around(self, exchange: Exchange, forward: Forward) -> Reply:
        """Forward, wait for the whole answer, and keep it."""
        reply = await forward()
        await reply.read()
        raise ConnectionCut("response lost")


@dataclass(frozen=True, kw_only=True)
class Reject(RequestFault):
    """Answer with an error status and a Kubernetes `Status`; nothing reaches the upstream.

    `retry_after` is in seconds, sent as header and in the body. `reason` overrides the usual
    one of the code, such as `AlreadyExists` for 409.
    """

    status: int
    reason: str = ""
    message: str = ""
    retry_after: float | None = None

    async def around(self, exchange: Exchange, forward: Forward) -> Reply:
        """Refuse."""
        body = kubernetes_status(self.status, self.reason, self.message, self.retry_after)
        headers = CIMultiDict({"Content-Type": "application/json"})
        if self.retry_after is not None:
            headers["Retry-After"] = str(round(self.retry_after))
        return Reply(status=self.status, headers=headers, body=json.dumps(body).encode())


@dataclass(frozen=True, kw_only=True)
class WatchError(RequestFault):
    """Answer a watch with 200 and one ERROR event, then its end.

    It is how the API server says 410 to a watch whose resourceVersion is too old.
    """

    code: int = 410
    match: Match = WATCHES

    async def around(self, exchange: Exchange, forward: Forward) -> Reply:
        """Answer the watch without opening it upstream."""
        headers = CIMultiDict({"Content-Type": "application/json"})
        return Reply(status=200, headers=headers, body=error_event(self.code))


@dataclass(frozen=True, kw_only=True)
class GarbageBody(RequestFault):
    """The real status and headers with a broken body: `truncated` in half, or `garbled`.

    The HTTP framing stays valid, so the client meets the garbage in its JSON parser. It has
    no place in a stream; use `GarbageEvent` for watches.
    """

    style: Literal["truncated", "garbled"] = "truncated"
    match: Match = JSON_ANSWERS

    async def around(self, exchange: Exchange, forward: Forward) -> Reply:
        """Forward and break what comes back."""
        exchange.ask_for_plain_body()
        reply = await forward()
        reply.replace_body(garble(await reply.read(), self.style))
        return reply


@dataclass(frozen=True, kw_only=True)
class Crash(RequestFault):
    """The point at which the operator dies: at counted write number `write`.

    - `before`: the write never reaches the upstream, which has `write - 1` of them.
    - `committed`: the upstream has it, the client never hears so.
    - `answered`: the client was sent the answer, and nothing after it passes.

    From then on everything is cut and refused until `FaultProxy.reset()`; `FaultProxy.crashed`
    is set and the proxy's `on_crash` called. Count other requests by giving another `match`.
    """

    write: int
    when: Literal["before", "committed", "answered"] = "before"
    match: Match = WRITES

    def __post_init__(self) -> None:
        if self.write < 1:
            raise ValueError("writes are counted from 1")

    def falls_on(self, occurrence: int) -> bool:
        """Only at the write it names."""
        return occurrence == self.write

    async def around(self, exchange: Exchange, forward: Forward) -> Reply:
        """Let the first `write - 1` pass, and shut the gate at the next."""
        gate, record = exchange.gate, exchange.record
        if self.when == "before":
            await asyncio.shield(gate.shut(record))
            raise ConnectionCut("crashed before the write")
        if not gate.hold(record):
            return await forward()
        with ExitStack() as ending:
            ending.callback(gate.shut, record)
            reply = await forward()
            if self.when == "answered":
                reply.afterwards.append(ending.pop_all().close)
                return reply
        await asyncio.shield(gate.shut(record))
        raise ConnectionCut("crashed after the write")
