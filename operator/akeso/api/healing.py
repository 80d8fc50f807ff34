"""Healing: one problem of one workload, from detection to verdict; the audit record."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from akeso.api.conditions import Conditions
from akeso.api.meta import Model, Resource
from akeso.api.scalars import (
    ATOMIC,
    Count,
    Measured,
    Message,
    ObjectName,
    Percent,
    Time,
    Uid,
    map_by,
)
from akeso.domain.finding import Origin, Outcome
from akeso.domain.verdict import Verdict
from akeso.domain.workload import AutoscalerBound, Kind

MAX_EVIDENCE_PODS = 100
MAX_ACTIONS = 256
MAX_ATTEMPTS = 32
MAX_LIMITS = 32  # containers of one pod template that are raised in one write

Revision = Annotated[str, Field(max_length=253)]
Who = Annotated[str, Field(min_length=1, max_length=256)]
StateValue = Annotated[str, Field(max_length=4096)]


class PolicyRef(Model):
    """The policy that asked for it; a new policy of the same name is another one."""

    name: ObjectName
    uid: Uid


class TargetRef(Model):
    """The workload with the problem, in the Healing's own namespace."""

    kind: Kind
    name: ObjectName
    uid: Uid


class Pod(Model):
    """One pod the evidence is about."""

    name: ObjectName
    uid: Uid


class TimeToThreshold(Model):
    """Quantiles in seconds after the sample; one that is not foreseeable is None."""

    p10: Count | None = None
    p50: Count | None = None
    p90: Count | None = None


class Evidence(Model):
    """Why we believe it. `value` and `threshold` are in the metric's own unit."""

    message: Message
    value: Measured | None = None
    threshold: Measured | None = None
    probability_percent: Percent | None = None
    time_to_threshold_seconds: TimeToThreshold | None = None
    sampled_at: Time
    since: Time
    pods: Annotated[tuple[Pod, ...], Field(max_length=MAX_EVIDENCE_PODS), map_by("uid")] = ()


class Undo(Model):
    """Asks to take the healing back; set once, by whoever may change Healings."""

    requested_by: Who
    reason: Annotated[str, Field(min_length=1, max_length=256)]


class HealingSpec(Model):
    """What was found, or asked for; nothing but `undo` is ever added.

    `healer` (requests only): the only routine of the ladder to try.
    """

    policy_ref: PolicyRef
    target: TargetRef
    signal: Annotated[str, Field(min_length=1, max_length=63)]
    fingerprint: Annotated[str, Field(min_length=1, max_length=64)]
    origin: Origin
    requested_by: Who | None = None
    healer: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    evidence: Evidence
    undo: Undo | None = None


class Guard(Model):
    """What one guard said last."""

    guard: Annotated[str, Field(min_length=1, max_length=63)]
    allowed: bool
    reason: Annotated[str, Field(min_length=1, max_length=128)]
    message: Message
    retry_after_seconds: Count | None = None

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        """A guard's verdict for the record; the wait is rounded up, never down."""
        wait = verdict.retry_after
        return cls(
            guard=verdict.guard,
            allowed=verdict.allowed,
            reason=verdict.reason,
            message=verdict.sentence,
            retry_after_seconds=None if wait is None else max(0, math.ceil(wait)),
        )


class ActionType(StrEnum):
    """The kinds of write there are; the names are those of `akeso.domain.action`."""

    EVICT_POD = "EvictPod"
    DELETE_POD = "DeletePod"
    SCALE = "Scale"
    SET_TEMPLATE = "SetTemplate"
    SET_TEMPLATE_MEMORY = "SetTemplateMemory"
    RELEASE_OWNERSHIP = "ReleaseOwnership"
    RESIZE = "Resize"
    SET_AUTOSCALER_BOUND = "SetAutoscalerBound"
    RELEASE_AUTOSCALER = "ReleaseAutoscaler"


class ActionState(StrEnum):
    """How far one write is; Skipped: somebody else's newer change holds."""

    PENDING = "Pending"
    DONE = "Done"
    SKIPPED = "Skipped"


class LimitRecord(Model):
    """The memory limit of one container of a pod template, in bytes, as text."""

    container: Annotated[str, Field(min_length=1, max_length=63)]
    from_: Revision
    to: Revision


class ActionRecord(Model):
    """One write to one object. `from_` and `to` are replicas, revisions or bytes, as text.

    `container` is the one a Resize is about, `limits` what a SetTemplateMemory sets, `bound` the
    autoscaler's one that is set. `afterwards`: owed until what the attempt did is needed no more.
    """

    type: ActionType
    name: ObjectName
    uid: Annotated[str, Field(max_length=64)] | None = None
    container: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    from_: Revision | None = None
    to: Revision | None = None
    limits: Annotated[tuple[LimitRecord, ...], Field(max_length=MAX_LIMITS), ATOMIC] | None = None
    bound: AutoscalerBound | None = None
    min_ready: Count | None = None
    surge_for: Pod | None = None
    settle: bool = False
    restore: bool = False
    afterwards: bool = False
    state: ActionState
    at: Time | None = None


class Checks(Model):
    """The checks after the last write; `good` counts those in a row."""

    good: Count = 0
    bad: Count = 0
    inconclusive: Count = 0
    errors: Count = 0
    last_at: Time | None = None


class Attempt(Model):
    """One rung that was tried. Written before its first write, so that a crash resumes it."""

    healer: Annotated[str, Field(min_length=1, max_length=63)]
    rung: Count
    intent_key: Annotated[str, Field(min_length=1, max_length=253)]
    started_at: Time
    finished_at: Time | None = None
    deadline: Time
    predicted_failure_at: Time | None = None
    undoing: bool = False
    message: Message | None = None
    verdict: Outcome | None = None
    pre_state: Annotated[dict[str, StateValue], Field(max_length=64)] = Field(
        default_factory=dict[str, StateValue]
    )
    actions: Annotated[tuple[ActionRecord, ...], Field(max_length=MAX_ACTIONS), ATOMIC] = ()
    checks: Checks | None = None


class HealingStatus(Model):
    """What was decided, done and found.

    `completed_at` set means that nothing more is done but what is owed (`afterwards`).
    """

    conditions: Conditions = ()
    observed_generation: Count | None = None
    verdict: Outcome | None = None
    completed_at: Time | None = None
    message: Message | None = None
    guards: Annotated[tuple[Guard, ...], Field(max_length=64), map_by("guard")] = ()
    attempts: Annotated[tuple[Attempt, ...], Field(max_length=MAX_ATTEMPTS), ATOMIC] = ()


class Healing(Resource):
    """One healing of one workload."""

    PLURAL: ClassVar[str] = "healings"
    # Its spec can't be corrected.
    REMEDY: ClassVar[str] = (
        "delete it, a problem that persists is found again: "
        "kubectl -n {namespace} delete {plural}.{group} {name}"
    )

    kind: Literal["Healing"] = "Healing"
    spec: HealingSpec
    status: HealingStatus = HealingStatus()
