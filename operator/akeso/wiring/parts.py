"""What both the operator and a look from outside are put together from."""

from __future__ import annotations

from akeso.clients.alertmanager import AlertmanagerSource
from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.metrics_api import MetricsApiSource
from akeso.clients.prometheus import PrometheusSource
from akeso.protocols import Healer
from akeso.settings import Settings
from akeso_healers import built_in


def healers(settings: Settings) -> tuple[Healer, ...]:
    """The built-in healers, least invasive first."""
    return built_in(settings.rollout_blame_seconds)


def metric_source(api: ApiServer, settings: Settings) -> PrometheusSource | MetricsApiSource:
    """Prometheus where one is set, else what `kubectl top` reads."""
    if settings.prometheus_url is not None:
        return PrometheusSource(settings)
    return MetricsApiSource(api, settings)


def alert_source(settings: Settings) -> AlertmanagerSource | None:
    """Alertmanager where one is set."""
    return None if settings.alertmanager_url is None else AlertmanagerSource(settings)
