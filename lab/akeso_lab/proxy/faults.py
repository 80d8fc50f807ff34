"""Faults around a whole request: late, lost, refused, garbled, stale, and the crash point."""

import asyncio
import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Literal

from multidict import CIMultiDict

from akeso_lab.proxy.exchange import ConnectionCut, Exchange, Forward, Reply, RequestFault
from akeso_lab.proxy.match import Match

# https://pkg.go.dev/k8s.io/apimachinery/pkg/apis/meta/v1#StatusReason
REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def kubernetes_status(
    code: int, reason: str = "", message: str = "", retry_after: float | None = None
) -> dict[str, object]:
    """A `Status` object as the API server would send it with an error."""
    status: dict[str, object] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message or f"fault proxy: refused with {code}",
        "reason": reason or REASONS.get(code, "Unknown"),
        "code": code,
    }
    if retry_after is not None:
        status["details"] = {"retryAfterSeconds": round(retry_after)}
    return status


def garble(body: bytes, style: str) -> bytes:
    """Break a body: cut in half, or turned into bytes that no JSON parser accepts."""
    if style == "truncated":
        return body[: len(body) // 2]
    return b'{"\xff\x00garbled' + body[::-1]


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

    match: Match = Match(verbs="write")

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
    match: Match = Match(verbs="watch")

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
    match: Match = Match(verbs=("get", "list", "query"))

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
    match: Match = Match(verbs="write")

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


SnapshotKey = tuple[str, str, str]


def snapshot_key(exchange: Exchange) -> SnapshotKey:
    """What makes two reads ask for the same answer: target, Accept, Accept-Encoding."""
    headers = exchange.headers
    return exchange.raw_target, headers.get("Accept", ""), headers.get("Accept-Encoding", "")


@dataclass(frozen=True, kw_only=True)
class Stale(RequestFault):
    """Answer reads from the past, as a lagging cache would; made by `FaultProxy.freeze`.

    A read without a snapshot is answered once by the upstream and stays at that answer.
    """

    match: Match = Match(verbs=("get", "list"))
    snapshots: dict[SnapshotKey, Reply] = field(
        default_factory=dict[SnapshotKey, Reply], compare=False, repr=False
    )

    async def around(self, exchange: Exchange, forward: Forward) -> Reply:
        """Answer from the snapshot, taking one first if there is none."""
        key = snapshot_key(exchange)
        if key not in self.snapshots:
            reply = await forward()
            await reply.read()
            self.snapshots[key] = reply
        past = self.snapshots[key]
        return Reply(
            status=past.status, reason=past.reason, headers=past.headers.copy(), body=past.body
        )


def error_event(code: int) -> bytes:
    """One line of a watch: an ERROR event that carries a `Status`."""
    event = {"type": "ERROR", "object": kubernetes_status(code)}
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"
