"""A small upstream that speaks the API server's list, watch and write, and Prometheus' query."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientResponse, web

PODS = "/api/v1/namespaces/shop/pods"


def event(kind: str, name: str, version: int, namespace: str = "shop") -> bytes:
    """One line of a watch, as the API server writes it."""
    metadata = {"name": name, "namespace": namespace, "resourceVersion": str(version)}
    body = {"type": kind, "object": {"kind": "Pod", "apiVersion": "v1", "metadata": metadata}}
    return json.dumps(body, separators=(",", ":")).encode() + b"\n"


async def status_of(asking: AbstractAsyncContextManager[ClientResponse]) -> int:
    """Ask, read the answer to its end and let go of the connection; the status."""
    async with asking as answer:
        await answer.read()
        return answer.status


async def body_of(asking: AbstractAsyncContextManager[ClientResponse]) -> bytes:
    """Ask, read the answer to its end and let go of the connection; the body."""
    async with asking as answer:
        return await answer.read()


@dataclass
class FakeApi:
    """Commits every write, streams what `emit` is given, answers anything else with `payload`."""

    version: int = 1
    commits: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    seen: list[web.BaseRequest] = field(default_factory=list[web.BaseRequest])
    seen_at: list[float] = field(default_factory=list[float])
    """When each of them came, on the monotonic clock."""
    peers: list[object] = field(default_factory=list[object])
    """Which connection each of them came on."""
    bodies: list[bytes] = field(default_factory=list[bytes])
    payload: bytes = b"{}"
    payload_status: int = 200
    payload_headers: dict[str, str] = field(default_factory=dict[str, str])
    chunked: bool = False
    commit_delay: float = 0.0
    hang_up: bool = False
    """Commit, then close the connection without an answer."""
    watchers: list[asyncio.Queue[bytes | None]] = field(
        default_factory=list[asyncio.Queue[bytes | None]]
    )
    prometheus: dict[str, Any] = field(default_factory=dict[str, Any])

    def emit(self, *lines: bytes) -> None:
        """Send bytes to all open watches."""
        for watcher in self.watchers:
            for line in lines:
                watcher.put_nowait(line)

    def end(self) -> None:
        """End all open watches in an orderly way."""
        for watcher in self.watchers:
            watcher.put_nowait(None)

    async def watched(self, count: int = 1) -> None:
        """Wait until that many watches are open."""
        while len(self.watchers) < count:
            await asyncio.sleep(0.001)

    async def asked(self) -> None:
        """Wait until a request is here."""
        while not self.seen:
            await asyncio.sleep(0.001)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one request."""
        self.seen.append(request)
        self.seen_at.append(time.monotonic())
        assert request.transport is not None
        self.peers.append(request.transport.get_extra_info("peername"))
        body = await request.read()
        self.bodies.append(body)
        if request.path.startswith("/api/v1/query"):
            return web.json_response(self.prometheus)
        if request.method in {"POST", "PUT", "PATCH", "DELETE"}:
            await asyncio.sleep(self.commit_delay)
            self.commits.append((request.method, request.path))
            self.version += 1
            if self.hang_up:
                assert request.transport is not None
                request.transport.close()
            return web.json_response({"committed": len(self.commits)}, status=200)
        if request.query.get("watch") == "true":
            return await self._watch(request)
        if request.path == PODS:
            metadata = {"resourceVersion": str(self.version)}
            return web.json_response({"kind": "PodList", "metadata": metadata, "items": []})
        return await self._payload(request)

    async def _watch(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        await response.prepare(request)
        self.watchers.append(queue)
        try:
            while (line := await queue.get()) is not None:
                if line == b"break off":
                    assert request.transport is not None
                    request.transport.close()
                    break
                await response.write(line)
        finally:
            self.watchers.remove(queue)
        return response

    async def _payload(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(status=self.payload_status, headers=self.payload_headers)
        if self.chunked:
            response.enable_chunked_encoding()
        else:
            response.content_length = len(self.payload)
        await response.prepare(request)
        half = len(self.payload) // 2
        if request.method != "HEAD":
            await response.write(self.payload[:half])
            await response.write(self.payload[half:])
        await response.write_eof()
        return response


@asynccontextmanager
async def serving(api: FakeApi) -> AsyncIterator[str]:
    """Serve it on loopback; yields the URL."""
    server = web.Server(api.handle, handler_cancellation=True, auto_decompress=False)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{site.port}"
    await runner.cleanup()
