"""What conditions say: for people, and the same as long as nothing changed."""

from __future__ import annotations

import pytest

from akeso.api.conditions import get_condition
from akeso.api.scalars import from_unix
from akeso.engine.health import REMEMBERED, remembered, shortest_failure
from akeso.engine.words import bytes_of, seconds_of
from akeso.settings import Settings
from unit.engine.scenes import leaking
from unit.engine.sim import MEMORY, NOW, ROLLOUT, World


@pytest.mark.parametrize(
    ("scrape", "seconds"),
    [(15.0, 12 * 15 + 15 + 60), (60.0, 12 * 60 + 60 + 60), (5.0, 90 + 2 * 5 + 5 + 60)],
)
def test_the_shortest_failure_knows_the_predictors_own_minimum(scrape: float, seconds: int) -> None:
    assert shortest_failure(Settings(scrape_interval_seconds=scrape)) == seconds


async def test_two_cycles_with_other_values_leave_policy_and_control_as_they_are() -> None:
    world = World()
    world.policy(dict(MEMORY), dict(ROLLOUT), mode="Observe")
    leaking(world, leak=2_000.0)
    await world.run(120)  # its end is foreseen, and does not come before the last cycle
    before = world.records.all_wires()
    await world.run(60)
    assert world.records.all_wires() == before


async def test_a_selector_that_selects_nothing_is_told_with_what_to_compare() -> None:
    world = World()
    wanted = {"name": "api", "selector": {"matchLabels": {"app": "api"}}}
    world.policy(targets=[wanted])
    world.cluster.add()
    await world.cycle()
    conditions = world.records.policies()[0].status.conditions
    found = get_condition(conditions, "TargetsFound")
    assert found is not None and found.status == "False" and "--show-labels" in found.message
    ready = get_condition(conditions, "Ready")
    assert ready is not None and ready.reason == "NothingSelected"


async def test_overlapping_policies_see_each_other_and_the_stricter_mode_holds() -> None:
    world = World()
    world.policy(name="watch", mode="Observe")
    world.policy(name="heal")
    leaking(world, replicas=1)
    await world.run(120)
    assert world.journal.of_users() == []
    for policy in world.records.policies():
        found = get_condition(policy.status.conditions, "Conflict")
        assert found is not None and found.status == "True"


async def test_revisions_of_a_workload_out_of_sight_are_not_forgotten() -> None:
    world = World()
    policy = world.policy(dict(ROLLOUT))
    w = world.cluster.add()
    world.remember(policy, w, "v1")
    world.cluster.remove(w)  # such as: its informer is refused for a moment
    await world.run(60)
    assert [r.healthy for r in world.records.policies()[0].status.revisions] == [("v1",)]


async def test_the_newest_healthy_revision_comes_first_and_few_are_kept() -> None:
    world = World()
    policy = world.policy(dict(ROLLOUT))
    w = world.cluster.add(replicas=1)
    world.remember(policy, w, "v4", "v3", "v2")
    await world.run(30)
    policy = world.records.policies()[0]
    assert policy.status.revisions[0].healthy == ("v1", "v4", "v3")
    observation = await world.engine.observer.observe([policy])
    targets = observation.selection.targets[policy.metadata.uid]
    again = remembered(policy, targets, observation, world.settings, from_unix(NOW))
    assert again == policy.status.revisions and len(again[0].healthy) == REMEMBERED


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (1_000, "1000 B"),
        (268_435_456, "256 MiB"),
        (1_610_612_736, "1.5 GiB"),
        (2**50, "1048576 GiB"),
    ],
)
def test_bytes_are_told_with_the_unit_people_set_limits_in(value: float, text: str) -> None:
    assert bytes_of(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 s"), (119, "119 s"), (600, "10 min"), (7_300, "2.0 h"), (float("inf"), "never")],
)
def test_times_are_told_with_the_unit_people_think_in(value: float, text: str) -> None:
    assert seconds_of(value) == text
