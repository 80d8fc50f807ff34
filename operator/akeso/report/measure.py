"""The series that belong to a Healing: which queries, and whose results, in which plot.

It asks through the port `MetricSource`; what can't be had becomes a note, never an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from akeso.api.healing import Healing
from akeso.api.policy import HealingPolicy, Signal
from akeso.clients.promql import duration, matcher
from akeso.domain.finding import FROM_THE_API, Origin
from akeso.domain.finding import Signal as About
from akeso.domain.workload import Kind
from akeso.engine.ceilings import FROM_INFORMERS
from akeso.engine.observe import error_query, query_key
from akeso.engine.volumes import CLAIM, INODES, SPACE, queries
from akeso.errors import AkesoError
from akeso.protocols import MetricSource, Reading
from akeso.report.model import Outlook, Panel, Role, Series, Unit
from akeso.report.words import plain
from akeso.settings import Settings

LONGEST_ERROR = 300  # letters; a transport quotes whole addresses
# What a plot of this size can show.
POINTS = 240
MOST_SERIES = 8
SHORTEST_LEAD = 300.0  # seconds before the Healing was opened
LONGEST_LEAD = 86_400.0
TAIL_SHARE = 0.15  # of the time shown, after the verdict
SHORTEST_TAIL = 30.0
NO_SOURCE = (
    "The measured series are not shown: no Prometheus was given. Give the operator's with"
    " --prometheus-url (a port-forward will do); it must still have the samples of that time."
)

# Names end in what Kubernetes makes up, in an alphabet without vowels.
# https://github.com/kubernetes/apimachinery/blob/v0.36.0/pkg/util/rand/rand.go
_MADE_UP = "[bcdfghjklmnpqrstvwxz2456789]"
_POD_TAILS = {
    Kind.DEPLOYMENT: f"-{_MADE_UP}{{1,10}}-{_MADE_UP}{{5}}",
    Kind.STATEFUL_SET: "-[0-9]+",
    Kind.DAEMON_SET: f"-{_MADE_UP}{{5}}",
}
# kube-state-metrics; where it does not run there is no such plot.
_READY_METRICS = {
    Kind.DEPLOYMENT: ("kube_deployment_status_replicas_ready", "deployment"),
    Kind.STATEFUL_SET: ("kube_statefulset_status_replicas_ready", "statefulset"),
    Kind.DAEMON_SET: ("kube_daemonset_status_number_ready", "daemonset"),
}
# kube-state-metrics, and cAdvisor, which gives 0 where there is no limit.
_LIMIT_METRICS = "kube_pod_container_resource_limits|container_spec_memory_limit_bytes"


@dataclass(frozen=True, slots=True)
class Span:
    """From when until when, and how far apart the points are; Unix seconds."""

    start: float
    end: float
    step: float


@dataclass(frozen=True, slots=True)
class Measured:
    """The plots of a report, in the unit of its evidence."""

    unit: Unit
    panels: tuple[Panel, ...]
    notes: tuple[str, ...] = ()


# How the evidence of a signal by alert begins (`akeso.engine.alerts`).
BY_ALERT = ("alert ", "alerts ")


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at: a Healing, and its signal where the policy still has it. `compared` are
    workloads of the same kind and namespace to show beside it, each with a remark."""

    healing: Healing
    signal: Signal | None
    settings: Settings
    compared: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def about(self) -> About:
        """What the signal watches; where the policy is gone, what the Healing looks like."""
        if self.signal is not None:
            return self.signal.about
        if self.healing.spec.evidence.message.startswith(BY_ALERT):
            return About.ALERT
        guesses = {
            Origin.FORECAST: About.MEMORY_EXHAUSTION,
            Origin.EVENT: About.ROLLOUT_FAILING,
        }
        return guesses.get(self.healing.spec.origin, About.QUERY)

    @property
    def unit(self) -> Unit:
        units = {About.MEMORY_EXHAUSTION: Unit.BYTES, About.ROLLOUT_FAILING: Unit.SHARE}
        return units.get(self.about, Unit.PLAIN)


def signal_of(healing: Healing, policies: Iterable[HealingPolicy]) -> Signal | None:
    """The signal the Healing was opened for, where its policy still has it."""
    for policy in policies:
        if policy.metadata.uid == healing.spec.policy_ref.uid:
            return next((s for s in policy.spec.signals if s.name == healing.spec.signal), None)
    return None


