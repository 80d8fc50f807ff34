"""Is a rollout failing, and which revisions were seen healthy. Pure.

A rollout is blamed only for what began with it: pods of the new revision that never worked (or
stopped within minutes of their start) while the old ones, where any are left, are fine. A
revision that was once seen healthy is never blamed: a database outage three days after a good
release is not the release's doing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from akeso.domain.workload import Container, Pod, Snapshot

# Reasons a container waits for that do not pass by themselves within a rollout.
# https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-states
CANNOT_START = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)
CRASHES_BEFORE_LOOPING = 2


@dataclass(frozen=True, slots=True)
class RolloutRules:
    """Seconds; see `akeso.settings` for defaults and reasons."""

    unready_seconds: float
    blame_seconds: float
    pod_blame_seconds: float
    healthy_seconds: float


@dataclass(frozen=True, slots=True)
class PodTrouble:
    """Why one pod is not fine, and since when (Unix seconds)."""

    pod: Pod
    why: str
    since: float


@dataclass(frozen=True, slots=True)
class FailingRollout:
    """The pods of the new revision that fail, the earliest onset, and one sentence."""

    troubles: tuple[PodTrouble, ...]
    since: float
    message: str


def failing_rollout(
    seen: Snapshot,
    erring: Mapping[str, float],
    healthy: tuple[str, ...],
    rules: RolloutRules,
    now: float,
) -> FailingRollout | None:
    """Judges the newest revision of `seen`; `erring` maps pod names to when errors began."""
    newest = on_trial(seen, healthy, rules, now)
    if newest is None:
        return None
    new = [p for p in seen.present if p.revision == newest]
    old = [p for p in seen.present if p.revision != newest]
    if old and not _fine(old, erring, rules, now):
        return None
    troubles = tuple(
        t
        for t in (_trouble(p, erring, rules, now) for p in new)
        if t is not None and t.since - _began(t.pod) <= rules.pod_blame_seconds
    )
    if not troubles or 2 * len(troubles) < len(new):
        return None
    since = min(t.since for t in troubles)
    others = f"all {len(old)} of the old one are fine" if old else "none of the old one is left"
    message = (
        f"{len(troubles)} of {len(new)} pods of revision {newest} fail"
        f" ({troubles[0].pod.ref.name}: {troubles[0].why}); {others}"
    )
    return FailingRollout(troubles, since, message)


def on_trial(
    seen: Snapshot, healthy: tuple[str, ...], rules: RolloutRules, now: float
) -> str | None:
    """The newest revision, as long as it may be blamed for what its pods do."""
    newest = seen.revision(seen.update_revision)
    if newest is None or newest.name in healthy:
        return None
    return newest.name if now - newest.created_at <= rules.blame_seconds else None


def seen_healthy(
    seen: Snapshot, erring: Mapping[str, float], rules: RolloutRules, now: float
) -> bool:
    """Whether the newest revision has been out completely, ready and quiet for long enough."""
    pods = seen.present
    if seen.rolling or seen.paused or not pods or len(pods) < seen.replicas:
        return False
    return all(
        p.ready
        and p.ready_since is not None
        and now - p.ready_since >= rules.healthy_seconds
        and p.ref.name not in erring
        and not _exited_within(p, rules.healthy_seconds, now)
        for p in pods
    )


def _fine(pods: list[Pod], erring: Mapping[str, float], rules: RolloutRules, now: float) -> bool:
    troubled = any(_trouble(p, erring, rules, now) is not None for p in pods)
    return not troubled and any(p.ready for p in pods)


def _trouble(
    pod: Pod, erring: Mapping[str, float], rules: RolloutRules, now: float
) -> PodTrouble | None:
    for container in pod.containers:
        if container.waiting_reason in CANNOT_START:
            why = f"container {container.name} is in {container.waiting_reason}"
            return PodTrouble(pod, why, crash_onset(pod, now))
        if _crash_looping(container, rules, now):
            why = (
                f"container {container.name} crashed {container.restarts} times,"
                f" last with {container.last_exit_reason or container.last_exit_code}"
            )
            return PodTrouble(pod, why, crash_onset(pod, now))
    unready = _unready_for(pod, now)
    allowance = rules.unready_seconds + max((c.readiness_delay for c in pod.containers), default=0)
    if unready is not None and unready > allowance:
        return PodTrouble(pod, f"not ready for {unready:.0f} s", now - unready)
    if pod.ref.name in erring:
        return PodTrouble(pod, "answers with errors", erring[pod.ref.name])
    return None


def _began(pod: Pod) -> float:
    """When its first container started, as far as can be told; it may have waited for a node."""
    if pod.restarts:
        return pod.created_at
    return max((c.started_at or pod.created_at for c in pod.containers), default=pod.created_at)


def _crash_looping(container: Container, rules: RolloutRules, now: float) -> bool:
    return (
        container.restarts >= CRASHES_BEFORE_LOOPING
        and container.last_exit_code not in (None, 0)
        and container.last_exit_at is not None
        and now - container.last_exit_at <= rules.blame_seconds
    )


def crash_onset(pod: Pod, now: float) -> float:
    """When crashing began. Only the last crash has a time; the mean life tells the rest.

    A pod that lived for days before its few restarts gets a late onset, one that has crashed
    ever since its start an early one.
    """
    mean_life = (now - pod.created_at) / (pod.restarts + 1)
    return pod.created_at + mean_life if pod.restarts else pod.created_at


def _unready_for(pod: Pod, now: float) -> float | None:
    """Seconds that it runs without being ready; waiting for a node or an image is none of it."""
    started = [c.started_at for c in pod.containers if c.started_at is not None]
    if pod.ready or pod.node is None or len(started) < len(pod.containers) or not started:
        return None
    since = pod.unready_since if pod.unready_since is not None else pod.created_at
    return now - max(since, *started)


def _exited_within(pod: Pod, seconds: float, now: float) -> bool:
    return any(
        c.last_exit_at is not None and now - c.last_exit_at < seconds for c in pod.containers
    )
