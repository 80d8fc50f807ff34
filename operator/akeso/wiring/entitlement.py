"""What the operator may do and its installation can do, looked at from time to time and told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from akeso.clients import shipped
from akeso.clients.kubernetes.capabilities import capabilities
from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.kubernetes.rights import missing, needs, told
from akeso.clients.records import KubernetesRecords
from akeso.errors import AkesoError, GoneError, PermanentError
from akeso.protocols import Clock
from akeso.settings import Settings
from akeso.wiring.parts import healers

log = logging.getLogger(__name__)

# Somebody changes rights by hand, once in a while, and looks at what that did soon after.
EVERY_SECONDS = 600.0
AGAIN_SECONDS = 30.0  # after an outage, or while something is missing


class Entitlement:
    """`run` is the leader's task. Missing rights are problems, the rest goes on; capabilities are
    written into the HealingControl where they have changed."""

    def __init__(
        self, api: ApiServer, records: KubernetesRecords, settings: Settings, clock: Clock
    ) -> None:
        self._api = api
        self._records = records
        self._settings = settings
        self._clock = clock
        self._rights = shipped.rights()
        self._problems: tuple[str, ...] = ()
        self._again = asyncio.Event()

    def problems(self) -> Sequence[str]:
        """What the operator may not do, and what that means."""
        return self._problems

    def changed(self) -> None:
        """Something that needs other rights was enabled: do not wait."""
        self._again.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._again.clear()
            try:
                await self.look()
                pause = AGAIN_SECONDS if self._problems else EVERY_SECONDS
            except AkesoError as error:
                log.info("Its own rights can't be looked at now: %s", error)
                pause = AGAIN_SECONDS
            try:
                async with asyncio.timeout(pause):
                    await self._again.wait()
            except TimeoutError:
                pass

    async def look(self) -> None:
        """Asks for every right and every capability once."""
        enabled = [h.name for h in healers(self._settings) if self._settings.enables(h.name)]
        wanted = needs(self._rights, self._settings, enabled)
        lacking = told(await missing(self._api, wanted), wanted)
        found = [f"Akeso's account {sentence}" for sentence in lacking]
        found += await self._absent()
        for problem in found:
            if problem not in self._problems:
                log.warning("%s.", problem)
        if self._problems and not found:
            log.info("Akeso's account has all the rights it needs.")
        self._problems = tuple(found)
        await self._records.able(await capabilities(self._api, self._settings.namespace))

    async def _absent(self) -> list[str]:
        """Namespaces that are not there, which lists of what is in them would not say."""
        found: list[str] = []
        for name in self._settings.watch_namespaces:
            try:
                await self._api.get(f"/api/v1/namespaces/{name}")
            except PermanentError:
                pass  # with rights inside of it alone it can't be told; they are looked at
            except GoneError:
                found.append(f"namespace {name} is to be watched and is not there")
        return found