def span_of(healing: Healing, now: datetime, interval: float) -> Span:
    """The time worth showing: the way there, what was done, and a while after the verdict."""
    evidence, status = healing.spec.evidence, healing.status
    opened = (healing.metadata.creation_timestamp or evidence.since).timestamp()
    began = min(opened, evidence.since.timestamp(), evidence.sampled_at.timestamp())
    found = evidence.time_to_threshold_seconds
    ahead = float(found.p50) if found is not None and found.p50 is not None else 0.0
    lead = min(LONGEST_LEAD, max(SHORTEST_LEAD, 2.0 * ahead, 20.0 * interval))
    start, today = began - lead, now.timestamp()
    end = today
    if status.completed_at is not None:
        closed = status.completed_at.timestamp()
        end = min(today, closed + max(SHORTEST_TAIL, TAIL_SHARE * (closed - start)))
    end = max(end, opened + 1.0)
    return Span(start, end, max(1.0, math.ceil((end - start) / POINTS)))


async def measure(subject: Subject, source: MetricSource | None, now: datetime) -> Measured:
    """The plots. Without a source they hold what the Healing itself records."""
    span = span_of(subject.healing, now, subject.settings.scrape_interval_seconds)
    plots = list(_plots(subject, span))
    if not plots:
        return Measured(subject.unit, (_recorded(subject, _unknown(subject)),), (_gone(subject),))
    if source is None:
        return Measured(subject.unit, (_recorded(subject, plots[0]),), (NO_SOURCE,))
    panels: list[Panel] = []
    notes: list[str] = []
    for plot in plots:
        try:
            panel = await _ask(subject, plot, source, span)
        except AkesoError as error:
            panel = _recorded(subject, plot)
            notes.append(f"{plot.title} is not shown: {plain(str(error), LONGEST_ERROR)}")
        else:
            if not panel.series and not plot.optional:
                notes.append(_empty(plot))
        if panel.series or not plot.optional:
            panels.append(panel)
    return Measured(subject.unit, tuple(panels), tuple(notes))


Chosen = Callable[[Reading], tuple[Role, str] | None]  # with a remark


@dataclass(frozen=True, slots=True)
class _Plot:
    """One plot to ask for. `own` says whose a result is; None: nobody's here."""

    title: str
    unit: Unit
    query: str
    own: Chosen
    threshold: float | None = None
    threshold_label: str = "threshold"
    limits: str = ""  # the query for the limit over time
    finest: float = 1.0  # seconds between points, below which nothing more is to be seen
    optional: bool = False  # not missed where there is no data


def _plots(subject: Subject, span: Span) -> Iterator[_Plot]:
    signal, healing = subject.signal, subject.healing
    target = healing.spec.target
    if subject.about is About.MEMORY_EXHAUSTION:
        yield _memory(subject)
        return
    if subject.about is About.CPU_SATURATION:
        yield _cpu(subject)
        return
    if subject.about is About.VOLUME_FILLING:
        yield _volume(subject)
        return
    key = query_key(signal, subject.settings) if signal is not None else None
    if key is None and subject.about is About.ROLLOUT_FAILING:
        key = error_query(Signal(name=healing.spec.signal), subject.settings)
    if key is not None and key[0] not in FROM_INFORMERS:
        rollout = subject.about is About.ROLLOUT_FAILING
        yield _Plot(
            title=f"Share of failed requests per pod of {target.name}"
            if rollout
            else f"Signal {healing.spec.signal} of {target.name}",
            unit=Unit.SHARE if rollout else subject.unit,
            query=key[0],
            own=_owner(subject, signal),
            threshold=key[1].value,
            finest=subject.settings.scrape_interval_seconds / 3.0,
        )
    if subject.about in FROM_THE_API:
        yield _ready(subject, span)


def _unknown(subject: Subject) -> _Plot:
    """The plot of a signal that is not known any more."""
    spec = subject.healing.spec
    return _Plot(
        title=f"Signal {spec.signal} of {spec.target.name}",
        unit=subject.unit,
        query="",
        own=lambda _: None,
        threshold=spec.evidence.threshold,
    )


def _gone(subject: Subject) -> str:
    spec = subject.healing.spec
    if subject.about is About.ALERT:
        return (
            f"There are no measured series: signal {spec.signal} is an alert of Alertmanager, whose"
            " own page shows its expression."
        )
    if subject.signal is not None and subject.signal.standard is not None:
        return "There are no measured series: the API server tells it, and keeps no history."
    return (
        f"The measured series are not shown: HealingPolicy {spec.policy_ref.name} has no signal"
        f" {spec.signal} with a query any more, so it is not known what to ask for."
    )


