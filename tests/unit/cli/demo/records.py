"""Evidence of a demo in which everything went well, for tests that spoil one thing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from akeso.cli.demo import names
from akeso.cli.demo.evidence import Evidence, Write
from akeso.cli.demo.scene import Kill, PodSeen, Requests
from unit.cli.objects import NOW, ago, healing

BEGAN = NOW - timedelta(seconds=240)


def after(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def pod(name: str, app: str, version: str = "", **fields: Any) -> PodSeen:
    seen = PodSeen(
        name=name,
        uid=f"uid-{name}",
        app=app,
        version=version,
        ready=True,
        ready_at=after(5),
        restarts=0,
        killed_at=None,
        deleting=False,
        created_at=after(2),
    )
    return replace(seen, **fields)


def write(name: str, verb: str, resource: str, at: float, **fields: Any) -> Write:
    made = Write(after(at), names.OPERATOR_USER, verb, resource, name, 201)
    return replace(made, **fields)


def all_well() -> Evidence:
    """The twin died, leaky was restarted once, v2 went, healthy stayed."""
    good = tuple(pod(f"checkout-{i}", names.CHECKOUT, names.GOOD) for i in range(3))
    bad = pod("checkout-bad", names.CHECKOUT, names.BAD, ready_at=after(42))
    twin = pod("twin-0", names.TWIN, killed_at=after(180), restarts=1)
    old, new = pod("leaky-old", names.LEAKY), pod("leaky-new", names.LEAKY)
    healthy = pod("healthy-0", names.HEALTHY)
    pods = (*good, bad, twin, old, new, healthy)
    return Evidence(
        began=BEGAN,
        ended=NOW,
        pods=pods,
        present=frozenset(p.uid for p in pods if p not in (bad, old)),
        kills=(Kill(names.TWIN, "twin-0", after(180)),),
        healings=(
            healing(
                "leaky-memory-1",
                names.NAMESPACE,
                names.LEAKY,
                created=135,
                evidence={
                    "sampledAt": ago(135),
                    "timeToThresholdSeconds": {"p10": 60, "p50": 75, "p90": 90},
                },
                completedAt=ago(30),
                verdict="Verified",
            ),
        ),
        writes=(
            write("leaky", "patch", "deployments/scale", 106),
            write("leaky-old", "create", "pods/eviction", 110),
            write("checkout", "patch", "deployments", 55, code=200),
            write("checkout-bad", "delete", "pods", 54, user="system:replicaset-controller"),
            write("checkout-bad", "delete", "pods", 57, user="system:node:n", code=200),
            write("leaky-new", "patch", "pods/status", 60, user="system:node:n"),
        ),
        requests={
            names.CHECKOUT: Requests(3600, 31),
            names.LEAKY: Requests(900, 0),
            names.TWIN: Requests(890, 5),
        },
        failed_after_undo=0,
        fewest_ready={names.LEAKY: 1},
    )
