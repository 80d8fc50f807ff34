"""Akeso's own resources as the API server sends them, in as few words as a test needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from akeso.api.control import HealingControl
from akeso.api.healing import Healing
from akeso.api.policy import HealingPolicy
from akeso.api.scalars import format_time

NOW = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)


def ago(seconds: float) -> str:
    return format_time(NOW - timedelta(seconds=seconds))


def condition(kind: str, status: bool, reason: str = "Said", message: str = "") -> dict[str, Any]:
    return {
        "type": kind,
        "status": str(status),
        "lastTransitionTime": ago(60),
        "reason": reason,
        "message": message,
    }


def control(
    paused: dict[str, Any] | None = None, conditions: tuple[Any, ...] = (), **status: Any
) -> HealingControl:
    return HealingControl.parse(
        {
            "metadata": {"name": "akeso", "namespace": "akeso"},
            "spec": {"paused": paused} if paused else {},
            "status": {"conditions": list(conditions), **status},
        }
    )


def working_control(paused: dict[str, Any] | None = None) -> HealingControl:
    return control(
        paused,
        (condition("Ready", True, message="watching"), condition("Degraded", False)),
        metricsSource="Prometheus",
        scrapeIntervalSeconds=15,
        shortestFailureSeconds=255,
        watched={"workloads": 3, "containers": 7},
    )


def policy(
    name: str = "backend", namespace: str = "shop", conditions: tuple[Any, ...] = (), **spec: Any
) -> HealingPolicy:
    return HealingPolicy.parse(
        {
            "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}"},
            "spec": {
                "mode": "Heal",
                "targets": [{"name": "all", "selector": {}}],
                "signals": [{"name": "memory", "builtin": "MemoryExhaustion"}],
                **spec,
            },
            "status": {"conditions": list(conditions), "targets": 2, "healing": 1},
        }
    )


def healing(
    name: str = "web-memory-1",
    namespace: str = "shop",
    target: str = "web",
    evidence: dict[str, Any] | None = None,
    created: float = 120,
    **status: Any,
) -> Healing:
    return Healing.parse(
        {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": f"uid-{name}",
                "creationTimestamp": ago(created),
            },
            "spec": {
                "policyRef": {"name": "backend", "uid": "uid-backend"},
                "target": {"kind": "Deployment", "name": target, "uid": f"uid-{target}"},
                "signal": "memory",
                "fingerprint": "f1",
                "origin": "Forecast",
                "evidence": {
                    "message": "container app of pod web-0 uses 96 MiB of 128 MiB",
                    "sampledAt": ago(120),
                    "since": ago(120),
                    "value": "100663296",
                    "threshold": "134217728",
                    "probabilityPercent": 93,
                    "timeToThresholdSeconds": {"p10": 480, "p50": 720, "p90": 1200},
                    **(evidence or {}),
                },
            },
            "status": status,
        }
    )


def attempt(**fields: Any) -> dict[str, Any]:
    """A restart that has begun: one of two writes is done."""
    return {
        "healer": "RestartPods",
        "rung": 0,
        "intentKey": "uid/0/0",
        "startedAt": ago(30),
        "deadline": ago(-570),
        "actions": [action("Done", at=ago(20)), action("Pending")],
        **fields,
    }


def action(state: str, **fields: Any) -> dict[str, Any]:
    return {"type": "EvictPod", "name": "web-0", "uid": "uid-web-0", "state": state, **fields}


def guard(name: str, reason: str, message: str, retry: int | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"guard": name, "allowed": False, "reason": reason, "message": message}
    return found if retry is None else {**found, "retryAfterSeconds": retry}
