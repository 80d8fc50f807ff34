"""Which containers crash-loop, and which of them are a rollout's affair. Pure.

The kubelet is the judge: it holds the start of a container back that keeps exiting, 10 s at first
and then twice as long each time, and forgets that once it has run for ten minutes.
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from akeso.domain.finding import Evidence, Origin
from akeso.domain.workload import Container, Pod, PodRef, Snapshot
from akeso.engine.rollouts import crash_onset
from akeso.engine.words import seconds_of

FORGOTTEN_AFTER = 600.0
# From an exit to the next start, in seconds: a start that nobody holds back takes less.
HELD_BACK = 5.0
# How a container ended that went down with its node: the kubelet knows nothing better.
WITH_ITS_NODE = frozenset({"Unknown", "ContainerStatusUnknown"})


@dataclass(frozen=True, slots=True)
class Looping:
    """One container that crash-loops."""

    pod: Pod
    container: Container

    def told(self, now: float) -> str:
        c = self.container
        last = f"last with {c.last_exit_reason or 'an unknown reason'}"
        code = "" if c.last_exit_code is None else f" (exit code {c.last_exit_code})"
        ago = "" if c.last_exit_at is None else f" {seconds_of(max(0.0, now - c.last_exit_at))} ago"
        return (
            f"container {c.name} of pod {self.pod.ref.name} crash-loops: {c.restarts} restarts,"
            f" {last}{code}{ago}"
        )


def looping(
    seen: Snapshot, restarts: int, now: float, tried: str | None = None
) -> tuple[Looping, ...]:
    """The containers that crash-loop and have been restarted so often, worst first.

    Pods of the revision that is `tried` are left out: whether a rollout is to blame, and what to do
    then, is RolloutFailing's to say.
    """
    found = [
        Looping(pod, container)
        for pod in seen.present
        if pod.revision != tried
        for container in pod.containers
        if container.restarts >= restarts and _loops(container, now)
    ]
    return tuple(sorted(found, key=lambda hit: (-hit.container.restarts, hit.pod.ref.name)))


def _loops(container: Container, now: float) -> bool:
    """Waiting to be restarted; or restarted, but only after it was held back."""
    if container.waiting_reason is not None:
        return container.waiting_reason == "CrashLoopBackOff"
    ended, began = container.last_exit_at, container.started_at
    if ended is None or container.last_exit_reason in WITH_ITS_NODE:
        return False
    held_back = began is None or began - ended >= HELD_BACK
    return held_back and now - ended <= FORGOTTEN_AFTER


def crash_looping(
    found: Sequence[Looping], seen: Snapshot, now: float
) -> tuple[Origin, Evidence, tuple[PodRef, ...]] | None:
    """One finding about all of them."""
    if not found:
        return None
    pods = tuple(dict.fromkeys(hit.pod.ref for hit in found))
    others = f"; {len(pods)} of {len(seen.present)} pods do" if len(seen.present) > 1 else ""
    evidence = Evidence(
        message=f"{found[0].told(now)}{others}",
        sampled_at=now,
        since=min(crash_onset(hit.pod, now) for hit in found),
        value=float(found[0].container.restarts),
    )
    return Origin.EVENT, evidence, pods
