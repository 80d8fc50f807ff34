"""What the metrics show of cycles agrees with what is recorded, and counts each thing once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client import generate_latest

from akeso.errors import PermanentError, TransientError
from akeso.protocols import Reading
from unit.engine.scenes import bad_release, leak, leaking, overloaded
from unit.engine.sim import MEMORY, SCRAPE, World
from unit.engine.sim_workload import MIB

QUERY: dict[str, Any] = {"name": "queue", "query": "queue", "threshold": {"value": "10"}}


def value(world: World, name: str, **labels: str) -> float | None:
    found: float | None = world.metrics.registry.get_sample_value(name, labels)
    return found


def series(world: World, name: str) -> Mapping[tuple[str, ...], float]:
    """Every sample of this name that is not 0, by the values of its labels."""
    return {
        tuple(sample.labels.values()): sample.value
        for family in world.metrics.registry.collect()
        for sample in family.samples
        if sample.name == name and sample.value
    }


async def test_a_healing_that_ends_is_counted_once_by_verdict_healer_and_signal() -> None:
    world, _ = leak(replicas=1, leak=0.0)
    await world.until(world.completed())
    await world.run(300)
    assert series(world, "akeso_healings_total") == {
        ("Verified", "RestartPods", "MemoryExhaustion"): 1
    }
    labels = {"verdict": "Verified", "signal": "MemoryExhaustion"}
    healing = world.healing()
    ended, made = healing.status.completed_at, healing.metadata.creation_timestamp
    assert ended is not None
    began = (made or healing.spec.evidence.sampled_at).timestamp()
    took = ended.timestamp() - began
    assert value(world, "akeso_healing_duration_seconds_sum", **labels) == pytest.approx(took)
    assert value(world, "akeso_healing_duration_seconds_count", **labels) == 1
    assert series(world, "akeso_healings_opened_total") == {("Forecast", "MemoryExhaustion"): 1}
    assert series(world, "akeso_healings_open") == {}


async def test_what_ended_before_this_process_began_is_not_counted_again() -> None:
    world, _ = leak(replicas=1, leak=0.0)
    await world.until(world.completed())
    world.restart()
    await world.run(300)
    assert series(world, "akeso_healings_total") == {}


async def test_what_policies_may_lead_to_is_counted_from_zero_on() -> None:
    """The first increase of a series that was not there is none to Prometheus."""
    world, _ = leak(ladder=[{"healer": "RestartPods"}])
    await world.cycle()
    of = {"healer": "RestartPods", "signal": "MemoryExhaustion"}
    assert value(world, "akeso_healings_total", verdict="Failed", **of) == 0
    opened = {"origin": "Threshold", "signal": "MemoryExhaustion"}
    assert value(world, "akeso_healings_opened_total", **opened) == 0
    assert (
        value(world, "akeso_healings_total", verdict="Failed", **of | {"healer": "Rollback"})
        is None
    )


async def test_a_forecast_healing_shows_how_far_ahead_the_failure_was_when_it_acted() -> None:
    world, _ = leak(replicas=1)
    await world.until(world.acting)
    healing = world.healing()
    ahead = healing.spec.evidence.time_to_threshold_seconds
    assert ahead is not None and ahead.p50 is not None
    due = healing.spec.evidence.sampled_at.timestamp() + ahead.p50
    lead = due - healing.status.attempts[0].started_at.timestamp()
    assert lead > 0
    of = {"signal": "MemoryExhaustion"}
    assert value(world, "akeso_forecast_lead_seconds_sum", **of) == pytest.approx(lead)
    await world.until(world.completed())
    assert value(world, "akeso_forecast_lead_seconds_count", **of) == 1


async def test_a_failure_that_is_there_already_has_no_lead() -> None:
    world, _ = bad_release()
    await world.until(world.completed())
    assert series(world, "akeso_forecast_lead_seconds_count") == {}
    assert series(world, "akeso_healings_total") == {("Verified", "Rollback", "RolloutFailing"): 1}


async def test_what_is_brought_back_is_counted_as_undone() -> None:
    world, _ = overloaded()
    await world.until(lambda: series(world, "akeso_undone_total"), within=4_000)
    await world.run(300)
    assert series(world, "akeso_undone_total") == {("ScaleOut", "NeedPassed"): 1}


async def test_open_healings_are_shown_by_state_and_those_kept_waiting_by_reason() -> None:
    world, _ = leak(replicas=1)
    world.pause("we are at it")
    await world.until(lambda: world.opened()() and world.condition("Blocked"))
    assert series(world, "akeso_healings_blocked") == {("KillSwitch",): 1}
    assert value(world, "akeso_paused") == 1
    assert value(world, "akeso_healings_open", state="blocked") == 1
    assert value(world, "akeso_healing_oldest_age_seconds") == 0
    world.pause(None)
    await world.until(world.acting)
    await world.run(60)
    assert series(world, "akeso_healings_blocked") == {}
    assert value(world, "akeso_paused") == 0
    assert value(world, "akeso_healings_open", state="acting") == 1
    assert (value(world, "akeso_healing_oldest_age_seconds") or 0) >= 45


async def test_a_healing_that_waits_for_a_person_is_shown_as_such() -> None:
    world, _ = bad_release(seen=())
    await world.until(lambda: world.opened()() and world.condition("NeedsHuman"))
    assert value(world, "akeso_healings_open", state="needs-human") == 1


async def test_an_attempt_without_a_verdict_in_its_time_is_overdue_others_are_not() -> None:
    world, _ = leak(replicas=1)
    worst = 0.0
    while not world.completed()():
        await world.cycle()
        worst = max(worst, value(world, "akeso_healing_overdue_seconds") or 0.0)
    assert worst <= 60, "the checks after the predicted moment take some seconds"
    world, _ = leak(replicas=1)
    await world.until(world.acting)
    world.records.faults["save"] = TransientError("the API server is not well")
    await world.run(7_200)
    assert (value(world, "akeso_healing_overdue_seconds") or 0) > 900


async def test_a_source_that_falls_silent_ages_and_is_young_again_when_it_speaks() -> None:
    world = World()
    world.policy(dict(MEMORY))
    world.cluster.add(replicas=1)
    await world.run(300)
    stale = value(world, "akeso_stale_after_seconds")
    assert stale == world.settings.stale_after

    def age() -> float:
        return value(world, "akeso_metrics_source_age_seconds", source="memory") or 0.0

    assert age() <= 2 * SCRAPE
    world.source.frozen_at = world.cluster.now
    await world.run(300)
    assert age() >= 285 > stale
    world.source.frozen_at = None
    await world.run(30)
    assert age() <= 2 * SCRAPE


async def test_ages_grow_while_no_cycle_ends() -> None:
    world = World()
    world.policy(dict(MEMORY))
    world.cluster.add(replicas=1)
    await world.run(300)
    before = value(world, "akeso_metrics_source_age_seconds", source="memory") or 0.0
    world.clock.advance(100)
    after = value(world, "akeso_metrics_source_age_seconds", source="memory") or 0.0
    assert after == pytest.approx(before + 100)


async def test_reading_the_metrics_does_not_read_the_engines_clock() -> None:
    """Its answers are recorded, and played in their order."""
    world, _ = leak(replicas=1)
    await world.until(world.acting)

    def asked() -> float:
        raise AssertionError("the engine's clock is read by a scrape")

    world.metrics.now = lambda: world.cluster.now
    world.clock.now = asked  # type: ignore[method-assign]
    assert b'akeso_metrics_source_age_seconds{source="memory"}' in generate_latest(
        world.metrics.registry
    )


async def test_a_source_that_was_never_heard_ages_from_when_it_was_first_needed() -> None:
    world = World()
    world.policy(dict(MEMORY))
    world.cluster.add(replicas=1)
    world.source.down = TransientError("Prometheus gave no answer within 10 s")
    await world.run(300)
    age = value(world, "akeso_metrics_source_age_seconds", source="memory")
    assert age == pytest.approx(300, abs=world.settings.cycle)
    assert value(world, "akeso_degraded") == 1


async def test_a_source_that_nobody_needs_has_no_age() -> None:
    world = World()
    await world.run(60)
    assert series(world, "akeso_metrics_source_age_seconds") == {}
    world.policy(dict(MEMORY))
    w = world.cluster.add(replicas=1)
    await world.run(60)
    assert series(world, "akeso_metrics_source_age_seconds").keys() == {("memory",)}
    del world.cluster.workloads[w.ref.uid]
    await world.run(60)
    assert series(world, "akeso_metrics_source_age_seconds") == {}


async def test_a_query_that_is_wrong_is_its_policys_affair_and_an_outage_is_everybodys() -> None:
    world = World()
    world.policy(QUERY)
    w = world.cluster.add(replicas=1)
    calm = [Reading({"namespace": w.ref.namespace, "pod": "web-v1-0"}, 0.0, 1.0)]
    world.source.answers["queue"] = lambda now: calm
    await world.run(60)

    def age() -> float:
        return value(world, "akeso_metrics_source_age_seconds", source="queries") or 0.0

    assert age() <= SCRAPE
    world.source.down = PermanentError("Prometheus refuses the query")
    await world.run(120)
    assert age() <= SCRAPE
    world.source.down = TransientError("Prometheus cannot be reached")
    await world.run(120)
    assert age() >= 105


async def test_policies_are_shown_by_mode_and_by_whether_they_are_ready() -> None:
    world = World()
    world.policy(dict(MEMORY), mode="Observe")
    world.policy(dict(MEMORY), name="empty", namespace="void")
    leaking(world, base=40 * MIB, leak=0.0)
    await world.run(120)
    found = series(world, "akeso_policies")
    assert found == {("Observe", "true"): 1, ("Heal", "false"): 1}


async def test_what_counts_as_stale_and_the_interval_are_shown_before_any_cycle() -> None:
    world = World()
    assert value(world, "akeso_cycle_interval_seconds") == SCRAPE
    assert value(world, "akeso_stale_after_seconds") == 4 * SCRAPE
