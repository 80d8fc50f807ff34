"""What an attempt is worth: Verified, Failed, Inconclusive or Error, and what follows."""

from __future__ import annotations

import pytest

from akeso.domain.finding import Outcome
from akeso.errors import PermanentError, TransientError
from akeso.protocols import Reading
from unit.engine.scenes import bad_release, leak
from unit.engine.sim import World
from unit.engine.sim_workload import LIMIT, MIB, SimWorkload

SHORT = {"healer": "RestartPods", "timeoutSeconds": 60}
QUERY = 'sum by (namespace, deployment) (rate(http_requests_total{code=~"5.."}[2m]))'


async def test_samples_that_stop_after_the_last_write_are_inconclusive_never_verified() -> None:
    world, _ = leak(replicas=1)
    await world.until(world.wrote(4))
    world.source.frozen_at = world.cluster.now
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.INCONCLUSIVE]
    assert world.condition("NeedsHuman") == "InconclusiveAtTheEnd"


async def test_other_workloads_samples_do_not_speak_for_a_target_without_any() -> None:
    world, w = leak(replicas=1)
    world.cluster.add("other")
    await world.until(world.wrote(4))
    world.source.silent = {p.ref.name for p in w.present}
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.INCONCLUSIVE]


async def test_samples_that_come_late_after_a_restart_are_waited_for() -> None:
    world, w = leak(replicas=1)
    await world.until(world.wrote(4))
    world.source.silent = {p.ref.name for p in w.present}
    await world.run(30)
    world.source.silent = set()
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED]


def _likely(world: World) -> float:
    evidence = world.healing().spec.evidence
    assert evidence.time_to_threshold_seconds and evidence.time_to_threshold_seconds.p50
    return evidence.sampled_at.timestamp() + evidence.time_to_threshold_seconds.p50


def _shows_room(world: World) -> bool:
    checks = world.healing().status.attempts[0].checks
    return checks is not None and checks.good == 3


@pytest.mark.parametrize("late, verdict", [(0, Outcome.VERIFIED), (-30, Outcome.FAILED)])
async def test_a_leak_that_fills_the_new_container_too_fails_only_a_restart_that_bought_too_little(
    late: float, verdict: Outcome
) -> None:
    world, w = leak(replicas=1)
    await world.until(world.wrote(4))
    await world.until(lambda: _shows_room(world))
    await world.until(lambda: world.cluster.now >= _likely(world) + late)
    assert not world.completed()(), "the late quantile is still to come"
    for pod in w.present:
        w.leak_of[pod.ref.uid], w.base_of[pod.ref.uid] = 0.0, 0.85 * LIMIT
    await world.until(world.completed())
    (attempt,) = world.healing().status.attempts
    assert attempt.verdict is verdict and "has no room" in (attempt.message or "")


async def test_the_failure_itself_fails_the_attempt_and_the_next_rung_goes_at_once() -> None:
    world, w = leak(replicas=3, ladder=[SHORT, SHORT])
    await world.until(world.verifying)
    oom(w)
    await world.until(lambda: len(world.healing().status.attempts) == 2)
    first, second = world.healing().status.attempts
    assert first.verdict is Outcome.FAILED and "OOM-killed" in (first.message or "")
    assert second.started_at == first.finished_at
    await world.until(world.verifying)
    oom(w)
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.FAILED]
    assert world.condition("NeedsHuman") == "FailedAtTheEnd"


async def test_a_surge_that_never_gets_ready_is_taken_back_and_a_person_is_asked() -> None:
    world, w = leak(replicas=1, ladder=[SHORT, SHORT])
    w.held = True
    await world.until(world.completed())
    again = ["scale 1->2", "release", "scale 2->1", "release"]
    assert world.journal.of_users() == [*again, *again]
    first, second = world.healing().status.attempts
    assert (first.verdict, second.verdict) == (Outcome.FAILED, Outcome.FAILED)
    assert first.finished_at is not None
    assert (second.started_at - first.finished_at).total_seconds() <= 15  # the controller's turn
    assert w.replicas == 1 and w.fewest_ready == 1 and w.managers == ("kubectl",)
    assert world.condition("NeedsHuman") == "FailedAtTheEnd"
    assert world.condition("Undone") == "Failed"


@pytest.mark.parametrize("error", [TransientError("no answer"), PermanentError("no right")])
async def test_a_target_that_can_not_be_read_is_an_error_not_a_success(error: Exception) -> None:
    world, _ = leak(replicas=3)
    await world.until(world.wrote(3))
    assert isinstance(error, TransientError | PermanentError)
    world.cluster.faults["live"] = error
    await world.run(150)
    world.cluster.faults.clear()
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.ERROR]
    assert world.condition("NeedsHuman") == "ErrorAtTheEnd"


