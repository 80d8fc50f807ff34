"""Which failures are a rollout's, which are not, and which are for a person."""

from __future__ import annotations

from akeso.domain.finding import Outcome
from akeso.domain.workload import Kind
from akeso.protocols import Reading
from unit.engine.scenes import bad_release, leak
from unit.engine.sim import NOW, ROLLOUT, World

DAY = 86_400.0


async def test_a_rollback_to_what_is_bad_as_well_is_one_rollback_and_then_a_person() -> None:
    world, w = bad_release()
    await world.until(world.wrote(1), within=600)
    w.bad["v1"] = "crash"  # such as a schema that v2 has migrated
    await world.until(world.completed(), within=1_200)
    assert world.outcomes() == [Outcome.FAILED]
    assert world.condition("NeedsHuman") == "FailedAtTheEnd"
    await world.run(3_600)
    assert world.journal.of_users() == ["template v1", "release"]
    assert len(world.healings()) == 1


async def test_a_release_is_rolled_back_to_what_akeso_itself_saw_healthy() -> None:
    world = World()
    world.policy(dict(ROLLOUT))
    w = world.cluster.add()
    await world.run(330)
    world.cluster.roll_out(w, "v2")
    await world.run(30)
    world.cluster.roll_out(w, "v3", "crash")
    await world.until(world.completed(), within=900)
    assert w.update_revision == "v1"  # v2 never proved itself
    assert world.outcomes() == [Outcome.VERIFIED]


async def test_with_no_revision_ever_seen_healthy_it_only_suggests() -> None:
    world, _ = bad_release(seen=())
    await world.run(600)
    assert world.journal.of_users() == []
    assert world.condition("NeedsHuman") == "RevisionInferred"
    assert "kubectl rollout undo deployment/web" in (world.healing().status.message or "")
    assert world.notifier.story().count("NeedsHuman") == 1


async def test_an_outage_three_days_after_a_good_release_rolls_nothing_back() -> None:
    world = World()
    policy = world.policy(
        dict(ROLLOUT),
        {
            "name": "errors",
            "query": "errors",
            "workloadLabel": "deployment",
            "threshold": {"value": "0.05"},
            "ladder": [{"healer": "Rollback"}],
        },
    )
    w = world.cluster.add()
    world.remember(policy, w, "v1")
    w.outage = True
    world.source.answers["errors"] = lambda now: [
        Reading({"namespace": "shop", "deployment": "web"}, now, 0.9)
    ]
    await world.run(900)
    assert world.journal.of_users() == []
    assert [h.spec.signal for h in world.healings()] == ["errors"]
    assert world.condition("NeedsHuman") == "RevisionWasHealthy"


async def test_an_outage_that_hits_old_and_new_pods_is_not_the_rollouts_fault() -> None:
    world, w = bad_release(health="fine")
    w.outage = True
    await world.run(900)
    assert world.journal.of_users() == [] and world.healings() == []


async def test_an_outage_that_ends_with_the_rollout_half_way_is_left_to_the_rollout() -> None:
    world, w = bad_release(health="fine")
    w.outage = True
    await world.run(60)
    w.outage = False
    await world.run(300)
    assert world.journal.of_users() == [] and w.update_revision == "v2" and w.ready == 3


async def test_a_problem_that_comes_back_is_healed_and_from_the_third_time_told_as_well() -> None:
    world, _ = leak(replicas=1)
    world.policy(guardrails={"cooldownSeconds": 0})
    await world.until(world.completed(3))
    reasons = [world.condition("NeedsHuman", h) for h in world.healings()[:3]]
    assert reasons == [None, None, "Recurring"]
    assert world.outcomes()[:3] == [Outcome.VERIFIED] * 3
    assert "3. time in 24 h" in world.notifier.heard[-1].message or any(
        "3. time in 24 h" in d.message for d in world.notifier.heard
    )


async def test_names_of_healings_follow_from_target_signal_and_predecessor_alone() -> None:
    worlds = [leak(replicas=1)[0], leak(replicas=1)[0]]
    for world in worlds:
        world.policy(guardrails={"cooldownSeconds": 0})
        await world.until(world.completed(2))
    first, second = worlds
    assert [h.metadata.name for h in first.healings()] == [
        h.metadata.name for h in second.healings()
    ]
    assert len({h.metadata.name for h in first.healings()}) == len(first.healings()) >= 2


async def test_the_same_world_leads_to_the_same_decisions_and_writes() -> None:
    one, _ = bad_release()
    two, _ = bad_release()
    for world in (one, two):
        await world.until(world.completed(), within=1_200)
    assert one.notifier.heard == two.notifier.heard
    assert one.journal.writes == two.journal.writes
    assert one.records.all_wires() == two.records.all_wires()
    assert one.cluster.now > NOW


async def test_a_watch_that_has_been_dead_for_minutes_starts_no_rollback() -> None:
    world, _ = bad_release()
    world.cluster.watch_age = 600
    await world.run(300)
    assert world.journal.of_users() == []
    assert world.condition("Blocked") == "StaleData"


async def test_a_rollback_under_way_is_finished_on_live_reads_while_the_watch_is_dead() -> None:
    world, w = bad_release(Kind.STATEFUL_SET)
    await world.until(world.wrote(1), within=600)
    world.cluster.watch_age = 600
    await world.until(world.completed(), within=900)
    assert world.journal.of_users() == ["template v1", "release", "delete web-2"]
    assert world.outcomes() == [Outcome.VERIFIED] and w.ready == 3
