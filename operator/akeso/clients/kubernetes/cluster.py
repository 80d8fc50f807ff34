"""The port `akeso.protocols.Cluster`: informers for looking around, live reads for deciding."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from akeso.clients.kubernetes import assembly, paths, trim
from akeso.clients.kubernetes.assembly import Surroundings
from akeso.clients.kubernetes.capabilities import resizes
from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.kubernetes.informers import Informers
from akeso.clients.kubernetes.nodes import nodes_named
from akeso.clients.kubernetes.raw import Json, part, text
from akeso.clients.kubernetes.room import room_around
from akeso.clients.kubernetes.trim import AutoscalerRecord, RevisionRecord
from akeso.clients.kubernetes.writes import Writes
from akeso.domain.action import Action
from akeso.domain.capacity import Capacity
from akeso.domain.node import Nodes
from akeso.domain.workload import Autoscaler, Kind, Snapshot, WorkloadRef
from akeso.errors import AkesoError, GoneError, PermanentError
from akeso.protocols import Clock

# Stands for an autoscaler where HPAs may not be read: whoever cannot know leaves replicas alone.
UNKNOWN_AUTOSCALER = Autoscaler("(not readable)", readable=False)


class KubernetesCluster:
    """Implements `akeso.protocols.Cluster`. `run` keeps the informers and never returns.

    `fence` is asked right before each write: false means that somebody else leads.
    """

    def __init__(
        self,
        api: ApiServer,
        clock: Clock,
        namespaces: Sequence[str] = (),
        manager: str = "akeso",
        fence: Callable[[], bool] = lambda: True,
    ) -> None:
        self.informers = Informers(api, clock, namespaces)
        self._api = api
        self._namespaced = bool(namespaces)
        self._writes = Writes(api, manager, fence)

    async def run(self) -> None:
        with suppress(AkesoError):  # a live read asks again
            await self._resizes()
        await self.informers.run()

    @property
    def ready(self) -> bool:
        return self.informers.ready

    def problems(self) -> tuple[str, ...]:
        return self.informers.problems()

    def snapshots(self) -> Iterable[Snapshot]:
        return self.informers.snapshots()

    def age(self, now: float) -> float:
        return self.informers.age(now)

    async def live(self, ref: WorkloadRef) -> Snapshot:
        raw = await self._api.get(paths.workload(ref))
        if text(part(raw, "metadata"), "uid") != ref.uid:
            raise GoneError(f"{ref} is gone; another one carries its name now.")
        with _understood(ref):
            record = assembly.workload(ref.kind, raw, with_template=True)
        selected = {"labelSelector": str(record.selector)}
        pods, revisions, budgets, autoscalers, resizes = await asyncio.gather(
            self._api.list_all(paths.collection(paths.CORE, "pods", ref.namespace), selected),
            self._revisions(ref, selected),
            self._optional(paths.POLICY, "poddisruptionbudgets", ref.namespace),
            self._optional(paths.AUTOSCALING, "horizontalpodautoscalers", ref.namespace),
            self._resizes(),
        )
        with _understood(ref):
            around = Surroundings.of(
                (found for found in map(trim.pod, pods) if found is not None),
                revisions,
                ((ref.namespace, trim.budget(b)) for b in budgets or ()),
                ((ref.namespace, a) for a in _autoscalers(ref, autoscalers)),
                resizes,
            )
            return assembly.assemble(record, around, live=True)

    async def capacity(self, seen: Snapshot, nodes: Collection[str] | None = None) -> Capacity:
        found = await room_around(self._api, seen.ref.namespace, nodes)
        return replace(found, namespaced=self._namespaced)

    async def nodes(self, names: Collection[str]) -> Nodes:
        found = await nodes_named(self._api, names)
        return replace(found, namespaced=self._namespaced)

    async def perform(self, action: Action, seen: Snapshot) -> None:
        await self._writes.perform(action, seen)

    async def _revisions(self, ref: WorkloadRef, selected: dict[str, str]) -> list[RevisionRecord]:
        deployment = ref.kind is Kind.DEPLOYMENT
        plural = "replicasets" if deployment else "controllerrevisions"
        keep = trim.replica_set if deployment else trim.controller_revision
        where = paths.collection(paths.APPS, plural, ref.namespace)
        found = await self._api.list_all(where, selected)
        with _understood(ref):
            kept = [keep(raw, True) for raw in found]
        return [r for r in kept if r is not None and r.owner == ref.uid]

    async def _resizes(self) -> bool:
        """Whether pods have the resize sub-resource; asked until they have, for upgrades happen."""
        if not self.informers.resizes:
            self.informers.resizes = await resizes(self._api)
        return self.informers.resizes

    async def _optional(self, group: str, plural: str, namespace: str) -> list[Json] | None:
        """None where the kind may not be read or is not there."""
        try:
            return await self._api.list_all(paths.collection(group, plural, namespace))
        except (PermanentError, GoneError):
            return None


@contextmanager
def _understood(ref: WorkloadRef) -> Generator[None]:
    """An object that is not what the API promises is said, not guessed at."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as e:
        raise PermanentError(f"{ref}, or what belongs to it, is not understood: {e!r}") from e


def _autoscalers(ref: WorkloadRef, found: list[Json] | None) -> list[AutoscalerRecord]:
    if found is None:
        return [AutoscalerRecord(ref.kind, ref.name, UNKNOWN_AUTOSCALER)]
    return [trim.autoscaler(raw) for raw in found]
