"""What is blamed on a rollout, and which revisions count as seen healthy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from akeso.domain.workload import Container, Pod
from akeso.engine.rollouts import CANNOT_START, RolloutRules, failing_rollout, seen_healthy
from unit.world import NOW, deployment, pod, revision

RULES = RolloutRules(30, 1_800, 180, 300)
REVISIONS = (revision("v1", 1), revision("v2", 2, created_at=NOW - 120))


def rolling(*pods: Pod, **fields: Any) -> Any:
    made = deployment(3, pods=pods, update_revision="v2", revisions=REVISIONS)
    return replace(made, **fields)


def new(name: str = "web-new", container: Container | None = None, **fields: Any) -> Pod:
    """A pod of v2, made a minute ago, whose container runs but is not ready."""
    container = container or Container("app", started_at=NOW - 60)
    return pod(
        name,
        revision="v2",
        ready=False,
        created_at=NOW - 60,
        unready_since=NOW - 60,
        node="node-1",
        containers=(container,),
        **fields,
    )


OLD = tuple(pod(f"web-{i}", containers=(Container("app", ready=True),)) for i in range(3))


def found(seen: Any, healthy: tuple[str, ...] = ("v1",), **erring: float) -> bool:
    named = {name.replace("_", "-"): at for name, at in erring.items()}
    return failing_rollout(seen, named, healthy, RULES, NOW) is not None


@pytest.mark.parametrize("reason", sorted(CANNOT_START))
def test_a_new_pod_that_can_not_start_fails_its_rollout(reason: str) -> None:
    assert found(rolling(*OLD, new(container=Container("app", waiting_reason=reason))))


def test_a_new_pod_that_runs_but_is_not_ready_for_too_long_fails_its_rollout() -> None:
    assert found(rolling(*OLD, new()))


def test_its_readiness_probe_is_given_its_own_time() -> None:
    slow = Container("app", started_at=NOW - 60, readiness_delay=45)
    assert not found(rolling(*OLD, new(container=slow)))


def test_a_pod_that_waits_for_a_node_or_an_image_is_not_blamed() -> None:
    assert not found(rolling(*OLD, replace(new(), node=None)))
    assert not found(rolling(*OLD, new(container=Container("app"))))


def test_new_pods_that_answer_with_errors_fail_their_rollout() -> None:
    well = replace(new(), ready=True, ready_since=NOW - 50, unready_since=None)
    assert found(rolling(*OLD, well), web_new=NOW - 40)
    assert not found(rolling(*OLD, well))


def test_errors_of_old_and_new_pods_alike_are_not_the_rollouts_fault() -> None:
    assert not found(rolling(*OLD, new()), web_new=NOW - 40, web_0=NOW - 40)


def test_a_pod_that_worked_for_minutes_does_not_speak_against_its_revision() -> None:
    late = replace(
        new(),
        created_at=NOW - 600,
        unready_since=NOW - 60,
        containers=(Container("app", started_at=NOW - 600),),
    )
    assert not found(rolling(*OLD, late))


def test_a_revision_once_seen_healthy_is_never_blamed() -> None:
    assert not found(rolling(*OLD, new()), healthy=("v2", "v1"))


def test_an_old_rollout_is_not_blamed() -> None:
    old = (REVISIONS[0], revision("v2", 2, created_at=NOW - 1_801))
    assert not found(rolling(*OLD, new(), revisions=old))


def test_one_bad_pod_of_three_new_ones_is_that_pods_own_problem() -> None:
    well = [
        replace(new(f"web-n{i}"), ready=True, ready_since=NOW - 50, unready_since=None)
        for i in range(2)
    ]
    assert not found(rolling(*well, new()))


def test_nobody_blames_a_revision_that_is_not_in_the_history() -> None:
    assert not found(rolling(*OLD, new(), update_revision="v9"))


def proven(**fields: Any) -> Any:
    ready = tuple(
        pod(f"web-{i}", ready_since=NOW - 300, containers=(Container("app", ready=True),))
        for i in range(3)
    )
    return replace(deployment(3, pods=ready), **fields)


def test_a_revision_is_healthy_after_all_pods_were_ready_and_quiet_long_enough() -> None:
    assert seen_healthy(proven(), {}, RULES, NOW)
    assert not seen_healthy(proven(), {}, RULES, NOW - 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"paused": True},
        {"replicas": 4},
        {"pods": (), "replicas": 0},
        {"update_revision": "v2"},
        {"generation": 2},
    ],
    ids=str,
)
def test_a_revision_that_is_not_out_completely_has_not_proven_itself(fields: Any) -> None:
    assert not seen_healthy(proven(**fields), {}, RULES, NOW)


def test_neither_errors_nor_a_recent_exit_are_health() -> None:
    seen = proven()
    assert not seen_healthy(seen, {"web-1": NOW - 10}, RULES, NOW)
    left = Container("app", ready=True, last_exit_at=NOW - 10, last_exit_reason="OOMKilled")
    pods = (replace(seen.pods[0], containers=(left,)), *seen.pods[1:])
    assert not seen_healthy(replace(seen, pods=pods), {}, RULES, NOW)
