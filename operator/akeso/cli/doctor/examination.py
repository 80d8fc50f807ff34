"""All checks, side by side: one that fails never hides the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from akeso.cli.doctor import cluster, metrics, records, rights, samples
from akeso.cli.doctor.checks import Check, Checks, failure, not_told, skipped
from akeso.cli.leader import find_leader
from akeso.clients import shipped
from akeso.clients.kubernetes.connection import ApiServer, connect
from akeso.clients.kubernetes.rights import Subject, needs
from akeso.clients.metrics_api import MetricsApiSource
from akeso.clients.records import KubernetesRecords
from akeso.errors import AkesoError
from akeso.settings import Settings
from akeso.wiring import View, parts

Asking = tuple[str, Callable[[], Awaitable[Checks]]]
# They depend on nothing but the API server.
DEPENDENT = (
    cluster.RESIZE,
    rights.NAME,
    cluster.RESOURCES,
    records.OPERATOR,
    records.CONTROL,
    records.POLICIES,
)


async def examine(settings: Settings, subject: Subject | None, own_interval: bool) -> Checks:
    """Everything, in a fixed order. `own_interval`: nobody chose a scrape interval here, so that
    of the operator counts."""
    found = Examination(settings, subject, own_interval)
    try:
        return await found.run()
    finally:
        await found.close()


class Examination:
    """One run of all checks over one connection."""

    def __init__(self, settings: Settings, subject: Subject | None, own_interval: bool) -> None:
        self._settings = settings
        self._subject = subject
        self._own_interval = own_interval
        self._api: ApiServer | None = None
        self._source: str | None = None  # what the operator says it measures with

    async def close(self) -> None:
        if self._api is not None:
            await self._api.close()

    async def run(self) -> Checks:
        try:
            self._api = api = await connect(self._settings)
            first = await cluster.server(api)
        except AkesoError as error:
            down = failure(
                cluster.SERVER,
                str(error),
                "Is the kubeconfig right (--kubeconfig), and the server reachable?"
                " kubectl get --raw /readyz",
            )
            needs = [skipped(name, "It needs the API server.") for name in DEPENDENT]
            return (down, *needs, *await self._metrics(None), *await self._alerts())
        own = await _told(records.CONTROL, lambda: self._own(api))
        middle = await _side_by_side(
            (cluster.RESIZE, lambda: cluster.resize(api)),
            (rights.NAME, lambda: self._rights(api)),
            (cluster.RESOURCES, lambda: cluster.resources(api)),
        )
        return (*first, *middle, *own, *await self._metrics(api), *await self._alerts())

    async def _rights(self, api: ApiServer) -> Checks:
        settings = self._settings
        known = [healer.name for healer in parts.healers(settings)]
        enabled = [name for name in known if settings.enables(name)]
        wanted = needs(shipped.rights(), settings, enabled)
        about = (*rights.reach(settings), *rights.healers(settings, known))
        return (*about, *await rights.examine(api, wanted, self._subject))

    async def _own(self, api: ApiServer) -> Checks:
        """The operator, its HealingControl, and the policies; each may be unreadable by itself."""
        settings, now = self._settings, datetime.now(UTC)
        own = KubernetesRecords(api, settings)
        view = View(api, settings, own)
        leader = await find_leader(view.lease(), settings.lease_seconds, now)
        checks: list[Check] = [records.operator(leader, settings.namespace, now)]
        try:
            control = await own.live_control()
        except AkesoError as error:
            checks.append(not_told(records.CONTROL, error))
        else:
            checks += records.control(control, settings.namespace, now)
            if control is not None:
                self._take(control.status.scrape_interval_seconds, control.status.metrics_source)
        try:
            await view.load()
        except AkesoError as error:
            checks.append(not_told(records.POLICIES, error))
        else:
            checks += records.policies(own.policies(), own.broken())
        return tuple(checks)

    def _take(self, interval: int | None, source: str | None) -> None:
        self._source = source
        if self._own_interval and interval:
            changes = {"scrape_interval_seconds": float(interval)}
            self._settings = self._settings.model_copy(update=changes)

    async def _metrics(self, api: ApiServer | None) -> Checks:
        settings = self._settings
        if settings.prometheus_url is not None:
            return await _told(samples.PROMETHEUS, lambda: metrics.prometheus(settings))
        if self._source == "Prometheus":
            said = "The operator measures with Prometheus; where that is was not said."
            return (skipped(samples.PROMETHEUS, said, "Give it with --prometheus-url."),)
        none = skipped(samples.PROMETHEUS, "No URL is set (--prometheus-url).")
        if api is None:
            return none, skipped(metrics.METRICS_API, "It needs the API server.")
        source = MetricsApiSource(api, settings)
        return (none, *await _told(metrics.METRICS_API, lambda: metrics.metrics_api(source)))

    async def _alerts(self) -> Checks:
        source = parts.alert_source(self._settings)
        if source is None:
            return ()
        try:
            return await _told(metrics.ALERTMANAGER, lambda: metrics.alertmanager(source))
        finally:
            await source.close()


async def _side_by_side(*asking: Asking) -> Checks:
    found = await asyncio.gather(*(_told(name, ask) for name, ask in asking))
    return tuple(check for checks in found for check in checks)


async def _told(name: str, ask: Callable[[], Awaitable[Checks]]) -> Checks:
    """The checks, or that they could not be carried out."""
    (found,) = await asyncio.gather(ask(), return_exceptions=True)
    return (not_told(name, found),) if isinstance(found, BaseException) else found
