"""What workloads bear (their CPU use, the results of queries) against what they must not. Pure.

A pod that is hot alone is no saturation: load balancing, a leader or a stuck thread make one, and
another pod would not take anything from it. So CPU is summed over all pods of a workload.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from akeso.api.policy import Builtin, Comparison, HealingPolicy, Signal, Threshold
from akeso.domain.finding import Signal as About
from akeso.domain.forecast import LOAD, Forecast, LoadKey, SeriesKey
from akeso.domain.workload import Container, Kind, PodRef, Snapshot
from akeso.engine.selection import Selection
from akeso.protocols import Reading, Usage
from akeso.settings import Settings

# A sample from further in the future betrays a broken clock; it says nothing of freshness.
CLOCK_AHEAD_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One series of what one workload bears, at one moment (Unix seconds).

    `bound` is what must not be crossed, in the unit of `value`; `whole` what would be 100 % where
    the bound is a share of it. `instance` names whom the series measures: when it changes, what was
    learnt of it no longer holds. `pods` are those it speaks of. `unit` is what 1 of `value` stands
    for where that changes with the limit: a share of a limit that is raised is no fall.
    """

    key: LoadKey
    time: float
    value: float
    bound: Threshold
    instance: str
    pods: tuple[PodRef, ...]
    whole: float | None = None
    unit: float = 1.0

    @property
    def crossed(self) -> bool:
        return self.bound.crossed_by(self.value)

    @property
    def way(self) -> float:
        """How far the value is from its bound; negative once it is on the wrong side."""
        way = self.bound.value - self.value
        return way if self.bound.operator is Comparison.ABOVE else -way


@dataclass(frozen=True, slots=True)
class Load:
    """The newest measurement of one series, since when it is beyond its bound (Unix seconds; None:
    it is not), and what is expected of it. `foreseen`: the last alarm was of this crossing, or of
    the one to come."""

    measured: Measured
    since: float | None
    forecast: Forecast | None = None
    foreseen: bool = False


# By the source of the series and the uid of the workload.
Loads = Mapping[tuple[str, str], tuple[Load, ...]]


@dataclass(frozen=True, slots=True)
class CpuUse:
    """The CPU use of containers, one row each; or why there is none."""

    by_container: Mapping[SeriesKey, Usage] = field(default_factory=dict[SeriesKey, Usage])
    error: str = ""


def source_of(signal: Signal) -> str | None:
    """Names what a signal's forecasts are about, bound included; None: nothing of a workload's
    load is forecast. Two signals that say the same share their series."""
    bound = signal.bound
    if bound is None or signal.foresight is None:
        return None
    if signal.about is About.CPU_SATURATION:
        return f"CPU {bound.value:g}"
    if signal.about is About.VOLUME_FILLING:
        return f"volumes {bound.value:g}"
    by = signal.by_workload or signal.pod_label or "pod"
    return f"{bound.operator} {bound.value:g} by {by}: {signal.query or signal.builtin}"


@dataclass(frozen=True, slots=True)
class Watched:
    """One signal that looks at one workload's load."""

    signal: Signal
    source: str
    seen: Snapshot


def watched(
    selection: Selection, policies: Sequence[HealingPolicy], about: About
) -> Iterator[Watched]:
    """Every pair of a workload and a signal of this kind that forecasts its load."""
    for policy in policies:
        for signal in policy.spec.signals:
            source = source_of(signal)
            if signal.about is about and source is not None:
                for seen in selection.targets.get(policy.metadata.uid, ()):
                    yield Watched(signal, source, seen)


def horizons_of(
    pairs: Iterable[Watched], usual: float
) -> dict[tuple[str, str], tuple[float, float]]:
    """By source and workload the horizon in seconds and the probability from which to act, `usual`
    where a policy names none.

    Where signals overlap the longer horizon and the higher bar hold.
    """
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for pair in pairs:
        foresight, key = pair.signal.foresight, (pair.source, pair.seen.ref.uid)
        if foresight is not None:
            horizon, bar = found.get(key, (0.0, 0.0))
            found[key] = (
                max(horizon, float(foresight.horizon_seconds)),
                max(bar, foresight.bar(usual)),
            )
    return found


