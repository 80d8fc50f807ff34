"""Worlds in which something is about to happen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from akeso.domain.workload import Kind
from akeso.protocols import Reading
from unit.engine.sim import MEMORY, NOW, ROLLOUT, World
from unit.engine.sim_workload import MIB, SimWorkload

LEAK = 0.4 * MIB  # bytes per second: 40 MiB -> 256 MiB in 9 minutes
AGE = 240.0  # seconds that a leaking pod has run when a scene begins


def leaking(world: World, name: str = "web", **fields: Any) -> SimWorkload:
    """A workload whose pods leak since they started, some minutes ago."""
    w = world.cluster.add(name, **{"leak": LEAK, **fields})
    for pod in w.pods:
        w.leak_of[pod.ref.uid] = LEAK
        pod.born = pod.started = NOW - AGE
        pod.ready_since = NOW - AGE + 8
    return w


def leak(
    ladder: Sequence[dict[str, Any]] | None = None,
    settings: dict[str, Any] | None = None,
    **fields: Any,
) -> tuple[World, SimWorkload]:
    """One leaking workload under policy "shop" in mode Heal."""
    world = World(**(settings or {}))
    signal = dict(MEMORY) if ladder is None else {**MEMORY, "ladder": list(ladder)}
    world.policy(signal)
    return world, leaking(world, **fields)


def bad_release(
    kind: Kind = Kind.DEPLOYMENT, health: str = "crash", seen: Sequence[str] = ("v1",), **spec: Any
) -> tuple[World, SimWorkload]:
    """A workload whose new release v2 never works; the revisions `seen` were healthy before."""
    world = World()
    policy = world.policy(dict(ROLLOUT), **spec)
    w = world.cluster.add(kind=kind)
    if seen:
        world.remember(policy, w, *seen)
    world.cluster.roll_out(w, "v2", health)
    return world, w


def per_pod(w: SimWorkload, value: float, revision: str | None = None) -> Any:
    """An answer with one series per pod, of one revision or of all."""

    def answer(now: float) -> list[Reading]:
        return [
            Reading({"namespace": w.ref.namespace, "pod": p.ref.name}, now, value)
            for p in w.present
            if revision in (None, p.revision)
        ]

    return answer


def overloaded(seconds: float = 400.0, **fields: Any) -> tuple[World, SimWorkload]:
    """Two pods of one core each that are asked for two cores for a while, then for half of one."""
    world = World(calm_seconds=60.0)
    world.policy(
        {
            "name": "cpu",
            "builtin": "CPUSaturation",
            "ladder": [{"healer": "ScaleOut", "maxReplicas": 4}],
        }
    )
    w = world.cluster.add(
        **{"replicas": 2, "demand": lambda now: 2.0 if now < NOW + seconds else 0.5, **fields}
    )
    return world, w
