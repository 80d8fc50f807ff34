"""Classes of metrics: how the exhaustion of each is decided, and why.

Each row departs from `DecisionSettings` only where its metric behaves differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from akeso_predictors.checks import InputError
from akeso_predictors.settings import DecisionSettings

# Bursts of CPU are its nature: it is claimed only where it hardly moves (predict.md: best F1 .19).
CPU_BURSTY = 0.02

# What a workload bears: rows for the window twice over (2 h at 15 s); a cycle of load is longer
# than any ring that fits into memory.
LOAD_ROWS = 480

MINUTES, HOURS, DAYS = 60.0, 3_600.0, 86_400.0
# The horizon for which the settings of trends are given.
SHORT = 60 * MINUTES


@dataclass(frozen=True, slots=True)
class MetricClass:
    """One class. `by_peaks`: its next peak passes the limit, not its mean. `bursty`: residuals above
    this share of the limit forbid a claim (None: as for memory). `rows` kept per series (None: as for
    memory). `horizon` in seconds that people need to act. `falls`: the limit is approached from
    above. `act_level` is the share of the limit from which an alarm is raised (None: as for memory), `patience`
    with its rises and `rash` with those of minutes (None: as for memory, and only then trees are asked). `killed`: the kernel ends what touches the limit, by its own count. `why`
    it is decided so."""

    name: str
    horizon: float
    why: str
    by_peaks: bool = True
    bursty: float | None = None
    rows: int | None = None
    falls: bool = False
    act_level: float | None = None
    patience: float | None = None
    rash: float | None = None
    killed: bool = False

    def applied(self, settings: DecisionSettings) -> DecisionSettings:
        """`settings` as they hold for this class."""
        trend = settings.trend
        if self.bursty is not None:
            trend = replace(trend, bursty=self.bursty)
        if self.rash is not None:
            trend = replace(trend, rash=self.rash)
        if self.patience is not None:
            # Filling and clearing take as much longer as the horizon is.
            slower = self.horizon / SHORT
            trend = replace(
                trend,
                patience=self.patience,
                watched=trend.watched * slower,
                young=trend.young * slower,
                lasting=trend.lasting * slower,
            )
        rows = settings.capacity_rows if self.rows is None else self.rows
        return replace(
            settings,
            trend=trend,
            by_peaks=settings.by_peaks and self.by_peaks,
            capacity_rows=max(rows, trend.window_rows),
            act_level=settings.act_level if self.act_level is None else self.act_level,
            killed_below=settings.killed_below if self.killed else 0,
            trees=settings.trees if self.rash is None else None,
        )


def _load(
    name: str, horizon: float, why: str, *, falls: bool = False, act_level: float | None = None,
    patience: float | None = None, rash: float | None = 0.0,
) -> MetricClass:  # fmt: skip
    """A bound that may be touched for a moment, and must not be stayed above. A surge is met before it is known
    where it ends: what helps against load costs little and is taken back."""
    return MetricClass(
        name, horizon, why, by_peaks=False, rows=LOAD_ROWS, falls=falls, act_level=act_level,
        patience=patience, rash=rash,
    )  # fmt: skip


# Disks are meant to be filled: with more than 15 % free nobody is woken, as kube-prometheus has it.
DISK_LEVEL = 0.85
# And most of what fills a disk within hours is a back-up, a job or a compaction that clears up.
DISK_PATIENCE = 0.5


_ALL = (
    MetricClass("memory", 30 * MINUTES, "one touch of the limit kills the container", killed=True),
    MetricClass("cpu", 30 * MINUTES, "bursts are its nature", bursty=CPU_BURSTY),
    _load("load", 30 * MINUTES, "what all pods of a workload bear together"),
    _load("throttling", 30 * MINUTES, "a share of periods; one bad period hurts nobody"),
    _load("volume", 4 * HOURS, "nobody but a person makes room; deletions are not turns of a heap",
          act_level=DISK_LEVEL, patience=DISK_PATIENCE, rash=None),
    _load("inodes", 4 * HOURS, "as volumes", act_level=DISK_LEVEL, patience=DISK_PATIENCE, rash=None),
    MetricClass("connections", 30 * MINUTES, "the next peak finds no descriptor or no free slot"),
    _load("queue", 30 * MINUTES, "a queue that is worked off may be long for a moment"),
    _load("errors", 30 * MINUTES, "a ratio; a lone error is no outage"),
    _load("latency", 30 * MINUTES, "a quantile; it swings with the requests that fell into it"),
    _load("certificate", 7 * DAYS, "time runs down at one second per second", falls=True),
    _load("quota", 4 * HOURS, "changes in steps; only people raise it"),
    _load("replicas", 30 * MINUTES, "changes in steps that an autoscaler makes"),
)  # fmt: skip

CLASSES: Mapping[str, MetricClass] = MappingProxyType({c.name: c for c in _ALL})

# Other words that people have for them.
ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "disk": "volume", "filesystem": "volume", "pool": "connections", "descriptors": "connections",
        "processes": "connections", "pids": "connections", "threads": "connections",
    }
)  # fmt: skip


def class_of(name: str) -> MetricClass:
    """The class of that name or alias. Raises `InputError`, which lists those there are."""
    found = CLASSES.get(ALIASES.get(name, name))
    if found is None:
        known = ", ".join(sorted({*CLASSES, *ALIASES}))
        raise InputError(f"metric_class must be one of {known}, got {name!r}")
    return found


def for_metric(metric_class: str, settings: DecisionSettings) -> DecisionSettings:
    """`settings` as they hold for one class of metric, by its name or alias."""
    return class_of(metric_class).applied(settings)
