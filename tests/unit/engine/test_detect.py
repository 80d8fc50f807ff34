"""From one observation to findings."""

from __future__ import annotations

from typing import Any

from akeso.domain.forecast import Forecast, Readiness, SeriesKey
from akeso.engine.detect import detect, memory_sentence
from akeso.protocols import Reading
from unit.engine.scenes import leaking
from unit.engine.sim import MEMORY, World

KEY = SeriesKey("shop", "web-0", "app")
MIB = 1024.0**2


async def findings(world: World) -> list[Any]:
    policies = world.records.policies()
    observation = await world.engine.observer.observe(policies)
    return list(detect(policies, observation, world.settings).values())


def threshold(**fields: Any) -> dict[str, Any]:
    return {"name": "ratio", "query": "ratio", "workloadLabel": "deployment", **fields}


async def test_the_pod_that_fails_first_is_named_first() -> None:
    world = World()
    world.policy(dict(MEMORY), mode="Observe")
    w = leaking(world, replicas=3)
    w.leak_of[w.pods[2].ref.uid] *= 1.3
    await world.run(60)
    [problem] = await findings(world)
    assert problem.finding.pods[0].name == "web-v1-2"


async def test_of_policies_that_find_the_same_only_the_oldest_reports_it() -> None:
    world = World()
    world.policy(dict(MEMORY), name="old", mode="Observe")
    world.clock.advance(5)
    world.policy(dict(MEMORY), name="new", mode="Observe")
    leaking(world)
    await world.run(120)
    assert [p.policy.metadata.name for p in await findings(world)] == ["old"]


async def test_a_threshold_must_be_crossed_for_as_long_as_asked_and_the_other_way_too() -> None:
    world = World()
    world.policy(threshold(threshold={"operator": "Below", "value": "0.5", "forSeconds": 60}))
    world.cluster.add()
    value = [1.0]
    world.source.answers["ratio"] = lambda now: [
        Reading({"namespace": "shop", "deployment": "web"}, now, value[0])
    ]
    await world.run(30)
    value[0] = 0.1
    await world.run(60)
    assert await findings(world) and world.healings() == []
    [problem] = await findings(world)
    assert "below 0.5" in problem.finding.evidence.message


def told(**fields: Any) -> str:
    values: dict[str, Any] = {"value": 128 * MIB, "limit": 256 * MIB, **fields}
    return memory_sentence(Forecast(KEY, values.pop("readiness", Readiness.READY), 1_800, **values))


def test_a_forecast_is_told_in_one_sentence_whatever_is_known_of_it() -> None:
    assert told(probability=0.9, ttf=(60.0, 600.0, 7_300.0)).endswith(
        "uses 128 MiB of 256 MiB and reaches the limit in about 10 min (60 s to 2.0 h),"
        " with probability 90% within 30 min"
    )
    never = (float("inf"),) * 3
    assert "reaches the limit with probability 1%" in told(probability=0.01, ttf=never)
    assert told(limit=None).endswith("has no memory limit")
    assert told(value=None, readiness=Readiness.NO_DATA).endswith("no memory samples (NoData)")
    assert told(readiness=Readiness.STALE).endswith("no forecast (Stale)")
