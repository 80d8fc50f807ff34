"""A raised limit from forecast to verdict, and back when it is needed no more."""

from __future__ import annotations

from typing import Any

import pytest

from akeso.api.healing import ActionState
from akeso.domain.capacity import Amount, Bound, Capacity, Node
from akeso.domain.finding import Outcome
from akeso.domain.words import seconds_of
from akeso.domain.workload import Kind, Resizing
from akeso.engine import record
from akeso.errors import PermanentError
from akeso_healers.raise_memory import PROMISED
from unit.engine.scenes import LEAK, leak
from unit.engine.sim import MEMORY, World
from unit.engine.sim_cluster import GIB
from unit.engine.sim_workload import LIMIT, MIB, SimWorkload
from unit.engine.test_requests import asked

CALM = 300.0
RAISE = {"healer": "RaiseMemory", "ceiling": "1Gi", "timeoutSeconds": 300}
RESTART = {"healer": "RestartPods", "timeoutSeconds": 300}


def raising(
    *more: dict[str, Any], ceiling: str = "1Gi", **fields: Any
) -> tuple[World, SimWorkload]:
    ladder = [{**RAISE, "ceiling": ceiling}, *more]
    return leak(ladder, **{"replicas": 1, "leak": 0.0, **fields})


def pod_of(w: SimWorkload) -> Any:
    (pod,) = w.present
    return pod


def killed_at(w: SimWorkload, limit: float) -> float:
    """When the leak of the only pod meets a limit (Unix seconds)."""
    pod = pod_of(w)
    return pod.started + (limit - w.base) / LEAK


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_leak_gets_room_in_place_and_its_end_moves_out_as_promised(kind: Kind) -> None:
    world, w = raising(kind=kind)
    uid = pod_of(w).ref.uid
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED]
    (write,) = world.journal.of_users()
    assert write.startswith(f"resize {pod_of(w).ref.name} 256->")
    pod = pod_of(w)
    assert pod.ref.uid == uid and pod.restarts == 0 and w.fewest_ready == 1
    assert world.cluster.now > killed_at(w, LIMIT)  # the failure that was foreseen has not come
    healing = world.healing()
    evidence = healing.spec.evidence
    early = evidence.time_to_threshold_seconds
    assert early and early.p10 is not None and evidence.value and evidence.threshold
    promised = (pod.limit - LIMIT) * early.p10 / (evidence.threshold - evidence.value)
    gained = killed_at(w, pod.limit) - killed_at(w, LIMIT)
    assert gained >= promised
    said = next(c.message for c in healing.status.conditions if c.type == "Planned")
    told = seconds_of(PROMISED * promised)
    assert f"from 256 MiB to 384 MiB, which buys at least {told}" in said
    assert w.managers == ("kubectl",) and w.template == {"image": "v1"}


async def test_several_pods_are_raised_in_one_healing() -> None:
    world, w = raising(replicas=3)
    await world.until(world.completed())
    assert sorted({x.split()[1] for x in world.journal.of_users()}) == [
        f"web-v1-{i}" for i in range(3)
    ]
    assert world.outcomes() == [Outcome.VERIFIED] and {p.restarts for p in w.pods} == {0}


async def test_never_beyond_the_ceiling() -> None:
    world, w = raising(ceiling="330Mi")
    await world.until(world.wrote())
    assert pod_of(w).wanted == 330 * MIB


async def test_a_ceiling_without_room_leaves_it_to_the_next_rung() -> None:
    world, _ = raising(RESTART, ceiling="319Mi")
    await world.until(world.completed())
    assert [x.split()[0] for x in world.journal.of_users()] == [
        "scale",
        "release",
        "evict",
        "scale",
        "release",
    ]
    assert world.outcomes() == [Outcome.VERIFIED]


async def test_a_ceiling_without_room_and_no_other_rung_asks_a_person() -> None:
    world, _ = raising(ceiling="319Mi")
    await world.until(lambda: world.healings() and world.condition("NeedsHuman"))
    assert world.condition("NeedsHuman") == "CeilingReached"
    said = world.healing().status.message or ""
    assert "use a ceiling of 320Mi or more" in said
    assert "kubectl set resources deployment/web -n shop -c app --limits=memory=320Mi" in said
    assert world.journal.of_users() == []


