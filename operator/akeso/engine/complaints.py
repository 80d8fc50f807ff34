"""What keeps a policy's signals from working, in words a person can act on. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from akeso.api.policy import HealingPolicy, Mode, Signal
from akeso.domain.finding import Signal as About
from akeso.domain.workload import Snapshot
from akeso.engine.load import bounded
from akeso.engine.observe import Observation, QueryResult, query_key
from akeso.engine.volumes import claims_of
from akeso.errors import PermanentError
from akeso.protocols import Reading
from akeso.settings import Settings


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with one field of a policy, and what to do."""

    reason: str
    message: str


def signal_complaints(
    policy: HealingPolicy, observation: Observation, healers: Sequence[str], settings: Settings
) -> Iterator[Complaint]:
    """Everything that keeps a policy's signals from working."""
    for signal in policy.spec.signals:
        field = f"spec.signals[{signal.name}]"
        for index, rung in enumerate(signal.rungs):
            if rung.healer not in healers:
                yield Complaint(
                    "UnknownHealer",
                    f"{field}.ladder[{index}].healer: there is no healer {rung.healer};"
                    f" known ones: {', '.join(sorted(healers))}",
                )
            elif policy.spec.mode is Mode.HEAL and not settings.enables(rung.healer):
                yield Complaint(
                    "HealerNotEnabled",
                    f"{field}.ladder[{index}].healer: {rung.healer} is not enabled in this"
                    " installation of Akeso, so it never acts; add it to settings.healers, or take"
                    " it off the ladder",
                )
        yield from _data_complaints(field, signal, policy, observation, settings)


def _data_complaints(
    field: str,
    signal: Signal,
    policy: HealingPolicy,
    observation: Observation,
    settings: Settings,
) -> Iterator[Complaint]:
    if signal.about is About.ALERT and observation.firing.error is not None:
        error = observation.firing.error
        unset = isinstance(error, PermanentError)
        yield Complaint(
            "NoAlertmanager" if unset else "AlertmanagerDown", f"{field}.alert: {error}"
        )
    if signal.about is About.MEMORY_EXHAUSTION:
        yield from _memory_complaints(field, policy, observation, settings)
    if signal.about is About.CPU_SATURATION:
        yield from _cpu_complaints(field, policy, observation, settings)
    if signal.about is About.VOLUME_FILLING:
        yield from _volume_complaints(field, policy, observation)
    key = query_key(signal, settings)
    result = observation.queries.get(key) if key is not None else None
    if signal.standard is not None and result is not None:
        yield from _standard_complaints(field, signal, policy, observation, result)
        return
    if key is None or signal.query is None or result is None:
        return
    if result.error is not None:
        yield Complaint("QueryFailed", f"{field}.query: {result.error}")
        return
    if not result.readings:
        yield Complaint(
            "NoData",
            f"{field}.query: returns no series; try it in Prometheus, and check its label names",
        )
        return
    yield from _label_complaints(field, signal, result.readings)


def _memory_complaints(
    field: str, policy: HealingPolicy, observation: Observation, settings: Settings
) -> Iterator[Complaint]:
    if observation.memory_error is not None:
        yield Complaint("MetricsSourceDown", f"{field}: {observation.memory_error}")
        return
    targets = observation.selection.targets.get(policy.metadata.uid, ())
    if not any(seen.present for seen in targets):
        return
    age = observation.source_age(About.MEMORY_EXHAUSTION)
    if age is None or age > settings.stale_after:
        yield Complaint(
            "NoFreshData",
            f"{field}: no fresh memory samples; check that {settings.memory_metric} is scraped",
        )
    limits = [c.memory_limit for s in targets for p in s.present for c in p.containers]
    if limits and not any(limits):
        yield Complaint(
            "NoLimit",
            f"{field}: no container of its targets has a memory limit, so nothing can be exhausted;"
            " set resources.limits.memory",
        )


def _cpu_complaints(
    field: str, policy: HealingPolicy, observation: Observation, settings: Settings
) -> Iterator[Complaint]:
    if observation.cpu.error:
        yield Complaint("MetricsSourceDown", f"{field}: {observation.cpu.error}")
        return
    targets = observation.selection.targets.get(policy.metadata.uid, ())
    if not any(pod.containers for seen in targets for pod in seen.present):
        return
    if not any(True for seen in targets for _ in bounded(seen)):
        yield Complaint(
            "NoLimit",
            f"{field}: no container of its targets has a CPU limit or request, so nothing can be"
            " saturated; set resources.limits.cpu or resources.requests.cpu",
        )
        return
    age = observation.source_age(About.CPU_SATURATION)
    if age is None or age > settings.stale_after:
        yield Complaint(
            "NoFreshData",
            f"{field}: no fresh CPU samples; check that {settings.cpu_metric} is scraped",
        )


def _standard_complaints(
    field: str,
    signal: Signal,
    policy: HealingPolicy,
    observation: Observation,
    result: QueryResult,
) -> Iterator[Complaint]:
    """Workloads without an autoscaler have no ceiling: no complaint."""
    targets = observation.selection.targets.get(policy.metadata.uid, ())
    standard = signal.standard
    if result.error is not None:
        yield Complaint("MetricsSourceDown", f"{field}: {result.error}")
    elif standard is not None and not result.readings and targets:
        if standard.query is None and not any(_unreadable(seen) for seen in targets):
            return
        yield Complaint(
            "NoFreshData", f"{field}: nothing is known of any pod; check {standard.needs}"
        )


def _unreadable(seen: Snapshot) -> bool:
    return seen.autoscaler is not None and not seen.autoscaler.readable


def _volume_complaints(
    field: str, policy: HealingPolicy, observation: Observation
) -> Iterator[Complaint]:
    """Workloads without volumes have nothing that fills: no complaint."""
    targets = observation.selection.targets.get(policy.metadata.uid, ())
    if not any(claims_of(seen) for seen in targets):
        return
    if observation.volumes.error:
        yield Complaint("MetricsSourceDown", f"{field}: {observation.volumes.error}")
    elif observation.source_age(About.VOLUME_FILLING) is None:
        yield Complaint(
            "NoFreshData",
            f"{field}: nothing is known of any volume; check that kubelet_volume_stats_* is scraped"
            " (/metrics of the kubelets) and that the volumes' drivers report it",
        )


def _label_complaints(
    field: str, signal: Signal, readings: Sequence[Reading]
) -> Iterator[Complaint]:
    by = signal.workload_label or signal.pod_label or "pod"
    for label in ("namespace", by):
        if not any(label in reading.labels for reading in readings):
            yield Complaint(
                "MissingLabel",
                f"{field}.query: its series have no label {label!r}, so they can't be told apart"
                f" by workload; aggregate with `by (namespace, {by})`",
            )
