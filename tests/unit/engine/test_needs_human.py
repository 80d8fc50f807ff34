"""A person is asked as long as one is needed: not for what went on, or away, by itself."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from akeso.api.conditions import Condition, get_condition
from akeso.domain.capacity import Amount, Capacity, Node
from akeso.domain.finding import Outcome
from akeso.engine import record
from unit.engine.scenes import bad_release, leak
from unit.engine.sim import MEMORY, World
from unit.engine.sim_cluster import GIB, ROOMY

FULL = Capacity((), (), (Node("node-1", Amount(4.0, GIB), Amount(0.0, GIB)),))
RAISE = {"healer": "RaiseMemory", "ceiling": "1Gi", "timeoutSeconds": 300}


def asks(world: World) -> Condition:
    found = get_condition(world.healing().status.conditions, "NeedsHuman")
    assert found is not None
    return found


async def until_asked(world: World) -> None:
    await world.until(lambda: world.healings() and world.condition("NeedsHuman"))


async def test_a_rung_that_fits_after_all_needs_nobody_any_more() -> None:
    world, _ = leak([RAISE], replicas=1, leak=0.0)
    world.cluster.room = FULL
    await until_asked(world)
    assert asks(world).reason == "NoRoomOnNode"
    world.cluster.room = ROOMY
    await world.until(world.wrote())
    assert (asks(world).status, asks(world).reason) == ("False", "Planned")
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED]
    assert (asks(world).status, asks(world).reason) == ("False", "Planned")
    assert world.notifier.story().count("NeedsHuman") == 1


async def test_what_went_away_by_itself_needs_nobody_any_more() -> None:
    world, w = bad_release(seen=())
    await until_asked(world)
    world.cluster.roll_out(w, "v3", "fine")
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.CLEARED]
    assert (asks(world).status, asks(world).reason) == ("False", "WentAway")


async def test_what_came_to_pass_while_no_rung_fitted_still_needs_a_person() -> None:
    world, _ = leak([{**RAISE, "ceiling": "300Mi"}], replicas=1, leak=0.0)
    await until_asked(world)
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.CLEARED]
    assert "it came to pass" in (world.healing().status.message or "")
    assert world.condition("NeedsHuman") == "AlreadyKilled"  # before: CeilingReached


async def test_a_policy_or_target_that_is_gone_needs_nobody() -> None:
    for gone in ("PolicyGone", "TargetGone"):
        world, w = bad_release(seen=())
        await until_asked(world)
        if gone == "PolicyGone":
            world.records.delete(world.records.policies()[0])
        else:
            world.cluster.remove(w)
        await world.until(world.completed())
        assert (asks(world).status, asks(world).reason) == ("False", gone)


async def test_what_recurs_still_needs_a_person_when_its_healing_worked() -> None:
    world, _ = leak(replicas=1)
    world.policy(dict(MEMORY), guardrails={"cooldownSeconds": 0})
    await world.until(world.completed(3), within=20_000)
    assert world.outcomes()[2] is Outcome.VERIFIED
    assert world.condition("NeedsHuman", world.healings()[2]) == "Recurring"


@pytest.mark.parametrize(
    ("reason", "stays"),
    [("Recurring", True), ("NotUndone", True), ("NotGrowing", False), ("NoLadder", False)],
)
async def test_only_what_no_rung_fitted_is_over_with_the_next_attempt(
    reason: str, stays: bool
) -> None:
    world, _ = leak(replicas=1)
    await world.until(world.opened())
    now = datetime.fromtimestamp(world.cluster.now, UTC)
    asked = record.needs_human(world.healing(), reason, "look", now)
    after = record.needs_nobody(asked, "Planned", "evict", now)
    found = get_condition(after.status.conditions, "NeedsHuman")
    assert found is not None
    assert (found.status, found.reason) == (("True", reason) if stays else ("False", "Planned"))
    assert stays is (after is asked)
    nobody = record.needs_nobody(world.healing(), "Planned", "evict", now)
    assert nobody is world.healing()
