"""What workloads bear: saturation that is there, load that is coming, and what is neither."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from akeso.api.conditions import get_condition
from akeso.api.healing import Healing
from akeso.domain.finding import Origin, Outcome
from akeso.engine.detect import detect
from akeso.engine.explain import explain
from akeso.engine.judge import Circumstances
from akeso.errors import PermanentError, TransientError
from akeso.protocols import Reading
from unit.engine.sim import NOW, SCRAPE, World
from unit.engine.sim_workload import SimWorkload

CPU: dict[str, Any] = {"name": "cpu", "builtin": "CPUSaturation"}
QUEUE: dict[str, Any] = {
    "name": "queue",
    "query": "queue",
    "workloadLabel": "deployment",
    "threshold": {"value": "1000"},
    "forecast": {"horizonSeconds": 600},
}
RESTART = [{"healer": "RestartPods", "timeoutSeconds": 300}]


def loaded(demand: Callable[[float], float], **fields: Any) -> tuple[World, SimWorkload]:
    """Three pods of one core each that have run for long; `demand` in cores by seconds from now."""
    world = World()
    world.policy(CPU)
    return world, running(world, demand=lambda now: demand(now - NOW), **fields)


def running(world: World, **fields: Any) -> SimWorkload:
    w = world.cluster.add(**{"replicas": 3, **fields})
    for pod in w.pods:
        pod.born = pod.started = NOW - 7_200
        pod.ready_since = NOW - 7_200 + 8
    return w


def queued(
    length: Callable[[float], float], *, ladder: Any = None, **fields: Any
) -> tuple[World, SimWorkload]:
    """A queue whose `length` is a function of seconds from now."""
    world = World()
    world.policy({**QUEUE, **fields} if ladder is None else {**QUEUE, **fields, "ladder": ladder})
    w = running(world)
    world.source.answers["queue"] = lambda now: [
        Reading({"namespace": "shop", "deployment": "web"}, now, length(now - NOW))
    ]
    return world, w


def opened_at(healing: Healing) -> float:
    return healing.spec.evidence.sampled_at.timestamp() - NOW


# -- CPU -----------------------------------------------------------------------------------------


async def test_cpu_that_fills_up_is_told_minutes_before_it_is_full() -> None:
    world, _ = loaded(lambda t: 1.0 + 0.001 * t)  # 2.7 of 3 cores, 90 %, after 1,700 s
    await world.until(world.opened())
    [healing] = world.healings()
    assert healing.spec.origin is Origin.FORECAST
    assert 300 <= 1_700 - opened_at(healing)
    assert "of 3 cores" in healing.spec.evidence.message
    assert "and reaches 90 % in about" in healing.spec.evidence.message
    await world.cycle()
    assert world.condition("NeedsHuman") == "NoLadder"
    assert len(healing.spec.evidence.pods) == 3


async def test_what_was_foreseen_stays_found_when_it_comes() -> None:
    world, _ = loaded(lambda t: 1.0 + 0.001 * t)
    await world.until(world.opened())
    engine = world.engine
    while world.cluster.now < NOW + 1_900:
        observation = await engine.observer.observe(world.records.policies())
        assert detect(world.records.policies(), observation, world.settings), world.cluster.now
        await world.cycle()
    assert world.outcomes() == [None]


async def test_cpu_that_is_full_at_once_is_told_after_a_minute_and_not_sooner() -> None:
    world, _ = loaded(lambda t: 3.0 if t >= 200 else 0.5)
    await world.until(world.opened())
    [healing] = world.healings()
    since = healing.spec.evidence.since.timestamp() - NOW
    assert healing.spec.origin is Origin.THRESHOLD
    assert 200 <= since <= 200 + SCRAPE
    assert 60 <= opened_at(healing) - since <= 60 + 2 * SCRAPE
    assert healing.spec.evidence.message == (
        "CPU use of all pods is 3 of 3 cores (100 %), above 90 % for 60 s"
    )


async def test_a_burst_of_less_than_a_minute_is_no_saturation() -> None:
    world, _ = loaded(lambda t: 3.0 if t % 600 < 45 else 0.5)
    await world.run(1_800)
    assert world.healings() == []


@pytest.mark.parametrize("period", [300, 1_200, 3_600])
async def test_load_that_swings_below_its_bound_raises_nothing(period: float) -> None:
    world, _ = loaded(lambda t: 1.5 + 0.6 * math.sin(2 * math.pi * t / period))
    await world.run(max(1_800, 1.25 * period))
    assert world.healings() == []


async def test_one_busy_pod_of_three_is_no_saturation() -> None:
    """Another pod would take nothing from it."""
    world, w = loaded(lambda t: 0.0)
    busy = w.pods[0].ref.uid
    w.more_cores[busy] = 1.0
    await world.run(1_800)
    assert world.healings() == []


async def test_what_has_no_limit_is_measured_against_its_request() -> None:
    world, _ = loaded(lambda t: 0.6, cpu_limit=None, cpu_request=0.2)
    await world.until(world.opened())
    assert "0.6 of 0.6 cores" in world.healing().spec.evidence.message


async def test_a_new_process_knows_from_history_what_is_coming() -> None:
    world, _ = loaded(lambda t: 1.0 + 0.001 * t)
    await world.until(world.opened())
    told = world.healing().spec.evidence.sampled_at
    young, _ = loaded(lambda t: 1.0 + 0.001 * t)
    young.clock.advance(told.timestamp() - NOW)
    await young.run(4 * SCRAPE)
    assert [h.spec.origin for h in young.healings()] == [Origin.FORECAST]


async def test_a_new_process_without_history_begins_anew() -> None:
    world, _ = loaded(lambda t: 1.0 + 0.001 * t)
    world.clock.advance(1_200)
    world.source.history_down = PermanentError("no range queries here")
    await world.run(4 * SCRAPE)
    assert world.healings() == []
    await world.until(world.opened(), within=600)


async def test_load_that_a_new_pod_shares_is_looked_at_anew() -> None:
    world, w = loaded(lambda t: 1.0 + 0.001 * t)
    await world.run(450)  # 1.45 cores, of 3
    world.cluster.scale(w, 6)
    await world.run(1_050)  # 2.5 cores, of 6 now
    assert world.healings() == []


@pytest.mark.parametrize(
    ("fault", "reason"), [("down", "MetricsSourceDown"), ("silent", "NoFreshData")]
)
async def test_without_cpu_samples_nothing_is_found_and_the_policy_says_so(
    fault: str, reason: str
) -> None:
    world, w = loaded(lambda t: 3.0 if t >= 100 else 0.1)
    await world.run(95)
    if fault == "down":
        world.source.down = TransientError("no route to Prometheus")
    world.source.silent = {p.ref.name for p in w.pods}
    await world.run(600)
    assert world.healings() == []
    assert signals_ready(world) == reason
    world.source.down, world.source.silent = None, set()
    await world.until(world.opened(), within=120)
    assert signals_ready(world) == "Working"


async def test_a_workload_without_limit_and_request_can_not_be_saturated() -> None:
    world, _ = loaded(lambda t: 50.0, cpu_limit=None)
    await world.run(300)
    assert world.healings() == []
    assert signals_ready(world) == "NoLimit"


def signals_ready(world: World) -> str:
    (policy,) = world.records.policies()
    found = get_condition(policy.status.conditions, "SignalsReady")
    return found.reason if found else ""


# -- queries -------------------------------------------------------------------------------------


async def test_a_queue_that_grows_is_told_before_it_is_too_long() -> None:
    world, _ = queued(lambda t: 100 + max(0.0, t - 300))  # 1,000 after 1,200 s
    await world.until(world.opened())
    [healing] = world.healings()
    assert healing.spec.origin is Origin.FORECAST
    assert 120 <= 1_200 - opened_at(healing)
    assert "and reaches 1000 in about" in healing.spec.evidence.message


async def test_without_a_forecast_it_is_told_once_it_is_too_long() -> None:
    world, _ = queued(lambda t: 100 + max(0.0, t - 300), forecast=None)
    await world.until(world.opened())
    assert world.healing().spec.origin is Origin.THRESHOLD
    assert opened_at(world.healing()) >= 1_200


async def test_what_falls_towards_its_bound_is_foreseen_as_well() -> None:
    below = {"operator": "Below", "value": "20"}
    world, _ = queued(lambda t: max(0.0, 100 - 0.05 * t), threshold=below)  # 20 after 1,600 s
    await world.until(world.opened())
    [healing] = world.healings()
    assert healing.spec.origin is Origin.FORECAST
    assert 120 <= 1_600 - opened_at(healing)


async def test_a_queue_that_is_long_and_steady_is_foreseen_to_do_nothing() -> None:
    world, _ = queued(lambda t: 900 + 20 * math.sin(t / 40))
    await world.run(1_800)
    assert world.healings() == []


async def test_only_the_pod_whose_queue_grows_is_named() -> None:
    world = World()
    signal = {**QUEUE, "podLabel": "pod"}
    del signal["workloadLabel"]
    world.policy(signal)
    w = running(world)
    hot = w.pods[1].ref.name
    world.source.answers["queue"] = lambda now: [
        Reading({"namespace": "shop", "pod": p.ref.name}, now, 100 + (now - NOW) * (p is w.pods[1]))
        for p in w.present
    ]
    await world.until(world.opened())
    assert [p.name for p in world.healing().spec.evidence.pods] == [hot]
    assert f"signal queue of pod {hot} is" in world.healing().spec.evidence.message


async def test_series_of_other_namespaces_are_never_followed() -> None:
    world, _ = queued(lambda t: 0.0)
    world.source.answers["queue"] = lambda now: [
        Reading({"namespace": "bank", "deployment": "web"}, now, 100 + now - NOW)
    ]
    await world.run(800)
    assert world.healings() == []


# -- verdicts ------------------------------------------------------------------------------------


async def test_a_queue_that_shrinks_after_the_action_is_verified() -> None:
    world, w = queued(lambda t: 0.0, ladder=RESTART)
    length = grows_until_restarted(world, w)
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED], world.told()
    assert length() < 1_000


async def test_a_queue_that_is_too_long_after_the_action_is_a_failure() -> None:
    world, _ = queued(lambda t: 100 + t, ladder=RESTART)
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.FAILED], world.told()
    assert "is still there: signal queue is" in (world.healing().status.attempts[0].message or "")


async def test_a_queue_that_nobody_measures_any_more_verifies_nothing() -> None:
    world, _ = queued(lambda t: 100 + t, ladder=RESTART)
    await world.until(world.wrote(3))
    world.source.answers["queue"] = lambda now: []
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.INCONCLUSIVE], world.told()


async def test_cpu_that_stays_full_after_the_action_is_a_failure() -> None:
    world = World()
    world.policy({**CPU, "ladder": RESTART})
    running(world, demand=lambda now: 5.0)
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.FAILED], world.told()
    assert "CPU use of all pods is 3 of 3 cores" in (world.healing().status.message or "")


async def test_cpu_with_room_after_the_action_is_verified() -> None:
    world = World()
    world.policy({**CPU, "ladder": RESTART})
    w = running(world)
    names = {p.ref.name for p in w.pods}
    w.demand = lambda now: 5.0 if names & {p.ref.name for p in w.present} else 0.5
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED], world.told()


def grows_until_restarted(world: World, w: SimWorkload) -> Callable[[], float]:
    """A queue that grows as long as any of the pods of now is there."""
    names = {p.ref.name for p in w.pods}
    length = [100.0]

    def answer(now: float) -> list[Reading]:
        old = names & {p.ref.name for p in w.present}
        length[0] = 100 + now - NOW if old else 50.0
        return [Reading({"namespace": "shop", "deployment": "web"}, now, length[0])]

    world.source.answers["queue"] = answer
    return lambda: length[0]


# -- explain -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("demand", "fields", "said"),
    [
        (0.3, {}, "CPU use of all pods is 0.3 of 3 cores (10 %)"),
        (9.0, {}, "CPU use of all pods is 3 of 3 cores (100 %), above 90 %"),
        (0.3, {"cpu_limit": None}, "no container has a CPU limit or request"),
    ],
)
async def test_explain_says_how_busy_a_workload_is(
    demand: float, fields: dict[str, Any], said: str
) -> None:
    world, _ = loaded(lambda t: demand, **fields)
    await world.run(120)
    assert said in (await facts(world))[0]


async def test_explain_says_where_a_query_goes() -> None:
    world, _ = queued(lambda t: 100 + t)
    await world.run(450)
    ready, count, where = await facts(world)
    assert (ready[:19], count) == ("3 of 3 pods are rea", "the query returns 1 series")
    assert where.startswith("signal queue is 5") and "and reaches 1000 in about" in where


async def facts(world: World) -> tuple[str, ...]:
    policies = world.records.policies()
    observation = await world.engine.observer.observe(policies)
    [seen] = observation.selection.targets[policies[0].metadata.uid]
    around = {
        p.metadata.uid: Circumstances(p, world.control, observation, world.records.healings())
        for p in policies
    }
    found = explain(seen, policies, observation, around, world.engine.judge, world.settings)
    return found.signals[0].facts