def release_of(seen: Snapshot) -> str:
    """Names what runs, for series of a workload as a whole: a rollout begins a leg, and when its
    last pod is there another, because between the two old and new pods are measured together."""
    rolling = any(pod.revision != seen.update_revision for pod in seen.present)
    return f"{seen.ref.uid}/{seen.update_revision}/{'rolling' if rolling else ''}"


def released_at(seen: Snapshot) -> float:
    """Since when there is the revision that new pods are made from; 0 where that is not known."""
    found = (r.created_at for r in seen.revisions if r.name == seen.update_revision)
    return max(found, default=0.0)


# -- CPU -----------------------------------------------------------------------------------------


def cores_of(container: Container) -> float | None:
    """What a container may use (its limit) or is promised (its request), in cores."""
    return container.cpu_limit or container.cpu_request


def bounded(seen: Snapshot) -> Iterator[tuple[SeriesKey, Container, float]]:
    """Containers with a bound on their CPU, and since when they run, in Unix seconds."""
    for pod in seen.present:
        for container in pod.containers:
            if cores_of(container) is not None:
                key = SeriesKey(seen.ref.namespace, pod.ref.name, container.name)
                yield key, container, container.started_at or pod.created_at


def cpu_of(
    pair: Watched, uses: Mapping[SeriesKey, Usage], oldest: float, whole: bool = False
) -> Measured | None:
    """The use of all pods of a workload together, against what they may use together.

    Only containers with a sample from after `oldest` count, on both sides: a pod that is starting,
    or has crashed, bears nothing. `whole`: nothing is said unless all of them have one.
    """
    bound = pair.signal.bound
    total = cores = newest = 0.0
    for key, container, began in bounded(pair.seen):
        use = uses.get(key)
        if use is None or use.time < max(oldest, began):
            if whole:
                return None
            continue
        total += use.value
        cores += cores_of(container) or 0.0
        newest = max(newest, use.time)
    if not cores or bound is None:
        return None
    limit = bound.model_copy(update={"value": cores * bound.value / 100})
    ref = pair.seen.ref
    key = LoadKey(ref.namespace, "", "", pair.source, ref.uid)
    pods = tuple(pod.ref for pod in pair.seen.present)
    return Measured(key, newest, total, limit, release_of(pair.seen), pods, whole=cores)


def cpu_past(pairs: Sequence[Watched], uses: Iterable[Usage]) -> Iterator[Measured]:
    """What was measured earlier of the pods that are there now, from when all of them ran."""
    by_time: defaultdict[float, dict[SeriesKey, Usage]] = defaultdict(dict)
    for use in uses:
        by_time[use.time][SeriesKey(use.namespace, use.pod, use.container)] = use
    for time in sorted(by_time):
        for pair in pairs:
            found = cpu_of(pair, by_time[time], time, whole=True)
            if found is not None:
                yield found


# How pods are called, by the kind of what owns them: "web" has web-5d4f8c7b9-x2x4z, db-0, log-7kq2p.
# https://github.com/kubernetes/apimachinery/blob/v0.36.0/pkg/util/rand/rand.go
_RANDOM = "[bcdfghjklmnpqrstvwxz2456789]"
_TAILS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.DEPLOYMENT: f"-{_RANDOM}{{1,10}}-{_RANDOM}{{5}}",
        Kind.STATEFUL_SET: "-[0-9]+",
        Kind.DAEMON_SET: f"-{_RANDOM}{{5}}",
    }
)
_WORKLOAD = "workload"


