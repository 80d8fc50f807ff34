"""What the metrics show of the process itself, leader or standby: asked for when they are read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry

from akeso.clients.kubernetes.lease import Leadership
from akeso.clients.kubernetes.reflector import Reflector
from akeso.protocols import Clock
from akeso.telemetry.metrics import Metrics
from akeso.version import version


def registry() -> CollectorRegistry:
    """An empty one, without the series of creation times that double every counter."""
    untyped: Any = prometheus_client
    untyped.disable_created_metrics()
    return CollectorRegistry()


def expose(
    metrics: Metrics,
    leadership: Leadership,
    reflectors: Iterable[Reflector[Any]],
    clock: Clock,
) -> None:
    """Wires what is known elsewhere to its metrics; once per process."""
    began, now = clock.now(), clock.now
    metrics.build_info.labels(version()).set(1)
    metrics.lease_left.set_function(lambda: leadership.left)
    metrics.lease_transitions.set_function(lambda: leadership.transitions)
    by_name: dict[str, list[Reflector[Any]]] = {}
    for reflector in reflectors:
        by_name.setdefault(reflector.source.name, []).append(reflector)
    for name, some in by_name.items():
        age: Callable[[], float] = partial(oldest, some, began, now)
        metrics.watch_age.labels(name).set_function(age)


def oldest(some: Sequence[Reflector[Any]], began: float, now: Callable[[], float]) -> float:
    """Of the watches of a resource, one for each namespace; NaN where none may be held."""
    ages = [watch_age(reflector, began, now) for reflector in some]
    return max((age for age in ages if not math.isnan(age)), default=math.nan)


def watch_age(reflector: Reflector[Any], began: float, now: Callable[[], float]) -> float:
    """Seconds since it was heard, or since the process began to listen; NaN where it may not."""
    return math.nan if reflector.refused else max(0.0, now() - max(reflector.heard_at, began))
