"""A report of one Healing, put together from Akeso's own resources and Prometheus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from akeso.api.healing import Healing
from akeso.api.scalars import from_unix
from akeso.clients.clock import SystemClock
from akeso.clients.prometheus import PrometheusSource
from akeso.engine.records import Records
from akeso.errors import PermanentError
from akeso.report.measure import Measured, Subject, measure, signal_of
from akeso.report.model import Report
from akeso.report.tell import latest_first, report
from akeso.settings import Settings

LATEST = "latest"
SHOWN_HEALINGS = 5


async def report_healing(
    records: Records, settings: Settings, namespace: str, name: str, compared: Mapping[str, str]
) -> Report:
    """PermanentError lists candidates; `compared`: see `akeso.report.measure.Subject`."""
    for broken in records.broken():
        if (broken.kind, broken.namespace, broken.name) == ("Healing", namespace, name):
            raise PermanentError(broken.error)
    healing = _pick(records.healings(), namespace, name)
    subject = Subject(healing, signal_of(healing, records.policies()), settings, compared)
    now = SystemClock().now()
    return report(healing, subject.about, await _measured(subject, now), from_unix(now))


async def _measured(subject: Subject, now: float) -> Measured:
    at = from_unix(now)
    if subject.settings.prometheus_url is None:
        return await measure(subject, None, at)
    source = PrometheusSource(subject.settings)
    try:
        return await measure(subject, source, at)
    finally:
        await source.close()


def _pick(healings: Sequence[Healing], namespace: str, name: str) -> Healing:
    there = latest_first(h for h in healings if h.metadata.namespace == namespace)
    if not there:
        raise PermanentError(
            f"There is no Healing in namespace {namespace}; see where there are: kubectl get"
            " healings.akeso.dev -A"
        )
    found = next((h for h in there if name in (LATEST, h.metadata.name)), None)
    if found is None:
        latest = ", ".join(h.metadata.name for h in there[:SHOWN_HEALINGS])
        raise PermanentError(
            f"There is no Healing {name} in namespace {namespace}; the latest there: {latest}."
        )
    return found
