"""Whether anything is known of one target: missing data is never health. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from akeso.api.policy import Signal
from akeso.domain.finding import Signal as About
from akeso.domain.forecast import SeriesKey
from akeso.domain.workload import Container, Pod, Snapshot
from akeso.engine.load import bounded
from akeso.engine.observe import Observation, query_key
from akeso.errors import TransientError
from akeso.settings import Settings


def measured(signal: Signal, seen: Snapshot, observation: Observation, settings: Settings) -> bool:
    """Whether there is fresh data about this very target."""
    if signal.about is About.MEMORY_EXHAUSTION:
        return not any(unmeasured(seen.present, seen, observation, settings))
    if signal.about is About.ALERT:
        return observation.firing.error is None
    if signal.about is About.CPU_SATURATION:
        return cpu_measured(seen, observation, settings)
    if signal.about is About.VOLUME_FILLING:
        return bool(observation.loads_of(signal, seen.ref.uid))
    age = 0.0 if seen.live else observation.source_age(signal.about)
    if signal.about is About.CRASH_LOOPING:
        return age is not None and age <= settings.stale_after
    key = query_key(signal, settings)
    result = observation.queries.get(key) if key else None
    if signal.about is About.ROLLOUT_FAILING:
        # Without a query pod states count; with one, an outage of its source hides errors.
        down = result is not None and isinstance(result.error, TransientError)
        return not down and age is not None and age <= settings.stale_after
    return result is not None and any(speaks_of(r.labels, signal, seen) for r in result.readings)


def unmeasured(
    pods: Sequence[Pod], seen: Snapshot, observation: Observation, settings: Settings
) -> Iterator[tuple[Pod, Container]]:
    """Containers with a memory limit but without a fresh sample of this incarnation."""
    for pod in pods:
        for container in pod.containers:
            key = SeriesKey(seen.ref.namespace, pod.ref.name, container.name)
            forecast = observation.forecasts.get(key)
            sampled = forecast.sampled_at if forecast and forecast.value is not None else None
            began = container.started_at or pod.created_at
            fresh = (
                sampled is not None
                and sampled >= began
                and observation.now - sampled <= settings.stale_after
            )
            if container.memory_limit is not None and not fresh:
                yield pod, container


def cpu_measured(seen: Snapshot, observation: Observation, settings: Settings) -> bool:
    """Whether every container with a bound on its CPU has a fresh sample, and there is one."""
    oldest = observation.now - settings.stale_after
    uses = observation.cpu.by_container
    fresh = [
        key in uses and uses[key].time >= max(oldest, began) for key, _, began in bounded(seen)
    ]
    return bool(fresh) and all(fresh)


def speaks_of(labels: Mapping[str, str], signal: Signal, seen: Snapshot) -> bool:
    """Whether a series with these labels is about this workload, or a pod of it."""
    if labels.get("namespace") != seen.ref.namespace:
        return False
    if signal.by_workload is not None:
        return labels.get(signal.by_workload) == seen.ref.name
    name = labels.get(signal.pod_label or "pod")
    return any(pod.ref.name == name for pod in seen.present)
