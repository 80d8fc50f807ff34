"""At rest nothing is written; what fails, fails alone."""

from __future__ import annotations

import math
from typing import Any

import pytest

from akeso.api.conditions import get_condition
from akeso.api.control import HealingControl
from akeso.api.healing import Healing
from akeso.api.scalars import format_time, from_unix
from akeso.domain.finding import Outcome
from akeso.engine.records import BrokenObject
from akeso.errors import (
    AkesoError,
    BlockedError,
    GoneError,
    PermanentError,
    StaleError,
    TransientError,
)
from akeso.protocols import Reading, Usage
from unit.engine.scenes import bad_release, leak, leaking
from unit.engine.sim import MEMORY, NOW, ROLLOUT, SCRAPE, World
from unit.engine.sim_workload import MIB

ERRORS = [
    TransientError("Prometheus gave no answer within 10 s", 5),
    PermanentError("Prometheus refuses the query"),
    StaleError("the world has moved on"),
    GoneError("it is gone"),
    BlockedError("an admission policy refuses", 5),
]
every_error = pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)


async def test_a_hundred_cycles_at_rest_write_nothing() -> None:
    world = World()
    world.policy(dict(MEMORY), dict(ROLLOUT))
    world.cluster.add(replicas=2)
    await world.run(400)  # until every revision has been seen healthy
    settled = len(world.journal.writes)
    await world.run(100 * SCRAPE)
    assert world.journal.writes[settled:] == []


async def test_a_problem_nobody_may_heal_is_written_once_however_long_it_lasts() -> None:
    world, w = bad_release(seen=())
    await world.run(150)
    settled, told = len(world.journal.writes), len(world.notifier.heard)
    await world.run(100 * SCRAPE)
    later = [x for x in world.journal.writes[settled:] if not x.startswith("status shop")]
    assert later == [] and len(world.notifier.heard) == told and w.update_revision == "v2"


async def test_waiting_for_the_predicted_moment_writes_nothing() -> None:
    world, _ = leak(replicas=1, leak=0.0)
    await world.until(world.verifying)
    await world.run(45)
    settled = len(world.journal.writes)
    await world.run(90)
    assert not world.completed()()
    assert [x for x in world.journal.writes[settled:] if x.startswith("status web")] == []


@every_error
async def test_a_metrics_source_that_raises_anything_of_ours_stops_no_cycle(
    error: AkesoError,
) -> None:
    world, _ = leak(replicas=1)
    world.source.down = error
    await world.run(300)
    assert world.healings() == []
    assert str(error) in condition(world.records.control(), "Degraded")
    world.source.down = None
    await world.until(world.completed())
    assert world.journal.of_users()[:3] == ["scale 1->2", "release", "evict web-v1-0"]


async def test_a_source_without_history_is_still_listened_to() -> None:
    world, _ = leak(replicas=1, base=100 * MIB)
    world.source.history_down = PermanentError("range queries are off")
    await world.until(world.opened(), within=400)


@every_error
async def test_a_policy_status_that_can_not_be_written_does_not_hold_up_healing(
    error: AkesoError,
) -> None:
    world, _ = leak(replicas=1)
    world.records.faults["save_policy"] = error
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED]


@every_error
@pytest.mark.parametrize("method", ["create", "save", "live_control", "live_policy"])
async def test_own_records_that_fail_for_a_while_cost_time_only(
    method: str, error: AkesoError
) -> None:
    world, _ = leak(replicas=1)
    world.records.faults[method] = error
    await world.run(120)
    written = world.journal.of_users()
    # A policy that can't be found allows nothing; the others are plain errors.
    assert written == []
    world.records.faults.clear()
    await world.until(lambda: world.outcomes()[:1] == [Outcome.VERIFIED])
    assert len(world.journal.of_users()) == 5


@every_error
async def test_a_write_that_fails_is_not_taken_for_done(error: AkesoError) -> None:
    world, w = leak(replicas=1)
    world.cluster.faults["perform"] = error
    await world.until(world.opened())
    await world.run(45)
    assert world.journal.of_users() == [] and w.replicas == 1
    assert not any(
        a.state.value == "Done"
        for attempt in world.healing().status.attempts
        for a in attempt.actions
        if not a.restore
    )


async def test_a_healing_that_can_not_be_carried_on_leaves_the_others_alone() -> None:
    world, w = leak(replicas=1)
    await world.until(world.wrote(1))
    poison(world, world.healing())
    leaking(world, "other")
    await world.until(lambda: "Verified" in world.notifier.story())
    assert {d.target.name for d in world.notifier.heard if d.what == "Verified"} == {"other"}
    assert w.replicas == 2


def poison(world: World, healing: Healing) -> None:
    """Somebody edits the status: the next action lacks its numbers."""
    wire = world.records.wire(healing)
    for action in wire["status"]["attempts"][-1]["actions"]:
        action["state"] = "Pending"
        action["type"] = "Scale"
        action.pop("to", None)
    world.records.overwrite(healing, wire)


async def test_an_attempt_of_a_healer_that_is_no_more_is_finished_all_the_same() -> None:
    world, w = leak(replicas=1)
    await world.until(world.wrote(1))
    wire = world.records.wire(world.healing())
    wire["status"]["attempts"][-1]["healer"] = "Forgotten"
    world.records.overwrite(world.healing(), wire)
    await world.until(world.completed())
    assert w.replicas == 1 and w.managers == ("kubectl",)


async def test_an_object_that_can_not_be_read_is_named_and_stops_nobody() -> None:
    world, _ = leak(replicas=1)
    world.records.unreadable = [BrokenObject("HealingPolicy", "bank", "odd", "spec.mode: what?")]
    await world.until(world.completed())
    said = condition(world.records.control(), "Degraded")
    assert "HealingPolicy bank/odd: spec.mode: what?" in said


