"""What is wrong, or will be: findings with their evidence, and how healings ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from akeso.domain.workload import PodRef, WorkloadRef


class Signal(StrEnum):
    """What a finding is about; QUERY is any PromQL with a threshold, ALERT one that fires."""

    MEMORY_EXHAUSTION = "MemoryExhaustion"
    CPU_SATURATION = "CPUSaturation"
    CRASH_LOOPING = "CrashLooping"
    ROLLOUT_FAILING = "RolloutFailing"
    VOLUME_FILLING = "VolumeFilling"
    QUERY = "Query"
    ALERT = "Alert"


# What the API server alone tells; a live read of the workload is as fresh as can be.
FROM_THE_API = frozenset({Signal.CRASH_LOOPING, Signal.ROLLOUT_FAILING})


class Origin(StrEnum):
    """How a finding came to be; REQUEST: a person asked, nothing was found."""

    FORECAST = "Forecast"
    THRESHOLD = "Threshold"
    EVENT = "Event"
    REQUEST = "Request"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why we believe it. `ttf` is q10/q50/q90 in seconds after `sampled_at` (Unix seconds)."""

    message: str
    sampled_at: float
    since: float
    value: float | None = None
    threshold: float | None = None
    probability: float | None = None
    ttf: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem of one target under one signal of one policy.

    `alerts` are the labels of the alerts it stands on. `suppressed`: Alertmanager tells nobody
    about any of them; that opens no healing, but the problem is there.
    """

    target: WorkloadRef
    policy: str
    signal: str  # the name it has in the policy
    about: Signal
    origin: Origin
    evidence: Evidence
    pods: tuple[PodRef, ...] = ()
    alerts: tuple[Mapping[str, str], ...] = ()
    suppressed: bool = False


class Outcome(StrEnum):
    """How an attempt, or a whole healing, ended."""

    VERIFIED = "Verified"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"
    CLEARED = "Cleared"


@dataclass(frozen=True, slots=True)
class Decision:
    """One thing Akeso decided, as told to people, logs, metrics and Events.

    `what` is one of Opened, Blocked, Planned, Wrote, Verified, Failed, Inconclusive, Error,
    Cleared, NeedsHuman, Proposed, Restored; `at` is Unix seconds. `healing` is "namespace/name".
    """

    what: str
    reason: str
    message: str
    at: float
    target: WorkloadRef
    signal: str
    healing: str
    healing_uid: str
    healer: str = ""
    policy: str = ""
