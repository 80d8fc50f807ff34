"""What both the operator and a look from outside are put together from."""

from __future__ import annotations

from akeso.clients.alertmanager import AlertmanagerSource
from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.metrics_api import MetricsApiSource
from akeso.clients.prometheus import PrometheusSource
from akeso.errors import PermanentError
from akeso.protocols import Healer
from akeso.settings import Settings
from akeso.settings.names import flag_of, key_of, near, variable_of
from akeso_healers import built_in


def healers(settings: Settings) -> tuple[Healer, ...]:
    """The built-in healers, least invasive first; guards know which of them may act.

    PermanentError where `settings.healers` names another.
    """
    found = built_in(settings.rollout_blame_seconds)
    known = [healer.name for healer in found]
    for name in settings.healers or ():
        if name not in known:
            raise PermanentError(
                f"settings: {key_of('healers')} ({flag_of('healers')}, {variable_of('healers')}):"
                f" there is no healer {name}{near(name, known)} Known ones: {', '.join(known)}."
            )
    return found


def metric_source(api: ApiServer, settings: Settings) -> PrometheusSource | MetricsApiSource:
    """Prometheus where one is set, else what `kubectl top` reads."""
    if settings.prometheus_url is not None:
        return PrometheusSource(settings)
    return MetricsApiSource(api, settings)


def alert_source(settings: Settings) -> AlertmanagerSource | None:
    """Alertmanager where one is set."""
    return None if settings.alertmanager_url is None else AlertmanagerSource(settings)
