"""What crash-loops, what does not, and whose affair it is."""

from __future__ import annotations

from typing import Any

import pytest

from akeso.domain.finding import Origin, Outcome
from akeso.domain.workload import Container
from akeso.engine.crashes import looping
from akeso.engine.explain import explain
from akeso.engine.judge import Circumstances
from akeso.errors import PermanentError
from unit.engine.scenes import bad_release
from unit.engine.sim import World
from unit.engine.sim_workload import SimWorkload
from unit.world import NOW, deployment, pod

CRASHES: dict[str, Any] = {"name": "crashes", "builtin": "CrashLooping"}
RESTART = [{"healer": "RestartPods", "timeoutSeconds": 600}]


def container(**fields: Any) -> Container:
    """One that was restarted five times, the last time 20 s ago after 40 s of waiting."""
    ran: dict[str, Any] = {
        "restarts": 5,
        "last_exit_reason": "Error",
        "last_exit_code": 1,
        "last_exit_at": NOW - 60,
        "started_at": NOW - 20,
    }
    return Container("app", **{**ran, **fields})


def loops(**fields: Any) -> bool:
    seen = deployment(1, pods=[pod("web-0", containers=(container(**fields),))])
    return bool(looping(seen, 3, NOW))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"waiting_reason": "CrashLoopBackOff", "started_at": None},
        {"waiting_reason": "CrashLoopBackOff", "started_at": None, "last_exit_code": 0},
        {"started_at": None, "last_exit_at": NOW},  # has just exited
        {"last_exit_at": NOW - 599, "started_at": NOW - 590},
        {"restarts": 3},
        {"last_exit_reason": "OOMKilled", "last_exit_code": 137},
    ],
)
def test_a_container_that_the_kubelet_holds_back_or_held_back_of_late_crash_loops(
    fields: dict[str, Any],
) -> None:
    assert loops(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"restarts": 2},  # what it waits for may come up
        {"waiting_reason": "CrashLoopBackOff", "restarts": 2},
        {"started_at": NOW - 59},  # restarted at once: its first crash for ten minutes
        {"last_exit_at": NOW - 601, "started_at": NOW - 500},  # has run for long since
        {"last_exit_reason": "Unknown", "last_exit_code": 255},  # its node was restarted
        {"waiting_reason": "ContainerCreating", "started_at": None},
        {"waiting_reason": "ImagePullBackOff", "started_at": None},
        {"last_exit_at": None},
    ],
)
def test_a_crash_now_and_then_is_no_loop(fields: dict[str, Any]) -> None:
    assert not loops(**fields)


def test_the_container_that_crashed_most_comes_first_and_pods_on_their_way_out_do_not_count() -> (
    None
):
    pods = [
        pod("web-0", containers=(container(restarts=3),)),
        pod("web-1", containers=(container(), container(restarts=9))),
        pod("web-2", containers=(container(restarts=40),), deleting=True),
    ]
    found = looping(deployment(3, pods=pods), 3, NOW)
    assert [(hit.pod.ref.name, hit.container.restarts) for hit in found] == [
        ("web-1", 9),
        ("web-1", 5),
        ("web-0", 3),
    ]
    assert found[0].told(NOW) == (
        "container app of pod web-1 crash-loops: 9 restarts, last with Error (exit code 1) 60 s ago"
    )


# -- stories -------------------------------------------------------------------------------------


def crashing(*signals: dict[str, Any]) -> tuple[World, SimWorkload]:
    """A workload that was fine for a day, and crashes from now on."""
    world = World(webhook=True)
    policy = world.policy(*(signals or (CRASHES,)))
    w = world.cluster.add(replicas=3)
    world.remember(policy, w, "v1")
    return world, w