async def test_one_object_nobody_understands_costs_a_thousand_others_no_time() -> None:
    opened: list[float] = []
    for unreadable in ([], [BrokenObject("HealingPolicy", "shop", "odd", "spec.mode: what?")]):
        world, _ = leak(replicas=1)
        for number in range(1_000):
            world.cluster.add(f"calm-{number}", replicas=1)
        world.records.unreadable = unreadable
        await world.until(world.opened())
        opened.append(world.cluster.now)
    assert opened[0] == opened[1]


async def test_a_rollout_that_changes_the_labels_of_series_leaves_them_about_nobody() -> None:
    world = World()
    world.policy(query("ratio"))
    w = world.cluster.add()
    label = {"v1": "deployment", "v2": "app"}
    world.source.answers["ratio"] = lambda now: [
        Reading(
            {"namespace": "shop", label[w.update_revision]: "web"}, now, high[w.update_revision]
        )
    ]
    high = {"v1": 0.01, "v2": 0.5}
    await world.run(60)
    world.cluster.roll_out(w, "v2")
    await world.run(240)
    assert world.healings() == [] and world.journal.of_users() == []
    said = get_condition(world.records.policies()[0].status.conditions, "SignalsReady")
    assert said is not None and said.reason == "MissingLabel" and "deployment" in said.message


async def test_a_healer_nobody_knows_is_told_on_the_policy_and_to_a_person() -> None:
    world, _ = leak(replicas=1, ladder=[{"healer": "Levitate"}])
    await world.until(world.opened())
    assert world.condition("NeedsHuman") == "UnknownHealer"
    ready = get_condition(world.records.policies()[0].status.conditions, "SignalsReady")
    assert ready is not None and ready.reason == "UnknownHealer"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0])
async def test_samples_that_are_no_measurements_change_nothing(value: float) -> None:
    world, _ = leak(replicas=1)
    world.source.odd = [Usage("shop", "web-v1-0", "app", NOW + 7, value)]
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED]


async def test_a_sample_from_the_future_does_not_pass_for_freshness() -> None:
    world, w = leak(replicas=1)
    await world.until(world.wrote(4))
    world.source.frozen_at = world.cluster.now
    ahead = world.cluster.now + 86_400
    world.source.odd = [Usage("shop", p.ref.name, "app", ahead, 50 * MIB) for p in w.present]
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.INCONCLUSIVE]


@pytest.mark.parametrize("value", [math.nan, math.inf])
async def test_a_division_by_zero_is_no_answer_of_a_query(value: float) -> None:
    world = World()
    world.policy(query("ratio"))
    world.cluster.add()
    world.source.answers["ratio"] = lambda now: [
        Reading({"namespace": "shop", "deployment": "web"}, now, value)
    ]
    await world.run(120)
    assert world.healings() == []
    said = get_condition(world.records.policies()[0].status.conditions, "SignalsReady")
    assert said is not None and said.reason == "NoData"


async def test_two_series_that_tie_in_everything_are_one_finding() -> None:
    world = World()
    world.policy(query("ratio", workloadLabel=None))
    w = world.cluster.add()
    world.source.answers["ratio"] = lambda now: [
        Reading({"namespace": "shop", "pod": p.ref.name}, now, 0.5) for p in w.present
    ]
    await world.until(world.opened(), within=60)
    assert len(world.healing().spec.evidence.pods) == 3


async def test_series_of_other_namespaces_are_never_followed() -> None:
    world = World()
    world.policy(query("ratio"))
    world.cluster.add()
    world.source.answers["ratio"] = lambda now: [
        Reading({"namespace": "bank", "deployment": "web"}, now, 0.5),
        Reading({"deployment": "web"}, now, 0.5),
    ]
    await world.run(120)
    assert world.healings() == []


async def test_more_than_a_hundred_pods_that_leak_fit_into_one_healing() -> None:
    world, _ = leak(replicas=110, leak=0.0)
    await world.until(world.opened())
    assert len(world.healing().status.attempts[0].actions) == 100


async def test_old_finished_healings_are_pruned_but_none_that_a_guard_still_counts() -> None:
    world, _ = leak(replicas=1, settings={"keep_finished": 10})
    world.policy(mode="Observe")
    await world.until(world.completed())
    first = world.healing()
    for index in range(14):
        meta = first.metadata.model_copy(update={"name": f"old-{index}", "uid": f"u-{index}"})
        world.records.overwrite(first.model_copy(update={"metadata": meta}), aged(first, index))
    await world.cycle()
    names = {h.metadata.name for h in world.records.healings()}
    assert names == {first.metadata.name, *(f"old-{i}" for i in range(12))}


def aged(healing: Healing, index: int) -> dict[str, Any]:
    """A copy that was completed `index` hours earlier, from the twelfth on two days."""
    wire = healing.to_wire()
    hours = index if index < 12 else 48 + index
    wire["metadata"]["name"], wire["metadata"]["uid"] = f"old-{index}", f"u-{index}"
    at = (healing.status.completed_at or from_unix(NOW)).timestamp() - 3_600 * hours
    wire["status"]["completedAt"] = format_time(from_unix(at))
    return wire


def query(text: str, **fields: Any) -> dict[str, Any]:
    signal = {
        "name": "ratio",
        "query": text,
        "workloadLabel": "deployment",
        "threshold": {"value": "0.05"},
        **fields,
    }
    return {k: v for k, v in signal.items() if v is not None}


def condition(control: HealingControl | None, type: str) -> str:
    assert control is not None
    found = get_condition(control.status.conditions, type)
    return found.message if found else ""
