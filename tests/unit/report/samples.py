"""A Healing of two leaking pods, and a Prometheus that saw them. Times are seconds since it opened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from akeso.api.healing import Healing
from akeso.api.policy import HealingPolicy
from akeso.api.scalars import format_time
from akeso.errors import AkesoError
from akeso.protocols import Reading, Usage
from akeso.report.measure import Measured, Subject, measure, signal_of
from akeso.report.model import Report
from akeso.report.tell import report
from akeso.settings import Settings
from unit.cli.objects import NOW, action, attempt, condition, guard, healing, policy

MIB = 2.0**20
AGE = 600.0
OPENED = NOW - timedelta(seconds=AGE)
PODS = ("web-6f7c9d4b8-x2k4z", "web-6f7c9d4b8-9dfgh")
AFTER = ("web-6f7c9d4b8-bbbbb", "web-6f7c9d4b8-ccccc")
SETTINGS = Settings.model_validate(
    {"scrape_interval_seconds": 5, "prometheus_url": "http://localhost:9090"}
)
Rows = Sequence[Sequence[Reading]]


def at(seconds: float) -> str:
    return format_time(OPENED + timedelta(seconds=seconds))


def leak(evidence: dict[str, Any] | None = None, **status: Any) -> Healing:
    """Expected to fail 298 s after it was opened, between 198 s and 478 s."""
    pods = [{"name": name, "uid": f"uid-{name}"} for name in PODS]
    quantiles = {"p10": 200, "p50": 300, "p90": 480}
    return healing(
        evidence={
            "sampledAt": at(-2),
            "since": at(-2),
            "pods": pods,
            "timeToThresholdSeconds": quantiles,
            **(evidence or {}),
        },
        created=AGE,
        **status,
    )


def healed(**status: Any) -> Healing:
    """Both pods evicted, and it worked."""
    done = [action("Done", name=name, at=at(20 + 40 * i)) for i, name in enumerate(PODS)]
    tried = attempt(
        startedAt=at(15),
        finishedAt=at(560),
        verdict="Verified",
        actions=done,
        checks={"good": 3, "lastAt": at(558)},
        message="it worked",
    )
    return leak(
        **{
            "message": "all containers are below 80 % of their limits",
            "verdict": "Verified",
            "completedAt": at(560),
            "attempts": [tried],
            "conditions": [condition("Planned", True, message="restart 2 pods")],
            "guards": [guard("cooldown", "CoolingDown", "rest until 10:00", 300)],
            **status,
        }
    )


def row(
    pod: str, start: float, end: float, value: Callable[[float], float], **labels: str
) -> list[Reading]:
    """A series every 5 s; `value` of seconds since it was opened."""
    told = {"namespace": "shop", "pod": pod, "container": "app", **labels}
    times = range(int(start), int(end) + 1, 5)
    return [Reading(told, OPENED.timestamp() + t, value(t)) for t in times]


def leaking() -> Rows:
    """Those that leak, those that came after, and some of other workloads and namespaces."""
    old = [row(PODS[0], -600, 20, lambda t: (96 + 0.11 * t) * MIB)]
    old.append(row(PODS[1], -600, 65, lambda t: (90 + 0.1 * t) * MIB))
    new = [row(pod, 25, 600, lambda t: (20 + 0.08 * t) * MIB) for pod in AFTER]
    strange = row("web-db-6f7c9d4b8-zzzzz", -600, 600, lambda _: MIB)
    far = row(PODS[0], -600, 600, lambda _: MIB, namespace="other")
    return [strange, *new, far, *old]


class Prometheus:
    """Answers with the same rows to every query but that for limits; or fails."""

    kind = "Prometheus"

    def __init__(self, rows: Rows = (), limits: Rows = (), error: AkesoError | None = None) -> None:
        self.rows, self.limits, self.error = rows, limits, error
        self.asked: list[str] = []

    async def memory(self) -> Sequence[Usage]:
        return ()

    async def memory_history(self, start: float, end: float) -> Sequence[Usage]:
        return ()

    async def cpu(self) -> Sequence[Usage]:
        return ()

    async def cpu_history(self, start: float, end: float, step: float) -> Sequence[Usage]:
        return ()

    async def evaluate(self, query: str) -> Sequence[Reading]:
        return ()

    async def evaluate_range(self, query: str, start: float, end: float, step: float) -> Rows:
        self.asked.append(query)
        if self.error is not None:
            raise self.error
        rows = self.limits if "memory_limit" in query else self.rows
        return [kept for r in rows if (kept := [x for x in r if start <= x.time <= end])]


def measured(
    of: Healing,
    source: Prometheus | None,
    policies: Sequence[HealingPolicy] = (policy(),),
    compared: dict[str, str] | None = None,
) -> Measured:
    subject = Subject(of, signal_of(of, policies), SETTINGS, compared or {})
    return asyncio.run(measure(subject, source, NOW))


def told(
    of: Healing,
    source: Prometheus | None = None,
    policies: Sequence[HealingPolicy] = (policy(),),
) -> Report:
    subject = Subject(of, signal_of(of, policies), SETTINGS)
    return report(of, subject.about, measured(of, source, policies), NOW)