async def test_a_pod_that_was_oom_killed_before_gets_a_fresh_start_instead() -> None:
    world, w = raising(RESTART)
    pod_of(w).exit_reason, pod_of(w).exit_at = "OOMKilled", world.cluster.now - 86_400
    await world.until(world.completed())
    assert "resize" not in " ".join(world.journal.writes)
    assert world.outcomes() == [Outcome.VERIFIED]


async def test_a_cluster_that_can_not_resize_is_named_and_the_next_rung_goes() -> None:
    world, _ = raising()
    world.cluster.resizes = False
    await world.until(lambda: world.healings() and world.condition("NeedsHuman"))
    assert world.condition("NeedsHuman") == "NoInPlaceResize"
    assert "Kubernetes 1.33" in (world.healing().status.message or "")


@pytest.mark.parametrize(
    ("room", "reason"),
    [
        (Capacity((Bound("most", False, 300 * MIB),), (), ()), "LimitRange"),
        (Capacity((), (), (Node("node-1", Amount(4.0, GIB), Amount(0.0, GIB)),)), "NoRoomOnNode"),
        (Capacity(None, (), ()), "CapacityUnknown"),
    ],
    ids=str,
)
async def test_without_room_around_it_nothing_is_raised(room: Capacity, reason: str) -> None:
    world, w = raising()
    world.cluster.room = room
    await world.until(lambda: world.healings() and world.condition("NeedsHuman"))
    assert world.condition("NeedsHuman") == reason
    assert pod_of(w).wanted == LIMIT


@pytest.mark.parametrize("how", [Resizing.DEFERRED, Resizing.INFEASIBLE])
async def test_a_resize_the_kubelet_does_not_do_leads_to_the_next_rung_before_the_failure(
    how: Resizing,
) -> None:
    world, w = raising(RESTART)
    w.no_resize = how
    await world.until(world.completed())
    first, second = world.healing().status.attempts
    assert (first.verdict, second.verdict) == (Outcome.FAILED, Outcome.VERIFIED)
    assert "so says the kubelet" in (first.message or "")
    assert {p.exit_reason for p in w.pods} == {None}


async def test_what_never_took_effect_is_not_left_to_surprise_anybody() -> None:
    world, w = raising()
    w.no_resize = Resizing.INFEASIBLE
    w.heap = 230 * MIB
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.FAILED]
    await world.run(60)
    assert pod_of(w).wanted == LIMIT
    assert record.owed(world.healing()) == ()


async def test_a_leak_that_fills_the_new_room_before_its_time_leads_to_the_next_rung() -> None:
    world, w = raising(RESTART, ceiling="320Mi")
    await world.until(world.wrote())
    w.base_of[pod_of(w).ref.uid] = w.base + 60 * MIB
    await world.until(world.completed())
    first, second = world.healing().status.attempts
    assert "has no room" in (first.message or "")
    assert (first.verdict, second.healer) == (Outcome.FAILED, "RestartPods")
    assert {p.exit_reason for p in w.pods} == {None}


async def test_a_container_that_was_restarted_meanwhile_proves_nothing() -> None:
    world, w = raising()
    await world.until(world.verifying)
    pod_of(w).started = world.cluster.now
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.INCONCLUSIVE]


async def test_a_limit_that_somebody_else_sets_meanwhile_holds() -> None:
    world, w = raising()
    await world.until(world.verifying)
    pod_of(w).wanted = 700 * MIB
    shrink(w, 200 * MIB)
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.INCONCLUSIVE]
    await world.run(2 * CALM)
    assert pod_of(w).wanted == 700 * MIB
    assert world.healing().status.attempts[0].actions[1].state is ActionState.SKIPPED


async def test_without_samples_a_raise_is_inconclusive_never_verified() -> None:
    world, _ = raising()
    await world.until(world.wrote())
    world.source.frozen_at = world.cluster.now
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.INCONCLUSIVE]


async def raised() -> tuple[World, SimWorkload]:
    world, w = raising()
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED] and pod_of(w).limit > LIMIT
    return world, w


def shrink(w: SimWorkload, to: float) -> None:
    """What the only pod uses from now on."""
    pod = pod_of(w)
    w.leak_of[pod.ref.uid], w.base_of[pod.ref.uid] = 0.0, to


async def test_the_old_limit_comes_back_only_when_usage_is_well_below_it() -> None:
    world, w = await raised()
    shrink(w, 0.81 * LIMIT)
    await world.run(2 * CALM)
    assert pod_of(w).limit > LIMIT and len(record.owed(world.healing())) == 1
    shrink(w, 0.79 * LIMIT)
    began = world.cluster.now
    await world.until(lambda: pod_of(w).wanted == LIMIT)
    await world.run(30)
    assert pod_of(w).limit == LIMIT and pod_of(w).restarts == 0
    assert world.condition("Undone") == "NeedPassed" and record.owed(world.healing()) == ()
    assert world.cluster.now - began < 2 * CALM


