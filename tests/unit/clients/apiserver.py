"""A small API server on loopback that lists, watches and fails exactly as a test wrote it."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from akeso.clients.kubernetes.connection import ApiServer, connect
from akeso.settings import Settings

Json = dict[str, Any]

CUT = b"cut"  # the connection breaks
HOLD = b"hold"  # nothing more is sent, the connection stays
GARBLED = b'{"type": "ADDED", "obj\n'


def status(code: int, message: str = "because", **more: Any) -> Json:
    return {"kind": "Status", "status": "Failure", "code": code, "message": message, **more}


def thing(name: str, version: int, uid: str = "", **spec: Any) -> Json:
    """An object of the namespace `shop`."""
    meta = {"name": name, "namespace": "shop", "uid": uid or f"uid-{name}"}
    return {"metadata": {**meta, "resourceVersion": str(version)}, "spec": spec}


def event(kind: str, item: Json) -> Json:
    return {"type": kind, "object": item}


def bookmark(version: int) -> Json:
    return event("BOOKMARK", {"metadata": {"resourceVersion": str(version)}})


def error(code: int) -> Json:
    return event("ERROR", status(code, "too old resource version"))


@dataclass
class Refusal:
    """An answer that is no success."""

    code: int
    body: Json | bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def response(self) -> web.Response:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        return web.Response(status=self.code, body=body, headers=self.headers)


Watch = list[Json | bytes] | Refusal


@dataclass
class Script:
    """What the server has (`items` at `version`), and what it answers first, in this order.

    A watch without a script stays open and silent. Resources in `absent` are not served.
    """

    items: list[Json] = field(default_factory=list[Json])
    version: int = 10
    token: str | None = None
    absent: frozenset[str] = frozenset()
    lists: deque[Refusal | list[Json]] = field(default_factory=deque[Refusal | list[Json]])
    watches: deque[Watch] = field(default_factory=deque[Watch])
    answers: deque[Refusal] = field(default_factory=deque[Refusal])
    seen: list[web.Request] = field(default_factory=list[web.Request])
    bodies: list[Any] = field(default_factory=list[Any])

    @property
    def listings(self) -> int:
        return sum(r.method == "GET" and "watch" not in r.query for r in self.seen)

    @property
    def watched_from(self) -> list[str]:
        return [r.query["resourceVersion"] for r in self.seen if "watch" in r.query]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return Refusal(401, status(401, "Unauthorized")).response()
        if request.method != "GET":
            self.bodies.append(await request.json())
        if request.path.rpartition("/")[2] in self.absent:
            return Refusal(404, status(404)).response()
        if self.answers:
            return self.answers.popleft().response()
        if request.query.get("watch") == "true":
            return await self._watch(request)
        return self._list()

    def _list(self) -> web.Response:
        scripted = self.lists.popleft() if self.lists else self.items
        if isinstance(scripted, Refusal):
            return scripted.response()
        meta = {"resourceVersion": str(self.version)}
        return web.json_response({"metadata": meta, "items": scripted})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        script = self.watches.popleft() if self.watches else [HOLD]
        if isinstance(script, Refusal):
            return script.response()
        response = web.StreamResponse()
        await response.prepare(request)
        for step in script:
            if step is CUT:
                assert request.transport is not None
                request.transport.abort()
            elif step is HOLD:
                await asyncio.sleep(3600)
            else:
                line = step if isinstance(step, bytes) else json.dumps(step).encode() + b"\n"
                await response.write(line)
        return response


@asynccontextmanager
async def serving(script: Script, folder: Path) -> AsyncIterator[ApiServer]:
    """A connection to a server that follows `script`; its kubeconfig is in `folder`."""
    async with connected(script.handle, folder, script.token or "secret") as api:
        yield api


@asynccontextmanager
async def connected(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
    folder: Path,
    token: str = "secret",
) -> AsyncIterator[ApiServer]:
    """A connection to a server that answers so; its kubeconfig is in `folder`."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(application, shutdown_timeout=0) as server:
        path = kubeconfig(folder, str(server.make_url("")), token)
        api = await connect(Settings.model_validate({"kubeconfig": str(path)}))
        try:
            yield api
        finally:
            await api.close()


def kubeconfig(folder: Path, url: str, token: str) -> Path:
    path = folder / "kubeconfig"
    named = {
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "current-context": "x", **named}))
    return path


class QuickClock:
    """Waits take no time, but are remembered and advance the clock; none ends while it stands."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.time = now
        self.waits: list[float] = []
        self.runs = asyncio.Event()
        self.runs.set()

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)
        await self.runs.wait()
