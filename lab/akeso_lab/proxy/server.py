"""The fault proxy: a loopback server that forwards, records, and lets things go wrong."""

import asyncio
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from types import TracebackType

from aiohttp import web
from multidict import CIMultiDict

from akeso_lab.proxy.answer import Answer
from akeso_lab.proxy.exchange import (
    Armed,
    ConnectionCut,
    Delivery,
    EventFault,
    Exchange,
    Fault,
    Forward,
    Reply,
    RequestFault,
)
from akeso_lab.proxy.faults import SnapshotKey, Stale, error_event, snapshot_key
from akeso_lab.proxy.forwarder import LARGEST_HEADER, Forwarder
from akeso_lab.proxy.gate import CrashCallback, Gate
from akeso_lab.proxy.match import Match
from akeso_lab.proxy.stream import EventLine, History, WatchStream
from akeso_lab.proxy.traffic import MUTATING_METHODS, RequestRecord
from akeso_lab.proxy.upstream import Listen, Upstream, client_tls, write_kubeconfig

READS = Match(verbs=("get", "list"))


class FaultProxy:
    """Stands between a client and the API server or Prometheus; see docs/fault-proxy.md.

    Without faults every byte of every body passes unchanged, streams as they arrive. Use it
    as an async context manager; `add` faults and `remove` them at any time.
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
        self.requests: list[RequestRecord] = []
        """Everything that reached the proxy, in order of arrival."""
        self._listen = listen or Listen()
        self._gate = Gate(self._cut_everything, on_crash)
        self._armed: list[Armed] = []
        self._watches: dict[WatchStream, web.BaseRequest] = {}
        self._history = History()
        self._reads: dict[SnapshotKey, Exchange] = {}
        self._writes_seen = 0
        self._stack = AsyncExitStack()
        self._server = web.Server(
            self._handle,
            handler_cancellation=True,
            auto_decompress=False,
            access_log=None,
            max_line_size=LARGEST_HEADER,
            max_field_size=LARGEST_HEADER,
        )
        self._port = 0

    @classmethod
    def for_kubeconfig(
        cls, path: Path, *, listen: Listen | None = None, on_crash: CrashCallback | None = None
    ) -> "FaultProxy":
        """A proxy in front of the server, and with the identity, of a kubeconfig."""
        return cls(Upstream.from_kubeconfig(path), listen=listen, on_crash=on_crash)

    async def __aenter__(self) -> "FaultProxy":
        runner = web.ServerRunner(self._server, shutdown_timeout=1.0)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        self._forwarder = await self._stack.enter_async_context(Forwarder(self.upstream))
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
        self._armed.append(armed)
        return armed

    def remove(self, armed: Armed) -> None:
        """Disarm; requests it already holds stay held."""
        self._armed.remove(armed)

    def reset(self) -> None:
        """Disarm everything and let requests pass again. What was recorded stays."""
        self._armed.clear()
        self._gate.open()

    def forget(self) -> None:
        """Empty the record and number writes from 1 again."""
        self.requests.clear()
        self._writes_seen = 0

    def cut_watches(self, match: Match | None = None) -> int:
        """Close the connections of open watches; returns how many."""
        chosen = self._open_watches(match)
        for stream in chosen:
            _close(self._watches[stream])
        return len(chosen)

    async def end_watches(self, code: int = 410, match: Match | None = None) -> int:
        """Send open watches, idle ones too, an ERROR event and their end; returns how many."""
        chosen = self._open_watches(match)
        for stream in chosen:
            await stream.push(Delivery(now=(error_event(code),), then="end"))
        return len(chosen)

    async def freeze(self, match: Match = READS, paths: Iterable[str] = ()) -> Armed:
        """Answer matching reads from now on as the upstream would have answered just now.

        Every matching GET and LIST that clients sent before is asked once more and kept, as is
        each of `paths` (path and query). Other reads stay at their first answer. `remove` thaws.
        """
        exchanges = [one for one in self._reads.values() if match.selects(one.record)]
        stale = Stale(match=match)
        for path in paths:
            record = RequestRecord(method="GET", path=path.partition("?")[0])
            exchange = self._exchange(record, path, CIMultiDict[str]())
            stale.prepared[path] = await self._snapshot(exchange)
        for exchange in exchanges:
            stale.snapshots[snapshot_key(exchange)] = await self._snapshot(exchange)
        return self.add(stale)
