"""Now or not: fresh data, no rollout of somebody else's, no wider outage."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from akeso.domain.action import DeletePod
from akeso.policy.case import Fleet
from akeso.policy.moment import breaker, freshness, rollout
from unit.policy.cases import ROLLBACK, SURGE, case, denied
from unit.world import deployment, pod

ROLLING = deployment(
    2, pods=(pod("web-0"), pod("web-1", revision="v2", ready=False)), update_revision="v2"
)


def test_a_source_without_any_sample_is_not_healthy_and_nothing_is_done() -> None:
    verdict = freshness(case(source_age=None))
    assert denied(verdict, "NoData", "memory", "Deployment shop/web")
    assert verdict.retry_after == 60


@pytest.mark.parametrize(("age", "fresh"), [(0, True), (60, True), (60.1, False)])
def test_a_sample_is_stale_beyond_its_greatest_age(age: float, fresh: bool) -> None:
    assert freshness(case(source_age=age)).allowed is fresh


def test_an_age_that_is_no_number_is_stale() -> None:
    assert denied(freshness(case(source_age=float("nan"))), "StaleData", "60 s")


def test_stale_data_says_from_when_it_is() -> None:
    verdict = freshness(case(source_age=120))
    assert denied(verdict, "StaleData", "2027-01-15 07:58:00 UTC", "60 s", "check its source")


def test_a_paused_workload_is_left_alone_even_by_a_rollback() -> None:
    paused = replace(ROLLING, paused=True)
    assert denied(rollout(case(paused)), "RolloutPaused", "kubectl rollout resume deployment/web")
    assert denied(rollout(case(paused, *ROLLBACK)), "RolloutPaused")


def test_a_rollout_under_way_is_left_alone() -> None:
    verdict = rollout(case(ROLLING))
    assert denied(verdict, "RolloutInProgress", "1 of 2 pods", "revision v2")
    assert verdict.retry_after is not None


def test_a_rollout_the_controller_has_not_seen_yet_is_one_too() -> None:
    assert denied(rollout(case(deployment(generation=2))), "RolloutInProgress")


def test_a_rollback_of_that_very_rollout_is_allowed_until_its_last_write() -> None:
    assert rollout(case(ROLLING, *ROLLBACK)).allowed
    written = replace(ROLLING, update_revision="v1")
    step = DeletePod(pod("web-1").ref)
    assert rollout(case(written, ROLLBACK[0], step, action=step)).allowed


def test_a_rollback_of_an_older_rollout_leaves_the_newer_one_alone() -> None:
    newer = replace(ROLLING, update_revision="v3")
    assert denied(rollout(case(newer, *ROLLBACK)), "NewerRollout", "v3", "v2")


def test_our_own_surge_is_not_a_rollout() -> None:
    two = deployment(2, generation=2)
    assert rollout(case(two, *SURGE, action=SURGE[1])).allowed
    assert denied(rollout(case(two, *SURGE)), "RolloutInProgress")


def test_a_rollout_that_begins_during_our_surge_is_one() -> None:
    two = replace(ROLLING, generation=2)
    assert denied(rollout(case(two, *SURGE, action=SURGE[1])), "RolloutInProgress")


_LINES = re.findall(
    r"^\s*\|\s*(\d+) \|\s*(\d+) \|\s*(\d+) \|\s*(\d+) \| (yes|no)",
    breaker.__doc__ or "",
    re.MULTILINE,
)


def test_the_breakers_table_is_read_from_its_documentation() -> None:
    assert len(_LINES) == 13


@pytest.mark.parametrize(("targets", "failing", "least", "percent", "trips"), _LINES)
def test_the_breaker_trips_as_its_table_says(
    targets: str, failing: str, least: str, percent: str, trips: str
) -> None:
    fleet = Fleet(int(targets), frozenset(str(i) for i in range(int(failing))))
    judged = case(fleet=fleet, min_unhealthy=int(least), max_unhealthy_percent=int(percent))
    assert breaker(judged).allowed is (trips == "no")


def test_an_open_breaker_tells_numbers_and_what_to_look_for() -> None:
    verdict = breaker(case(fleet=Fleet(8, frozenset("abcd"))))
    assert denied(verdict, "BreakerOpen", "4 of 8 targets fail now", "above 3 and 49 %", "cause")


def test_a_fleet_nobody_counted_is_not_a_healthy_one() -> None:
    assert denied(breaker(case(fleet=Fleet(0))), "FleetUnknown")
