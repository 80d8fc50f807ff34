"""The informers behind the cluster's snapshots: one reflector per resource and namespace."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from akeso.clients.kubernetes import assembly, paths, trim
from akeso.clients.kubernetes.assembly import Surroundings, WorkloadRecord
from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.kubernetes.reflector import Reflector, Source
from akeso.clients.kubernetes.trim import (
    AutoscalerRecord,
    BudgetRecord,
    PodRecord,
    RevisionRecord,
)
from akeso.domain.workload import Kind, Snapshot
from akeso.protocols import Clock


class Area:
    """One namespace, or the whole cluster.

    A kind that may not be read is left out: its workloads are not shown, the others are.
    """

    def __init__(self, api: ApiServer, clock: Clock, namespace: str | None = None) -> None:
        self.namespace = namespace
        apps = partial(paths.collection, paths.APPS, namespace=namespace)
        self.workloads: dict[Kind, Reflector[WorkloadRecord]] = {
            kind: Reflector(
                api, clock, Source(plural, apps(plural), partial(assembly.workload, kind))
            )
            for kind, plural in paths.PLURALS.items()
        }
        pods = paths.collection(paths.CORE, "pods", namespace)
        self.pods: Reflector[PodRecord] = Reflector(
            api, clock, Source("pods", pods, trim.pod, required=True)
        )
        self.replica_sets: Reflector[RevisionRecord] = Reflector(
            api, clock, Source("replicasets", apps("replicasets"), trim.replica_set)
        )
        self.controller_revisions: Reflector[RevisionRecord] = Reflector(
            api,
            clock,
            Source("controllerrevisions", apps("controllerrevisions"), trim.controller_revision),
        )
        name = "poddisruptionbudgets"
        self.budgets: Reflector[BudgetRecord] = Reflector(
            api, clock, Source(name, paths.collection(paths.POLICY, name, namespace), trim.budget)
        )
        name = "horizontalpodautoscalers"
        self.autoscalers: Reflector[AutoscalerRecord] = Reflector(
            api,
            clock,
            Source(name, paths.collection(paths.AUTOSCALING, name, namespace), trim.autoscaler),
        )

    @property
    def reflectors(self) -> tuple[Reflector[Any], ...]:
        return (
            *self.workloads.values(),
            self.pods,
            self.replica_sets,
            self.controller_revisions,
            self.budgets,
            self.autoscalers,
        )

    @property
    def ready(self) -> bool:
        """Whether every resource was listed once, or cannot be read for now."""
        return all(r.synced.is_set() or r.refused for r in self.reflectors)

    def snapshots(self, resizes: bool | None) -> Iterator[Snapshot]:
        if not self.pods.synced.is_set():
            return
        around = Surroundings.of(
            self.pods.items().values(),
            [*self.replica_sets.items().values(), *self.controller_revisions.items().values()],
            ((namespace, b) for (namespace, _), b in self.budgets.items().items()),
            ((namespace, a) for (namespace, _), a in self.autoscalers.items().items()),
            resizes,
        )
        for kind, reflector in self.workloads.items():
            if reflector.synced.is_set() and self._keeper(kind).synced.is_set():
                for record in tuple(reflector.items().values()):
                    yield assembly.assemble(record, around)

    def age(self, now: float) -> float:
        """Of the least fresh reflector; what may not be read does not count, pods always do."""
        heard = [r.heard_at for r in self.reflectors if r.source.required or not r.refused]
        return now - min(heard) if self.pods.synced.is_set() else float("inf")

    def problems(self) -> tuple[str, ...]:
        """What cannot be read now, and why; one sentence where it is all of a namespace."""
        wrong = [r for r in self.reflectors if r.error is not None]
        if self.namespace is not None and all(r.refused for r in self.reflectors):
            said = "is not watched: it is not there, or Akeso has no rights in it"
            return (f"namespace {self.namespace} {said} ({self.pods.error})",)
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return tuple(f"{r.source.name}{where}: {r.error}" for r in wrong)

    def _keeper(self, kind: Kind) -> Reflector[RevisionRecord]:
        return self.replica_sets if kind is Kind.DEPLOYMENT else self.controller_revisions


class Informers:
    """Read-only view of the cluster, kept by watches: of all of it, or of these namespaces.

    `resizes` is whether this cluster resizes pods in place, once somebody has asked it.
    """

    resizes: bool | None = None

    def __init__(self, api: ApiServer, clock: Clock, namespaces: Sequence[str] = ()) -> None:
        self.areas = tuple(Area(api, clock, name) for name in namespaces or (None,))

    @property
    def reflectors(self) -> tuple[Reflector[Any], ...]:
        return tuple(reflector for area in self.areas for reflector in area.reflectors)

    async def run(self) -> None:
        """Runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            for reflector in self.reflectors:
                group.create_task(reflector.run(), name=f"reflect {reflector.source.path}")

    @property
    def ready(self) -> bool:
        """Whether every resource was listed once, or cannot be read for now."""
        return all(area.ready for area in self.areas)

    def snapshots(self) -> Iterator[Snapshot]:
        for area in self.areas:
            yield from area.snapshots(self.resizes)

    def age(self, now: float) -> float:
        """Of the least fresh area; one whose pods may not be read shows nothing, so does not count
        unless it is the only one."""
        ages = [area.age(now) for area in self.areas if not area.pods.refused]
        return max(ages, default=float("inf"))

    def problems(self) -> tuple[str, ...]:
        return tuple(problem for area in self.areas for problem in area.problems())