async def test_a_crash_loop_is_told_to_a_person_once_without_any_prometheus() -> None:
    world, w = crashing()
    world.source.down = PermanentError("there is no Prometheus")
    await world.run(300)
    assert world.healings() == []
    w.bad["v1"] = "crash"
    await world.until(world.opened())
    await world.run(1_800)
    [healing] = world.healings()
    assert healing.spec.origin is Origin.EVENT
    assert "crash-loops: 3 restarts, last with Error (exit code 1)" in healing.spec.evidence.message
    assert len(healing.spec.evidence.pods) == 3
    assert world.condition("NeedsHuman") == "NoLadder"
    assert world.notifier.story() == ["Opened", "NeedsHuman"]
    assert world.channel is not None
    assert [m.body["type"] for m in world.channel.taken] == ["healing.needs_human"]
    assert world.journal.of_users() == []


async def test_what_runs_again_is_cleared() -> None:
    world, w = crashing()
    w.bad["v1"] = "crash"
    await world.until(world.opened())
    del w.bad["v1"]
    await world.until(world.completed(), within=900)
    assert world.outcomes() == [Outcome.CLEARED]


async def test_a_release_that_crashes_is_rolled_back_and_no_crash_loop_besides() -> None:
    world, w = bad_release()
    world.policy(CRASHES, name="crashes")
    await world.run(1_800)
    assert [(h.spec.signal, h.status.verdict) for h in world.healings()] == [
        ("rollout", Outcome.VERIFIED)
    ]
    assert w.update_revision == "v1"


async def test_a_release_that_nobody_judges_crash_loops() -> None:
    world, _ = bad_release()
    world.policy(CRASHES)  # instead of RolloutFailing
    await world.until(world.opened())
    assert world.healing().spec.signal == "crashes"


async def test_a_release_that_is_blamed_no_more_crash_loops() -> None:
    world, _ = bad_release(seen=())
    world.policy(CRASHES, name="crashes")
    await world.until(lambda: {h.spec.signal for h in world.healings()} == {"rollout", "crashes"})
    opened = world.healings()[-1].spec.evidence.sampled_at.timestamp()
    assert opened - world.began >= world.settings.rollout_blame_seconds


async def test_explain_says_what_crashes_and_whose_affair_it_is() -> None:
    world, _ = bad_release(mode="Observe")
    world.policy(CRASHES, name="crashes")
    await world.run(120)
    policies = world.records.policies()
    observation = await world.engine.observer.observe(policies)
    [seen] = observation.selection.targets[policies[0].metadata.uid]
    around = {
        p.metadata.uid: Circumstances(p, world.control, observation, world.records.healings())
        for p in policies
    }
    found = explain(seen, policies, observation, around, world.engine.judge, world.settings)
    [facts] = [s.facts for s in found.signals if s.signal.name == "crashes"]
    assert "are ready, revision v2" in facts[0]
    assert "crash-loops" in facts[1]
    assert facts[1].endswith("; its rollout is RolloutFailing's to judge")


async def restarted(health: str) -> World:
    """One pod of three crash-loops and is evicted; the pod that comes in its place is `health`."""
    world, w = crashing({**CRASHES, "ladder": RESTART})
    await world.run(300)
    sick = w.pods[0]
    w.sick.add(sick.ref.uid)
    await world.until(world.wrote(1))
    if health == "crash":
        await world.until(lambda: sick not in w.present and len(w.present) == 3)
        w.sick.add(w.present[-1].ref.uid)
    await world.until(world.completed())
    return world


async def test_a_fresh_pod_that_runs_for_long_enough_is_verified() -> None:
    world = await restarted("fine")
    assert world.outcomes() == [Outcome.VERIFIED], world.told()
    [attempt] = world.healing().status.attempts
    assert attempt.finished_at is not None
    took = (attempt.finished_at - attempt.started_at).total_seconds()
    assert took >= world.settings.pod_blame_seconds


async def test_a_fresh_pod_that_crashes_as_well_is_a_failure() -> None:
    world = await restarted("crash")
    assert world.outcomes() == [Outcome.FAILED], world.told()
    assert world.condition("NeedsHuman") == "FailedAtTheEnd"
