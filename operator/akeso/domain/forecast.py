"""What was measured of one series, and what is expected of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """One measured series; that of a container, unless it is a LoadKey."""

    namespace: str
    pod: str
    container: str


LOAD = "load"


@dataclass(frozen=True, slots=True)
class LoadKey(SeriesKey):
    """One series of what a workload bears: its CPU use, a query's result, a volume's contents.

    `source` names what is measured and the bound it must not cross, `target` the workload by its
    uid, `labels` tell several series of it apart. `pod` is empty where the series speaks of the
    workload as a whole, `container` always. `metric_class` says how it is decided
    (`akeso_predictors.classes`).
    """

    source: str
    target: str
    labels: frozenset[tuple[str, str]] = frozenset()
    metric_class: str = LOAD


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement: `value` and `limit` in the metric's own unit (bytes for memory).

    `time` is the sample's own time in Unix seconds, never the time of the query. `instance` names
    the container's incarnation (pod uid and restart count): when it changes, a new leg begins.
    `limit` is None where the API declares none.
    """

    key: SeriesKey
    time: float
    value: float
    limit: float | None
    instance: str


class Readiness(StrEnum):
    """Whether a forecast claims anything, and if not, why."""

    READY = "Ready"
    INSUFFICIENT_HISTORY = "InsufficientHistory"
    NO_LIMIT = "NoLimit"
    NO_DATA = "NoData"
    STALE = "Stale"
    BURSTY = "Bursty"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected of one series within `horizon` seconds.

    `probability` of crossing the limit within the horizon (0..1) and `ttf`, the 10 %, 50 % and
    90 % quantiles of the time to the limit in seconds (inf: not foreseeable), both None unless
    `readiness` is READY. `alarm` is the decision: act now. `value`/`limit` are the latest sample,
    `sampled_at` its Unix time (None without data), `samples` how many the current leg holds.
    `levelled_off`: it has not grown to speak of for a while, whatever room there is above it.
    """

    key: SeriesKey
    readiness: Readiness
    horizon: float
    probability: float | None = None
    ttf: tuple[float, float, float] | None = None
    alarm: bool = False
    value: float | None = None
    limit: float | None = None
    sampled_at: float | None = None
    samples: int = 0
    levelled_off: bool = False
