"""All the engine meets of the world, in one place: what is not named here is not recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, get_args, get_type_hints

from akeso.engine.records import Records
from akeso.engine.report import Messages
from akeso.protocols import (
    AlertSource,
    Channel,
    Clock,
    Cluster,
    Healer,
    MetricSource,
    Notifier,
    Predictor,
)

# Protocols that are no port of the engine, and why. Every other one must be a field of `Ports`.
NO_PORTS: Mapping[type[Any], str] = {
    Healer: "part of the engine, played as it is now",
    Predictor: "part of the engine, played as it is now",
    Channel: "used by the task that sends; the engine meets it through `Messages`",
}


class Problems(Protocol):
    """What can't be read at present, and why."""

    def problems(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """One engine's world. A port that is added here is recorded and played like the others.

    None: this operator has none, and the engine knows it.
    """

    clock: Clock
    metrics: MetricSource
    cluster: Cluster
    notifier: Notifier
    records: Records
    informers: Problems
    messages: Messages | None
    alerts: AlertSource | None


def protocols() -> Mapping[str, Any]:
    """Each port's name and its Protocol."""
    hints = get_type_hints(Ports)
    return {name: next(iter(get_args(hint)), hint) for name, hint in hints.items()}
