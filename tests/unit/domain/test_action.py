"""An action knows from a Snapshot whether it is done, overtaken, or has to wait."""

from __future__ import annotations

from dataclasses import replace

from akeso.domain.action import ReleaseAutoscaler, Scale, SetAutoscalerBound
from akeso.domain.workload import Autoscaler, AutoscalerBound
from unit.world import deployment

WEB = Autoscaler("web", "uid-hpa", "1", 2, 10, managers=("kubectl",))
UNREADABLE = Autoscaler("(not readable)", readable=False)
RAISE = SetAutoscalerBound("web", "uid-hpa", AutoscalerBound.FLOOR, 2, 4)
LOWER = SetAutoscalerBound("web", "uid-hpa", AutoscalerBound.FLOOR, 4, 2, restore=True)


def test_a_bound_is_set_once_and_the_other_one_is_no_matter() -> None:
    seen = deployment(autoscaler=WEB)
    assert not RAISE.in_effect(seen) and not RAISE.superseded(seen)
    raised = deployment(autoscaler=replace(WEB, min_replicas=4, max_replicas=7))
    assert RAISE.in_effect(raised)
    assert not LOWER.in_effect(raised) and not LOWER.superseded(raised)


def test_a_bound_that_somebody_else_set_meanwhile_holds() -> None:
    seen = deployment(autoscaler=replace(WEB, min_replicas=5))
    assert RAISE.superseded(seen) and LOWER.superseded(seen)


def test_another_autoscaler_of_the_same_name_or_none_is_left_alone() -> None:
    for seen in (deployment(), deployment(autoscaler=replace(WEB, uid="uid-hpa-2"))):
        assert RAISE.superseded(seen) and LOWER.superseded(seen) and not RAISE.in_effect(seen)


def test_a_bound_waits_for_the_other_one_to_make_way() -> None:
    lower = SetAutoscalerBound("web", "uid-hpa", AutoscalerBound.CEILING, 10, 1, restore=True)
    seen = deployment(autoscaler=WEB)
    assert lower.waits_for(seen) == (
        "minReplicas of HorizontalPodAutoscaler/web to be 1 or less, it is 2"
    )
    higher = SetAutoscalerBound("web", "uid-hpa", AutoscalerBound.FLOOR, 2, 12)
    assert "maxReplicas" in (higher.waits_for(seen) or "")
    assert RAISE.waits_for(seen) is None


def test_while_autoscalers_cant_be_read_nothing_is_given_up_for_done() -> None:
    seen = deployment(autoscaler=UNREADABLE)
    for action in (RAISE, LOWER, ReleaseAutoscaler("akeso", "web", "uid-hpa")):
        assert not action.in_effect(seen) and not action.superseded(seen)
        assert "the right to read" in (action.waits_for(seen) or "")


def test_ownership_of_an_autoscaler_is_given_up_once_or_gone_with_it() -> None:
    release = ReleaseAutoscaler("akeso", "web", "uid-hpa")
    held = replace(WEB, managers=("kubectl", "akeso"))
    assert not release.in_effect(deployment(autoscaler=held))
    assert release.in_effect(deployment(autoscaler=WEB))
    assert release.in_effect(deployment())


def test_replicas_are_not_brought_back_where_an_autoscaler_owns_them_by_now() -> None:
    back = Scale(4, 2, restore=True)
    seen = deployment(4)
    assert not back.superseded(seen)
    assert back.superseded(replace(seen, autoscaler=WEB))
    assert not back.superseded(replace(seen, autoscaler=UNREADABLE))
