"""Alerts of Alertmanager as a signal, and the silences that hold: what one cycle read, and whom
it means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from akeso.api.policy import HealingPolicy, Signal
from akeso.api.scalars import format_time, from_unix
from akeso.domain.alert import Alert, one_line
from akeso.domain.finding import Evidence, Finding
from akeso.domain.finding import Signal as About
from akeso.domain.workload import Kind, PodRef, Snapshot
from akeso.errors import AkesoError, PermanentError, TransientError
from akeso.policy.case import NO_SILENCES, Silences
from akeso.protocols import AlertSource
from akeso.settings import Settings

# The labels that name a workload in the alerts most people have (kubernetes-mixin).
KIND_LABELS = {kind: kind.value.lower() for kind in Kind}
NAMED = 3  # alerts that a sentence names


class Firing:
    """The alerts that fire, by whom they speak of; `error`: why nothing is known of any."""

    def __init__(self, alerts: Iterable[Alert] = (), error: AkesoError | None = None) -> None:
        self.alerts = tuple(alerts)
        self.error = error
        self._by_label: dict[str, Mapping[tuple[str, str], Sequence[Alert]]] = {}

    def about(self, namespace: str, label: str, name: str) -> Sequence[Alert]:
        """Those of the namespace whose `label` has the value `name`; their number does not slow
        a look-up."""
        if label not in self._by_label:
            self._by_label[label] = self._index(label)
        return self._by_label[label].get((namespace, name), ())

    def _index(self, label: str) -> Mapping[tuple[str, str], Sequence[Alert]]:
        found: defaultdict[tuple[str, str], list[Alert]] = defaultdict(list)
        for alert in self.alerts:
            if "namespace" in alert.labels and label in alert.labels:
                found[alert.labels["namespace"], alert.labels[label]].append(alert)
        return found


NO_ALERTMANAGER = Firing(error=PermanentError("no Alertmanager is set; set AKESO_ALERTMANAGER_URL"))


async def read_alerts(
    source: AlertSource | None, policies: Sequence[HealingPolicy], settings: Settings
) -> Firing:
    """What fires now; asked only where a policy has a signal by alert. Raises nothing."""
    if source is None:
        return NO_ALERTMANAGER
    if all(s.about is not About.ALERT for p in policies for s in p.spec.signals):
        return Firing()
    try:
        alerts = await source.alerts()
    except AkesoError as error:
        return Firing(error=error)
    watchdog = settings.alertmanager_watchdog
    if watchdog is not None and all(alert.name != watchdog for alert in alerts):
        said = f"alert {watchdog} does not fire, so that other alerts are missing proves nothing"
        remedy = "check that Prometheus evaluates its rules and reaches Alertmanager"
        return Firing(error=TransientError(f"{said}; {remedy}"))
    return Firing(alerts)


async def read_silences(source: AlertSource | None) -> Silences:
    """What is silenced now. Raises nothing."""
    if source is None:
        return NO_SILENCES
    try:
        return Silences(tuple(await source.silences()))
    except AkesoError as error:
        return Silences(error=str(error))


def find_alert(
    seen: Snapshot, signal: Signal, firing: Firing, now: float
) -> tuple[Evidence, tuple[PodRef, ...], tuple[Mapping[str, str], ...], bool] | None:
    """Evidence, pods, the alerts' labels, and whether all of them are suppressed."""
    hits = sorted(_meant(seen, signal, firing), key=lambda hit: (hit[0].starts_at, hit[0].name))
    loud = [hit for hit in hits if not hit[0].suppressed]
    told = loud or hits
    if not told:
        return None
    since = told[0][0].starts_at
    evidence = Evidence(_sentence([alert for alert, _ in told], since), now, since)
    pods = tuple(dict.fromkeys(pod for _, meant in told for pod in meant))
    return evidence, pods, tuple(alert.labels for alert, _ in told), not loud


def _sentence(alerts: Sequence[Alert], since: float) -> str:
    names = list(dict.fromkeys(one_line(alert.name) or "without a name" for alert in alerts))
    named = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
    which = "alert" if len(names) == 1 else "alerts"
    verb = "fires" if len(names) == 1 else "fire"
    return f"{which} {named} {verb} since {format_time(from_unix(since))}"


def _meant(
    seen: Snapshot, signal: Signal, firing: Firing
) -> Iterator[tuple[Alert, tuple[PodRef, ...]]]:
    """The alerts of this signal that speak of the workload, each with the pods it means."""
    if signal.alert is None:
        return
    for alert, pods in _named(seen, signal, firing):
        if signal.alert.matches(alert.labels):
            yield alert, pods


def _named(
    seen: Snapshot, signal: Signal, firing: Firing
) -> Iterator[tuple[Alert, tuple[PodRef, ...]]]:
    """Alerts of other namespaces are never followed, whatever they say."""
    namespace, name = seen.ref.namespace, seen.ref.name
    everyone = tuple(pod.ref for pod in seen.present)
    if signal.workload_label is not None:
        for alert in firing.about(namespace, signal.workload_label, name):
            yield alert, everyone
        return
    for pod in seen.present:
        for alert in firing.about(namespace, signal.pod_label or "pod", pod.ref.name):
            if signal.pod_label or not _names_workload(alert):
                yield alert, (pod.ref,)
    if signal.pod_label is None:
        for alert in firing.about(namespace, KIND_LABELS[seen.ref.kind], name):
            named = tuple(pod for pod in everyone if pod.name == alert.labels.get("pod"))
            yield alert, named or everyone


def _names_workload(alert: Alert) -> bool:
    """Its label `pod` may then be that of whoever measured, such as kube-state-metrics."""
    return any(label in alert.labels for label in KIND_LABELS.values())


def standing_on(finding: Finding, signal: Signal) -> Finding:
    """A finding by alert whose alerts are not known any more stands on those the policy names."""
    if signal.alert is None or finding.alerts:
        return finding
    return replace(finding, alerts=(signal.alert.match_labels,))
