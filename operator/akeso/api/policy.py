"""HealingPolicy: what to watch in a namespace, what may be done about it, and within which limits."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from akeso.api import standard
from akeso.api.conditions import Conditions
from akeso.api.meta import Model, Resource
from akeso.api.scalars import (
    ATOMIC,
    SET,
    Count,
    DnsLabel,
    MemoryAmount,
    ObjectName,
    PlainNumber,
    Time,
    Uid,
    map_by,
)
from akeso.api.standard import Standard
from akeso.domain.finding import Signal as About
from akeso.domain.workload import Kind
from akeso.settings import Settings

MAX_REVISIONS = 2000  # status.revisions: about 250 bytes each, etcd takes 1.5 MiB

LabelValue = Annotated[str, Field(max_length=63)]
PrometheusLabel = Annotated[
    str, Field(min_length=1, max_length=128, pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")
]


class Mode(StrEnum):
    """Whether a policy only records what it would do, or does it."""

    OBSERVE = "Observe"
    HEAL = "Heal"


class RungMode(StrEnum):
    """Whether a rung is carried out when its turn comes, or only proposed to people."""

    HEAL = "Heal"
    PROPOSE = "Propose"


class Builtin(StrEnum):
    """The problems that need no query."""

    MEMORY_EXHAUSTION = "MemoryExhaustion"
    CPU_SATURATION = "CPUSaturation"
    CRASH_LOOPING = "CrashLooping"
    ROLLOUT_FAILING = "RolloutFailing"
    VOLUME_FILLING = "VolumeFilling"
    CPU_THROTTLING = "CPUThrottling"
    DESCRIPTOR_EXHAUSTION = "DescriptorExhaustion"
    ERROR_RATIO = "ErrorRatio"
    AUTOSCALER_CEILING = "AutoscalerCeiling"


class Comparison(StrEnum):
    """Which side of a threshold is the problem."""

    ABOVE = "Above"
    BELOW = "Below"


class LabelRequirement(Model):
    """One requirement on a label, with the meaning it has everywhere in Kubernetes."""

    key: Annotated[str, Field(min_length=1, max_length=317)]
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: Annotated[tuple[LabelValue, ...], Field(max_length=32), ATOMIC] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        match self.operator:
            case "In":
                return self.key in labels and labels[self.key] in self.values
            case "NotIn":
                return self.key not in labels or labels[self.key] not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels


class LabelSelector(Model):
    """All requirements must hold; an empty selector matches everything."""

    match_labels: Annotated[dict[str, LabelValue], Field(max_length=32)] = Field(
        default_factory=dict[str, LabelValue]
    )
    match_expressions: Annotated[tuple[LabelRequirement, ...], Field(max_length=32), ATOMIC] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            requirement.holds(labels) for requirement in self.match_expressions
        )


class Target(Model):
    """A group of workloads of the policy's namespace."""

    name: DnsLabel
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1, max_length=3), SET] = tuple(Kind)
    selector: LabelSelector

    def selects(self, kind: Kind, labels: Mapping[str, str]) -> bool:
        return kind in self.kinds and self.selector.matches(labels)


class Forecast(Model):
    """When a forecast is certain enough to act on."""

    horizon_seconds: Annotated[int, Field(ge=30, le=86400)] = 1800
    probability_percent: Annotated[int, Field(ge=1, le=99)] | None = None

    def bar(self, usual: float) -> float:
        """The probability from which to act: the policy's word, or the `usual` one."""
        return usual if self.probability_percent is None else self.probability_percent / 100


class Threshold(Model):
    """What a query's result (or, in percent, CPU use) is compared with, and for how long it must
    be on the wrong side."""

    operator: Comparison = Comparison.ABOVE
    value: PlainNumber
    for_seconds: Annotated[int, Field(ge=0, le=3600)] = 0

    def crossed_by(self, value: float) -> bool:
        """Whether a value is on the wrong side; the threshold itself, and NaN, are not."""
        if self.operator is Comparison.ABOVE:
            return value > self.value
        return value < self.value


class AlertSelector(Model):
    """Which alerts are meant, and for how long one must be away to be gone."""

    match_labels: Annotated[
        dict[str, Annotated[str, Field(max_length=1024)]], Field(min_length=1, max_length=32)
    ]
    quiet_seconds: Annotated[int, Field(ge=0, le=3600)] = 300

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(name, "") == value for name, value in self.match_labels.items())


