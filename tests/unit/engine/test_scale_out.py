"""A surge that is foretold meets enough pods; after it everything is as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from akeso.domain.capacity import Amount, Capacity, Node
from akeso.domain.finding import Origin, Outcome
from akeso.domain.workload import Autoscaler
from akeso.engine import record
from akeso.protocols import Reading
from unit.engine.sim import NOW, World
from unit.engine.sim_workload import SimWorkload

RUNG = {"healer": "ScaleOut", "maxReplicas": 8, "timeoutSeconds": 300}
CPU: dict[str, Any] = {
    "name": "cpu",
    "builtin": "CPUSaturation",
    "forecast": {"horizonSeconds": 900},
    "ladder": [RUNG],
}
SURGE = 2_700.0  # seconds from now at which the demand has reached its peak
OVER = 5_400.0  # ... at which it is over
CALM = 300.0


def demand(t: float) -> float:
    """Cores: 1 of 3 in peace; 4 at the peak, more than three pods have."""
    if t > OVER:
        return 1.0
    return 1.0 + 3.0 * min(1.0, max(0.0, t - 600.0) / (SURGE - 600.0))


def scene(**fields: Any) -> tuple[World, SimWorkload]:
    """Three pods of one core each, that have run for long."""
    ask = fields.pop("demand", demand)
    ladder = fields.pop("ladder", [RUNG])
    world = World()
    world.policy({**CPU, "ladder": ladder}, guardrails={"cooldownSeconds": 60})
    w = world.cluster.add(**{"replicas": 3, "demand": lambda now: ask(now - NOW), **fields})
    for pod in w.pods:
        pod.born = pod.started = NOW - 7_200
        pod.ready_since = NOW - 7_200 + 8
    return world, w


async def watched(world: World, seconds: float, each: Callable[[], None]) -> None:
    """A cycle after the other, looking in between."""
    until = world.cluster.now + seconds
    while world.cluster.now < until:
        await world.cycle()
        each()


def scales(world: World) -> list[str]:
    return [x for x in world.journal.of_users() if "->" in x]


async def test_pods_are_there_before_the_load_and_go_after_it() -> None:
    world, w = scene()
    full: list[float] = []

    def look() -> None:
        t = world.cluster.now - NOW
        if demand(t) > 0.9 * w.ready:
            full.append(t)

    await watched(world, SURGE + 600, look)
    assert full == [], world.told()
    first = world.healings()[0]
    assert first.spec.origin is Origin.FORECAST
    assert all(o is Outcome.VERIFIED for o in world.outcomes()), world.told()
    assert 5 <= w.replicas <= 8
    await watched(world, OVER - SURGE + 3 * CALM, look)
    assert full == [] and w.replicas == 3, world.told()
    assert all(record.owed(h) == () for h in world.healings())
    assert w.managers == ("kubectl",)
    assert scales(world)[-1].endswith("->3")
    assert world.condition("Undone") == "NeedPassed"


async def test_without_it_the_same_surge_is_more_than_the_pods_bear() -> None:
    world, w = scene(ladder=[])
    await world.run(SURGE)
    assert w.ready == 3 and demand(world.cluster.now - NOW) > 3
    assert world.condition("NeedsHuman") == "NoLadder"


async def test_what_is_calm_only_because_of_the_added_pods_keeps_them() -> None:
    world, w = scene()
    await world.run(OVER - 300)  # the load stays; with 3 pods it would be 133 %
    assert w.replicas >= 5 and world.outcomes()[-1] is Outcome.VERIFIED
    assert not any(x.endswith("->3") for x in scales(world))
    before = len(world.journal.of_users())
    await world.run(200)
    assert len(world.journal.of_users()) == before


async def test_where_nobody_owned_the_replicas_the_release_is_done_already_and_no_news() -> None:
    world, w = scene()
    await world.until(world.completed())
    # The API server names no owner of a field that nobody owned before.
    world.cluster.before_live = lambda: setattr(w, "managers", ("kubectl",))
    await world.run(NOW + OVER - world.cluster.now + 3 * CALM)
    assert w.replicas == 3 and world.journal.of_users()[-1].endswith("->3")
    assert world.condition("Undone") == "NeedPassed", world.told()
    assert all(record.owed(h) == () for h in world.healings())


@pytest.mark.parametrize("to", [2, 3])
async def test_whoever_reverts_it_is_not_fought(to: int) -> None:
    world, w = scene()
    await world.until(lambda: bool(scales(world)))
    world.cluster.scale(w, to)
    await world.until(world.completed())
    assert world.outcomes()[0] is Outcome.INCONCLUSIVE, world.told()
    assert world.condition("NeedsHuman") == "InconclusiveAtTheEnd"
    assert len(scales(world)) == 1 and w.replicas == to


async def test_a_workload_at_zero_stays_there() -> None:
    world, w = scene()
    await world.until(lambda: bool(scales(world)))
    world.cluster.scale(w, 0)
    await world.run(3_000)
    assert w.replicas == 0 and len(scales(world)) == 1


async def test_it_goes_no_further_than_the_rung_and_a_person_is_told() -> None:
    world, w = scene(ladder=[{**RUNG, "maxReplicas": 4}])
    await world.run(SURGE + 1_800)
    assert w.replicas == 4
    assert any(d.reason == "AtMaxReplicas" for d in world.notifier.heard), world.told()


async def test_a_full_cluster_is_asked_before_anything_is_written() -> None:
    world, w = scene()
    world.cluster.room = Capacity((), (), (Node("node-1", Amount(0.05, 1e9)),))
    await world.run(SURGE)
    assert w.replicas == 3 and scales(world) == []
    reasons = {g.reason for g in world.healing().status.guards if not g.allowed}
    assert "NoRoomInCluster" in reasons, world.told()


# -- an autoscaler -------------------------------------------------------------------------------


def autoscaled(floor: int = 3, ceiling: int = 6, **fields: Any) -> tuple[World, SimWorkload]:
    hpa = Autoscaler("web", "uid-hpa", "1", floor, ceiling, managers=("kubectl",), **fields)
    return scene(autoscaler=hpa, asked_for=3)


async def test_the_floor_of_an_autoscaler_is_raised_and_brought_back() -> None:
    world, w = autoscaled()
    await world.until(lambda: world.outcomes() == [Outcome.VERIFIED])
    hpa = w.autoscaler
    assert hpa is not None and hpa.max_replicas == 6
    assert hpa.min_replicas == w.replicas > 3
    assert hpa.managers == ("kubectl",)
    assert not any(x.startswith("scale") for x in world.journal.of_users())
    await world.run(NOW + OVER - world.cluster.now + 3 * CALM)
    assert w.autoscaler is not None
    assert (w.autoscaler.min_replicas, w.autoscaler.max_replicas) == (3, 6)
    assert w.replicas == 3 and w.autoscaler.managers == ("kubectl",)


async def test_at_its_ceiling_both_bounds_are_raised_and_brought_back() -> None:
    world, w = autoscaled(floor=1, ceiling=3)
    await world.until(world.completed())
    assert w.autoscaler is not None and w.autoscaler.max_replicas == w.replicas > 3
    await world.run(NOW + OVER - world.cluster.now + 3 * CALM)
    assert w.autoscaler is not None
    assert (w.autoscaler.min_replicas, w.autoscaler.max_replicas) == (1, 3)


async def test_a_bound_that_somebody_else_sets_is_not_fought() -> None:
    world, w = autoscaled()
    await world.until(lambda: bool(scales(world)))
    assert w.autoscaler is not None
    world.cluster.rescale(w, 3)
    await world.until(world.completed())
    assert world.outcomes()[0] is Outcome.INCONCLUSIVE, world.told()
    assert len(scales(world)) == 1 and w.autoscaler.min_replicas == 3


async def test_its_bounds_are_kept_while_the_pods_it_had_would_not_bear_the_load() -> None:
    world, w = autoscaled()
    await world.run(OVER - 300)
    assert world.outcomes()[-1] is Outcome.VERIFIED
    assert w.autoscaler is not None and w.autoscaler.min_replicas >= 5
    assert not any(x.endswith("->3") for x in scales(world))


async def test_what_keda_keeps_is_left_alone_and_the_field_is_named() -> None:
    world, w = autoscaled(controller="ScaledObject/web")
    await world.run(1_800)
    assert world.journal.of_users() == [] and w.replicas == 3
    assert world.condition("NeedsHuman") == "AutoscalerOwnedByController"
    assert "minReplicaCount" in (world.told())


# -- any query -----------------------------------------------------------------------------------


async def test_a_queue_that_grows_has_its_workers_before_it_is_too_long() -> None:
    world = World()
    world.policy(
        {
            "name": "queue",
            "query": "queue",
            "workloadLabel": "deployment",
            "threshold": {"value": "1000"},
            "forecast": {"horizonSeconds": 600},
            "ladder": [RUNG],
        },
        guardrails={"cooldownSeconds": 60},
    )
    w = world.cluster.add(replicas=2)
    labels = {"namespace": "shop", "deployment": "web"}
    rate = [0.9]

    def length(now: float) -> list[Reading]:
        per_pod = 2 * rate[0] * min(now - NOW, 2_000) / max(1, w.ready)
        return [Reading(labels, now, 100.0 + per_pod)]

    world.source.answers["queue"] = length
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED], world.told()
    assert 3 <= w.replicas <= 4
    rate[0] = 0.05
    await world.run(4 * CALM)
    assert w.replicas == 2


async def test_while_pods_start_it_is_waited_for_and_its_rung_is_not_passed_over() -> None:
    world, w = scene()
    world.policy(
        {**CPU, "ladder": [RUNG, {"healer": "RestartPods"}]}, guardrails={"cooldownSeconds": 60}
    )
    w.held = True
    world.cluster.scale(w, 4)
    await world.until(world.opened())
    await world.run(60)
    assert world.journal.of_users() == []
    assert world.condition("Blocked") == "StillStarting", world.told()
    w.held = False
    await world.until(lambda: bool(scales(world)), within=120)
