"""What holds for the chain as a whole, whatever the case."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akeso.domain.action import Action, DeletePod, EvictPod, Resize, Scale
from akeso.domain.node import NodeHealth, Nodes
from akeso.domain.verdict import allow, deny
from akeso.domain.workload import Pod
from akeso.policy.case import Case, Control, PastHealing
from akeso.policy.chain import GUARDS, STOP_EVERYTHING, earliest_retry, first_denial, judge
from unit.policy.cases import SURGE, WELL, actions, case, cases, healings, plan, pods, steady
from unit.world import deployment, pod

STOPS_RESTORING = {"control", "kill-switch", "protected-namespace"}
EVERY_GUARD = [
    "control",
    "kill-switch",
    "protected-namespace",
    "enabled",
    "opt-out",
    "pause",
    "silence",
    "freshness",
    "controller",
    "autoscaler",
    "gitops",
    "rollout",
    "node",
    "breaker",
    "policy-budget",
    "global-budget",
    "cooldown",
    "retries",
    "disruption-budget",
    "min-available",
    "recreate",
    "single-replica",
    "capacity",
    "proposal",
    "conflict",
    "mode",
]


def test_a_case_without_any_problem_is_allowed_by_every_guard() -> None:
    verdicts = judge(case())
    assert first_denial(verdicts) is None
    assert [v.guard for v in verdicts] == EVERY_GUARD
    assert len(GUARDS) == len(EVERY_GUARD)


@steady
@given(cases())
def test_every_guard_answers_whatever_the_case_and_none_raises(any_case: Case) -> None:
    verdicts = judge(any_case)
    assert [v.guard for v in verdicts] == EVERY_GUARD
    for verdict in verdicts:
        assert verdict.reason.isalnum() and verdict.reason[0].isupper()
        assert verdict.sentence
        assert verdict.retry_after is None or not verdict.retry_after < 0
        assert verdict.allowed == (verdict.reason == "Allowed")


@steady
@given(cases())
def test_the_same_case_is_judged_the_same_again(any_case: Case) -> None:
    assert repr(judge(any_case)) == repr(judge(any_case))


@steady
@given(cases())
def test_the_kill_switch_stops_every_write(any_case: Case) -> None:
    control = replace(any_case.control, known=True, paused="an exercise", until=None)
    denial = first_denial(judge(replace(any_case, control=control)))
    assert denial is not None and denial.reason == "KillSwitch"


@steady
@given(cases())
def test_without_a_healing_control_nothing_is_written(any_case: Case) -> None:
    control = replace(any_case.control, known=False)
    denial = first_denial(judge(replace(any_case, control=control)))
    assert denial is not None and denial.reason == "ControlUnknown"


@steady
@given(cases(), actions)
def test_a_restoring_write_is_stopped_only_by_what_stops_everything(
    any_case: Case, action: Action
) -> None:
    restoring = replace(any_case, action=replace(action, restore=True))
    stopped_by = {v.guard for v in judge(restoring) if not v.allowed}
    assert stopped_by <= STOPS_RESTORING
    assert len(STOP_EVERYTHING) == len(STOPS_RESTORING)


@steady
@given(cases(), st.lists(healings, min_size=1, max_size=4))
def test_more_past_healings_never_turn_a_denial_into_an_allowance(
    any_case: Case, more: list[PastHealing]
) -> None:
    # Other healings: an earlier write of one already counted would move when that one began.
    others = [replace(p, name=f"other-{index}") for index, p in enumerate(more)]
    before = {v.guard for v in judge(any_case) if not v.allowed}
    after = {
        v.guard for v in judge(replace(any_case, past=(*any_case.past, *others))) if not v.allowed
    }
    assert before <= after


@steady
@given(st.lists(pods, max_size=5, unique_by=lambda p: p.ref.uid), st.integers(0, 4))
def test_no_eviction_is_allowed_that_leaves_fewer_ready_pods_than_the_policy_keeps(
    present: list[Pod], least: int
) -> None:
    seen = deployment(3, pods=[replace(p, revision="v1") for p in present])
    for going in seen.present:
        step = EvictPod(going.ref, 1)
        asked = case(seen, step, action=step, min_available=least, nodes=WELL)
        allowed = first_denial(judge(asked)) is None
        others = sum(p.ready for p in seen.present if p is not going)
        assert allowed is (others >= least)


@steady
@given(cases(), st.sampled_from(["False", "Unknown"]))
def test_no_pod_is_touched_on_a_node_that_is_not_ready_whatever_the_case(
    any_case: Case, ready: str
) -> None:
    down = Nodes(tuple(NodeHealth(n, ready) for n in ("node-1", "node-2")))
    for going in any_case.seen.present:
        if going.node is None or any_case.seen.pod(going.ref.uid) is not going:
            continue
        for step in (EvictPod(going.ref, 0), DeletePod(going.ref), Resize(going.ref, "app", 1, 2)):
            asked = replace(any_case, plan=plan(step, seen=any_case.seen), action=step, nodes=down)
            denials = {v.guard: v for v in judge(asked) if not v.allowed}
            assert denials["node"].reason == "NodeNotReady"
            assert going.node in denials["node"].sentence


@steady
@given(cases())
def test_in_observe_mode_nothing_but_a_restoring_write_is_allowed(any_case: Case) -> None:
    observed = replace(any_case, rules=replace(any_case.rules, mode="Observe"))
    assert observed.restoring or first_denial(judge(observed)) is not None


def test_a_surge_is_taken_back_even_when_everything_else_says_no() -> None:
    seen = deployment(2, labels={"akeso.dev/heal": "false"}, paused=True)
    back = Scale(2, 1, restore=True)
    denied = case(seen, *SURGE, action=back, mode="Observe", source_age=None)
    verdicts = judge(denied)
    assert first_denial(verdicts) is None
    opt_out = next(v for v in verdicts if v.guard == "opt-out")
    assert opt_out.sentence.startswith("Brings the user's own state back, despite: ")


@pytest.mark.parametrize(
    "control",
    [Control(known=False), Control(paused="stop"), Control(protected=frozenset({"shop"}))],
)
def test_not_even_a_surge_is_taken_back_against_what_stops_everything(control: Control) -> None:
    stopped = case(deployment(2), *SURGE, action=Scale(2, 1, restore=True), control=control)
    assert first_denial(judge(stopped)) is not None


def test_the_first_denial_in_the_order_of_the_chain_is_the_reason() -> None:
    spoilt = case(mode="Observe", pause_reasons=("a sale",))
    reasons = [v.reason for v in judge(spoilt) if not v.allowed]
    assert reasons == ["PolicyPaused", "ModeObserve"]
    denial = first_denial(judge(spoilt))
    assert denial is not None and denial.reason == "PolicyPaused"


def test_it_is_worth_asking_again_when_the_last_denial_may_have_passed() -> None:
    soon, late = deny("a", "A", "a", 10), deny("b", "B", "b", 600)
    assert earliest_retry([soon, allow("c", "c"), late]) == 600


def test_time_alone_does_not_help_where_one_denial_needs_a_person() -> None:
    assert earliest_retry([deny("a", "A", "a", 10), deny("b", "B", "b")]) is None
    assert earliest_retry([allow("a", "a")]) is None


def test_a_plan_that_is_wholly_fine_stays_allowed_at_each_of_its_writes() -> None:
    seen = deployment(1)
    surge = case(seen, *SURGE)
    assert first_denial(judge(replace(surge, action=SURGE[0]))) is None
    two = replace(seen, replicas=2, pods=(pod("web-0"), pod("web-9")), generation=2)
    assert first_denial(judge(replace(surge, seen=two, action=SURGE[1]))) is None
    assert first_denial(judge(replace(surge, seen=two, action=SURGE[2]))) is None