class Rung(Model):
    """One routine of a ladder, and how long it may take in all.

    `max_replicas` (ScaleOut only, and there it is required) is how many replicas it may set.
    `ceiling` (RaiseMemory and RaiseMemoryTemplate only, and there it is required) is the highest
    memory limit in bytes. `mode` None: the healer's own default (`akeso.protocols.Healer`).
    """

    healer: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Z][A-Za-z0-9]*$")]
    timeout_seconds: Annotated[int, Field(ge=10, le=7200)] = 600
    max_replicas: Annotated[int, Field(ge=2, le=10000)] | None = None
    ceiling: MemoryAmount | None = None
    mode: RungMode | None = None


# Percent of the CPU that a workload's pods may use, from which it is saturated: above that, requests
# queue for the CPU more than they use it. For a minute, because a start-up uses all it can get.
SATURATED = Threshold(value=90.0, for_seconds=60)

# Percent of a volume in use, from which the kubelet of a node that keeps its defaults would begin to
# evict pods if the volume were its own disk: less than 10 % of the space free, or 5 % of the inodes.
# https://kubernetes.io/docs/reference/node/node-pressure-eviction/#hard-eviction-thresholds
FULL = Threshold(value=90.0)
OUT_OF_INODES = Threshold(value=95.0)

# Percent of CPU periods in which a container stood still, for as long as kube-prometheus'
# CPUThrottlingHigh: below that latency hardly shows it.
THROTTLED = Threshold(value=25.0, for_seconds=900)
# Percent of a process's descriptors: each request takes a few, and the next one may fail.
SPENT = Threshold(value=90.0)
# Share of failed requests, for longer than a dependency's hiccup.
ERRING = Threshold(value=0.05, for_seconds=300)
# Percent of maxReplicas, for as long as kube-prometheus' KubeHpaMaxedOut: a short peak may take all.
MAXED_OUT = Threshold(value=99.0, for_seconds=900)

BOUNDS: Mapping[Builtin, Threshold] = MappingProxyType(
    {
        Builtin.CPU_SATURATION: SATURATED,
        Builtin.VOLUME_FILLING: FULL,
        Builtin.CPU_THROTTLING: THROTTLED,
        Builtin.DESCRIPTOR_EXHAUSTION: SPENT,
        Builtin.ERROR_RATIO: ERRING,
        Builtin.AUTOSCALER_CEILING: MAXED_OUT,
    }
)

# Those that are a query of ours: whatever holds for a query holds for them.
STANDARD: Mapping[Builtin, Standard] = MappingProxyType(
    {
        Builtin.CPU_THROTTLING: standard.THROTTLING,
        Builtin.DESCRIPTOR_EXHAUSTION: standard.DESCRIPTORS,
        Builtin.ERROR_RATIO: standard.ERRORS,
        Builtin.AUTOSCALER_CEILING: standard.CEILING,
    }
)

# What is forecast where a policy says nothing else. Nobody but a person makes room in a volume, and
# people need hours.
FORECASTS: Mapping[Builtin, Forecast] = MappingProxyType(
    {
        Builtin.MEMORY_EXHAUSTION: Forecast(),
        Builtin.CPU_SATURATION: Forecast(),
        Builtin.VOLUME_FILLING: Forecast(horizon_seconds=14_400),
        Builtin.DESCRIPTOR_EXHAUSTION: Forecast(),
    }
)

# What is tried when the ladder is left out: the least invasive routine that can help. A query
# or an alert says nothing about the cause, and what crash-loops was restarted already, so nothing
# is tried and a person is told.
DEFAULT_LADDERS: Mapping[About, tuple[Rung, ...]] = MappingProxyType(
    {
        About.MEMORY_EXHAUSTION: (Rung(healer="RestartPods"),),
        About.CPU_SATURATION: (),
        About.CRASH_LOOPING: (),
        About.ROLLOUT_FAILING: (Rung(healer="Rollback"),),
        About.VOLUME_FILLING: (),
        About.QUERY: (),
        About.ALERT: (),
    }
)


