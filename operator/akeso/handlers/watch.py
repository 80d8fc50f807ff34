"""The watch of Akeso's own kinds. It may deliver twice, late, or old events; the cache copes.

One that breaks beyond repair raises; whoever holds it begins again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import kopf

from akeso.api.meta import GROUP, VERSION
from akeso.errors import AkesoError, TransientError

Seen = Callable[[str, str | None, dict[str, Any]], None]
Login = Callable[[], Awaitable[kopf.ConnectionInfo]]
# Else kopf makes one of the user's name, and in a container the user has none.
IDENTITY: Any = "akeso"


def registry_for(seen: Seen, plurals: Sequence[str]) -> kopf.OperatorRegistry:
    """Handlers that pass every event on; they do nothing that could fail or take time."""
    registry = kopf.OperatorRegistry()
    for plural in plurals:
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
    login: Login,
    plurals: Sequence[str],
    namespaces: tuple[str, ...],
    ready: asyncio.Event,
) -> None:
    """Watches these kinds until cancelled; raises an AkesoError when the watch is beyond repair.

    kopf gets a thread and an event loop of its own: it takes over the signals of the main thread,
    and on its way out it cancels every task it does not know, the engine's own among them.
    """
    here = asyncio.get_running_loop()
    ended: asyncio.Future[None] = here.create_future()

    def tell(plural: str, event: str | None, raw: dict[str, Any]) -> None:
        here.call_soon_threadsafe(seen, plural, event, raw)

    registry = registry_for(tell, plurals)
    kopfs = _Kopf(registry, namespaces, login, lambda: here.call_soon_threadsafe(ready.set))
    kopf.on.login(registry=registry, id="login")(kopfs.log_in)
    # It warns that it can't have the signals; that is what the thread is for.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    thread = threading.Thread(target=_run, args=(kopfs, here, ended), name="kopf", daemon=True)
    thread.start()
    try:
        await ended
    finally:
        kopfs.stop()


class _Kopf:
    """kopf in an event loop of its own. Its flags belong to that loop: for a flag that threads
    share it would wait in an executor, and not end before the flag is set, whatever happened.
    """

    def __init__(
        self,
        registry: kopf.OperatorRegistry,
        namespaces: tuple[str, ...],
        login: Login,
        ready: Callable[[], object],
    ) -> None:
        self._registry = registry
        self._namespaces = namespaces
        self._login = login
        self._ready = ready
        self._refused: AkesoError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    async def operate(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        started = asyncio.Event()
        telling = asyncio.create_task(self._tell(started))
        try:
            await kopf.operator(
                registry=self._registry,
                settings=settings_for(),
                clusterwide=not self._namespaces,
                namespaces=self._namespaces,
                standalone=True,
                identity=IDENTITY,
                ready_flag=started,
                stop_flag=self._stop,
            )
        finally:
            telling.cancel()
            if self._refused is not None:
                raise self._refused  # it says more than what kopf makes of it

    async def log_in(self, **_: Any) -> kopf.ConnectionInfo:
        """kopf goes on without credentials, seeing nothing: whoever gets none must end it."""
        try:
            return await self._login()
        except AkesoError as error:
            self._refused = error
            self.stop()
            raise kopf.PermanentError(str(error)) from error

    def stop(self) -> None:
        """From any thread."""
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # its loop is closed: it has ended
                self._loop.call_soon_threadsafe(self._stop.set)

    async def _tell(self, started: asyncio.Event) -> None:
        await started.wait()
        self._ready()


def _run(kopfs: _Kopf, here: asyncio.AbstractEventLoop, ended: asyncio.Future[None]) -> None:
    """The thread: whatever ends kopf is handed to whoever awaits `ended`."""

    def end(error: Exception | None) -> None:
        if ended.done():
            return
        if error is None:
            ended.set_exception(TransientError("the watch ended by itself"))
        elif isinstance(error, AkesoError):
            ended.set_exception(error)
        else:
            ended.set_exception(TransientError(f"the watch ended: {error!r}"))

    error: Exception | None = None
    try:
        asyncio.run(kopfs.operate())
    except Exception as e:  # noqa: BLE001  the boundary of kopf's thread; raised again in `watch`
        error = e
    with contextlib.suppress(RuntimeError):  # the main loop is closed: nobody asks any more
        here.call_soon_threadsafe(end, error)
