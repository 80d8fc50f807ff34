"""A cluster in memory: an API server that checks preconditions, in front of its controllers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from akeso.domain.action import (
    Action,
    DeletePod,
    EvictPod,
    ReleaseAutoscaler,
    ReleaseOwnership,
    Resize,
    Scale,
    SetAutoscalerBound,
    SetTemplate,
    SetTemplateMemory,
)
from akeso.domain.capacity import Amount, Capacity, Node
from akeso.domain.node import NodeHealth, Nodes
from akeso.domain.workload import (
    Ask,
    Autoscaler,
    DisruptionBudget,
    Kind,
    PodRef,
    Revision,
    Snapshot,
    WorkloadRef,
)
from akeso.errors import AkesoError, BlockedError, GoneError, PermanentError, StaleError
from unit.engine.sim_controllers import Controllers
from unit.engine.sim_workload import LIMIT, MIB, SimPod, SimWorkload, shown

MANAGER = "akeso"
GIB = 1024 * MIB
ROOMY = Capacity((), (), (Node("node-1", Amount(16.0, 64 * GIB)),))


class Crash(BaseException):
    """The operator's process dies here; nothing in it may catch this."""


@dataclass
class Journal:
    """Every write to the API server, in order; `kill` = (index, before it or after it)."""

    writes: list[str] = field(default_factory=list[str])
    kill: tuple[int, str] | None = None

    def commit(self, what: str, apply: Callable[[], None]) -> None:
        due = self.kill is not None and self.kill[0] == len(self.writes)
        if due and self.kill is not None and self.kill[1] == "before":
            self.kill = None
            raise Crash(what)
        apply()
        self.writes.append(what)
        if due:
            self.kill = None
            raise Crash(what)

    def of_users(self) -> list[str]:
        """Writes to users' objects; Akeso's own begin with its kinds' names."""
        own = ("create ", "status ", "prune ")
        return [w for w in self.writes if not w.startswith(own)]


