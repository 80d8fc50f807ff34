"""Enough pods keep running while some of them go."""

from __future__ import annotations

import pytest

from akeso.domain.action import DeletePod, EvictPod
from akeso.domain.workload import DisruptionBudget, Snapshot
from akeso.policy.chain import Guard
from akeso.policy.disruption import disruption_budget, min_available, recreate, single_replica
from unit.policy.cases import EVICTION, FOR_GOOD, ROLLBACK, SURGE, case, denied
from unit.world import daemon_set, deployment, pod, stateful_set

NONE_ALLOWED = (DisruptionBudget("web-pdb", 0),)
ONE_ALLOWED = (DisruptionBudget("web-pdb", 1),)


def test_a_budget_at_zero_keeps_a_ready_pod() -> None:
    verdict = disruption_budget(case(deployment(budgets=NONE_ALLOWED)))
    assert denied(verdict, "DisruptionBudget", "web-pdb allows 0 disruptions", "web-0 is ready")
    assert verdict.retry_after is not None


def test_a_budget_at_zero_lets_a_pod_go_that_is_not_ready() -> None:
    pods = (pod("web-0", ready=False), pod("web-1"))
    assert disruption_budget(case(deployment(2, pods=pods, budgets=NONE_ALLOWED))).allowed


def test_a_budget_that_allows_one_disruption_is_told() -> None:
    verdict = disruption_budget(case(deployment(budgets=ONE_ALLOWED)))
    assert verdict.allowed and "web-pdb allows 1 disruption;" in verdict.sentence


def test_a_budget_at_zero_is_no_reason_against_a_surge_but_against_the_eviction_itself() -> None:
    seen = deployment(1, budgets=NONE_ALLOWED)
    assert disruption_budget(case(seen, *SURGE)).allowed
    assert disruption_budget(case(seen, *SURGE, action=SURGE[0])).allowed
    assert denied(disruption_budget(case(seen, *SURGE, action=SURGE[1])), "DisruptionBudget")


def test_two_budgets_on_one_pod_are_refused_before_the_api_server_fails() -> None:
    both = (DisruptionBudget("a", 1), DisruptionBudget("b", 1))
    surge = case(deployment(1, budgets=both), *SURGE, action=SURGE[0])
    assert denied(disruption_budget(surge), "OverlappingBudgets")
    assert denied(disruption_budget(case(deployment(budgets=both))), "OverlappingBudgets", "a, b")


@pytest.mark.parametrize("guard", [disruption_budget, min_available, single_replica])
def test_what_evicts_nothing_needs_no_room(guard: Guard) -> None:
    seen = deployment(1, budgets=NONE_ALLOWED, update_revision="v2")
    assert guard(case(seen, *ROLLBACK)).allowed
    assert guard(case(seen, plan=None)).allowed


@pytest.mark.parametrize(("least", "allowed"), [(1, True), (2, True), (3, False)])
def test_so_many_pods_as_the_policy_keeps_stay_ready(least: int, allowed: bool) -> None:
    for action in (None, EVICTION):
        assert min_available(case(min_available=least, action=action)).allowed is allowed


def test_too_few_pods_are_told_with_numbers_and_a_remedy() -> None:
    verdict = min_available(case(min_available=3))
    assert denied(verdict, "MinAvailable", "2 pods of Deployment shop/web", "keeps 3", "replicas")


def test_a_pod_that_is_not_ready_is_not_counted_among_those_that_stay() -> None:
    pods = (pod("web-0", ready=False), pod("web-1"), pod("web-2", deleting=True))
    seen = deployment(3, pods=pods)
    assert min_available(case(seen, min_available=1)).allowed
    assert not min_available(case(seen, min_available=2)).allowed


def test_a_surge_counts_for_the_plan_and_only_ready_pods_count_at_the_write() -> None:
    one = deployment(1)
    assert min_available(case(one, *SURGE)).allowed
    assert min_available(case(one, *SURGE, action=SURGE[0])).allowed
    starting = deployment(2, pods=(pod("web-0"), pod("web-9", ready=False)))
    assert denied(min_available(case(starting, *SURGE, action=SURGE[1])), "MinAvailable")
    started = deployment(2, pods=(pod("web-0"), pod("web-9")))
    assert min_available(case(started, *SURGE, action=SURGE[1])).allowed


