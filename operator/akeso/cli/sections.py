"""The sections of `akeso status`. The models are the command's JSON: their fields are stable."""

from __future__ import annotations

from akeso.api.control import Watched
from akeso.api.meta import Model
from akeso.api.scalars import Measured, Time
from akeso.cli.leader import Leader


class Pause(Model):
    """Why, and until when; without `until` a person ends it."""

    reason: str
    until: Time | None = None


class Akeso(Model):
    """How Akeso itself is; `ready` None: it has not said anything yet."""

    ready: bool | None
    message: str
    degraded: str | None
    paused: Pause | None
    metrics_source: str | None
    scrape_interval_seconds: int | None
    shortest_failure_seconds: int | None
    watched: Watched | None


class PolicyLine(Model):
    """One policy; `ready` None: Akeso has not looked at it yet."""

    namespace: str
    name: str
    mode: str
    targets: int | None
    healing: int | None
    ready: bool | None
    reason: str
    message: str
    pause_reasons: tuple[str, ...]


class Of(Model):
    """The Healing a line is about, and its target."""

    namespace: str
    healing: str
    kind: str
    name: str
    signal: str
    policy: str


class Risk(Of):
    """A problem that is found or forecast. The three times are quantiles of the forecast.

    `proposed`: what is left to a person, and how to have it done.
    """

    message: str
    since: Time
    value: Measured | None
    threshold: Measured | None
    probability_percent: int | None
    earliest: Time | None
    likely: Time | None
    latest: Time | None
    needs_human: bool
    proposed: str | None


class UnderWay(Of):
    """A healing that has begun."""

    healer: str
    attempt: int
    started_at: Time
    deadline: Time
    writes: int
    written: int
    undoing: bool
    good_checks: int
    message: str


class Refusal(Of):
    """A healing that is not allowed now. `passes`: it may be by itself; else a person decides."""

    reason: str
    message: str
    since: Time
    passes: bool
    other_reasons: tuple[str, ...]


class Ended(Of):
    """A healing that is over; `needs_human`: a person must still look; `proposed`: what is left to
    one, and how to have it done."""

    healer: str | None
    verdict: str
    message: str
    completed_at: Time
    needs_human: bool
    proposed: str | None


class Overview(Model):
    """Everything `akeso status` shows; `namespace` None: all of them."""

    at: Time
    namespace: str | None
    leader: Leader
    akeso: Akeso | None
    policies: tuple[PolicyLine, ...]
    at_risk: tuple[Risk, ...]
    healing: tuple[UnderWay, ...]
    refused: tuple[Refusal, ...]
    finished: tuple[Ended, ...]
    unreadable: tuple[str, ...]
