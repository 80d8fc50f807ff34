"""Workloads and pods of the simulated cluster, as they are and as the API shows them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from akeso.domain.workload import (
    Autoscaler,
    Container,
    Pod,
    PodRef,
    Resizing,
    Revision,
    WorkloadRef,
)

MIB = 1024.0**2
LIMIT = 256 * MIB
RESIZE_SECONDS = 3.0  # from a resize's write until the kernel enforces it
START_SECONDS = 8.0  # from a pod's creation until it is ready
GRACE_SECONDS = 2.0  # from a deletion until the pod is gone
CRASH_EVERY = 20.0


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
    limit: float = LIMIT  # what the kernel enforces
    wanted: float = LIMIT  # what the pod's spec says
    resized_at: float = 0.0

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
    sick: set[str] = field(default_factory=set[str])  # uids of pods that crash, whatever runs
    outage: bool = False  # what all pods depend on is down: none is ready
    held: bool = False  # the scheduler gives new pods no node
    budget: int | None = None  # minAvailable of a PodDisruptionBudget
    controller: str | None = None
    autoscaler: Autoscaler | None = None
    asked_for: int = 1  # what the autoscaler's own metric asks for
    base: float = 40 * MIB
    leak: float = 0.0
    leak_of: dict[str, float] = field(default_factory=dict[str, float])  # by pod uid
    base_of: dict[str, float] = field(default_factory=dict[str, float])
    heap: float = float("inf")  # what no container grows beyond, whatever its limit
    limit: float = LIMIT  # of new pods
    no_resize: Resizing | None = None  # what the kubelet says of every resize; None: it does it
    demand: Callable[[float], float] = lambda now: 0.1  # cores that all pods share, by time
    more_cores: dict[str, float] = field(default_factory=dict[str, float])  # by pod uid
    cpu_limit: float | None = 1.0  # cores per pod
    cpu_request: float | None = None
    claims: tuple[str, ...] = ()  # that each of its pods mounts
    made: int = 0
    fewest_ready: int = 10**6

    @property
    def present(self) -> list[SimPod]:
        return [p for p in self.pods if p.gone_at is None]

    @property
    def ready(self) -> int:
        return sum(p.ready for p in self.present)

    def cores(self, pod: SimPod, now: float) -> float:
        """The load goes to all pods that are ready; none can use more than its limit."""
        if not pod.ready:
            return 0.0
        own = self.more_cores.get(pod.ref.uid, 0.0)
        return min(own + self.demand(now) / max(1, self.ready), self.cpu_limit or math.inf)

    def memory(self, pod: SimPod, now: float) -> float:
        rate = self.leak_of.get(pod.ref.uid, self.leak)
        base = self.base_of.get(pod.ref.uid, self.base)
        return min(base + rate * (now - pod.started), pod.limit, self.heap)


def shown(w: SimWorkload, pod: SimPod) -> Pod:
    ready = pod.ready
    container = Container(
        name="app",
        ready=ready,
        restarts=pod.restarts,
        memory_limit=pod.limit,
        memory_wanted=pod.wanted,
        memory_request=pod.wanted,
        cpu_limit=w.cpu_limit,
        cpu_request=w.cpu_request,
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
        phase="Pending" if w.held and not ready and not pod.restarts else "Running",
        ready=ready,
        ready_since=pod.ready_since if ready else None,
        unready_since=None if ready else pod.unready_since,
        created_at=pod.born,
        deleting=pod.gone_at is not None,
        node="node-1",
        containers=(container,),
        qos="Guaranteed",
        claims=w.claims,
        resizing=(w.no_resize or Resizing.IN_PROGRESS) if pod.limit != pod.wanted else None,
        resize_message="so says the kubelet" if pod.limit != pod.wanted else "",
    )
