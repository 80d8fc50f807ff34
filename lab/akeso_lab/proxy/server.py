"""The fault proxy: a loopback server that forwards, records, and lets things go wrong."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from akeso_lab.proxy.exchange import Armed, Delivery, Fault
from akeso_lab.proxy.forwarder import LARGEST_HEADER, Forwarder
from akeso_lab.proxy.gate import CrashCallback, Gate
from akeso_lab.proxy.handling import Handling, close
from akeso_lab.proxy.match import EVERYTHING, READS, Match
from akeso_lab.proxy.stale import Stale
from akeso_lab.proxy.status import error_event
from akeso_lab.proxy.traffic import RequestRecord
from akeso_lab.proxy.upstream import Listen, Upstream, client_tls, write_kubeconfig

SHUTDOWN_SECONDS = 1.0
"""How long connections get to end when the proxy stops; they have been cut by then."""


class FaultProxy:
    """Stands between a client and the API server or Prometheus; see docs/fault-proxy.md.

    Without faults every byte of every body passes unchanged, streams as they arrive. Use it
    as an async context manager; `add` and `remove` faults at any time. `on_crash` is called
    when a `Crash` strikes, before any connection is cut.
    """

    def __init__(
        self,
        upstream: str | Upstream,
        *,
        client_cert: Path | None = None,
        client_key: Path | None = None,
        ca: Path | None = None,
        listen: Listen | None = None,
        on_crash: CrashCallback | None = None,
    ) -> None:
        if isinstance(upstream, str):
            tls = client_tls(upstream, ca, client_cert, client_key)
            upstream = Upstream(url=upstream, tls=tls)
        self.upstream = upstream
        self._listen = listen or Listen()
        self._gate = Gate(self._cut_everything, on_crash)
        self._handling = Handling(self._gate)
        self._stack = AsyncExitStack()
        self._server: web.Server | None = None
        self._port = 0

    @classmethod
    def for_kubeconfig(
        cls, path: Path, *, listen: Listen | None = None, on_crash: CrashCallback | None = None
    ) -> "FaultProxy":
        """A proxy in front of the server, and with the identity, of a kubeconfig."""
        return cls(Upstream.from_kubeconfig(path), listen=listen, on_crash=on_crash)

    async def __aenter__(self) -> Self:
        self._handling.start(await self._stack.enter_async_context(Forwarder(self.upstream)))
        self._server = web.Server(
            self._handling.handle,
            handler_cancellation=True,
            auto_decompress=False,
            access_log=None,
            max_line_size=LARGEST_HEADER,
            max_field_size=LARGEST_HEADER,
        )
        runner = web.ServerRunner(self._server, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        tls = self._listen.ssl_context()
        site = web.TCPSite(runner, "127.0.0.1", self._listen.port, ssl_context=tls)
        await site.start()
        self._port = site.port
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._cut_everything()
        await self._gate.settle()
        await self._stack.aclose()

    @property
    def url(self) -> str:
        """Where clients connect, without a trailing slash."""
        return f"{'https' if self._listen.cert else 'http'}://127.0.0.1:{self._port}"

    @property
    def requests(self) -> list[RequestRecord]:
        """Everything that reached the proxy, in order of arrival."""
        return self._handling.requests

    @property
    def writes(self) -> list[RequestRecord]:
        """The counted writes that reached the proxy; see `counts_as_write`."""
        return [record for record in self.requests if record.verb == "write"]

    @property
    def committed(self) -> list[RequestRecord]:
        """The counted writes that the upstream accepted."""
        return [record for record in self.writes if record.committed]

    @property
    def crashed(self) -> asyncio.Event:
        """Set when a `Crash` struck and the upstream is quiet; cleared by `reset`."""
        return self._gate.crashed

    def kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig that points here; it holds no credentials."""
        return write_kubeconfig(path, self.url, self.upstream.namespace, self._listen.ca)

    def add(self, fault: Fault) -> Armed:
        """Arm a fault, inside those armed before; open watches meet event faults at once."""
        armed = Armed(fault)
        self._handling.armed.append(armed)
        return armed

    def remove(self, armed: Armed) -> None:
        """Disarm a fault; requests it holds already stay held."""
        self._handling.armed.remove(armed)

    def reset(self) -> None:
        """Disarm everything and let requests pass again. What was recorded stays."""
        self._handling.armed.clear()
        self._gate.open()

    def forget(self) -> None:
        """Empty the record and number writes from 1 again."""
        self._handling.requests.clear()
        self._handling.writes_seen = 0

    def cut_watches(self, match: Match = EVERYTHING) -> int:
        """Close the connections of open watches; returns how many."""
        chosen = self._handling.open_watches(match)
        for request in chosen.values():
            close(request)
        return len(chosen)

    async def end_watches(self, code: int = 410, match: Match = EVERYTHING) -> int:
        """Send open watches, idle ones too, an ERROR event and their end; returns how many."""
        chosen = self._handling.open_watches(match)
        for stream in chosen:
            await stream.push(Delivery(now=(error_event(code),), then="end"))
        return len(chosen)

    async def freeze(self, match: Match = READS) -> Armed:
        """Answer matching reads from now on as the upstream would have answered just now.

        Every matching GET and LIST seen so far is asked once more and kept; a new one stays at
        its first answer. `remove` what is returned to thaw.
        """
        snapshots = await self._handling.read_again(match)
        return self.add(Stale(match=match, snapshots=snapshots))

    def _cut_everything(self) -> None:
        for connection in self._server.connections if self._server else []:
            connection.force_close()
