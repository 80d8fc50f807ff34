"""Actions and findings on their way into a Healing and back. Pure.

The Healing is the engine's only memory: what is written here before the first write is all that
a new process knows after a crash.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from akeso.api.healing import (
    MAX_EVIDENCE_PODS,
    ActionRecord,
    ActionState,
    ActionType,
    Attempt,
    Healing,
    HealingSpec,
    LimitRecord,
    Pod,
    PolicyRef,
    TargetRef,
    TimeToThreshold,
)
from akeso.api.healing import Evidence as EvidenceRecord
from akeso.api.meta import ObjectMeta
from akeso.api.policy import HealingPolicy
from akeso.api.scalars import from_unix
from akeso.domain.action import (
    Action,
    DeletePod,
    EvictPod,
    LimitChange,
    ReleaseAutoscaler,
    ReleaseOwnership,
    Resize,
    Scale,
    SetAutoscalerBound,
    SetTemplate,
    SetTemplateMemory,
)
from akeso.domain.finding import Evidence, Finding
from akeso.domain.finding import Signal as About
from akeso.domain.workload import AutoscalerBound, PodRef, WorkloadRef
from akeso.errors import PermanentError

LONGEST_NAME = 40  # of the workload's name inside a Healing's name
FURTHEST = 10**9  # seconds; a quantile beyond that is "not foreseeable"


def record_action(action: Action, target: WorkloadRef, *, afterwards: bool = False) -> ActionRecord:
    """The action as it stands in a Healing, still to be done."""
    name, uid = target.name, target.uid
    values: dict[str, object] = {}
    match action:
        case EvictPod(pod, min_ready):
            name, uid = pod.name, pod.uid
            values = {"min_ready": min_ready}
        case DeletePod(pod):
            name, uid = pod.name, pod.uid
        case Scale(before, to, surge_for=pod, settle=settle):
            values = {"from_": str(before), "to": str(to), "settle": settle}
            if pod is not None:
                values["surge_for"] = Pod(name=pod.name, uid=pod.uid)
        case SetTemplate(before, to):
            values = {"from_": before, "to": to}
        case SetTemplateMemory(limits):
            values = {
                "limits": tuple(
                    LimitRecord(container=c.container, from_=str(c.from_), to=str(c.to))
                    for c in limits
                )
            }
        case ReleaseOwnership(manager):
            values = {"from_": manager}
        case Resize(pod, container, before, to):
            name, uid = pod.name, pod.uid
            values = {"container": container, "from_": str(before), "to": str(to)}
        case SetAutoscalerBound(name, uid, bound, before, to):
            values = {"bound": bound, "from_": str(before), "to": str(to)}
        case ReleaseAutoscaler(manager, name, uid):
            values = {"from_": manager}
    return ActionRecord.model_validate(
        {
            "type": ActionType(type(action).__name__),
            "name": name,
            "uid": uid,
            "restore": action.restore,
            "afterwards": afterwards,
            "state": ActionState.PENDING,
            **values,
        }
    )


def read_action(record: ActionRecord) -> Action:
    """The action a record stands for. PermanentError where the record lacks something."""
    try:
        return _action(record)
    except ValueError as error:
        raise PermanentError(f"{record.type} of {record.name} can't be read: {error}") from error


def _action(record: ActionRecord) -> Action:
    pod = PodRef(record.name, record.uid or "")
    match record.type:
        case ActionType.EVICT_POD:
            return EvictPod(pod, record.min_ready or 0, restore=record.restore)
        case ActionType.DELETE_POD:
            return DeletePod(pod, restore=record.restore)
        case ActionType.SCALE:
            stands_for = record.surge_for
            return Scale(
                int(record.from_ or ""),
                int(record.to or ""),
                restore=record.restore,
                surge_for=PodRef(stands_for.name, stands_for.uid) if stands_for else None,
                settle=record.settle,
            )
        case ActionType.SET_TEMPLATE:
            return SetTemplate(record.from_ or "", record.to or "", restore=record.restore)
        case ActionType.SET_TEMPLATE_MEMORY:
            changes = tuple(
                LimitChange(r.container, int(r.from_), int(r.to)) for r in record.limits or ()
            )
            if not changes:
                raise ValueError("it names no limits")
            return SetTemplateMemory(changes, restore=record.restore)
        case ActionType.RELEASE_OWNERSHIP:
            return ReleaseOwnership(record.from_ or "", restore=record.restore)
        case ActionType.RESIZE:
            before, to = int(record.from_ or ""), int(record.to or "")
            return Resize(pod, record.container or "", before, to, restore=record.restore)
        case ActionType.SET_AUTOSCALER_BOUND:
            return SetAutoscalerBound(
                record.name,
                record.uid or "",
                AutoscalerBound(record.bound or ""),
                int(record.from_ or ""),
                int(record.to or ""),
                restore=record.restore,
            )
        case ActionType.RELEASE_AUTOSCALER:
            return ReleaseAutoscaler(
                record.from_ or "", record.name, record.uid or "", restore=record.restore
            )


def name_of(finding: Finding, predecessor: str) -> tuple[str, str]:
    """Name and fingerprint of the Healing of a problem.

    Deterministic: whoever finds the problem, and however often, comes to the same name until the
    Healing is finished (`predecessor` is the uid of the last finished one).
    """
    what = f"{finding.target.uid}/{finding.signal}/{predecessor}"
    fingerprint = hashlib.sha256(what.encode()).hexdigest()[:10]
    short = finding.target.name[:LONGEST_NAME].rstrip("-.")
    return f"{short}-{finding.signal[:LONGEST_NAME]}-{fingerprint}", fingerprint


def new_healing(finding: Finding, policy: HealingPolicy, predecessor: str) -> Healing:
    """The Healing to create for a finding."""
    name, fingerprint = name_of(finding, predecessor)
    target = finding.target
    return Healing(
        metadata=ObjectMeta(name=name, namespace=target.namespace),
        spec=HealingSpec(
            policy_ref=PolicyRef(name=policy.metadata.name, uid=policy.metadata.uid),
            target=TargetRef(kind=target.kind, name=target.name, uid=target.uid),
            signal=finding.signal,
            fingerprint=fingerprint,
            origin=finding.origin,
            evidence=_record_evidence(finding.evidence, finding.pods),
        ),
    )


def _record_evidence(evidence: Evidence, pods: Sequence[PodRef]) -> EvidenceRecord:
    probability = evidence.probability
    return EvidenceRecord(
        message=evidence.message,
        value=_finite(evidence.value),
        threshold=_finite(evidence.threshold),
        probability_percent=None if probability is None else round(probability * 100),
        time_to_threshold_seconds=_record_ttf(evidence.ttf),
        sampled_at=from_unix(evidence.sampled_at),
        since=from_unix(evidence.since),
        pods=tuple(Pod(name=p.name, uid=p.uid) for p in pods[:MAX_EVIDENCE_PODS]),
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _record_ttf(ttf: tuple[float, float, float] | None) -> TimeToThreshold | None:
    if ttf is None:
        return None
    low, middle, high = (None if q > FURTHEST else max(0, math.floor(q)) for q in ttf)
    return TimeToThreshold(p10=low, p50=middle, p90=high)


def target_of(healing: Healing) -> WorkloadRef:
    target = healing.spec.target
    return WorkloadRef(target.kind, healing.metadata.namespace, target.name, target.uid)


def finding_of(healing: Healing, about: About) -> Finding:
    """The finding as it was recorded, for when it is not found (any more) right now."""
    spec = healing.spec
    recorded, ttf = spec.evidence, spec.evidence.time_to_threshold_seconds
    quantiles = (ttf.p10, ttf.p50, ttf.p90) if ttf else None
    low, middle, high = (
        (math.inf if q is None else float(q) for q in quantiles) if quantiles else (0.0, 0.0, 0.0)
    )
    percent = recorded.probability_percent
    return Finding(
        target=target_of(healing),
        policy=spec.policy_ref.name,
        signal=spec.signal,
        about=about,
        origin=spec.origin,
        evidence=Evidence(
            message=recorded.message,
            sampled_at=recorded.sampled_at.timestamp(),
            since=recorded.since.timestamp(),
            value=recorded.value,
            threshold=recorded.threshold,
            probability=None if percent is None else percent / 100,
            ttf=(low, middle, high) if quantiles else None,
        ),
        pods=tuple(PodRef(p.name, p.uid) for p in recorded.pods),
    )


def running(healing: Healing) -> Attempt | None:
    """The attempt under way."""
    last = healing.status.attempts[-1] if healing.status.attempts else None
    return last if last is not None and last.finished_at is None else None


def finished(healing: Healing) -> bool:
    return healing.status.completed_at is not None
