"""/healthz, /readyz and /metrics over HTTP. Read-only, no secrets, nothing to configure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

# What is wrong, in one sentence; None: nothing.
Probe = Callable[[], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What the server answers from."""

    live: Probe
    ready: Probe
    registry: CollectorRegistry


async def serve(endpoints: Endpoints, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Starts the server; returns what stops it, and the port it listens on."""
    app = web.Application()
    app.router.add_get("/healthz", _probe(endpoints.live))
    app.router.add_get("/readyz", _probe(endpoints.ready))
    app.router.add_get("/metrics", _metrics(endpoints.registry))
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    bound = int(runner.addresses[0][1])
    return runner, bound


def _probe(probe: Probe) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        wrong = await probe()
        return web.Response(text=f"{wrong or 'ok'}\n", status=503 if wrong else 200)

    return answer


def _metrics(registry: CollectorRegistry) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    return answer
