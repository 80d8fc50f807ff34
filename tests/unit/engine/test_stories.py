"""Whole stories, from detection to verdict: every write, in its order."""

from __future__ import annotations

import pytest

from akeso.domain.finding import Outcome
from akeso.domain.workload import Kind
from akeso.engine.intent import finished
from unit.engine.scenes import bad_release, leak
from unit.engine.sim import stem

POLICY = "status shop"


async def test_leaking_pods_are_evicted_one_at_a_time_and_verified_when_the_hour_has_passed() -> (
    None
):
    world, w = leak(replicas=3)
    await world.until(world.completed())
    evictions = ["evict web-v1-0", "evict web-v1-1", "evict web-v1-2"]
    assert world.journal.of_users() == evictions
    assert w.fewest_ready == 2
    healing = world.healing()
    assert healing.status.verdict is Outcome.VERIFIED
    attempt = healing.status.attempts[0]
    assert attempt.predicted_failure_at is not None and attempt.finished_at is not None
    assert attempt.finished_at >= attempt.predicted_failure_at
    assert world.notifier.story() == ["Opened", "Planned", "Wrote", "Wrote", "Wrote", "Verified"]


async def test_the_only_pod_goes_when_a_second_one_is_ready_and_all_is_given_back() -> None:
    world, w = leak(replicas=1)
    await world.until(world.completed())
    name = f"status {world.healing().metadata.name}"
    own = [x for x in world.journal.writes if x not in (POLICY, "status akeso")]
    assert own[:12] == [
        f"create {world.healing().metadata.name}",
        name,  # the intent comes before the first write
        "scale 1->2",
        name,
        "release",
        name,
        "evict web-v1-0",
        name,
        "scale 2->1",
        name,
        "release",
        name,
    ]
    assert set(own[12:]) == {name}
    assert w.fewest_ready == 1 and w.replicas == 1 and w.managers == ("kubectl",)
    assert world.outcomes() == [Outcome.VERIFIED]


@pytest.mark.parametrize("kind", [Kind.STATEFUL_SET, Kind.DAEMON_SET])
async def test_pods_of_other_kinds_are_evicted_one_at_a_time_too(kind: Kind) -> None:
    world, w = leak(replicas=2, kind=kind)
    await world.until(world.completed())
    assert sorted(world.journal.of_users()) == ["evict web-0", "evict web-1"]
    assert w.fewest_ready == 1
    assert world.outcomes() == [Outcome.VERIFIED]


@pytest.mark.parametrize("health", ["crash", "unready"])
@pytest.mark.parametrize("kind", list(Kind))
async def test_a_bad_release_is_taken_back_to_the_revision_seen_healthy(
    kind: Kind, health: str
) -> None:
    world, w = bad_release(kind, health)
    await world.until(world.completed(), within=1_200)
    broken = ["delete web-2"] if kind is Kind.STATEFUL_SET else []
    assert [stem(x) for x in world.journal.of_users()] == ["template v1", "release", *broken]
    assert w.update_revision == "v1" and {p.revision for p in w.present} == {"v1"}
    assert w.ready == 3 and w.managers == ("kubectl",)
    assert world.outcomes() == [Outcome.VERIFIED]
    await world.run(600)
    assert len(world.healings()) == 1


async def test_every_intent_is_on_record_before_its_first_write() -> None:
    world, _ = leak(replicas=1)
    before: list[bool] = []
    world.cluster.before_write = lambda action: before.append(
        any(
            record.state.value == "Pending"
            for h in world.healings()
            if not finished(h)
            for record in h.status.attempts[-1].actions
        )
    )
    await world.until(world.completed())
    assert before == [True] * 5
