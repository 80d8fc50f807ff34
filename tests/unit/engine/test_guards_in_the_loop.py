"""Reasons not to act, met by the whole engine: what is held, what is taken back, what is left."""

from __future__ import annotations

import pytest

from akeso.api.conditions import get_condition
from akeso.domain.action import Action, EvictPod, Scale, SetTemplate
from akeso.domain.finding import Outcome
from akeso.errors import PermanentError
from akeso.settings import Settings
from akeso.settings.changes import take
from unit.engine.scenes import bad_release, leak, leaking
from unit.engine.sim import ROLLOUT, World

SURGE = ["scale 1->2", "release", "evict web-v1-0", "scale 2->1", "release"]


@pytest.mark.parametrize("written", [1, 2, 3, 4])
async def test_the_kill_switch_holds_a_healing_where_it_is_and_lets_it_go_on(written: int) -> None:
    world, w = leak(replicas=1)
    world.cluster.before_write = lambda action: pull(world, written)
    await world.until(world.wrote(written))
    await world.run(120)
    assert world.journal.of_users() == SURGE[:written]
    assert world.condition("Blocked") == "KillSwitch"
    world.cluster.before_write = None
    world.pause(None)
    await world.until(world.completed())
    assert world.journal.of_users() == SURGE
    assert world.outcomes() == [Outcome.VERIFIED] and w.replicas == 1


def pull(world: World, written: int) -> None:
    """The kill switch, while the last write that is still allowed is under way."""
    if len(world.journal.of_users()) == written - 1:
        world.pause("somebody looks into it")


async def test_without_a_healing_control_nothing_is_written() -> None:
    world, _ = leak(replicas=1)
    world.records.delete(world.control)
    await world.run(600)
    assert world.journal.of_users() == []
    assert world.condition("Blocked") == "ControlUnknown"


async def test_a_healer_that_is_not_enabled_never_acts_until_it_is() -> None:
    world, w = leak(replicas=1, settings={"healers": ()})
    await world.run(200)
    assert world.journal.of_users() == []
    assert world.condition("NeedsHuman") == world.condition("Blocked") == "HealerNotEnabled"
    ready = get_condition(world.records.policies()[0].status.conditions, "SignalsReady")
    assert ready is not None and ready.reason == "HealerNotEnabled"
    assert "RestartPods is not enabled" in ready.message
    enable(world, "RestartPods")
    await world.until(world.completed())
    assert world.journal.of_users() == SURGE and w.replicas == 1


async def test_the_ladder_goes_on_with_the_next_rung_that_is_enabled() -> None:
    ladder = [{"healer": "RaiseMemory", "ceiling": "512Mi"}, {"healer": "RestartPods"}]
    world, _ = leak(ladder, replicas=1, settings={"healers": ("RestartPods",)})
    await world.until(world.completed())
    assert [a.healer for a in world.healing().status.attempts] == ["RestartPods"]


async def test_what_is_not_enabled_is_seen_in_observe_mode_too() -> None:
    world, _ = leak(replicas=1, settings={"healers": ()})
    world.policy(mode="Observe")
    await world.run(200)
    answers = {g.guard: g for g in world.healing().status.guards}
    assert not answers["enabled"].allowed and "it would " in answers["enabled"].message
    ready = get_condition(world.records.policies()[0].status.conditions, "SignalsReady")
    assert ready is not None and ready.status == "True"  # observing needs no healer


async def test_what_a_healer_did_before_it_was_disabled_is_still_brought_back() -> None:
    world, w = leak(replicas=1)
    await world.until(world.wrote(2))
    assert w.replicas == 2
    enable(world)
    await world.run(3_000)
    assert world.journal.of_users() == ["scale 1->2", "release", "scale 2->1", "release"]
    assert w.replicas == 1


def enable(world: World, *names: str) -> None:
    """As a changed settings file does."""
    take(world.settings, Settings(healers=names), ["healers"])


async def test_the_next_healing_of_a_target_waits_for_the_cooldown() -> None:
    world, _ = leak(replicas=1)
    world.policy(guardrails={"cooldownSeconds": 1_200})
    await world.until(world.completed())
    ended = world.healing().status.completed_at
    await world.until(world.opened(2))
    await world.run(30)
    assert world.condition("Blocked") == "Cooldown"
    await world.until(world.wrote(6))
    started = world.healing().status.attempts[0].started_at
    assert ended is not None and (started - ended).total_seconds() >= 1_200


async def test_ten_problems_in_one_cycle_start_no_more_healings_than_the_hourly_budget() -> None:
    world = World()
    world.policy(guardrails={"maxHealingsPerHour": 3})
    for index in range(10):
        leaking(world, f"web{index}", replicas=2)
    await world.until(world.opened(10))
    await world.run(150)
    acted = [h for h in world.healings() if h.status.attempts]
    blocked = [world.condition("Blocked", h) for h in world.healings() if not h.status.attempts]
    assert len(acted) == 3 and blocked == ["PolicyBudget"] * 7
    assert len(world.journal.of_users()) == 6


