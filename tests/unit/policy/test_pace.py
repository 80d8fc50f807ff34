"""How often: budgets, cooldown, retries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from akeso.domain.finding import Outcome
from akeso.policy.case import Control, PastHealing
from akeso.policy.pace import cooldown, global_budget, policy_budget, retries
from unit.policy.cases import case, denied, past

MINE = "uid-web"


def test_a_policy_heals_so_often_in_an_hour_and_tells_how_much_is_used() -> None:
    five = tuple(past(ago=60.0 * i) for i in range(5))
    verdict = policy_budget(case(past=five))
    assert verdict.allowed and "5 of 6 healings used in the last hour" in verdict.sentence


def test_a_used_up_budget_has_room_when_the_oldest_healing_leaves_the_hour() -> None:
    six = tuple(past(ago=ago) for ago in (600, 3_000, 1_200, 1_800, 2_400, 0))
    verdict = policy_budget(case(past=six))
    assert denied(verdict, "PolicyBudget", "6 of 6 healings", "08:10:00 UTC")
    assert verdict.retry_after == 600


def test_a_budget_that_was_lowered_waits_until_enough_have_left() -> None:
    six = tuple(past(ago=ago) for ago in (3_000, 2_000, 1_000, 300, 200, 100))
    assert policy_budget(case(past=six, max_healings_per_hour=3)).retry_after == 3_300


@pytest.mark.parametrize(("ago", "counts"), [(3_599.9, True), (3_600, False), (-5, True)])
def test_the_hour_ends_after_3600_seconds_and_the_future_counts(ago: float, counts: bool) -> None:
    one = case(past=(past(ago=ago),), max_healings_per_hour=1)
    assert policy_budget(one).allowed is not counts


def test_a_healing_just_started_in_this_cycle_counts() -> None:
    started = past(ago=0, took=None, outcome=None)
    assert not policy_budget(case(past=(started,), max_healings_per_hour=1)).allowed


def test_a_healing_from_an_unknown_time_counts() -> None:
    unknown = past(ago=float("nan"))
    assert not policy_budget(case(past=(unknown,), max_healings_per_hour=1)).allowed


def test_a_budget_of_zero_never_has_room() -> None:
    verdict = policy_budget(case(max_healings_per_hour=0))
    assert denied(verdict, "PolicyBudget", "0 of 0 healings") and verdict.retry_after is None


def test_other_policies_use_up_the_global_budget_only() -> None:
    others = tuple(past(ago=60, policy="policy-2") for _ in range(60))
    assert policy_budget(case(past=others)).allowed
    verdict = global_budget(case(past=others))
    assert denied(verdict, "GlobalBudget", "60 of 60 healings", "HealingControl")
    assert global_budget(case(past=others, control=Control(max_healings_per_hour=61))).allowed


def test_a_target_rests_between_two_healings_from_the_end_of_the_first() -> None:
    verdict = cooldown(case(past=(past(ago=700, took=300, target=MINE),)))
    assert denied(verdict, "Cooldown", "Deployment shop/web", "600 s", "08:03:20 UTC")
    assert verdict.retry_after == 200


def test_a_target_whose_rest_is_over_may_be_healed() -> None:
    assert cooldown(case(past=(past(ago=660, took=60, target=MINE),))).allowed


def test_the_latest_healing_counts_in_whatever_order_they_come() -> None:
    two = (past(ago=100, took=0, target=MINE), past(ago=5_000, took=0, target=MINE))
    assert cooldown(case(past=two)).retry_after == 500
    assert cooldown(case(past=two[::-1])).retry_after == 500


def test_two_healings_never_run_on_one_target_at_once() -> None:
    open_one = past(ago=90_000, took=None, target=MINE, outcome=None)
    verdict = cooldown(case(past=(open_one,)))
    assert denied(verdict, "AnotherHealing", "heal-") and verdict.retry_after == 600


def test_healings_of_other_targets_do_not_make_this_one_rest() -> None:
    others = (past(ago=10), past(ago=10, took=None))
    assert cooldown(case(past=others)).allowed


def failed(ago: float, **fields: Any) -> PastHealing:
    return past(**{"ago": ago, "took": 0, "target": MINE, "outcome": Outcome.FAILED, **fields})


def test_a_healer_that_failed_often_on_a_target_is_not_tried_again_there() -> None:
    verdict = retries(case(past=(failed(80_000), failed(5_000), failed(1_000))))
    assert denied(verdict, "FailedTooOften", "RestartPods failed 3 times", "24 h", "person")
    assert verdict.retry_after == 6_400


@pytest.mark.parametrize(
    "other",
    [
        failed(86_400),
        failed(1_000, target="uid-other"),
        failed(1_000, healer="Rollback"),
        failed(1_000, outcome=Outcome.VERIFIED),
    ],
)
def test_old_failures_those_elsewhere_and_successes_do_not_count(other: PastHealing) -> None:
    verdict = retries(case(past=(failed(10), failed(20), other)))
    assert verdict.allowed and "2 times" in verdict.sentence


def test_the_plans_healer_counts_where_the_case_names_none() -> None:
    three = (failed(10), failed(20), failed(30))
    assert not retries(case(past=three, healer="")).allowed
    assert retries(case(past=three, healer="", plan=None)).allowed


def test_two_attempts_of_one_healing_use_the_budget_once() -> None:
    first, other = past(ago=60), past(ago=30)
    again = replace(first, acted_at=first.acted_at + 20)
    assert policy_budget(case(past=(first, again), max_healings_per_hour=2)).allowed
    assert global_budget(case(past=(first, again, other))).allowed
    assert not policy_budget(case(past=(first, again, other), max_healings_per_hour=2)).allowed