def _memory(subject: Subject) -> _Plot:
    healing, settings = subject.healing, subject.settings
    interval = settings.scrape_interval_seconds
    window = duration(2 * interval)
    wanted = _containers(subject, (healing.spec.target.name, *subject.compared))
    more = f",{settings.metric_matchers}" if settings.metric_matchers else ""
    by = "max by (namespace, pod, container)"
    limits = matcher("__name__", _LIMIT_METRICS, "=~")
    resource = matcher("resource", "memory|", "=~")
    return _Plot(
        title=f"Memory working set of {healing.spec.target.name}",
        unit=Unit.BYTES,
        # A range of its own: the usual look back shows a pod that is gone for five minutes more.
        query=f"{by} (last_over_time({settings.memory_metric}{{{wanted}{more}}}[{window}]))",
        own=_owner(subject, None),
        threshold=healing.spec.evidence.threshold,
        threshold_label="limit",
        limits=f"{by} (last_over_time({{{limits},{resource},{wanted}}}[{window}])) > 0",
        finest=interval,
    )


def _cpu(subject: Subject) -> _Plot:
    """Of all pods together, as the signal sees it: in cores."""
    healing, settings = subject.healing, subject.settings
    wanted = _containers(subject, (healing.spec.target.name,))
    more = f",{settings.metric_matchers}" if settings.metric_matchers else ""
    window = duration(settings.rate_seconds)
    return _Plot(
        title=f"CPU use of all pods of {healing.spec.target.name}, in cores",
        unit=Unit.PLAIN,
        query=f"sum by (namespace) (rate({settings.cpu_metric}{{{wanted}{more}}}[{window}]))",
        own=lambda _: (Role.CONCERNED, ""),
        threshold=healing.spec.evidence.threshold,
        finest=settings.scrape_interval_seconds,
    )


def _volume(subject: Subject) -> _Plot:
    """How full the volume is that the evidence names."""
    healing, evidence = subject.healing, subject.healing.spec.evidence
    inodes = "out of inodes" in evidence.message

    def chosen(reading: Reading) -> tuple[Role, str] | None:
        labels = reading.labels
        meant = f"volume {labels.get(CLAIM)} " in evidence.message
        own = labels.get("namespace") == healing.metadata.namespace
        return (Role.CONCERNED, "") if own and meant else None

    return _Plot(
        title=f"Volume of {healing.spec.target.name}, {'inodes' if inodes else 'space'} in use, in %",
        unit=Unit.PLAIN,
        query=queries(subject.settings)[INODES if inodes else SPACE],
        own=chosen,
        threshold=evidence.threshold,
        finest=subject.settings.scrape_interval_seconds,
    )


def _containers(subject: Subject, names: Iterable[str]) -> str:
    """Matchers for the containers of workloads of these names."""
    pods = "|".join(_pods(subject.healing.spec.target.kind, n) for n in names)
    return ",".join(
        (
            matcher("namespace", subject.healing.metadata.namespace),
            matcher("pod", pods, "=~"),
            matcher("container", "", "!="),
            matcher("container", "POD", "!="),
        )
    )


def _ready(subject: Subject, span: Span) -> _Plot:
    target, namespace = subject.healing.spec.target, subject.healing.metadata.namespace
    metric, label = _READY_METRICS[target.kind]
    wanted = f"{matcher('namespace', namespace)},{matcher(label, target.name)}"
    interval = subject.settings.scrape_interval_seconds
    window = duration(2 * interval)
    return _Plot(
        title=f"Ready pods of {target.name}",
        unit=Unit.COUNT,
        query=f"max by (namespace, {label}) (last_over_time({metric}{{{wanted}}}[{window}]))",
        own=lambda _: (Role.OTHER, ""),
        finest=interval,
        optional=True,
    )


def _pods(kind: Kind, name: str) -> str:
    return name.replace(".", r"\.") + _POD_TAILS[kind]


def _owner(subject: Subject, signal: Signal | None) -> Chosen:
    """Whose a result is, by its labels; results of other namespaces and workloads are nobody's."""
    healing = subject.healing
    target, namespace = healing.spec.target, healing.metadata.namespace
    concerned = {p.name for p in healing.spec.evidence.pods}
    own = re.compile(_pods(target.kind, target.name))
    beside = [(re.compile(_pods(target.kind, n)), said) for n, said in subject.compared.items()]
    workload_label = signal.by_workload if signal is not None else None
    pod_label = (signal.pod_label if signal is not None else None) or "pod"

    def chosen(reading: Reading) -> tuple[Role, str] | None:
        labels = reading.labels
        if labels.get("namespace") != namespace:
            return None
        if workload_label is not None:
            return (Role.CONCERNED, "") if labels.get(workload_label) == target.name else None
        pod = labels.get(pod_label, "")
        if pod in concerned:
            return Role.CONCERNED, ""
        if own.fullmatch(pod):
            return Role.OTHER, ""
        return next(((Role.COMPARED, said) for p, said in beside if p.fullmatch(pod)), None)

    return chosen


