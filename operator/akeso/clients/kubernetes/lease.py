"""Leadership: one Lease, held by one process at a time.

kubernetes.aio.leaderelection was looked at and not used: it measures with the wall clock (a clock
that is set back keeps a lost lease), puts no time limit on a renewal (one that hangs outlives the
lease), writes local times as UTC, cancels the leader's task instead of ending the process, and
cannot give the Lease back. The algorithm is client-go's, with its safety argument:

- The leader counts from before it sent its last successful renewal, everybody else from when they
  saw it, all by their own monotonic clocks: the leader gives up before anyone may take over, and
  what the clocks of the machines say does not matter.
- Every write carries the resourceVersion that was read, so of two contenders one is refused.

https://github.com/kubernetes/client-go/blob/v0.36.4/tools/leaderelection/leaderelection.go
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import socket
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.kubernetes.paths import collection
from akeso.clients.kubernetes.raw import Json, part, text, whole
from akeso.errors import AkesoError, BlockedError, GoneError, PermanentError, StaleError
from akeso.protocols import Clock
from akeso.settings import Settings

log = logging.getLogger(__name__)

NAME = "akeso-operator"
COORDINATION = "apis/coordination.k8s.io/v1"


class Leadership:
    """`acquire`, then `keep` as a task: it returns when leadership is lost, and `lost` is set.

    The process must end at once then. `holds` is the fence to ask right before each write.
    """

    def __init__(
        self,
        api: ApiServer,
        settings: Settings,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.identity = settings.identity or f"{socket.gethostname()}_{os.getpid()}"
        self.lost = asyncio.Event()
        self.transitions = 0  # of the Lease as last seen
        self._api = api
        self._settings = settings
        self._clock = clock
        self._monotonic = monotonic
        self._collection = collection(COORDINATION, "leases", settings.namespace)
        self._path = f"{self._collection}/{NAME}"
        self._version: str = ""  # of the Lease as last seen
        self._seen_at = -math.inf  # when that version was first seen
        self._renewed_at = -math.inf  # when the last successful renewal was sent
        self._patience = math.inf  # how long that version has to stay unrenewed to be up for grabs

    @property
    def holds(self) -> bool:
        """Whether this process leads at this very moment; needs no request."""
        return not self.lost.is_set() and self._left() > 0

    @property
    def left(self) -> float:
        """How many seconds this process still leads without another renewal; 0: it does not."""
        return max(0.0, self._left()) if self.holds else 0.0

    async def acquire(self) -> None:
        """Waits until this process leads."""
        while not await self._within(self._settings.lease_renew_seconds, self._try):
            # Looked at again when it may be had, if that is sooner than the next look anyway.
            rest = self._seen_at + self._patience - self._monotonic()
            pause = self._settings.lease_renew_seconds
            await self._clock.sleep(min(pause, rest) if rest > 0 else pause)
        log.info("Leading as %s.", self.identity)

    async def keep(self) -> None:
        """Renews; returns as soon as leadership is lost."""
        pause = self._settings.lease_renew_seconds
        while await self._renewed():
            await self._clock.sleep(max(0.0, min(pause, self._left())))
        self.lost.set()
        log.error("Leadership is lost: %s does not hold the Lease any more.", self.identity)

    async def _renewed(self) -> bool:
        """Tries until it succeeds or leadership has run out."""
        while self._left() > 0:
            if await self._within(min(self._settings.lease_renew_seconds, self._left()), self._try):
                return True
            await self._clock.sleep(
                max(0.0, min(self._settings.lease_renew_seconds / 5, self._left()))
            )
        return False

    async def release(self) -> None:
        """Gives the Lease back, so that the next one need not wait; for a clean shutdown.

        After `keep` was cancelled: a renewal on its way may have reached the server or not.
        """
        held, self._renewed_at = self.holds, -math.inf
        if not held:
            return
        spec: Json = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": self._now()}
        try:
            lease = await self._api.get(self._path, timeout=self._settings.lease_renew_seconds)
            if text(part(lease, "spec"), "holderIdentity") != self.identity:
                return
            version = {"resourceVersion": text(part(lease, "metadata"), "resourceVersion")}
            await self._write({"metadata": version, "spec": spec})
        except AkesoError as e:
            log.info("The Lease was not given back: %s", e)

    def _left(self) -> float:
        return self._renewed_at + self._settings.lease_seconds - self._monotonic()

    async def _within(self, limit: float, attempt: Callable[[], Awaitable[bool]]) -> bool:
        """An attempt that fails or takes longer than `limit` seconds is none."""
        try:
            async with asyncio.timeout(max(limit, 0.01)):
                return await attempt()
        except TimeoutError:
            log.warning("The Lease could not be read or written within %.0f s.", limit)
        except StaleError as e:
            log.info("Somebody else wrote the Lease: %s", e)
        except (PermanentError, BlockedError) as e:
            log.error("The Lease cannot be used: %s", e)
        except AkesoError as e:
            log.warning("The Lease could not be read or written: %s", e)
        return False

    async def _try(self) -> bool:
        """One attempt to take or renew the Lease."""
        began = self._monotonic()
        try:
            lease = await self._api.get(self._path)
        except GoneError:
            if not self._may_create():
                return False
            await self._create()
        else:
            self._observe(lease)
            if not self._may_take(lease):
                self._renewed_at = -math.inf  # somebody else leads: not a moment longer
                return False
            version = {"resourceVersion": self._version}
            await self._write({"metadata": version, "spec": self._spec(part(lease, "spec"))})
        self._renewed_at = began
        return True

    async def _create(self) -> None:
        body: Json = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": NAME, "namespace": self._settings.namespace},
            "spec": self._spec({}),
        }
        try:
            self._observe(await self._api.post(self._collection, body))
        except (PermanentError, GoneError) as e:
            own = self._settings.namespace
            raise PermanentError(
                f"There is no Lease {NAME} in namespace {own}, and Akeso can't make one. The chart"
                f" does (helm upgrade), as does: kubectl -n {own} apply -f examples/rbac.yaml"
            ) from e

    async def _write(self, body: Json) -> None:
        self._observe(await self._api.patch(self._path, body, {"fieldManager": "akeso"}))

    def _observe(self, lease: Json) -> None:
        version = text(part(lease, "metadata"), "resourceVersion")
        if version != self._version:
            self._version, self._seen_at = version, self._monotonic()
            self.transitions = whole(part(lease, "spec"), "leaseTransitions")

    def _may_create(self) -> bool:
        """A Lease that was deleted may still be somebody's for as long as it was good for."""
        return self.holds or self._monotonic() - self._seen_at >= self._settings.lease_seconds

    def _may_take(self, lease: Json) -> bool:
        spec = part(lease, "spec")
        if text(spec, "holderIdentity") in ("", self.identity):
            return True
        self._patience = max(self._settings.lease_seconds, whole(spec, "leaseDurationSeconds"))
        return self._monotonic() - self._seen_at >= self._patience

    def _spec(self, before: Json) -> Json:
        now = self._now()
        mine = text(before, "holderIdentity") == self.identity
        changes = whole(before, "leaseTransitions")
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": math.ceil(self._settings.lease_seconds),
            "acquireTime": before.get("acquireTime") if mine else now,
            "renewTime": now,
            "leaseTransitions": changes if mine or not before else changes + 1,
        }

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
