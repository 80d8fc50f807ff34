"""The watch of Akeso's own kinds. It may deliver twice, late, or old events; the cache copes.

A watch that breaks beyond repair ends the process (crash-only): state is in the resources.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import kopf

from akeso.api.control import HealingControl
from akeso.api.healing import Healing
from akeso.api.meta import GROUP, VERSION
from akeso.api.policy import HealingPolicy

Seen = Callable[[str, str | None, dict[str, Any]], None]
KINDS = (HealingPolicy.PLURAL, Healing.PLURAL, HealingControl.PLURAL)


def registry_for(seen: Seen) -> kopf.OperatorRegistry:
    """Handlers that pass every event on; they do nothing that could fail or take time."""
    registry = kopf.OperatorRegistry()
    for plural in KINDS:
        kopf.on.event(GROUP, VERSION, plural, registry=registry, id=f"see-{plural}")(
            _handler(plural, seen)
        )
    return registry


def _handler(plural: str, seen: Seen) -> Callable[..., Any]:
    async def see(event: Mapping[str, Any], **_: Any) -> None:
        seen(plural, event.get("type"), dict(event["object"]))

    return see


def settings_for() -> kopf.OperatorSettings:
    """Nothing posted, nothing kept on objects, no connection that may hang for ever."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.watching.server_timeout = 290
    settings.watching.client_timeout = 300
    settings.watching.connect_timeout = 10
    settings.watching.inactivity_timeout = 100
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 60
    return settings


async def watch(
    seen: Seen,
    login: Callable[[], Awaitable[kopf.ConnectionInfo]],
    namespaces: tuple[str, ...],
    ready: asyncio.Event,
) -> None:
    """Watches until cancelled; returns or raises earlier only when the watch is beyond repair.

    kopf gets a thread and an event loop of its own: it takes over the signals of the main thread,
    and on its way out it cancels every task it does not know, the engine's own among them.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    stop = threading.Event()

    def tell(plural: str, event: str | None, raw: dict[str, Any]) -> None:
        loop.call_soon_threadsafe(seen, plural, event, raw)

    registry = registry_for(tell)
    kopf.on.login(registry=registry, id="login", retries=3)(_login(login))
    on_ready = _Ready(loop, ready)
    operating = _operate(registry, namespaces, on_ready, stop)
    thread = threading.Thread(target=_run, args=(operating, loop, ended), name="kopf", daemon=True)
    # It warns that it can't have the signals; that is what the thread is for.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    thread.start()
    try:
        await ended
    finally:
        stop.set()


async def _operate(
    registry: kopf.OperatorRegistry,
    namespaces: tuple[str, ...],
    ready: threading.Event,
    stop: threading.Event,
) -> None:
    try:
        await kopf.operator(
            registry=registry,
            settings=settings_for(),
            clusterwide=not namespaces,
            namespaces=namespaces,
            standalone=True,
            ready_flag=ready,
            stop_flag=stop,
        )
    finally:
        # kopf waits for the flag in a thread of the loop's executor, which the loop joins on its
        # way out: without the flag a watch that broke would leave a process that sees nothing.
        stop.set()


def _run(
    operating: Coroutine[Any, Any, None],
    loop: asyncio.AbstractEventLoop,
    ended: asyncio.Future[None],
) -> None:
    """The thread: whatever ends kopf is handed to whoever awaits `ended`."""

    def end(error: Exception | None) -> None:
        if ended.done():
            return
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)

    error: Exception | None = None
    try:
        asyncio.run(operating)
    except Exception as e:  # noqa: BLE001  the boundary of kopf's thread; raised again in `watch`
        error = e
    with contextlib.suppress(RuntimeError):  # the main loop is closed: nobody asks any more
        loop.call_soon_threadsafe(end, error)


class _Ready(threading.Event):
    """Passes kopf's readiness on to the event loop of the engine."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ready: asyncio.Event) -> None:
        super().__init__()
        self._loop = loop
        self._ready = ready

    def set(self) -> None:
        super().set()
        self._loop.call_soon_threadsafe(self._ready.set)


def _login(login: Callable[[], Awaitable[kopf.ConnectionInfo]]) -> Callable[..., Any]:
    async def log_in(**_: Any) -> kopf.ConnectionInfo:
        return await login()

    return log_in
