"""Workloads as they were seen: one `Snapshot` is one workload with all that decides about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """The kinds Akeso heals."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"


@dataclass(frozen=True, slots=True)
class WorkloadRef:
    """Names one workload for good: a new object with the same name has another uid."""

    kind: Kind
    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class PodRef:
    """One pod; the uid guards against a successor of the same name (StatefulSet)."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod, as its status says. Times are Unix seconds."""

    name: str
    ready: bool = False
    restarts: int = 0
    memory_limit: float | None = None  # bytes; the one that holds now
    memory_wanted: float | None = None  # bytes; the limit in its spec, which a resize changes
    memory_request: float | None = None  # bytes
    cpu_limit: float | None = None  # cores
    cpu_request: float | None = None  # cores
    resize_restarts: bool = False  # a resize of its memory restarts it (resizePolicy)
    sidecar: bool = False  # an init container that runs as long as the pod
    waiting_reason: str | None = None  # e.g. CrashLoopBackOff
    last_exit_reason: str | None = None  # e.g. OOMKilled, Error
    last_exit_code: int | None = None
    last_exit_at: float | None = None
    started_at: float | None = None
    readiness_delay: float = 0.0  # seconds its readiness probe may honestly take


class Resizing(StrEnum):
    """How far the kubelet is with an in-place resize that was asked for.

    Deferred: no room on its node for now; Infeasible: never will be there.
    https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/
    """

    DEFERRED = "Deferred"
    INFEASIBLE = "Infeasible"
    IN_PROGRESS = "InProgress"


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod. `revision` is what its template came from (see `Revision.name`).

    `resizable`: its kubelet resizes in place. `resizing` None: no resize is under way;
    `resize_message` is the kubelet's word on one that is.
    """

    ref: PodRef
    resource_version: str = ""
    revision: str = ""
    phase: str = "Pending"
    ready: bool = False
    ready_since: float | None = None  # None while it is not ready
    unready_since: float | None = None  # None while it is ready
    created_at: float = 0.0
    deleting: bool = False
    node: str | None = None
    unscheduled: str | None = None  # why the scheduler found no node for it, in its own words
    containers: tuple[Container, ...] = ()
    qos: str = ""  # Guaranteed, Burstable or BestEffort
    windows: bool = False
    resizable: bool = True
    resizing: Resizing | None = None
    resize_message: str = ""
    claims: tuple[str, ...] = ()  # names of the PersistentVolumeClaims it mounts
    sized_by_vpa: bool = False  # a VerticalPodAutoscaler set its requests when it was made

    @property
    def restarts(self) -> int:
        return sum(c.restarts for c in self.containers)

    def container(self, name: str) -> Container | None:
        return next((c for c in self.containers if c.name == name), None)


@dataclass(frozen=True, slots=True)
class Revision:
    """One version of a workload's pod template.

    `name` is the pod-template-hash (Deployment) or the ControllerRevision's name (StatefulSet,
    DaemonSet): equal templates have equal names. `template` is only read live, before a rollback.
    """

    name: str
    object_name: str  # the ReplicaSet or ControllerRevision that keeps it
    number: int = 0
    created_at: float = 0.0
    template: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Ask:
    """What one container of a new pod asks for; CPU in cores, memory in bytes; None: no limit.

    `init` containers run before the others and alone: only the largest of them counts.
    """

    container: str
    cpu: float = 0.0
    memory: float = 0.0
    cpu_limit: float | None = None
    memory_limit: float | None = None
    init: bool = False


@dataclass(frozen=True, slots=True)
class DisruptionBudget:
    """A PodDisruptionBudget that selects the workload's pods."""

    name: str
    disruptions_allowed: int


class AutoscalerBound(StrEnum):
    """A limit that an autoscaler keeps; the names are those of its fields."""

    FLOOR = "minReplicas"
    CEILING = "maxReplicas"


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """The HorizontalPodAutoscaler that owns a workload's replicas.

    `controller` is "Kind/name" of what owns the HPA itself, such as KEDA's ScaledObject;
    `managers` are the field managers that wrote its spec. With `readable` False HPAs can't be
    read, so that there might be one: nothing else here means anything then.
    """

    name: str
    uid: str = ""
    resource_version: str = ""
    min_replicas: int = 1
    max_replicas: int = 1
    controller: str | None = None
    managers: tuple[str, ...] = ()
    readable: bool = True

    def __str__(self) -> str:
        return f"HorizontalPodAutoscaler/{self.name}"

    def bound(self, which: AutoscalerBound) -> int:
        return self.min_replicas if which is AutoscalerBound.FLOOR else self.max_replicas

    def bounded(self, which: AutoscalerBound, to: int) -> Autoscaler:
        """The same with another bound."""
        if which is AutoscalerBound.FLOOR:
            return replace(self, min_replicas=to)
        return replace(self, max_replicas=to)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One workload with its pods, revisions, budgets and owners, as seen at one moment.

    `live` tells a read made for this decision from the informers' view. `managers` are the field
    managers that wrote the spec, `scalers` those of them that own its replicas; `controller` is
    "Kind/name" of a controlling owner, `autoscaler` what owns the replicas. `replicas` is what is
    wanted; for a DaemonSet the number of nodes it should run on. `asks` is what the containers of
    its next pod ask for. `resizes` tells whether this cluster resizes pods in place (None: not
    looked up). `short` is why its controller can't make all the pods it should, in its own words.
    """

    ref: WorkloadRef
    resource_version: str = ""
    generation: int = 0
    observed_generation: int = 0
    labels: Mapping[str, str] = field(default_factory=lambda: dict[str, str]())
    replicas: int = 1
    paused: bool = False
    strategy: str = "RollingUpdate"
    partition: int = 0
    surge: int = 0  # pods that a rollout may have more than `replicas`
    unavailable: int = 1  # ready pods that it may do without meanwhile
    ordered: bool = False  # StatefulSet with OrderedReady pod management
    update_revision: str = ""  # what new pods are made from
    revisions: tuple[Revision, ...] = ()
    pods: tuple[Pod, ...] = ()
    budgets: tuple[DisruptionBudget, ...] = ()
    autoscaler: Autoscaler | None = None
    controller: str | None = None
    managers: tuple[str, ...] = ()
    asks: tuple[Ask, ...] = ()
    resizes: bool | None = None
    scalers: tuple[str, ...] = ()
    short: str | None = None
    template: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)
    live: bool = False

    @property
    def present(self) -> tuple[Pod, ...]:
        """Pods that are not on their way out."""
        return tuple(p for p in self.pods if not p.deleting)

    @property
    def ready(self) -> int:
        """How many pods are ready and staying."""
        return sum(p.ready for p in self.present)

    @property
    def rolling(self) -> bool:
        """Whether a rollout is under way: some pods are not of the newest revision yet."""
        if self.observed_generation < self.generation:
            return True
        return any(p.revision != self.update_revision for p in self.present)

    @property
    def failing(self) -> bool:
        """Whether it fails now: fewer pods ready than wanted, none of that a rollout's doing.

        A workload scaled to zero does not fail.
        """
        return self.ready < self.replicas

    def pod(self, uid: str) -> Pod | None:
        return next((p for p in self.pods if p.ref.uid == uid), None)

    def ask(self, container: str) -> Ask | None:
        return next((a for a in self.asks if a.container == container), None)

    def revision(self, name: str) -> Revision | None:
        return next((r for r in self.revisions if r.name == name), None)
