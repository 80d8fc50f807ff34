"""ScaleOut: how many, within what bounds, and what is owed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akeso.domain.action import ReleaseAutoscaler, ReleaseOwnership, Scale, SetAutoscalerBound
from akeso.domain.finding import Evidence, Origin, Signal
from akeso.domain.workload import AutoscalerBound, Snapshot
from akeso.protocols import HealerContext
from akeso_healers import ScaleOut
from unit.healers.scenarios import COMING, MANAGER, UP_TO_TEN, load, scaled
from unit.world import NOW, deployment, finding, pod

HEALER = ScaleOut()
FLOOR, CEILING = AutoscalerBound.FLOOR, AutoscalerBound.CEILING


def replicas(seen: Snapshot, evidence: Evidence, context: HealerContext = UP_TO_TEN) -> int:
    origin = Origin.THRESHOLD if evidence.ttf is None else Origin.FORECAST
    found = finding(seen, about=Signal.QUERY, origin=origin, evidence=evidence)
    first = HEALER.plan(found, seen, context).actions[0]
    assert isinstance(first, Scale | SetAutoscalerBound)
    return first.to


@pytest.mark.parametrize(
    ("now", "value", "wanted"),
    [
        (4, 100.1, 6),  # 4 x 100.1 / 80
        (4, 120.0, 6),
        (4, 140.0, 7),
        (4, 900.0, 8),  # at most doubled
        (6, 300.0, 10),  # at most maxReplicas
        (1, 101.0, 2),
    ],
)
def test_as_many_as_leave_a_fifth_of_room_at_the_load_there_is(
    now: int, value: float, wanted: int
) -> None:
    assert replicas(deployment(now), replace(COMING, value=value, ttf=None)) == wanted


@pytest.mark.parametrize(
    ("value", "ttf", "horizon", "wanted"),
    [
        (60.0, 600.0, 600.0, 5),  # 100 at the end of the horizon: 4 x 100 / 80
        (60.0, 400.0, 600.0, 6),  # 120
        (60.0, 300.0, 600.0, 7),  # 140
        (60.0, 60.0, 600.0, 8),  # 460: doubled
        (60.0, 900.0, 0.0, 5),  # without a horizon no more than what was foretold
        (60.0, float("inf"), 600.0, 5),
    ],
)
def test_the_load_expected_at_the_end_of_the_horizon_counts(
    value: float, ttf: float, horizon: float, wanted: int
) -> None:
    evidence = replace(COMING, value=value, ttf=(ttf / 2, ttf, 2 * ttf))
    assert replicas(deployment(4), evidence, replace(UP_TO_TEN, horizon=horizon)) == wanted


def test_where_nothing_was_measured_it_is_one_more() -> None:
    bare = Evidence("alice asked", NOW, NOW)
    assert replicas(deployment(4), bare) == 5


@given(
    now=st.integers(1, 50),
    most=st.integers(2, 60),
    value=st.floats(0, 1e9),
    threshold=st.floats(-10, 1e6),
    ttf=st.floats(0, 1e6),
    horizon=st.floats(0, 86_400),
)
def test_whatever_is_measured_it_is_more_and_never_more_than_twice_or_than_allowed(
    now: int, most: int, value: float, threshold: float, ttf: float, horizon: float
) -> None:
    seen = deployment(now)
    evidence = replace(COMING, value=value, threshold=threshold, ttf=(ttf, ttf, ttf))
    found = finding(seen, about=Signal.QUERY, evidence=evidence)
    context = replace(UP_TO_TEN, max_replicas=most, horizon=horizon)
    if not HEALER.diagnose(found, seen, context).allowed:
        return
    made = HEALER.plan(found, seen, context)
    [up] = [a for a in made.actions if isinstance(a, Scale)]
    assert now < up.to <= min(2 * now, most)
    assert made.afterwards[0] == Scale(up.to, now, restore=True, settle=False)


def test_plain_replicas_are_set_owed_and_given_up() -> None:
    made = HEALER.plan(load("", deployment(4)).finding, deployment(4), UP_TO_TEN)
    release = ReleaseOwnership(MANAGER)
    assert made.actions == (Scale(4, 7, settle=False), release)
    assert made.afterwards == (Scale(7, 4, restore=True, settle=False), release)
    assert made.undo == ()
    assert made.summary == "scale from 4 to 7 replicas, until the load is gone"


def test_raised_twice_it_goes_back_to_what_the_user_had() -> None:
    owed = (Scale(4, 2, restore=True, settle=False),)
    context = replace(UP_TO_TEN, owed=owed)
    made = HEALER.plan(load("", deployment(4)).finding, deployment(4), context)
    assert made.afterwards[0] == Scale(7, 2, restore=True, settle=False)


def test_an_autoscalers_floor_is_raised_and_its_replicas_are_not_written() -> None:
    seen = deployment(4, autoscaler=scaled(2, 9))
    made = HEALER.plan(load("", seen).finding, seen, UP_TO_TEN)
    release = ReleaseAutoscaler(MANAGER, "web", "uid-hpa")
    assert made.actions == (SetAutoscalerBound("web", "uid-hpa", FLOOR, 2, 7), release)
    back = SetAutoscalerBound("web", "uid-hpa", FLOOR, 7, 2, restore=True)
    assert made.afterwards == (back, release)
    assert "raise minReplicas from 2 to 7 of HorizontalPodAutoscaler/web" in made.summary


def test_below_its_ceiling_an_autoscaler_is_not_asked_for_more_than_that() -> None:
    seen = deployment(4, autoscaler=scaled(2, 5))
    made = HEALER.plan(load("", seen).finding, seen, UP_TO_TEN)
    assert made.actions[:-1] == (SetAutoscalerBound("web", "uid-hpa", FLOOR, 2, 5),)


def test_at_its_ceiling_both_bounds_are_raised_and_brought_back_in_the_other_order() -> None:
    seen = deployment(5, autoscaler=scaled(2, 5))
    made = HEALER.plan(load("", seen).finding, seen, UP_TO_TEN)
    assert made.actions[:-1] == (
        SetAutoscalerBound("web", "uid-hpa", CEILING, 5, 9),
        SetAutoscalerBound("web", "uid-hpa", FLOOR, 2, 9),
    )
    assert made.afterwards[:-1] == (
        SetAutoscalerBound("web", "uid-hpa", FLOOR, 9, 2, restore=True),
        SetAutoscalerBound("web", "uid-hpa", CEILING, 9, 5, restore=True),
    )


def test_a_bound_raised_twice_goes_back_to_the_users_own() -> None:
    owed = (SetAutoscalerBound("web", "uid-hpa", FLOOR, 4, 2, restore=True),)
    seen = deployment(4, autoscaler=scaled(4, 9))
    made = HEALER.plan(load("", seen).finding, seen, replace(UP_TO_TEN, owed=owed))
    assert made.afterwards[0] == SetAutoscalerBound("web", "uid-hpa", FLOOR, 7, 2, restore=True)


def test_what_passes_by_itself_is_waited_for_and_what_does_not_is_not() -> None:
    starting = deployment(2, pods=(pod("web-0"), pod("web-1", ready=False, phase="Pending")))
    waits = HEALER.diagnose(load("", starting).finding, starting, UP_TO_TEN)
    assert waits.reason == "StillStarting" and waits.retry_after is not None
    full = deployment(10)
    assert HEALER.diagnose(load("", full).finding, full, UP_TO_TEN).retry_after is None


def test_pods_that_are_overwhelmed_are_no_reason_to_wait() -> None:
    seen = deployment(2, pods=(pod("web-0"), pod("web-1", ready=False)))
    assert HEALER.diagnose(load("", seen).finding, seen, UP_TO_TEN).allowed