async def test_five_hundred_targets_that_fail_at_once_open_the_breaker() -> None:
    world = World()
    policy = world.policy(dict(ROLLOUT), guardrails={"minAvailable": 0})
    everything = [world.cluster.add(f"web{i}", replicas=1, strategy="Recreate") for i in range(500)]
    world.remember_all(policy, everything, "v1")
    for w in everything:
        world.cluster.roll_out(w, "v2", "crash")
    world.clock.advance(22)
    await world.cycle()
    assert world.journal.of_users() == []
    assert len(world.healings()) == 500
    assert {world.condition("Blocked", h) for h in world.healings()} == {"BreakerOpen"}


async def test_mode_observe_records_what_would_be_done_and_does_nothing() -> None:
    world, w = leak(replicas=1)
    world.policy(mode="Observe")
    await world.until(world.opened())
    await world.run(120)
    assert world.journal.of_users() == [] and w.managers == ("kubectl",)
    assert world.condition("Blocked") == "ModeObserve"
    assert "would do: start a second pod" in (world.healing().status.message or "")
    assert all(g.allowed for g in world.healing().status.guards if g.guard != "mode")


async def test_a_policy_deleted_mid_heal_has_the_surge_taken_back_and_nothing_else() -> None:
    world, w = leak(replicas=1)
    await world.until(world.wrote(1))
    world.records.delete(world.records.policies()[0])
    await world.until(world.completed(), within=300)
    assert world.journal.of_users() == ["scale 1->2", "release", "scale 2->1", "release"]
    assert w.replicas == 1 and world.outcomes() == [Outcome.INCONCLUSIVE]


async def test_a_policy_deleted_while_its_healing_is_verified_verifies_nothing() -> None:
    world, _ = leak(replicas=1)
    await world.until(world.verifying)
    world.records.delete(world.records.policies()[0])
    await world.until(world.completed(), within=60)
    assert world.outcomes() == [Outcome.INCONCLUSIVE]
    assert world.journal.of_users() == SURGE


async def test_a_target_made_anew_mid_heal_is_another_one_and_not_written() -> None:
    world, w = leak(replicas=1)
    await world.until(world.wrote(1))
    world.cluster.remove(w)
    anew = world.cluster.add()
    await world.until(world.completed(), within=300)
    await world.run(300)
    assert world.journal.of_users() == SURGE[:2]
    assert anew.managers == ("kubectl",) and anew.replicas == 3
    assert world.notifier.heard[-1].reason == "TargetGone"


async def test_replicas_somebody_sets_mid_heal_hold() -> None:
    world, w = leak(replicas=1)
    await world.until(world.wrote(3))
    world.cluster.scale(w, 5)
    await world.until(world.completed())
    assert w.replicas == 5
    assert world.journal.of_users() == SURGE[:3]


async def test_replicas_somebody_sets_between_look_and_write_hold() -> None:
    world, w = leak(replicas=1)

    def race(action: Action) -> None:
        if isinstance(action, Scale) and w.replicas == 1:
            world.cluster.scale(w, 4)

    world.cluster.before_write = race
    await world.until(world.completed())
    assert w.replicas == 4
    assert not any(x.startswith("scale") for x in world.journal.of_users())


async def test_a_release_that_comes_between_look_and_rollback_holds() -> None:
    world, w = bad_release()

    def race(action: Action) -> None:
        if isinstance(action, SetTemplate):
            world.cluster.roll_out(w, "v3")

    world.cluster.before_write = race
    await world.until(world.completed(), within=900)
    assert w.update_revision == "v3"
    assert "template v1" not in world.journal.writes


async def test_a_pod_that_goes_by_itself_between_look_and_eviction_leaves_no_surge_behind() -> None:
    world, w = leak(replicas=1)

    def race(action: Action) -> None:
        if isinstance(action, EvictPod):
            w.pods = [p for p in w.pods if p.ref != action.pod]

    world.cluster.before_write = race
    await world.until(world.completed())
    assert world.journal.of_users() == ["scale 1->2", "release", "scale 2->1", "release"]
    assert w.replicas == 1 and world.outcomes() == [Outcome.VERIFIED]


async def test_a_healing_that_a_person_deletes_is_not_carried_on() -> None:
    world, w = leak(replicas=3)
    await world.until(world.wrote(1))

    def stop() -> None:
        """In the last moment before the next write."""
        world.cluster.before_live = None
        world.records.delete(world.healing())

    world.cluster.before_live = stop
    await world.until(lambda: world.cluster.before_live is None)
    assert world.journal.of_users() == ["evict web-v1-0"] and w.ready == 3


async def test_a_disruption_budget_of_the_server_is_waited_for() -> None:
    world, w = leak(replicas=3)
    w.budget = 3
    await world.until(world.opened())
    await world.run(45)
    assert world.journal.of_users() == []
    assert world.condition("Blocked") == "DisruptionBudget"
    w.budget = 2
    await world.until(world.completed())
    assert len(world.journal.of_users()) == 3 and w.fewest_ready == 2


async def test_what_can_not_be_undone_is_tried_once_and_left_to_a_person() -> None:
    world, w = leak(replicas=1)

    def refuse(action: Action) -> None:
        if isinstance(action, Scale) and action.restore:
            refused.append(action)
            raise PermanentError("deployments.apps/scale is forbidden")

    refused: list[Action] = []
    world.cluster.before_write = refuse
    await world.until(world.completed())
    assert len(refused) == 1 and w.replicas == 2
    assert "NotUndone" in [d.reason for d in world.notifier.heard]