def cpu_of_workloads(kind: Kind, pairs: Iterable[Watched], settings: Settings) -> str:
    """The CPU use of workloads of a kind, whichever pods they had: by the names of these."""
    spaces = "|".join(sorted({pair.seen.ref.namespace for pair in pairs}))
    chosen = [f'namespace=~"{spaces}"', 'container!=""', 'container!="POD"']
    more = [settings.metric_matchers] if settings.metric_matchers else []
    rate = f"rate({settings.cpu_metric}{{{','.join((*chosen, *more))}}}[5m])"
    name = f'label_replace({rate}, "{_WORKLOAD}", "$1", "pod", "(.+){_TAILS[kind]}")'
    return f"sum by (namespace, {_WORKLOAD}) ({name})"


def cpu_days(
    pairs: Iterable[Watched], there: Iterable[Measured], series: Sequence[Reading]
) -> Iterator[Measured]:
    """The use of one workload days ago, against what its pods may use now."""
    if not series:
        return
    labels = series[0].labels
    name = labels.get("namespace"), labels.get(_WORKLOAD)
    sources = {
        (p.source, p.seen.ref.uid) for p in pairs if (p.seen.ref.namespace, p.seen.ref.name) == name
    }
    for measured in there:
        if (measured.key.source, measured.key.target) in sources:
            for reading in series:
                yield replace(measured, time=reading.time, value=reading.value)


# -- queries -------------------------------------------------------------------------------------


def of_query(
    pairs: Sequence[Watched], readings: Sequence[Reading], days: bool = False
) -> Iterator[Measured]:
    """The series of one query that speak of these workloads, or of their pods.

    Series of other namespaces are never followed, whatever the query returns. `days`: what came
    before the last rollout counts as well.
    """
    indexed: dict[str, Mapping[tuple[str, str], Sequence[Reading]]] = {}
    for pair in pairs:
        by = pair.signal.by_workload or pair.signal.pod_label or "pod"
        if by not in indexed:
            indexed[by] = _index(readings, by)
        yield from _of_target(pair, indexed[by], days)


def _index(readings: Sequence[Reading], label: str) -> Mapping[tuple[str, str], Sequence[Reading]]:
    found: defaultdict[tuple[str, str], list[Reading]] = defaultdict(list)
    for reading in readings:
        if "namespace" in reading.labels and label in reading.labels:
            found[reading.labels["namespace"], reading.labels[label]].append(reading)
    return found


def _of_target(
    pair: Watched, readings: Mapping[tuple[str, str], Sequence[Reading]], days: bool
) -> Iterator[Measured]:
    ref, bound = pair.seen.ref, pair.signal.bound
    if bound is None:
        return
    if pair.signal.by_workload is not None:
        everyone = tuple(pod.ref for pod in pair.seen.present)
        release, since = release_of(pair.seen), released_at(pair.seen)
        for reading in readings.get((ref.namespace, ref.name), ()):
            if days or reading.time >= since:
                yield _measured(pair, reading, bound, "", release, everyone)
        return
    for pod in pair.seen.present:
        for reading in readings.get((ref.namespace, pod.ref.name), ()):
            if reading.time >= pod.created_at:  # before that it is a predecessor of its name
                life = f"{pod.ref.uid}/{pod.restarts}"
                yield _measured(pair, reading, bound, pod.ref.name, life, (pod.ref,))


def _measured(
    pair: Watched,
    reading: Reading,
    bound: Threshold,
    pod: str,
    instance: str,
    pods: tuple[PodRef, ...],
) -> Measured:
    ref, labels = pair.seen.ref, frozenset(reading.labels.items())
    standard = pair.signal.standard
    of = standard.metric_class if standard is not None else LOAD
    key = LoadKey(ref.namespace, pod, "", pair.source, ref.uid, labels, of)
    scaler, unit = pair.seen.autoscaler, 1.0
    if pair.signal.builtin is Builtin.AUTOSCALER_CEILING and scaler is not None:
        unit = scaler.max_replicas / 100  # replicas, of which the ceiling is the limit
    return Measured(key, reading.time, reading.value, bound, instance, pods, unit=unit)
