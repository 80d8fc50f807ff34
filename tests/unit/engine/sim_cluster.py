"""A cluster in memory: workloads, their controllers, and an API server that checks preconditions.

Controllers move once a second of virtual time, by the rules that healing depends on: an evicted
pod is replaced, a rolling update waits for its pods, a StatefulSet keeps its order (and waits for
ever for a broken pod), a container at its memory limit is OOM-killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from akeso.domain.action import Action, DeletePod, EvictPod, ReleaseOwnership, Scale, SetTemplate
from akeso.domain.workload import (
    Container,
    DisruptionBudget,
    Kind,
    Pod,
    PodRef,
    Revision,
    Snapshot,
    WorkloadRef,
)
from akeso.errors import AkesoError, BlockedError, GoneError, PermanentError, StaleError

MIB = 1024.0**2
LIMIT = 256 * MIB
START_SECONDS = 8.0  # from a pod's creation until it is ready
GRACE_SECONDS = 2.0  # from a deletion until the pod is gone
CRASH_EVERY = 20.0
MANAGER = "akeso"


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


@dataclass
class SimPod:
    """One pod; `born` is when it was created, `started` when its container last was."""

    ref: PodRef
    revision: str
    born: float
    started: float
    gone_at: float | None = None
    ready_since: float | None = None
    unready_since: float = 0.0
    restarts: int = 0
    exit_reason: str | None = None
    exit_code: int | None = None
    exit_at: float | None = None
    waiting: str | None = None
    version: int = 1

    @property
    def ready(self) -> bool:
        return self.ready_since is not None and self.gone_at is None


@dataclass
class SimWorkload:
    """One workload with its pods. `bad` revisions crash ("crash") or never get ready ("unready");
    `leak` is what every container grows by in bytes per second, from `base`.
    """

    ref: WorkloadRef
    replicas: int
    labels: Mapping[str, str]
    revisions: list[Revision]
    template: Mapping[str, Any]
    pods: list[SimPod] = field(default_factory=list[SimPod])
    generation: int = 1
    observed: int = 1
    version: int = 1
    update_revision: str = "v1"
    strategy: str = "RollingUpdate"
    paused: bool = False
    partition: int = 0
    ordered: bool = True
    managers: tuple[str, ...] = ("kubectl",)
    bad: dict[str, str] = field(default_factory=dict[str, str])
    outage: bool = False  # what all pods depend on is down: none is ready
    held: bool = False  # the scheduler gives new pods no node
    budget: int | None = None  # minAvailable of a PodDisruptionBudget
    controller: str | None = None
    autoscaler: str | None = None
    base: float = 40 * MIB
    leak: float = 0.0
    leak_of: dict[str, float] = field(default_factory=dict[str, float])  # by pod uid
    base_of: dict[str, float] = field(default_factory=dict[str, float])
    made: int = 0
    fewest_ready: int = 10**6

    @property
    def present(self) -> list[SimPod]:
        return [p for p in self.pods if p.gone_at is None]

    @property
    def ready(self) -> int:
        return sum(p.ready for p in self.present)

    def memory(self, pod: SimPod, now: float) -> float:
        rate = self.leak_of.get(pod.ref.uid, self.leak)
        base = self.base_of.get(pod.ref.uid, self.base)
        return min(base + rate * (now - pod.started), LIMIT)


class SimCluster:
    """Implements `akeso.protocols.Cluster`. `faults` maps method names to errors they raise."""

    def __init__(self, journal: Journal, now: float) -> None:
        self.journal = journal
        self.now = now
        self.workloads: dict[str, SimWorkload] = {}
        self.faults: dict[str, AkesoError] = {}
        self.before_write: Callable[[Action], None] | None = None
        self.watch_age = 0.0
        self._uids = 0
        self._versions = 1
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
        self._uids += 1
        made = SimWorkload(
            ref=WorkloadRef(kind, namespace, name, f"uid-{name}-{self._uids}"),
            replicas=replicas,
            labels={"app": name, "tier": "backend"},
            revisions=[Revision("v1", f"{name}-v1", 1, self.now - 86_400, {"image": "v1"})],
            template={"image": "v1"},
        )
        for key, value in fields.items():
            setattr(made, key, value)
        self.workloads[made.ref.uid] = made
        for _ in range(replicas):
            pod = self._start(made)
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
        self._changed(w, spec=True)

    def scale(self, w: SimWorkload, replicas: int) -> None:
        w.replicas = replicas
        self._changed(w, spec=True)

    def pass_second(self) -> None:
        self.now += 1.0
        for w in list(self.workloads.values()):
            self._control(w)

    # -- akeso.protocols.Cluster --------------------------------------------------------------

    def snapshots(self) -> Iterable[Snapshot]:
        return [self.snapshot(w, live=False) for w in self.workloads.values()]

    def age(self, now: float) -> float:
        return self.watch_age

    async def live(self, ref: WorkloadRef) -> Snapshot:
        self._fail("live")
        return self.snapshot(self._find(ref), live=True)

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
                self.journal.commit(f"delete {ref.name}", lambda: self._delete(w, pod))
            case Scale(from_=before, to=to):
                self._same_version(w, seen)
                self._write(w, f"scale {before}->{to}", replicas=to)
            case SetTemplate(to_revision=name):
                self._same_version(w, seen)
                found = next((r for r in w.revisions if r.name == name), None)
                if found is None:
                    raise GoneError(f"{w.ref} has no revision {name}")
                self._write(w, f"template {name}", template=found.template)
            case ReleaseOwnership(manager=manager):
                kept = tuple(m for m in w.managers if m != manager)
                self.journal.commit("release", lambda: self._set(w, managers=kept))

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
            ordered=w.ordered and w.ref.kind is Kind.STATEFUL_SET,
            update_revision=w.update_revision,
            revisions=revisions,
            pods=tuple(_shown(w, p) for p in w.pods),
            budgets=() if allowed is None else (DisruptionBudget("pdb", allowed),),
            managers=w.managers,
            controller=w.controller,
            autoscaler=w.autoscaler,
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
        self.journal.commit(f"evict {ref.name}", lambda: self._delete(w, pod))

    def _same_version(self, w: SimWorkload, seen: Snapshot) -> None:
        if str(w.version) != seen.resource_version:
            raise StaleError(f"{w.ref} has changed since it was read")

    def _write(self, w: SimWorkload, what: str, **fields: Any) -> None:
        if w.ref.kind is Kind.DAEMON_SET and "replicas" in fields:
            raise PermanentError("a DaemonSet has no replicas")
        managers = tuple(dict.fromkeys((*w.managers, MANAGER)))
        self.journal.commit(what, lambda: self._set(w, spec=True, managers=managers, **fields))

    def _set(self, w: SimWorkload, spec: bool = False, **fields: Any) -> None:
        for key, value in fields.items():
            setattr(w, key, value)
        self._changed(w, spec)

    def _changed(self, w: SimWorkload, spec: bool = False) -> None:
        self._versions += 1
        w.version = self._versions
        w.generation += spec

    def _delete(self, w: SimWorkload, pod: SimPod) -> None:
        if pod.gone_at is None:
            pod.gone_at = self.now + GRACE_SECONDS
            pod.version += 1
            w.fewest_ready = min(w.fewest_ready, w.ready)

    def _start(self, w: SimWorkload, name: str = "") -> SimPod:
        self._uids += 1
        if not name and w.ref.kind is Kind.DEPLOYMENT:
            name = f"{w.ref.name}-{w.update_revision}-{w.made}"
        elif not name:
            name = f"{w.ref.name}-{w.made}"
        w.made += 1
        pod = SimPod(
            PodRef(name, f"uid-{name}-{self._uids}"),
            w.update_revision,
            self.now,
            self.now,
            unready_since=self.now,
        )
        w.pods.append(pod)
        return pod

    def _control(self, w: SimWorkload) -> None:
        before = (w.observed, w.ready, len(w.pods))
        w.pods = [p for p in w.pods if p.gone_at is None or p.gone_at > self.now]
        if w.observed != w.generation:
            w.observed = w.generation
            w.update_revision = next(r.name for r in w.revisions if r.template == w.template)
        for pod in w.present:
            self._live_on(w, pod)
        {
            Kind.DEPLOYMENT: self._deployment,
            Kind.STATEFUL_SET: self._stateful_set,
            Kind.DAEMON_SET: self._daemon_set,
        }[w.ref.kind](w)
        w.fewest_ready = min(w.fewest_ready, w.ready)
        if before != (w.observed, w.ready, len(w.pods)):
            self._changed(w)

    def _live_on(self, w: SimWorkload, pod: SimPod) -> None:
        """One second in a pod's life."""
        if w.memory(pod, self.now) >= LIMIT:
            self._exit(pod, "OOMKilled", 137)
        health = w.bad.get(pod.revision)
        health = None if health == "fine" else health
        if health == "crash" and not w.held and self.now - pod.started >= CRASH_EVERY:
            self._exit(pod, "Error", 1)
            pod.waiting = "CrashLoopBackOff"
        well = health is None and not w.outage and not w.held
        if well and self.now - pod.started >= START_SECONDS:
            pod.waiting = None
            if pod.ready_since is None:
                pod.ready_since = self.now
                pod.version += 1
        elif pod.ready_since is not None and not (w.held and not w.outage and health is None):
            self._unready(pod)

    def _exit(self, pod: SimPod, reason: str, code: int) -> None:
        pod.restarts += 1
        pod.exit_reason, pod.exit_code, pod.exit_at = reason, code, self.now
        pod.started = self.now
        self._unready(pod)

    def _unready(self, pod: SimPod) -> None:
        if pod.ready_since is not None:
            pod.ready_since, pod.unready_since = None, self.now
        pod.version += 1

    def _deployment(self, w: SimWorkload) -> None:
        """maxSurge 1, maxUnavailable 0; of too many the one not ready goes, then the youngest."""
        old = [p for p in w.present if p.revision != w.update_revision]
        new = [p for p in w.present if p.revision == w.update_revision]
        if w.paused:
            return
        if w.strategy == "Recreate" and old:
            for pod in old:
                self._delete(w, pod)
        elif len(w.present) > w.replicas:
            victim = min(old or new, key=lambda p: (p.ready, -p.born))
            unready = sum(not p.ready for p in new)
            spare = w.ready > w.replicas if victim.ready else len(w.present) - unready > w.replicas
            if not old or spare:
                self._delete(w, victim)
        elif old or len(new) < w.replicas:
            self._start(w)

    def _stateful_set(self, w: SimWorkload) -> None:
        names = {p.ref.name for p in w.pods}
        missing = [n for i in range(w.replicas) if (n := f"{w.ref.name}-{i}") not in names]
        if missing:
            self._start(w, missing[0])
            return
        if len(w.present) < len(w.pods):
            return  # one is on its way out still
        extra = [p for p in w.present if _ordinal(p) >= w.replicas]
        if extra:
            self._delete(w, max(extra, key=_ordinal))
        for pod in sorted(w.present, key=_ordinal, reverse=True):
            if pod.revision != w.update_revision and _ordinal(pod) >= w.partition:
                if pod.ready or not w.ordered:
                    self._delete(w, pod)
                return
            if not pod.ready:
                return

    def _daemon_set(self, w: SimWorkload) -> None:
        if len(w.pods) < w.replicas:
            self._start(w)
            return
        old = [p for p in w.present if p.revision != w.update_revision]
        if w.strategy == "OnDelete" or not old:
            return
        unready = [p for p in old if not p.ready]
        if unready or w.ready == w.replicas:
            self._delete(w, (unready or old)[0])


def _ordinal(pod: SimPod) -> int:
    return int(pod.ref.name.rpartition("-")[2])


def _shown(w: SimWorkload, pod: SimPod) -> Pod:
    ready = pod.ready
    container = Container(
        name="app",
        ready=ready,
        restarts=pod.restarts,
        memory_limit=LIMIT,
        waiting_reason=pod.waiting,
        last_exit_reason=pod.exit_reason,
        last_exit_code=pod.exit_code,
        last_exit_at=pod.exit_at,
        started_at=pod.started,
    )
    return Pod(
        ref=pod.ref,
        resource_version=str(pod.version),
        revision=pod.revision,
        phase="Running",
        ready=ready,
        ready_since=pod.ready_since if ready else None,
        unready_since=None if ready else pod.unready_since,
        created_at=pod.born,
        deleting=pod.gone_at is not None,
        node="node-1",
        containers=(container,),
    )