async def _ask(subject: Subject, plot: _Plot, source: MetricSource, span: Span) -> Panel:
    opened = (
        subject.healing.metadata.creation_timestamp or subject.healing.spec.evidence.since
    ).timestamp()
    step = max(span.step, plot.finest)
    found = await source.evaluate_range(plot.query, span.start, span.end, step)
    series = [s for row in found if (s := _series(row, plot.own, opened)) is not None]
    series.sort(key=_order)
    shown = tuple(_shortened(series)[:MOST_SERIES])
    limits: tuple[Series, ...] = ()
    if plot.limits and shown:
        limits = await _limits(plot, source, Span(span.start, span.end, step), opened)
    return _recorded(subject, plot).model_copy(
        update={
            "step": step,
            "series": shown,
            "limits": limits,
            "left_out": len(series) - len(shown),
        }
    )


async def _limits(
    plot: _Plot, source: MetricSource, span: Span, opened: float
) -> tuple[Series, ...]:
    """The limits over time where they changed; a constant one is the threshold already."""
    try:
        found = await source.evaluate_range(plot.limits, span.start, span.end, span.step)
    except AkesoError:
        return ()
    every = [s for row in found if (s := _series(row, plot.own, opened)) is not None]
    own = [s for s in every if s.role is not Role.COMPARED]
    values = {value for s in own for _, value in s.points}
    if values <= {plot.threshold}:
        return ()
    return tuple(sorted(own, key=_order)[:MOST_SERIES])


def _series(row: Sequence[Reading], own: Chosen, opened: float) -> Series | None:
    points = tuple((r.time, r.value) for r in row)
    found = own(row[0]) if row else None
    if found is None:
        return None
    role, remark = found
    if role is Role.OTHER and points[0][0] > opened:
        role, remark = Role.SUCCESSOR, "came after"
    return Series(label=_label(row[0]), role=role, remark=remark, points=points)


def _label(reading: Reading) -> str:
    """Pod and container where there is one, else what tells it from others."""
    labels = {k: v for k, v in reading.labels.items() if k not in ("namespace", "__name__") and v}
    if "pod" in labels:
        rest = [v for k, v in labels.items() if k != "pod"]
        return "/".join([labels["pod"], *rest])
    return " ".join(labels.values()) or "value"


def _shortened(series: Sequence[Series]) -> list[Series]:
    """Without the container where it is the same everywhere: a pod's name is long enough."""
    tails = {s.label.partition("/")[2] for s in series}
    if len(tails) != 1:
        return list(series)
    return [s.model_copy(update={"label": s.label.partition("/")[0]}) for s in series]


_RANKS = {Role.CONCERNED: 0, Role.SUCCESSOR: 1, Role.COMPARED: 2, Role.OTHER: 3}


def _order(series: Series) -> tuple[int, float, str]:
    """Those concerned first, then what came after, by time; of the others the highest first."""
    first = series.points[0][0]
    peak = max(value for _, value in series.points)
    return _RANKS[series.role], (-peak if series.role is Role.OTHER else first), series.label


def _recorded(subject: Subject, plot: _Plot) -> Panel:
    """A panel with what the Healing itself knows."""
    evidence = subject.healing.spec.evidence
    same = plot.unit is subject.unit
    seen = None
    if same and evidence.value is not None:
        seen = (evidence.sampled_at.timestamp(), evidence.value)
    return Panel(
        title=plot.title,
        unit=plot.unit,
        query=plot.query,
        threshold=plot.threshold,
        threshold_label=plot.threshold_label,
        outlook=_outlook(subject.healing) if same else None,
        seen=seen,
    )


def _outlook(healing: Healing) -> Outlook | None:
    evidence = healing.spec.evidence
    found = evidence.time_to_threshold_seconds
    if found is None or evidence.value is None or evidence.threshold is None:
        return None
    at = evidence.sampled_at.timestamp()
    early, middle, late = (None if q is None else at + q for q in (found.p10, found.p50, found.p90))
    return Outlook(
        at=at,
        value=evidence.value,
        threshold=evidence.threshold,
        early=early,
        middle=middle,
        late=late,
    )


def _empty(plot: _Plot) -> str:
    return (
        f"{plot.title}: Prometheus has nothing for that time. It keeps samples for a limited time"
        " (--storage.tsdb.retention.time), and another one than the operator's may not have them"
        f" at all. Asked was: {plot.query}"
    )