class SimCluster(Controllers):
    """Implements `akeso.protocols.Cluster`. `faults` maps method names to errors they raise."""

    def __init__(self, journal: Journal, now: float) -> None:
        super().__init__(now)
        self.journal = journal
        self.faults: dict[str, AkesoError] = {}
        self.before_write: Callable[[Action], None] | None = None
        self.before_live: Callable[[], None] | None = None
        self.watch_age = 0.0
        self.room = ROOMY
        self.capacity_reads = 0
        self.ailing: dict[str, NodeHealth] = {}  # nodes that are not well; all others are
        self.resizes = True
        self._shown: dict[str, tuple[tuple[float, int], Snapshot]] = {}

    # -- what a user, or the world, does ------------------------------------------------------

    def add(
        self,
        name: str = "web",
        kind: Kind = Kind.DEPLOYMENT,
        replicas: int = 3,
        namespace: str = "shop",
        **fields: Any,
    ) -> SimWorkload:
        """A workload that has run for an hour, at revision v1, all pods ready."""
        self.uids += 1
        made = SimWorkload(
            ref=WorkloadRef(kind, namespace, name, f"uid-{name}-{self.uids}"),
            replicas=replicas,
            labels={"app": name, "tier": "backend"},
            revisions=[Revision("v1", f"{name}-v1", 1, self.now - 86_400, {"image": "v1"})],
            template={"image": "v1"},
        )
        for key, value in fields.items():
            setattr(made, key, value)
        self.workloads[made.ref.uid] = made
        for _ in range(replicas):
            pod = self.start(made)
            pod.born = pod.started = self.now - 3_600
            pod.ready_since = self.now - 3_590
        made.fewest_ready = made.ready
        return made

    def remove(self, w: SimWorkload) -> None:
        del self.workloads[w.ref.uid]

    def roll_out(self, w: SimWorkload, name: str, health: str | None = None) -> None:
        """A user's release: a new template, whose pods are as `health` says."""
        if all(r.name != name for r in w.revisions):
            number = max(r.number for r in w.revisions) + 1
            w.revisions.append(
                Revision(name, f"{w.ref.name}-{name}", number, self.now, {"image": name})
            )
        if health is not None:
            w.bad[name] = health
        w.template = {"image": name}
        self.changed(w, spec=True)

    def scale(self, w: SimWorkload, replicas: int) -> None:
        w.replicas = replicas
        self.changed(w, spec=True)

    def rescale(self, w: SimWorkload, floor: int) -> None:
        """A person sets the floor of its autoscaler."""
        assert w.autoscaler is not None
        self._set_autoscaler(w, replace(w.autoscaler, min_replicas=floor))

    # -- akeso.protocols.Cluster --------------------------------------------------------------

    def snapshots(self) -> Iterable[Snapshot]:
        return [self.snapshot(w, live=False) for w in self.workloads.values()]

    def age(self, now: float) -> float:
        return self.watch_age

    async def live(self, ref: WorkloadRef) -> Snapshot:
        self._fail("live")
        if self.before_live is not None:
            self.before_live()
        return self.snapshot(self._find(ref), live=True)

    async def capacity(self, seen: Snapshot, nodes: Collection[str] | None = None) -> Capacity:
        self._fail("capacity")
        self.capacity_reads += 1
        return self.room

    async def nodes(self, names: Collection[str]) -> Nodes:
        self._fail("nodes")
        return Nodes(tuple(self.ailing.get(n, NodeHealth(n)) for n in sorted(names)))

    async def perform(self, action: Action, seen: Snapshot) -> None:
        self._fail("perform")
        if self.before_write is not None:
            self.before_write(action)
        w = self._find(seen.ref)
        match action:
            case EvictPod(pod=ref):
                self._evict(w, ref)
            case DeletePod(pod=ref):
                pod = self._pod(w, ref)
                shown = seen.pod(ref.uid)
                if shown is None or shown.resource_version != str(pod.version):
                    raise StaleError(f"pod {ref.name} has changed")
                self.journal.commit(f"delete {ref.name}", lambda: self.delete(w, pod))
            case Scale(from_=before, to=to):
                self._same_version(w, seen)
                self._write(w, f"scale {before}->{to}", replicas=to)
            case SetTemplate(to_revision=name):
                self._same_version(w, seen)
                found = next((r for r in w.revisions if r.name == name), None)
                if found is None:
                    raise GoneError(f"{w.ref} has no revision {name}")
                self._write(w, f"template {name}", template=found.template)
            case SetTemplateMemory(limits=limits):
                self._same_version(w, seen)
                [change] = limits
                assert (change.container, change.from_) == ("app", w.limit)
                what = f"template limit {change.from_ / MIB:g}->{change.to / MIB:g}"
                template = self._with_limit(w, change.to)
                self._write(w, what, template=template, limit=float(change.to))
            case ReleaseOwnership(manager=manager):
                kept = tuple(m for m in w.managers if m != manager)
                self.journal.commit("release", lambda: self._set(w, managers=kept))
            case Resize():
                self._resize(w, action, seen)
            case SetAutoscalerBound(uid=uid, bound=bound, from_=before, to=to):
                scaler = self._autoscaler(w, uid, seen)
                managers = tuple(dict.fromkeys((*scaler.managers, MANAGER)))
                changed = replace(scaler.bounded(bound, to), managers=managers)
                if not 1 <= changed.min_replicas <= changed.max_replicas:
                    raise PermanentError(f"{scaler}: invalid bounds")
                what = f"{bound} {before}->{to}"
                self.journal.commit(what, lambda: self._set_autoscaler(w, changed))
            case ReleaseAutoscaler(manager=manager, uid=uid):
                scaler = self._autoscaler(w, uid, seen)
                left = replace(scaler, managers=tuple(m for m in scaler.managers if m != manager))
                self.journal.commit("release autoscaler", lambda: self._set_autoscaler(w, left))

    # -- inside -------------------------------------------------------------------------------

    def snapshot(self, w: SimWorkload, live: bool) -> Snapshot:
        cached = self._shown.get(w.ref.uid)
        if not live and cached is not None and cached[0] == (self.now, w.version):
            return cached[1]
        allowed = None if w.budget is None else max(0, w.ready - w.budget)
        revisions = tuple(w.revisions if live else (replace(r, template=None) for r in w.revisions))
        made = Snapshot(
            ref=w.ref,
            resource_version=str(w.version),
            generation=w.generation,
            observed_generation=w.observed,
            labels=w.labels,
            replicas=w.replicas,
            paused=w.paused,
            strategy=w.strategy,
            partition=w.partition,
            surge=1 if w.ref.kind is Kind.DEPLOYMENT else 0,
            unavailable=0 if w.ref.kind is Kind.DEPLOYMENT else 1,
            ordered=w.ordered and w.ref.kind is Kind.STATEFUL_SET,
            update_revision=w.update_revision,
            revisions=revisions,
            pods=tuple(shown(w, p) for p in w.pods),
            budgets=() if allowed is None else (DisruptionBudget("pdb", allowed),),
            managers=w.managers,
            controller=w.controller,
            autoscaler=w.autoscaler,
            asks=(Ask("app", 0.1, w.limit, 0.1, w.limit),),
            resizes=self.resizes,
            template=w.template if live else None,
            live=live,
        )
        if not live:
            self._shown[w.ref.uid] = ((self.now, w.version), made)
        return made

    def _fail(self, method: str) -> None:
        if method in self.faults:
            raise self.faults[method]

    def _find(self, ref: WorkloadRef) -> SimWorkload:
        w = self.workloads.get(ref.uid)
        if w is None:
            raise GoneError(f"{ref} is gone")
        return w

    def _pod(self, w: SimWorkload, ref: PodRef) -> SimPod:
        found = next((p for p in w.pods if p.ref == ref), None)
        if found is None:
            raise GoneError(f"pod {ref.name} is gone")
        return found

    def _evict(self, w: SimWorkload, ref: PodRef) -> None:
        pod = self._pod(w, ref)
        if w.budget is not None and pod.ready and w.ready - 1 < w.budget:
            raise BlockedError(f"Cannot evict pod {ref.name}: the budget needs {w.budget}", 10)
        self.journal.commit(f"evict {ref.name}", lambda: self.delete(w, pod))

    def _resize(self, w: SimWorkload, action: Resize, seen: Snapshot) -> None:
        pod = self._pod(w, action.pod)
        shown = seen.pod(action.pod.uid)
        if shown is None or shown.resource_version != str(pod.version):
            raise StaleError(f"pod {action.pod.name} has changed")

        def apply() -> None:
            pod.wanted, pod.resized_at = float(action.to), self.now
            pod.version += 1
            self.changed(w)

        what = f"resize {action.pod.name} {action.from_ / MIB:g}->{action.to / MIB:g}"
        self.journal.commit(what, apply)

    def _with_limit(self, w: SimWorkload, limit: int) -> dict[str, Any]:
        """The template with another limit; one like it before is the same revision again."""
        wanted = {**(w.template or {}), "memory": limit}
        if limit == LIMIT:
            del wanted["memory"]
        if all(r.template != wanted for r in w.revisions):
            number = max(r.number for r in w.revisions) + 1
            name = f"v{number}"
            w.revisions.append(Revision(name, f"{w.ref.name}-{name}", number, self.now, wanted))
        return wanted

    def _same_version(self, w: SimWorkload, seen: Snapshot) -> None:
        if str(w.version) != seen.resource_version:
            raise StaleError(f"{w.ref} has changed since it was read")

    def _autoscaler(self, w: SimWorkload, uid: str, seen: Snapshot) -> Autoscaler:
        found = w.autoscaler
        if found is None or found.uid != uid:
            raise GoneError(f"the autoscaler of {w.ref} is gone")
        if seen.autoscaler is None or seen.autoscaler.resource_version != found.resource_version:
            raise StaleError(f"{found} has changed since it was read")
        return found

    def _set_autoscaler(self, w: SimWorkload, changed: Autoscaler) -> None:
        self.changed(w)
        w.autoscaler = replace(changed, resource_version=str(w.version))

    def _write(self, w: SimWorkload, what: str, **fields: Any) -> None:
        if w.ref.kind is Kind.DAEMON_SET and "replicas" in fields:
            raise PermanentError("a DaemonSet has no replicas")
        managers = tuple(dict.fromkeys((*w.managers, MANAGER)))
        self.journal.commit(what, lambda: self._set(w, spec=True, managers=managers, **fields))

    def _set(self, w: SimWorkload, spec: bool = False, **fields: Any) -> None:
        for key, value in fields.items():
            setattr(w, key, value)
        self.changed(w, spec)