async def test_a_pod_that_can_not_be_measured_keeps_its_limit() -> None:
    world, w = await raised()
    shrink(w, 0.1 * LIMIT)
    world.source.silent = {pod_of(w).ref.name}
    await world.run(3 * CALM)
    assert pod_of(w).wanted > LIMIT


async def test_a_person_who_asks_waits_for_the_usage_only() -> None:
    world, w = await raised()
    shrink(w, 0.9 * LIMIT)
    wire = world.records.wire(world.healing())
    wire["spec"]["undo"] = {"requestedBy": "alice", "reason": "a mistake"}
    world.records.overwrite(world.healing(), wire)
    await world.run(60)
    assert pod_of(w).wanted > LIMIT
    waits = next(c for c in world.healing().status.conditions if c.type == "Undone")
    assert waits.status == "False" and "which is not below 80% of 256 MiB" in waits.message
    shrink(w, 0.5 * LIMIT)
    await world.run(60)
    assert pod_of(w).wanted == LIMIT and world.condition("Undone") == "Requested"


async def test_a_pod_that_is_gone_took_its_raised_limit_with_it() -> None:
    world, w = await raised()
    world.cluster.delete(w, pod_of(w))
    await world.run(60)
    assert record.owed(world.healing()) == ()
    assert world.condition("Undone") == "Overtaken"
    assert pod_of(w).wanted == LIMIT and len(world.journal.of_users()) == 1


async def test_where_a_limit_can_not_be_lowered_a_person_is_told_once() -> None:
    world, w = await raised()
    shrink(w, 0.5 * LIMIT)
    world.cluster.faults["perform"] = PermanentError("memory limits cannot be decreased")
    await world.run(3 * CALM)
    assert world.condition("NeedsHuman") == "NotUndone"
    assert record.owed(world.healing()) == () and len(world.journal.of_users()) == 1


async def test_raised_twice_it_goes_back_to_what_the_user_had() -> None:
    world, w = raising()
    world.policy({**MEMORY, "ladder": [RAISE]}, guardrails={"cooldownSeconds": 0})
    await world.until(world.completed(2))
    assert world.outcomes() == [Outcome.VERIFIED, Outcome.VERIFIED], world.told()
    assert pod_of(w).limit > 1.5 * LIMIT and pod_of(w).restarts == 0
    shrink(w, 0.5 * LIMIT)
    await world.run(3 * CALM)
    assert pod_of(w).limit == LIMIT
    assert all(record.owed(h) == () for h in world.healings())


async def test_a_person_may_ask_for_room_before_anything_alarms() -> None:
    world, w = raising()
    shrink(w, 60 * MIB)
    w.leak_of[pod_of(w).ref.uid] = 0.12 * MIB  # 256 MiB within the half hour, and far from it yet
    await world.run(240)
    assert world.healings() == []
    asked(world, w, healer="RaiseMemory")
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED], world.told()
    assert pod_of(w).limit == 384 * MIB and world.condition("NeedsHuman") is None


async def test_observe_mode_says_what_would_be_raised() -> None:
    world, w = raising()
    world.policy({**MEMORY, "ladder": [RAISE]}, mode="Observe")
    await world.until(lambda: world.healings() and world.condition("Blocked"))
    assert world.condition("Blocked") == "ModeObserve"
    assert "raise the memory limit" in (world.healing().status.message or "")
    assert pod_of(w).wanted == LIMIT


@pytest.mark.parametrize("where", ["before", "after"])
async def test_killed_at_any_write_the_limit_is_brought_back_once(where: str) -> None:
    plain, w = await raised()
    shrink(w, 0.5 * LIMIT)
    first = len(plain.journal.writes)
    await plain.run(2 * CALM)
    writes = plain.journal.writes[first:]
    assert sum("->256" in x for x in writes) == 1
    for index in range(len(writes)):
        world, w = await raised()
        shrink(w, 0.5 * LIMIT)
        world.journal.kill = (len(world.journal.writes) + index, where)
        await world.run(3 * CALM)
        assert world.crashes == 1
        assert pod_of(w).limit == LIMIT and record.owed(world.healing()) == ()
        assert sum("->256" in x for x in world.journal.writes) == 1
