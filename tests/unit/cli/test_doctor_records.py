"""The operator, its HealingControl and the policies, as the doctor tells them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from akeso.api.scalars import format_time
from akeso.cli.doctor import records
from akeso.cli.doctor.checks import Check, Result, diagnosis
from akeso.cli.leader import Leader
from akeso.engine.records import BrokenObject
from unit.cli.objects import NOW, condition, control, policy, working_control

READY = (condition("Ready", True),)


def results(*checks: Check) -> list[Result]:
    return [check.result for check in checks]


def test_an_operator_that_leads_is_well():
    check = records.operator(Leader(running=True, holder="pod-a", heard_at=NOW), "akeso", NOW)
    assert check.result is Result.OK and "pod-a leads" in check.message


def test_no_operator_is_a_failure_with_its_last_sign_and_what_to_do():
    last = Leader(running=False, heard_at=NOW - timedelta(minutes=3))
    check = records.operator(last, "akeso", NOW)
    assert check.result is Result.FAILURE
    assert "in namespace akeso, last heard 3 min ago" in check.message
    assert "--akeso-namespace" in str(check.remedy)


def test_a_lease_that_can_not_be_read_says_nothing():
    assert records.operator(Leader(), "akeso", NOW).result is Result.SKIPPED


def test_without_a_control_nothing_is_written():
    (check,) = records.control(None, "akeso", NOW)
    assert check.result is Result.FAILURE and "nothing is written" in check.message


def test_a_control_that_is_ready_is_one_line():
    assert results(*records.control(working_control(), "akeso", NOW)) == [Result.OK]


def test_what_an_installation_can_not_do_is_told_with_the_weaker_promise():
    told = [
        {"name": "InPlaceResize", "available": "True", "message": "limits can be changed"},
        {"name": "Fencing", "available": "False", "message": "no policy: it rests on the Lease"},
        {"name": "Origin", "available": "Unknown", "message": "it can't be read"},
    ]
    working = (condition("Ready", True),)
    _, fencing, origin = records.control(control(None, working, capabilities=told), "akeso", NOW)
    assert results(fencing, origin) == [Result.WARNING, Result.SKIPPED]
    assert fencing.name == "Capability Fencing" and "rests on the Lease" in fencing.message
    assert "can't be read" in origin.message


def test_not_ready_degraded_and_paused_are_all_told():
    ailing = control(
        {"reason": "stocktaking", "until": format_time(NOW + timedelta(hours=2))},
        (condition("Ready", False, message="no list"), condition("Degraded", True, message="RBAC")),
    )
    ready, degraded, paused = records.control(ailing, "akeso", NOW)
    assert results(ready, degraded, paused) == [Result.FAILURE, Result.WARNING, Result.WARNING]
    assert "no list" in ready.message and "RBAC" in degraded.message
    assert "until 11:30:00 UTC: stocktaking" in paused.message


def test_a_pause_that_has_ended_is_not_told():
    over = {"reason": "x", "until": format_time(NOW - timedelta(seconds=1))}
    assert results(*records.control(working_control(over), "akeso", NOW)) == [Result.OK]


def test_policies_that_are_ready_are_one_line():
    both = [policy("a", conditions=READY), policy("b", conditions=READY)]
    assert [c.message for c in records.policies(both, ())] == ["2 policies are ready."]
    assert [c.message for c in records.policies(both[:1], ())] == ["1 policy is ready."]


def test_no_policy_is_a_warning_with_a_beginning():
    (check,) = records.policies((), ())
    assert check.result is Result.WARNING and "examples/observe.yaml" in str(check.remedy)


def test_policies_that_are_not_ready_are_told_one_by_one_up_to_a_limit():
    said = (condition("Ready", False, "NoData", "returns no series"),)
    many = [policy(f"p{i:02}", conditions=said) for i in range(records.SHOWN + 2)]
    checks = records.policies(many, ())
    assert len(checks) == records.SHOWN + 1
    assert "shop/p00 is not ready: returns no series" in checks[0].message
    assert checks[-1].message == "2 more policies are not ready."


def test_a_policy_that_can_not_be_read_is_a_failure():
    bad: Any = BrokenObject("HealingPolicy", "shop", "bad", "shop/bad can't be read; correct it")
    other = BrokenObject("Healing", "shop", "h", "no policy")
    (check,) = records.policies((), (bad, other))
    assert check.result is Result.FAILURE and "shop/bad" in check.message


def test_warnings_and_what_was_skipped_leave_the_whole_well():
    fine = records.policies((), ())
    assert diagnosis([*fine, records.operator(Leader(), "akeso", NOW)]).ok
    assert not diagnosis([*fine, *records.control(None, "akeso", NOW)]).ok