async def test_a_pod_that_is_unready_for_a_moment_long_after_the_deadline_fails_nothing() -> None:
    world, w = leak(replicas=3, ladder=[SHORT])
    await world.until(world.verifying)
    await world.run(90)
    w.outage = True
    await world.run(30)
    w.outage = False
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED]


async def test_a_release_during_verification_is_neither_a_failure_nor_a_success() -> None:
    world, w = leak(replicas=3)
    await world.until(world.verifying)
    world.cluster.roll_out(w, "v2")
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.INCONCLUSIVE]
    assert "v2 was rolled out meanwhile" in (world.healing().status.message or "")
    assert w.update_revision == "v2"


async def test_a_full_sibling_that_was_never_touched_fails_nothing() -> None:
    world, w = leak(replicas=3)
    w.leak_of = {p.ref.uid: 0.0 for p in w.pods[1:]}
    w.base_of = {p.ref.uid: 220 * MIB for p in w.pods[1:]}
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED]


async def test_a_query_that_looks_back_is_given_time_to_forget() -> None:
    world, _ = erring_release(forget=120)
    await world.until(world.completed(), within=1_200)
    assert world.outcomes() == [Outcome.VERIFIED]


async def test_errors_that_outlast_the_queries_memory_are_a_failure() -> None:
    world, _ = erring_release(forget=100_000)
    await world.until(world.completed(), within=1_200)
    assert world.outcomes() == [Outcome.FAILED]
    assert world.journal.of_users() == ["template v1", "release"]


async def test_a_query_without_series_of_the_target_verifies_nothing() -> None:
    world, _ = erring_release(forget=0)
    await world.until(world.wrote(2))
    world.source.answers[QUERY] = lambda now: [
        Reading({"namespace": "shop", "deployment": "other"}, now, 0.0)
    ]
    await world.until(world.completed(), within=1_200)
    assert world.outcomes() == [Outcome.INCONCLUSIVE]


async def test_errors_that_go_on_after_a_rollback_are_told_to_a_person() -> None:
    world, w = bad_release(health="fine")
    world.source.answers[world.settings.error_ratio_query] = lambda now: [
        Reading({"namespace": "shop", "pod": p.ref.name}, now, 0.5)
        for p in w.present
        if p.revision == "v2" or w.update_revision == "v1" and p.born > world.began
    ]
    await world.until(world.completed(), within=1_200)
    assert world.outcomes() == [Outcome.FAILED]
    assert world.condition("NeedsHuman") == "FailedAtTheEnd"


async def test_nothing_is_verified_while_the_metrics_source_is_down() -> None:
    world, _ = bad_release()
    await world.until(world.wrote(2), within=600)
    world.source.down = TransientError("Prometheus cannot be reached")
    await world.until(world.completed(), within=1_200)
    assert world.outcomes() == [Outcome.INCONCLUSIVE]


async def test_a_problem_that_can_not_be_looked_for_has_not_gone_away() -> None:
    world, _ = leak(replicas=3)
    world.policy(mode="Observe")
    await world.until(world.opened())
    world.source.down = TransientError("Prometheus cannot be reached")
    await world.run(1_200)
    assert world.outcomes() == [None]


async def test_a_problem_nobody_was_allowed_to_heal_is_told_as_what_became_of_it() -> None:
    world, w = leak(replicas=3)
    w.leak_of = {p.ref.uid: 0.0 for p in w.pods[1:]}
    world.policy(mode="Observe")
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.CLEARED]
    message = world.healing().status.message or ""
    assert "it came to pass" in message and "mode Observe" in message


def oom(w: SimWorkload) -> None:
    """The newest pod meets its limit in the next second."""
    w.leak_of[w.present[-1].ref.uid] = 10_000 * MIB


def erring_release(forget: float) -> tuple[World, SimWorkload]:
    """v2 answers with errors; the query shows them `forget` seconds longer than they last."""
    world = World()
    signal = {
        "name": "errors",
        "query": QUERY,
        "workloadLabel": "deployment",
        "threshold": {"value": "0.05"},
        "ladder": [{"healer": "Rollback", "timeoutSeconds": 400}],
    }
    policy = world.policy(signal)
    w = world.cluster.add()
    world.remember(policy, w, "v1")
    world.cluster.roll_out(w, "v2")
    erring_until = [0.0]

    def answer(now: float) -> list[Reading]:
        if any(p.revision == "v2" for p in w.present):
            erring_until[0] = now + forget
        value = 0.5 if now <= erring_until[0] else 0.0
        return [Reading({"namespace": "shop", "deployment": "web"}, now, value)]

    world.source.answers[QUERY] = answer
    return world, w
