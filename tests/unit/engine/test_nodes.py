"""A node that is not well, met by the whole engine: it is named, and its pods are left alone."""

from __future__ import annotations

import pytest

from akeso.api.conditions import get_condition
from akeso.domain.finding import Outcome
from akeso.domain.node import NodeHealth
from akeso.errors import TransientError
from unit.engine.scenes import bad_release, leak

DOWN = NodeHealth("node-1", "Unknown", "NodeStatusUnknown")
PRESSED = NodeHealth("node-1", pressure=("MemoryPressure",))


@pytest.mark.parametrize(
    ("ill", "reason", "said"),
    [
        (DOWN, "NodeNotReady", "Ready is Unknown: NodeStatusUnknown"),
        (PRESSED, "NodeUnderPressure", "MemoryPressure"),
    ],
)
async def test_a_healing_waits_for_the_node_under_its_pod_and_goes_on_when_it_is_well(
    ill: NodeHealth, reason: str, said: str
) -> None:
    world, w = leak(replicas=2)
    world.cluster.ailing["node-1"] = ill
    await world.until(lambda: world.healings() and world.condition("Blocked"))
    await world.run(60)
    assert world.condition("Blocked") == reason
    blocked = get_condition(world.healing().status.conditions, "Blocked")
    assert blocked is not None and "node-1" in blocked.message and said in blocked.message
    events = [d for d in world.notifier.heard if d.what == "Blocked"]
    assert len(events) == 1 and (events[0].reason, "node-1" in events[0].message) == (reason, True)
    assert world.condition("NeedsHuman") is None and world.journal.of_users() == []
    answers = {g.guard: g.allowed for g in world.healing().status.guards}
    assert [guard for guard, allowed in answers.items() if not allowed] == ["node"]
    world.cluster.ailing.clear()
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED] and w.fewest_ready >= 1
    assert len(world.journal.of_users()) == 2


async def test_a_ladder_waits_with_its_first_rung_that_fits() -> None:
    """RaiseMemory finds no room on such a node, but to restart the pod is no way out either."""
    raise_ = {"healer": "RaiseMemory", "ceiling": "1Gi", "timeoutSeconds": 300}
    world, _ = leak([raise_, {"healer": "RestartPods"}], replicas=2)
    world.cluster.ailing["node-1"] = PRESSED
    await world.until(lambda: world.healings() and world.condition("Blocked"))
    await world.run(60)
    assert world.condition("Blocked") == "NodeUnderPressure"
    assert world.condition("NeedsHuman") is None and world.journal.of_users() == []


async def test_a_surge_is_taken_back_whatever_the_node_is_like() -> None:
    world, w = leak(replicas=1)
    await world.until(world.wrote(2))
    world.cluster.ailing["node-1"] = DOWN
    await world.run(60)
    assert world.condition("Blocked") == "NodeNotReady"
    assert world.journal.of_users() == ["scale 1->2", "release"]
    await world.until(world.completed())
    assert world.journal.of_users() == ["scale 1->2", "release", "scale 2->1", "release"]
    assert world.outcomes() == [Outcome.FAILED] and w.replicas == 1


async def test_while_nodes_can_not_be_asked_nothing_is_done_and_afterwards_it_is() -> None:
    world, _ = leak(replicas=2)
    world.cluster.faults["nodes"] = TransientError("the API server does not answer")
    await world.until(world.opened())
    await world.run(60)
    assert world.journal.of_users() == []
    world.cluster.faults.clear()
    await world.until(world.wrote())


async def test_a_release_that_fails_on_one_bad_node_only_is_not_rolled_back() -> None:
    world, _ = bad_release()
    world.cluster.ailing["node-1"] = DOWN  # all of its pods stand there
    await world.until(lambda: world.healings() and world.condition("Blocked"))
    await world.run(60)
    assert world.condition("Blocked") == "NodeNotReady" and world.journal.of_users() == []


async def test_what_went_away_with_its_node_says_which_node_it_was() -> None:
    world, w = bad_release()
    world.cluster.ailing["node-1"] = DOWN
    await world.until(lambda: world.healings() and world.condition("Blocked"))
    world.cluster.roll_out(w, "v3", "fine")
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.CLEARED]
    assert "node node-1, which is not ready" in (world.healing().status.message or "")


async def test_the_crash_of_the_operator_forgets_no_node() -> None:
    world, _ = leak(replicas=2)
    world.cluster.ailing["node-1"] = DOWN
    await world.until(lambda: world.healings() and world.condition("Blocked"))
    writes = [x for x in world.journal.writes if "web" in x]
    world.restart()
    await world.run(60)
    assert world.condition("Blocked") == "NodeNotReady"
    assert [x for x in world.journal.writes if "web" in x] == writes  # waiting writes nothing
