"""The watches of Akeso's own kinds: each namespace by itself, and each begun again when it ends.

One that can't be held (a missing right, namespace or CRD) is said and tried again with growing
pauses; the others go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from akeso.api.control import HealingControl
from akeso.api.healing import Healing
from akeso.api.policy import HealingPolicy
from akeso.clients.records import KubernetesRecords
from akeso.errors import AkesoError, GoneError, PermanentError
from akeso.handlers.watch import Login, watch
from akeso.protocols import Clock
from akeso.settings import Settings

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
# A watch that held this long was a good one: what ended it is another matter than what came before.
GOOD_SECONDS = 60.0


@dataclass(slots=True)
class Area:
    """Some kinds in one namespace (None: everywhere). `problem` says why they can't be watched."""

    plurals: tuple[str, ...]
    namespace: str | None
    problem: str | None = None
    watched: asyncio.Event = field(default_factory=asyncio.Event)
    tried: asyncio.Event = field(default_factory=asyncio.Event)

    def __str__(self) -> str:
        kinds = " and ".join(self.plurals)
        return f"{kinds} in namespace {self.namespace}" if self.namespace else kinds


class Watching:
    """`run` keeps them all, and ends only when it is cancelled."""

    def __init__(
        self, records: KubernetesRecords, login: Login, clock: Clock, settings: Settings
    ) -> None:
        self._records = records
        self._login = login
        self._clock = clock
        kinds = (HealingPolicy.PLURAL, Healing.PLURAL)
        self._control = Area((HealingControl.PLURAL,), settings.namespace)
        self._others = tuple(Area(kinds, name) for name in settings.watch_namespaces or (None,))

    @property
    def areas(self) -> tuple[Area, ...]:
        return (self._control, *self._others)

    def problems(self) -> Sequence[str]:
        """What can't be watched, and why."""
        return tuple(area.problem for area in self.areas if area.problem is not None)

    @property
    def ready(self) -> bool:
        """Whether there is something to work with: the kill switch, and policies somewhere."""
        return self._control.watched.is_set() and any(a.watched.is_set() for a in self._others)

    async def settled(self) -> None:
        """Until each is watched, or was tried in vain once."""
        await asyncio.gather(*(area.tried.wait() for area in self.areas))

    async def refresh(self) -> None:
        """Reads everything now, as a new leader must; what may not be read is named already."""
        for area in self.areas:
            try:
                await self._records.reload(area.plurals, area.namespace)
            except (PermanentError, GoneError) as error:
                self._fail(area, error)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for area in self.areas:
                group.create_task(self._keep(area), name=f"watch {area}")

    async def _keep(self, area: Area) -> None:
        pause = FIRST_PAUSE
        while True:
            began = self._clock.now()
            try:
                await self._records.reload(area.plurals, area.namespace)
                await self._watch(area)
            except AkesoError as error:
                self._fail(area, error)
            if self._clock.now() - began >= GOOD_SECONDS:
                pause = FIRST_PAUSE
            await self._clock.sleep(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)

    async def _watch(self, area: Area) -> None:
        """Raises when it ends, whatever ended it."""
        namespaces = (area.namespace,) if area.namespace else ()
        watching = asyncio.create_task(
            watch(self._records.seen, self._login, area.plurals, namespaces, area.watched)
        )
        begun = asyncio.create_task(area.watched.wait())
        try:
            await asyncio.wait({watching, begun}, return_when=asyncio.FIRST_COMPLETED)
            if area.watched.is_set():
                if area.problem is not None:
                    log.info("Watching %s again.", area)
                area.problem = None
                area.tried.set()
            await watching
        finally:
            for task in (watching, begun):
                task.cancel()
            await asyncio.gather(watching, begun, return_exceptions=True)

    def _fail(self, area: Area, error: AkesoError) -> None:
        said = f"{area} can't be watched: {told(error)}"
        if said != area.problem:
            log.error("%s", said)
        area.problem = said
        area.watched.clear()
        area.tried.set()


def told(error: AkesoError) -> str:
    """With what to do where the error itself can't know it."""
    if isinstance(error, GoneError):
        return (
            f"the custom resources are not installed ({error}). Install them: akeso crds | kubectl"
            " apply --server-side -f -"
        )
    return str(error)
