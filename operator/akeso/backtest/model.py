"""What a back-test says. Values only; the models are the command's JSON: their fields are stable.

Times are UTC, durations seconds, values in the unit of what was read.
"""

from __future__ import annotations

from enum import StrEnum

from akeso.api.meta import Model
from akeso.api.scalars import Time
from akeso.domain.forecast import Readiness

VERSION = "v1"  # of these fields: others are added, none is taken away or changes its meaning


class Kind(StrEnum):
    """How a failure shows."""

    REACHED = "Reached"  # a sample at or above the limit
    KILLED = "Killed"  # a restart right after a sample near the limit


class Method(StrEnum):
    AKESO = "Akeso"
    PREDICT_LINEAR = "predict_linear"


class Verdict(StrEnum):
    """What an alarm was worth."""

    FORETOLD = "Foretold"  # a failure came, as it said
    FALSE = "False"  # none came
    UNKNOWN = "Unknown"  # cut short by a restart, a raised limit or the end of the history


class Alarm(Model):
    """One alarm: when it was raised, until when it held, and what it was worth. `probability` and
    `expected` (after 10, 50, 90 % of the cases, seconds) are those of the moment it was raised."""

    method: Method
    at: Time
    until: Time
    verdict: Verdict
    value: float | None
    limit: float | None
    probability: float | None = None
    expected: tuple[float | None, float | None, float | None] | None = None


class Failure(Model):
    """The limit was reached. The leads are those of the first alarm that foretold it; None: it was
    missed."""

    at: Time
    kind: Kind
    value: float | None
    limit: float | None
    akeso_lead_seconds: float | None
    predict_linear_lead_seconds: float | None


class Score(Model):
    """How one method did: failures `foreseen` with time to act, announced too `late`, `missed`."""

    foreseen: int = 0
    late: int = 0
    missed: int = 0
    false_alarms: int = 0
    false_alarms_per_series_day: float | None = None
    unknown: int = 0
    median_lead_seconds: float | None = None
    shortest_lead_seconds: float | None = None


class Abstention(Model):
    """Why nothing was claimed, in which share of the rows, and what that means."""

    reason: Readiness
    percent: float
    said: str


class SeriesResult(Model):
    """One series. `days`: how long it was watched below its limit."""

    name: str
    workload: str
    samples: int
    step_seconds: float | None
    start: Time | None
    end: Time | None
    days: float
    limit: float | None  # the last one
    highest: float | None
    akeso: Score
    predict_linear: Score
    failures: tuple[Failure, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    abstained_percent: float = 0.0
    abstentions: tuple[Abstention, ...] = ()
    notes: tuple[str, ...] = ()


class WorkloadResult(Model):
    """All series of one workload."""

    name: str
    series: int
    days: float
    failures: int
    akeso: Score
    predict_linear: Score
    abstained_percent: float
    abstentions: tuple[Abstention, ...] = ()


class BackTest(Model):
    """A whole back-test."""

    version: str = VERSION
    made: Time
    source: str
    metric_class: str
    query: str | None = None
    limit_query: str | None = None
    start: Time | None
    end: Time | None
    horizon_seconds: float
    probability_percent: int
    lead_seconds: float  # what a hit must leave
    calibrated: bool
    rule: str  # what predict_linear was asked, in PromQL
    total: WorkloadResult
    workloads: tuple[WorkloadResult, ...]
    series: tuple[SeriesResult, ...]
    notes: tuple[str, ...] = ()
    policy: str | None  # YAML
    advice: tuple[str, ...] = ()
