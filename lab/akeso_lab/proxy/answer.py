"""Sends replies to the client: whole, piece by piece, event by event, or cut short."""

import aiohttp
from aiohttp import web

from akeso_lab.proxy.exchange import ConnectionCut, Reply
from akeso_lab.proxy.forwarder import chunks_of
from akeso_lab.proxy.stream import WatchStream
from akeso_lab.proxy.traffic import RequestRecord


class Answer:
    """One response on its way out; counts what it sends in the record."""

    def __init__(self, request: web.BaseRequest, record: RequestRecord, reply: Reply) -> None:
        self._request = request
        self._record = record
        self._reply = reply
        self._response = web.StreamResponse(
            status=reply.status, reason=reply.reason, headers=reply.headers
        )

    @property
    def is_event_stream(self) -> bool:
        """Whether the body is watch events, one JSON document per line."""
        json_body = "json" in self._reply.headers.get("Content-Type", "")
        from_upstream = self._reply.body is None and self._reply.status == 200
        return self._record.verb == "watch" and json_body and from_upstream

    async def send(self, stream: WatchStream | None) -> web.StreamResponse:
        """Send everything, through `stream` if there is one.

        Raises ConnectionCut where the body was to be cut or the upstream broke off.
        """
        if self._reply.body is not None and self._request.method != "HEAD":
            self._response.content_length = len(self._reply.body)
        await self._response.prepare(self._request)
        self._record.status = self._reply.status
        try:
            if stream is not None:
                await stream.carry(chunks_of(self._reply), self._write)
            else:
                await self._send_pieces()
        except aiohttp.ClientError as error:
            raise ConnectionCut(f"broke off: {error!r}") from error
        await self._response.write_eof()
        return self._response

    async def _write(self, piece: bytes) -> None:
        limit = self._reply.cut_after
        room = None if limit is None else limit - self._record.response_bytes
        if piece[:room]:
            await self._response.write(piece[:room])
        self._record.response_bytes += len(piece[:room])
        if room is not None and len(piece) >= room:
            raise ConnectionCut(f"cut after {limit} bytes")

    async def _send_pieces(self) -> None:
        if self._reply.body is not None:
            await self._write(self._reply.body)
            return
        async for chunk in chunks_of(self._reply):
            await self._write(chunk)