class Signal(Model):
    """What counts as a problem. The CRD's rules say which fields go together."""

    name: DnsLabel
    builtin: Builtin | None = None
    query: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    alert: AlertSelector | None = None
    workload_label: PrometheusLabel | None = None
    pod_label: PrometheusLabel | None = None
    forecast: Forecast | None = None
    threshold: Threshold | None = None
    ladder: Annotated[tuple[Rung, ...], Field(max_length=8), ATOMIC] | None = None

    @property
    def about(self) -> About:
        if self.standard is not None:
            return About.QUERY
        if self.builtin is not None:
            return About(self.builtin.value)
        return About.QUERY if self.alert is None else About.ALERT

    @property
    def standard(self) -> Standard | None:
        """What there is to know of a builtin that is a query of ours; None for all other signals."""
        return None if self.builtin is None else STANDARD.get(self.builtin)

    @property
    def by_workload(self) -> str | None:
        """The label that holds the workload's name; None: its pods are told apart."""
        return self.workload_label or (self.standard.workload_label if self.standard else None)

    def asked(self, settings: Settings) -> str | None:
        """The query that a signal is about: its own, or that of its builtin (whose name stands for
        it where the informers tell); None: neither."""
        if self.query is not None or self.standard is None:
            return self.query
        return self.standard.query(settings) if self.standard.query else self.builtin

    @property
    def alert_key(self) -> tuple[tuple[str, str], ...]:
        """What makes two signals by alert the same; empty for any other signal."""
        return tuple(sorted(self.alert.match_labels.items())) if self.alert else ()

    @property
    def foresight(self) -> Forecast | None:
        """The forecast that holds, defaults included; None where nothing is forecast."""
        if self.builtin is not None:
            default = FORECASTS.get(self.builtin)
            return self.forecast or default if self.standard or default else None
        return self.forecast if self.about is About.QUERY else None

    @property
    def bound(self) -> Threshold | None:
        """The threshold that holds, defaults included; None where there is none."""
        if self.threshold is None and self.builtin is not None:
            return BOUNDS.get(self.builtin)
        return self.threshold

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """The ladder that holds: left out is the default one, an empty one tries nothing."""
        return DEFAULT_LADDERS[self.about] if self.ladder is None else self.ladder


class Breaker(Model):
    """Trips when more targets fail now than the greater of the two allows."""

    max_unhealthy_percent: Annotated[int, Field(ge=0, le=100)] = 49
    min_unhealthy: Annotated[int, Field(ge=0, le=1000)] = 3


class Guardrails(Model):
    """Limits that hold whatever the signals say; the defaults are the safe ones."""

    cooldown_seconds: Annotated[int, Field(ge=0, le=86400)] = 600
    max_healings_per_hour: Annotated[int, Field(ge=1, le=1000)] = 6
    breaker: Breaker = Breaker()
    min_available: Annotated[int, Field(ge=0, le=1000)] = 1
    pause_reasons: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=256)], ...],
        Field(max_length=16),
        SET,
    ] = ()


class Verify(Model):
    """How a rung is judged after its last write."""

    initial_delay_seconds: Annotated[int, Field(ge=0, le=3600)] = 15
    interval_seconds: Annotated[int, Field(ge=1, le=3600)] = 10
    successes: Annotated[int, Field(ge=1, le=100)] = 3
    failure_limit: Annotated[int, Field(ge=1, le=100)] = 2
    inconclusive_limit: Annotated[int, Field(ge=1, le=100)] = 3
    error_limit: Annotated[int, Field(ge=1, le=100)] = 4


class HealingPolicySpec(Model):
    """What people want."""

    mode: Mode = Mode.OBSERVE
    targets: Annotated[tuple[Target, ...], Field(min_length=1, max_length=32), map_by("name")]
    signals: Annotated[tuple[Signal, ...], Field(min_length=1, max_length=32), map_by("name")]
    guardrails: Guardrails = Guardrails()
    verify: Verify = Verify()

    def selects(self, kind: Kind, labels: Mapping[str, str]) -> bool:
        """Whether the policy looks after a workload of this kind with these labels."""
        return any(target.selects(kind, labels) for target in self.targets)


class SeenRevisions(Model):
    """The revisions of one workload that were seen healthy, newest first."""

    kind: Kind
    name: ObjectName
    uid: Uid
    healthy: Annotated[
        tuple[Annotated[str, Field(max_length=253)], ...], Field(max_length=3), ATOMIC
    ]
    since: Time


class HealingPolicyStatus(Model):
    """What Akeso sees; `revisions` is the memory that Rollback stands on."""

    conditions: Conditions = ()
    observed_generation: Count | None = None
    targets: Count | None = None
    healing: Count | None = None
    revisions: Annotated[
        tuple[SeenRevisions, ...], Field(max_length=MAX_REVISIONS), map_by("uid")
    ] = ()


class HealingPolicy(Resource):
    """One policy of one namespace."""

    PLURAL: ClassVar[str] = "healingpolicies"

    kind: Literal["HealingPolicy"] = "HealingPolicy"
    spec: HealingPolicySpec
    status: HealingPolicyStatus = HealingPolicyStatus()