def test_the_plan_is_judged_by_its_first_pod_that_is_still_there() -> None:
    pods = (pod("web-0", deleting=True), pod("web-1", ready=False), pod("web-2"), pod("web-3"))
    evictions = [EvictPod(p.ref, 3) for p in pods[:3]]
    seen = deployment(3, pods=pods, budgets=NONE_ALLOWED)
    assert min_available(case(seen, *evictions, min_available=2)).allowed
    assert disruption_budget(case(seen, *evictions)).allowed


@pytest.mark.parametrize(("ready", "allowed"), [(False, True), (True, False)])
def test_only_a_broken_pod_is_deleted(ready: bool, allowed: bool) -> None:
    seen = stateful_set(2, pods=(pod("web-0"), pod("web-1", ready=ready)))
    step = DeletePod(pod("web-1").ref)
    assert min_available(case(seen, *ROLLBACK, step, action=step)).allowed is allowed


def test_a_rollback_does_not_stop_a_recreated_workload_that_still_serves() -> None:
    seen = deployment(2, strategy="Recreate")
    verdict = recreate(case(seen, *ROLLBACK))
    assert denied(verdict, "Recreate", "2 ready pods", "keeps 1", "minAvailable: 0")
    assert recreate(case(seen, *ROLLBACK, min_available=0)).allowed
    assert recreate(case(seen)).allowed


def test_a_recreated_workload_without_a_ready_pod_has_nothing_to_lose() -> None:
    seen = deployment(1, strategy="Recreate", pods=(pod("web-0", ready=False),))
    assert recreate(case(seen, *ROLLBACK)).allowed


@pytest.mark.parametrize("seen", [deployment(1), stateful_set(1), daemon_set(1)])
def test_the_only_pod_does_not_go_before_another_was_started(seen: Snapshot) -> None:
    verdict = single_replica(case(seen))
    assert denied(verdict, "SingleReplica", str(seen.ref), "2 replicas", "minAvailable: 0")


def test_the_only_pod_may_go_after_a_surge_or_where_a_gap_is_accepted() -> None:
    assert single_replica(case(deployment(1), *SURGE)).allowed
    assert single_replica(case(deployment(1), min_available=0)).allowed
    assert single_replica(case(deployment(2))).allowed


@pytest.mark.parametrize("seen", [stateful_set(1), daemon_set(1), deployment(1, unavailable=1)])
def test_a_rollout_that_takes_the_only_pod_first_leaves_a_gap(seen: Snapshot) -> None:
    asked = case(seen, *FOR_GOOD)
    assert denied(single_replica(asked), "SingleReplica", "2 replicas", "minAvailable: 0")
    assert denied(min_available(asked), "MinAvailable", "0 pods", "keeps 1")
    gap = case(seen, *FOR_GOOD, min_available=0)
    assert single_replica(gap).allowed and min_available(gap).allowed


def test_a_rollout_that_starts_a_pod_before_one_goes_leaves_none() -> None:
    asked = case(deployment(1), *FOR_GOOD)
    assert single_replica(asked).allowed and min_available(asked).allowed


def test_a_rollout_may_do_without_so_many_as_its_strategy_says() -> None:
    seen = deployment(4, surge=0, unavailable=2)
    assert min_available(case(seen, *FOR_GOOD, min_available=2)).allowed
    verdict = min_available(case(seen, *FOR_GOOD, min_available=3))
    assert denied(verdict, "MinAvailable", "2 pods", "does without 2", "keeps 3")


def test_a_template_with_other_limits_does_not_stop_a_recreated_workload_either() -> None:
    seen = deployment(2, strategy="Recreate", surge=0, unavailable=2)
    asked = case(seen, *FOR_GOOD)
    assert denied(recreate(asked), "Recreate", "2 ready pods", "minAvailable: 0")
    assert min_available(asked).allowed  # said once
