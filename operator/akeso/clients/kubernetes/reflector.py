"""One resource, listed and watched into a cache of trimmed objects.

kubernetes.informer keeps full objects and blocks a thread per kind, and kubernetes.aio.watch ends
on the first garbled line; this one keeps what `trim` keeps, and ends only when it is cancelled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from akeso.clients.backoff import Backoff
from akeso.clients.kubernetes.connection import PAGE, ApiServer
from akeso.clients.kubernetes.raw import Json, part, text
from akeso.errors import AkesoError, GoneError, PermanentError, StaleError, TransientError
from akeso.protocols import Clock

log = logging.getLogger(__name__)

T = TypeVar("T")
Key = tuple[str, str]  # namespace, name

# The API server sends a bookmark about once a minute; a watch that is silent for longer than
# that, and some, is taken for dead.
SILENCE_SECONDS = 100.0
WATCH_SECONDS = 290  # asked of the server, so that load balancers and the server rebalance
REFUSED_SECONDS = 30.0  # a missing right or kind is looked at again this often
RECONNECTS = 2  # from the last known position, before everything is listed again
DELETED_REMEMBERED = 1000  # deleted objects that a replayed event must not bring back


@dataclass(frozen=True, slots=True)
class Source(Generic[T]):
    """What to reflect. `trim` returns None for objects nobody asks about.

    `required`: without it nothing else makes sense; the others may be missing.
    """

    name: str
    path: str
    trim: Callable[[Json], T | None]
    required: bool = False
    query: Mapping[str, str] = field(default_factory=lambda: dict[str, str]())


class Reflector(Generic[T]):
    """Keeps `items()` as the API server has them. `run` is a task that never returns."""

    def __init__(
        self, api: ApiServer, clock: Clock, source: Source[T], silence: float = SILENCE_SECONDS
    ) -> None:
        self.source = source
        self.synced = asyncio.Event()
        self.heard_at = float("-inf")
        self.error: AkesoError | None = None
        self.refused = False
        self._api = api
        self._clock = clock
        self._silence = silence
        self._items: dict[Key, T] = {}
        self._versions: dict[Key, int] = {}  # of the objects in the cache
        self._deleted: dict[Key, int] = {}  # and of some that were in it
        self._listed = 0  # version of the last list: what is older says nothing new
        self._position = ""
        self._backoff = Backoff()

    def items(self) -> Mapping[Key, T]:
        return self._items

    async def run(self) -> None:
        while True:
            try:
                await self._list()
                await self._follow()
            except (GoneError, PermanentError) as e:
                self._refuse(e)
                await self._clock.sleep(REFUSED_SECONDS)
            except StaleError as e:
                await self._pause(e)
            except TransientError as e:
                await self._pause(e, e.retry_after)
            except AkesoError as e:  # BlockedError: somebody's admission policy, on a read
                await self._pause(e)

    async def _list(self) -> None:
        found: dict[Key, T] = {}
        versions: dict[Key, int] = {}
        position = ""
        limit = PAGE if self._backoff.failures < 3 else 0  # pages that expire again and again
        async with aclosing(self._api.pages(self.source.path, self.source.query, limit)) as pages:
            async for page in pages:
                position = page.resource_version
                for item in page.items:
                    self._keep(item, found, versions)
        self._items, self._versions, self._deleted = found, versions, {}
        self._position, self._listed = position, _number(position)
        self.refused = False
        self._hear()
        self.synced.set()

    async def _follow(self) -> None:
        """Watches from the last position again and again; StaleError when that is no use."""
        vain = 0
        while True:
            before = self._position
            try:
                await self._watch()
            except TransientError as e:
                vain = vain + 1 if self._position == before else 1
                if vain > RECONNECTS:
                    raise StaleError(f"{self.source.name}: {e}") from e
                await self._pause(e, e.retry_after)
            else:
                vain = 0
                self._backoff.reset()

    async def _watch(self) -> None:
        query = {
            **self.source.query,
            "resourceVersion": self._position,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        began, before = self._clock.now(), self._position
        async with self._api.watch(self.source.path, query, self._silence) as events:
            self._hear()
            async for event in events:
                self._apply(event)
                self._hear()
        if self._position == before and self._clock.now() - began < 1:
            raise TransientError(f"{self.source.name}: the watch ended as soon as it began")

    def _apply(self, event: Json) -> None:
        item = part(event, "object")
        if event.get("type") == "ERROR":
            raise StaleError(f"{self.source.name}: {item.get('message')}")
        meta = part(item, "metadata")
        version = text(meta, "resourceVersion")
        if not version:
            raise TransientError(f"{self.source.name}: a watch event without resourceVersion")
        if self._replayed(_key(meta), _number(version)):
            return
        if _number(version) >= _number(self._position):
            self._position = version
        self._backoff.reset()
        if event["type"] == "DELETED":
            self._drop(_key(meta), _number(version))
        elif event["type"] != "BOOKMARK":
            self._keep(item, self._items, self._versions)

    def _replayed(self, key: Key, version: int) -> bool:
        """Whether this, or something later, is known of the object (or of one of its name).

        Resource versions of one resource are ordered numbers: etcd's revisions, and by promise
        since Kubernetes 1.35 (KEP-5504). What is no number (0 here) counts as new.
        """
        known = max(self._listed, self._versions.get(key, 0), self._deleted.get(key, 0))
        return 0 < version <= known

    def _drop(self, key: Key, version: int) -> None:
        self._items.pop(key, None)
        if self._versions.pop(key, None) is not None:
            self._deleted[key] = version
            if len(self._deleted) > DELETED_REMEMBERED:
                del self._deleted[next(iter(self._deleted))]

    def _keep(self, item: Json, items: dict[Key, T], versions: dict[Key, int]) -> None:
        meta = part(item, "metadata")
        key = _key(meta)
        try:
            kept = self.source.trim(item)
        except (LookupError, TypeError, ValueError, AttributeError) as e:
            log.warning("%s %s is not understood: %r", self.source.name, key, e)
            kept = None
        if kept is None:
            items.pop(key, None)
            versions.pop(key, None)
        else:
            items[key] = kept
            versions[key] = _number(text(meta, "resourceVersion"))

    def _hear(self) -> None:
        self.heard_at = self._clock.now()
        self.error = None

    def _refuse(self, error: AkesoError) -> None:
        if not self.refused:
            log.warning("%s cannot be watched: %s", self.source.name, error)
        self.error, self.refused = error, True
        self._items, self._versions, self._deleted = {}, {}, {}
        self.synced.clear()

    async def _pause(self, error: AkesoError, at_least: float | None = None) -> None:
        self.error = error
        pause = self._backoff.next(at_least)
        log.info("%s: %s; again in %.1f s", self.source.name, error, pause)
        await self._clock.sleep(pause)


def _key(meta: Json) -> Key:
    return text(meta, "namespace"), text(meta, "name")


def _number(version: str) -> int:
    return int(version) if version.isdecimal() else 0
