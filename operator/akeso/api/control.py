"""HealingControl: the kill switch, the budget of all policies, and how Akeso itself is."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from akeso.api.conditions import Conditions
from akeso.api.meta import Model, Resource
from akeso.api.scalars import SET, Count, DnsLabel, Message, Time, map_by

NAME = "akeso"  # the only one that is read
MAX_CALIBRATION = 131_072  # characters; what is learned of one class takes about 2,000

# What runs there carries everything else.
PROTECTED_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")


class MetricsSource(StrEnum):
    """Where measurements come from."""

    PROMETHEUS = "Prometheus"
    METRICS_API = "MetricsAPI"
    NONE = "None"


class Paused(Model):
    """The kill switch, with the reason everybody sees."""

    reason: Annotated[Message, Field(min_length=1)]
    until: Time | None = None

    def holds(self, now: datetime) -> bool:
        """Whether it still pauses; it ends at `until`, or never by itself."""
        return self.until is None or now < self.until


class HealingControlSpec(Model):
    """What people want of all of Akeso."""

    paused: Paused | None = None
    protected_namespaces: Annotated[tuple[DnsLabel, ...], Field(max_length=256), SET] = (
        PROTECTED_NAMESPACES
    )
    max_healings_per_hour: Annotated[int, Field(ge=1, le=10000)] = 60


class Watched(Model):
    """How much is watched now."""

    workloads: Count
    containers: Count


class CapabilityName(StrEnum):
    """What a cluster and an installation may be able to do."""

    IN_PLACE_RESIZE = "InPlaceResize"
    FENCING = "Fencing"
    LENDING = "Lending"
    ORIGIN = "Origin"


class Capability(Model):
    """Whether one of them is there, and what holds where it is not."""

    name: CapabilityName
    available: Literal["True", "False", "Unknown"]
    message: Message


class HealingControlStatus(Model):
    """How Akeso is: what it measures with, and how short a failure it can foresee."""

    conditions: Conditions = ()
    observed_generation: Count | None = None
    leader: Annotated[str, Field(max_length=316)] | None = None
    capabilities: Annotated[tuple[Capability, ...], Field(max_length=16), map_by("name")] = ()
    metrics_source: MetricsSource | None = None
    scrape_interval_seconds: Count | None = None
    shortest_failure_seconds: Count | None = None
    watched: Watched | None = None
    calibration: Annotated[str, Field(max_length=MAX_CALIBRATION)] | None = None


class HealingControl(Resource):
    """The one object for all of Akeso, in its own namespace."""

    PLURAL: ClassVar[str] = "healingcontrols"

    kind: Literal["HealingControl"] = "HealingControl"
    spec: HealingControlSpec = HealingControlSpec()
    status: HealingControlStatus = HealingControlStatus()
