"""Sends requests upstream: once each, with headers and bodies as they came."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from akeso_lab.proxy.exchange import ConnectionCut, Exchange, Reply
from akeso_lab.proxy.traffic import MUTATING_METHODS
from akeso_lab.proxy.upstream import Upstream

# https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1; Host and Expect belong to one hop too.
HOP_BY_HOP = (
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
)
REQUEST_ONLY = ("Host", "Expect", "Content-Length")

CONNECT_SECONDS = 10.0
"""How long to wait for the upstream to accept a connection; answers may take for ever."""

LARGEST_HEADER = 64 * 1024
"""Bytes; a bearer token or a long Warning header exceeds aiohttp's 8 KiB."""


class ConnectionLost(aiohttp.ClientError):
    """The server closed the connection before it answered."""


async def send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """A client middleware that keeps aiohttp from sending a request again by itself.

    aiohttp repeats a GET, PUT or DELETE whose connection is closed before the answer, without
    telling anyone. A proxy that counts writes must not.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionLost(repr(error)) from error


class Forwarder:
    """The proxy's client side.

    Mutations are sent exactly once, each on a fresh connection, so that none fails only because
    a kept connection had died of age. Reads keep connections, and aiohttp may repeat them. Reviews
    of rights, some fifty when an operator starts, keep them and are sent once: they are POSTs.
    """

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self._base = upstream.url.rstrip("/")
        self._reads = self._session(reuse=True)
        self._writes = self._session(reuse=False)

    def _session(self, *, reuse: bool) -> aiohttp.ClientSession:
        tls = self.upstream.tls if self.upstream.tls is not None else True
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls, force_close=not reuse, limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            middlewares=() if reuse else (send_once,),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            max_line_size=LARGEST_HEADER,
            max_field_size=LARGEST_HEADER,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.gather(self._reads.close(), self._writes.close())

    async def send(self, exchange: Exchange) -> Reply:
        """Forward; a mutation's answer is read to its end, others are left to be streamed.

        Raises ConnectionCut if the upstream cannot be reached or breaks off.
        """
        record = exchange.record
        mutates = record.method in MUTATING_METHODS
        session = self._writes if mutates and not record.reviews else self._reads
        record.forwarded = True
        try:
            source = await session.request(
                record.method,
                URL(self._base + exchange.raw_target, encoded=True),
                headers=self._headers(exchange),
                data=record.body or None,
                allow_redirects=False,
            )
            reply = Reply(
                status=source.status,
                reason=source.reason,
                headers=without(source.headers.copy(), HOP_BY_HOP),
                source=source,
            )
            record.upstream_status = source.status
            if mutates:
                await reply.read()
            else:
                exchange.opened.append(source)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            record.forwarded = not isinstance(error, aiohttp.ClientConnectorError)
            record.error = f"upstream: {error!r}"
            raise ConnectionCut(record.error) from error
        return reply

    def _headers(self, exchange: Exchange) -> CIMultiDict[str]:
        headers = without(exchange.headers.copy(), HOP_BY_HOP + REQUEST_ONLY)
        if exchange.record.verb == "watch":
            # A compressed stream could not be taken apart into events.
            headers["Accept-Encoding"] = "identity"
        if self.upstream.token:
            headers.setdefault("Authorization", f"Bearer {self.upstream.token}")
        return headers


def without(headers: CIMultiDict[str], names: tuple[str, ...]) -> CIMultiDict[str]:
    """The headers minus `names` and minus what Connection lists as this hop's own."""
    own = [name.strip() for name in ",".join(headers.getall("Connection", [])).split(",")]
    for name in (*names, *own):
        headers.popall(name, None)
    return headers


def chunks_of(reply: Reply) -> AsyncIterator[bytes]:
    """The upstream's body in the pieces in which it arrives."""
    if reply.source is None:
        raise ValueError("only a reply from the upstream has chunks")
    return reply.source.content.iter_any()
