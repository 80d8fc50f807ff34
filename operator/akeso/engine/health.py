"""How policies and Akeso itself are: what their conditions say. Pure.

Texts hold no number that changes by itself, so that nothing is written at rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from akeso.api.conditions import set_condition
from akeso.api.control import HealingControl, MetricsSource, Watched
from akeso.api.policy import (
    MAX_REVISIONS,
    HealingPolicy,
    SeenRevisions,
)
from akeso.domain.workload import Snapshot
from akeso.engine.complaints import signal_complaints
from akeso.engine.detect import erring_of, rollout_rules
from akeso.engine.observe import Observation
from akeso.engine.rollouts import seen_healthy
from akeso.settings import Settings

# What an alarm takes: ten samples and 90 s of a new leg (the predictor's own minimum), and three
# evaluations that agree.
SAMPLES_OF_A_LEG = 10
LEG_SECONDS = 90.0
SAMPLES_TO_ALARM = 12
REMEMBERED = 3  # healthy revisions per workload
ABSENT_REMEMBERED = 100  # workloads that are not there now


def policy_status(
    policy: HealingPolicy,
    observation: Observation,
    healers: Sequence[str],
    open_healings: int,
    settings: Settings,
    now: datetime,
) -> HealingPolicy:
    """The policy with the status it should have; the same object where nothing changed."""
    uid = policy.metadata.uid
    targets = observation.selection.targets.get(uid, ())
    conditions = policy.status.conditions
    for type, ok, reason, message in _aspects(policy, observation, healers, settings):
        conditions = set_condition(
            conditions, type, ok, reason, message, now, policy.metadata.generation
        )
    status = policy.status.model_copy(
        update={
            "conditions": conditions,
            "observed_generation": policy.metadata.generation,
            "targets": len(targets),
            "healing": open_healings,
            "revisions": remembered(policy, targets, observation, settings, now),
        }
    )
    return policy if status == policy.status else policy.model_copy(update={"status": status})


_Aspect = tuple[str, bool, str, str]  # condition type, status, reason, message


def _aspects(
    policy: HealingPolicy, observation: Observation, healers: Sequence[str], settings: Settings
) -> Iterator[_Aspect]:
    complaints = list(signal_complaints(policy, observation, healers, settings))
    others = _meeting(policy, observation)
    nothing = _nothing_selected(policy, observation)
    said = "; ".join(dict.fromkeys(c.message for c in complaints))
    reason = complaints[0].reason if complaints else "Working"
    overlap = f"also selected by {', '.join(others)}; the stricter mode holds" if others else ""
    wrong = ((nothing, "NothingSelected"), (said, reason), (overlap, "Overlap"))
    reasons = [why for text, why in wrong if text]
    messages = [text for text, _ in wrong if text]
    yield (
        "TargetsFound",
        not nothing,
        "NothingSelected" if nothing else "Found",
        nothing or "each target selects workloads",
    )
    yield "SignalsReady", not complaints, reason, said or "every signal has what it needs"
    yield (
        "Conflict",
        bool(others),
        "Overlap" if others else "None",
        overlap or "no other policy selects its targets",
    )
    yield (
        "Ready",
        not reasons,
        reasons[0] if reasons else "Ready",
        "; ".join(messages) or "watching",
    )


def _nothing_selected(policy: HealingPolicy, observation: Observation) -> str:
    namespace = policy.metadata.namespace
    return "; ".join(
        f"spec.targets[{name}].selector selects nothing in namespace {namespace}; compare it with"
        f" `kubectl get deployments,statefulsets,daemonsets -n {namespace} --show-labels`"
        for name in observation.selection.empty.get(policy.metadata.uid, ())
    )


def _meeting(policy: HealingPolicy, observation: Observation) -> list[str]:
    """Names of the policies that share a target with this one."""
    uid = policy.metadata.uid
    mine = {seen.ref.uid for seen in observation.selection.targets.get(uid, ())}
    return sorted(
        {
            f"HealingPolicy {other.metadata.name}"
            for target, meeting in observation.selection.overlaps.items()
            if target in mine
            for other in meeting
            if other.metadata.uid != uid
        }
    )


def remembered(
    policy: HealingPolicy,
    targets: Sequence[Snapshot],
    observation: Observation,
    settings: Settings,
    now: datetime,
) -> tuple[SeenRevisions, ...]:
    """The revisions seen healthy, with those that have just proven themselves."""
    before = {record.uid: record for record in policy.status.revisions}
    after: list[SeenRevisions] = []
    for seen in targets:
        known = before.pop(seen.ref.uid, None)
        found = _proven(policy, seen, known, observation, settings, now) or known
        if found is not None:
            after.append(found)
    # What is not seen now may only be out of sight: an informer refused for a moment.
    absent = sorted(before.values(), key=lambda record: record.since, reverse=True)
    return tuple([*after, *absent[:ABSENT_REMEMBERED]][:MAX_REVISIONS])


def _proven(
    policy: HealingPolicy,
    seen: Snapshot,
    record: SeenRevisions | None,
    observation: Observation,
    settings: Settings,
    now: datetime,
) -> SeenRevisions | None:
    """The record with the newest revision first, where that has just proven itself or is back."""
    known: tuple[str, ...] = record.healthy if record else ()
    newest = seen.update_revision
    if newest not in known:
        erring = erring_of(policy, seen, observation, settings)
        if not seen_healthy(seen, erring, rollout_rules(settings), observation.now):
            return None
    elif known.index(newest) == 0:
        return None
    healthy = (newest, *(name for name in known if name != newest))[:REMEMBERED]
    ref = seen.ref
    return SeenRevisions(kind=ref.kind, name=ref.name, uid=ref.uid, healthy=healthy, since=now)


def shortest_failure(settings: Settings) -> int:
    """Seconds from the start of the fastest growth that can still be healed in time."""
    samples = SAMPLES_TO_ALARM * settings.scrape_interval_seconds
    votes = (SAMPLES_TO_ALARM - SAMPLES_OF_A_LEG) * settings.scrape_interval_seconds
    return round(max(samples, LEG_SECONDS + votes) + settings.cycle + settings.action_seconds)


def control_status(
    control: HealingControl,
    observation: Observation,
    source: str,
    off: Sequence[str],
    settings: Settings,
    now: datetime,
) -> HealingControl:
    """The HealingControl with the status it should have; the same where nothing changed."""
    generation = control.metadata.generation
    conditions = control.status.conditions
    for type, holds, reason, message in _own_aspects(observation, off):
        conditions = set_condition(conditions, type, holds, reason, message, now, generation)
    uids = {seen.ref.uid for targets in observation.selection.targets.values() for seen in targets}
    status = control.status.model_copy(
        update={
            "conditions": conditions,
            "observed_generation": generation,
            "metrics_source": MetricsSource(source),
            "scrape_interval_seconds": round(settings.scrape_interval_seconds),
            "shortest_failure_seconds": shortest_failure(settings),
            "watched": Watched(workloads=len(uids), containers=observation.containers),
        }
    )
    return control if status == control.status else control.model_copy(update={"status": status})


def parts_off(observation: Observation, source: str) -> Iterator[str]:
    """What of Akeso does not work as this cycle saw it, each with its reason."""
    error, silences = observation.memory_error, observation.silences.error
    if source != MetricsSource.PROMETHEUS:
        yield (
            "no Prometheus: VolumeFilling and signals with a query are off, memory and CPU come from"
            " metrics.k8s.io (set AKESO_PROMETHEUS_URL)"
        )
    if error is not None:
        yield f"the metrics source is down: {error}"
    if silences is not None:
        yield f"nothing is healed while silences can't be read: {silences}"


def _own_aspects(observation: Observation, off: Sequence[str]) -> Iterator[_Aspect]:
    error = observation.memory_error
    yield (
        "Degraded",
        bool(off),
        "PartsOff" if off else "Complete",
        "; ".join(off) or "everything works",
    )
    yield (
        "Ready",
        error is None,
        "Watching" if error is None else "MetricsSourceDown",
        "watching" if error is None else "signals that need metrics wait",
    )
