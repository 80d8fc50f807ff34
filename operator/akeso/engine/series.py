"""Which series are watched for whom: containers with their limits, and how far to look. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from akeso.api.policy import HealingPolicy, Signal
from akeso.domain.finding import Signal as About
from akeso.domain.forecast import SeriesKey
from akeso.domain.workload import Pod, WorkloadRef
from akeso.engine.selection import Selection

OOM_KILLED = "OOMKilled"


@dataclass(frozen=True, slots=True)
class Incarnation:
    """What the API says of one container that metrics speak of."""

    limit: float | None  # bytes
    instance: str
    started_at: float  # samples from before belong to a predecessor
    oom_killed_at: float | None = None  # its predecessor, which had reached the limit
    kin: str = ""  # alike for containers of one name in the pods of one workload
    created_at: float = 0.0  # its pod: samples from then on are of it or of its predecessors
    before: str = ""  # the instance before it, in the same pod


def _watching_memory(
    selection: Selection, policies: Sequence[HealingPolicy]
) -> Iterator[tuple[Signal, WorkloadRef, Pod]]:
    """Every pod under a MemoryExhaustion signal, with its workload."""
    for policy in policies:
        for signal in policy.spec.signals:
            if signal.about is not About.MEMORY_EXHAUSTION:
                continue
            for seen in selection.targets.get(policy.metadata.uid, ()):
                for pod in seen.present:
                    yield signal, seen.ref, pod


def containers_of(
    selection: Selection, policies: Sequence[HealingPolicy]
) -> dict[SeriesKey, Incarnation]:
    return {
        SeriesKey(of.namespace, pod.ref.name, c.name): Incarnation(
            c.memory_limit,
            f"{pod.ref.uid}/{c.restarts}",
            c.started_at or pod.created_at,
            c.last_exit_at if c.last_exit_reason == OOM_KILLED else None,
            f"{of.uid}/{c.name}",
            pod.created_at,
            f"{pod.ref.uid}/{c.restarts - 1}",
        )
        for _, of, pod in _watching_memory(selection, policies)
        for c in pod.containers
    }


def horizons_of(
    selection: Selection, policies: Sequence[HealingPolicy], usual: float
) -> dict[SeriesKey, tuple[float, float]]:
    """Per series the horizon in seconds and the probability from which to act, `usual` where a
    policy names none.

    Where policies overlap the longer horizon and the higher bar hold.
    """
    found: dict[SeriesKey, tuple[float, float]] = {}
    for signal, of, pod in _watching_memory(selection, policies):
        foresight = signal.foresight
        if foresight is None:
            continue
        for container in pod.containers:
            key = SeriesKey(of.namespace, pod.ref.name, container.name)
            horizon, bar = found.get(key, (0.0, 0.0))
            found[key] = (
                max(horizon, float(foresight.horizon_seconds)),
                max(bar, foresight.bar(usual)),
            )
    return found
