"""What happens to one request: recorded, led through the faults, answered or cut."""

import asyncio
import time
from collections.abc import Iterable
from functools import partial

from aiohttp import web

from akeso_lab.proxy.answer import Answer
from akeso_lab.proxy.exchange import (
    Armed,
    ConnectionCut,
    EventFault,
    Exchange,
    Forward,
    Reply,
    RequestFault,
)
from akeso_lab.proxy.forwarder import Forwarder
from akeso_lab.proxy.gate import Gate
from akeso_lab.proxy.match import Match
from akeso_lab.proxy.stale import SnapshotKey, snapshot_key
from akeso_lab.proxy.stream import EventLine, History, WatchStream
from akeso_lab.proxy.traffic import MUTATING_METHODS, RequestRecord

REMEMBERED_READS = 1000
"""How many different GETs and LISTs `freeze` can ask again; the oldest are forgotten."""


class Handling:
    """The request handler of the proxy and all that it knows."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.armed: list[Armed] = []
        self.requests: list[RequestRecord] = []
        self.writes_seen = 0
        self._forwarder: Forwarder | None = None
        self._watches: dict[WatchStream, web.BaseRequest] = {}
        self._reads: dict[SnapshotKey, Exchange] = {}
        self._history = History()

    def start(self, forwarder: Forwarder) -> None:
        """Forward through `forwarder` from now on."""
        self._forwarder = forwarder

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one request from its first byte to its last."""
        exchange = await self._receive(request)
        started = time.monotonic()
        try:
            if self.gate.is_shut:
                raise ConnectionCut("refused after the crash")
            reply = await self._ask(exchange)
            try:
                return await self._answer(request, exchange, reply)
            finally:
                for call in reply.afterwards:
                    call()
        except ConnectionCut as cut:
            exchange.record.error = exchange.record.error or str(cut)
            close(request)
            return web.Response()  # Never sent: the connection is closed.
        finally:
            exchange.record.seconds = time.monotonic() - started
            for source in exchange.opened:
                source.close()

    def open_watches(self, match: Match) -> dict[WatchStream, web.BaseRequest]:
        """The watches being streamed just now that the rule selects."""
        return {
            stream: request
            for stream, request in self._watches.items()
            if match.selects(stream.record)
        }

    async def read_again(self, match: Match) -> dict[SnapshotKey, Reply]:
        """What the upstream answers now to the reads that were seen and that the rule selects."""
        chosen = {k: one for k, one in self._reads.items() if match.selects(one.record)}
        return {key: await self._snapshot(exchange) for key, exchange in chosen.items()}

    async def _receive(self, request: web.BaseRequest) -> Exchange:
        body = b"".join([chunk async for chunk in request.content.iter_any()])
        record = RequestRecord(
            method=request.method,
            path=request.path,
            query=request.rel_url.raw_query_string,
            user_agent=request.headers.get("User-Agent", ""),
            body=body,
            started=time.time(),
        )
        self.requests.append(record)
        if record.verb == "write":
            self.writes_seen += 1
            record.write_index = self.writes_seen
        headers = request.headers.copy()
        exchange = Exchange(
            record=record, raw_target=request.raw_path, headers=headers, gate=self.gate
        )
        self._remember(exchange)
        return exchange

    def _remember(self, exchange: Exchange) -> None:
        key = snapshot_key(exchange)
        if key is None or exchange.record.verb not in {"get", "list"}:
            return
        self._reads[key] = _same_question(exchange)
        if len(self._reads) > REMEMBERED_READS:
            del self._reads[next(iter(self._reads))]

    async def _ask(self, exchange: Exchange) -> Reply:
        forward: Forward = partial(self._forward, exchange)
        for armed in reversed(self.armed):
            if isinstance(armed.fault, RequestFault):
                forward = partial(_through, armed, armed.fault, exchange, forward)
        return await forward()

    async def _forward(self, exchange: Exchange) -> Reply:
        if self._forwarder is None:
            raise ConnectionCut("the proxy is not running")
        if not await self.gate.admits(exchange.record):
            raise ConnectionCut("refused after the crash")
        sending = self._forwarder.send(exchange)
        if exchange.record.method not in MUTATING_METHODS:
            return await sending
        # A mutation that is on its way arrives, even if its client dies meanwhile.
        task = asyncio.create_task(sending)
        self.gate.watch_over(task)
        return await asyncio.shield(task)

    async def _answer(
        self, request: web.BaseRequest, exchange: Exchange, reply: Reply
    ) -> web.StreamResponse:
        answer = Answer(request, exchange.record, reply)
        if not answer.is_event_stream:
            return await answer.send(None)
        line = EventLine(exchange.record, partial(self._event_faults, exchange.record))
        stream = WatchStream(exchange.record, line, self._history)
        self._watches[stream] = request
        try:
            return await answer.send(stream)
        finally:
            del self._watches[stream]

    def _event_faults(self, record: RequestRecord) -> Iterable[Armed]:
        return [
            armed
            for armed in self.armed
            if isinstance(armed.fault, EventFault) and armed.fault.match.selects(record)
        ]

    async def _snapshot(self, exchange: Exchange) -> Reply:
        question = _same_question(exchange)
        try:
            reply = await self._forward(question)
            await reply.read()
        finally:
            for source in question.opened:
                source.close()
        return reply


async def _through(
    armed: Armed, fault: RequestFault, exchange: Exchange, forward: Forward
) -> Reply:
    if fault.match.selects(exchange.record) and armed.strikes(exchange.record):
        return await fault.around(exchange, forward)
    return await forward()


def _same_question(exchange: Exchange) -> Exchange:
    record = RequestRecord(
        method=exchange.record.method,
        path=exchange.record.path,
        query=exchange.record.query,
        user_agent=exchange.record.user_agent,
    )
    return Exchange(
        record=record,
        raw_target=exchange.raw_target,
        headers=exchange.headers.copy(),
        gate=exchange.gate,
    )


def close(request: web.BaseRequest) -> None:
    """Close a client's connection once what was written is sent."""
    if request.transport is not None:
        request.transport.close()
