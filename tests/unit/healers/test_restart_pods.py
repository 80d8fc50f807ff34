"""RestartPods: one at a time, worst first, the only pod after a surge."""

from __future__ import annotations

from dataclasses import replace

import pytest

from akeso.domain.action import EvictPod, ReleaseOwnership, Scale
from akeso.domain.finding import Signal
from akeso.domain.workload import Snapshot
from akeso.protocols import HealerContext
from akeso_healers import RestartPods
from unit.healers.simulator import Simulator, carry_out
from unit.world import daemon_set, deployment, finding, pod, stateful_set

HEALER = RestartPods()
CONTEXT = HealerContext(1, (), "akeso-heal")


def test_pods_go_in_the_findings_order_each_when_all_wanted_are_ready() -> None:
    seen = deployment(3)
    made = HEALER.plan(finding(seen, seen.pods[2], seen.pods[0]), seen, CONTEXT)
    assert made.actions == (EvictPod(seen.pods[2].ref, 3), EvictPod(seen.pods[0].ref, 3))
    assert made.undo == () and made.blast_radius == 2


def test_a_full_volume_is_no_reason_to_restart_anything() -> None:
    seen = deployment(3)
    said = HEALER.diagnose(finding(seen, seen.pods[0], about=Signal.VOLUME_FILLING), seen, CONTEXT)
    assert (said.allowed, said.reason) == (False, "VolumeStays")


def test_pods_gone_or_leaving_are_left_out() -> None:
    leaving = pod("web-1", deleting=True)
    seen = deployment(3, pods=(pod("web-0"), leaving, pod("web-2")))
    made = HEALER.plan(finding(seen, pod("web-7"), leaving, seen.pods[2]), seen, CONTEXT)
    assert made.actions == (EvictPod(seen.pods[2].ref, 3),)


def test_a_pod_named_twice_goes_once() -> None:
    seen = deployment(3)
    assert len(HEALER.plan(finding(seen, *seen.pods[:1] * 2), seen, CONTEXT).actions) == 1


def test_a_broken_pod_goes_although_another_is_broken_too() -> None:
    pods = (pod("web-0", ready=False), pod("web-1", ready=False), pod("web-2"))
    seen = deployment(3, pods=pods)
    first, second = HEALER.plan(finding(seen, *pods[:2]), seen, CONTEXT).actions
    assert first.waits_for(seen) is None and second.waits_for(seen) is None


def test_a_broken_pod_waits_for_as_many_others_as_the_policy_keeps() -> None:
    pods = (pod("web-0", ready=False), pod("web-1", ready=False), pod("web-2"))
    seen = deployment(3, pods=pods)
    (step,) = HEALER.plan(finding(seen, pods[0]), seen, replace(CONTEXT, min_available=2)).actions
    assert step.waits_for(seen) == "2 other ready pods before web-0 goes, 1 are"


def test_a_broken_pod_that_recovers_meanwhile_still_leaves_enough_behind() -> None:
    pods = (pod("web-0", ready=False), pod("web-1", ready=False))
    seen = deployment(2, pods=pods)
    (step,) = HEALER.plan(finding(seen, pods[0]), seen, CONTEXT).actions
    recovered = replace(seen, pods=(pod("web-0"), pods[1]))
    assert step.waits_for(recovered) is not None


@pytest.mark.parametrize("ready", [True, False])
def test_the_only_pod_of_a_deployment_goes_after_a_surge_ready_or_not(ready: bool) -> None:
    seen = deployment(1, pods=(pod("web-0", ready=ready),))
    only = seen.pods[0].ref
    made = HEALER.plan(finding(seen, *seen.pods), seen, CONTEXT)
    release = ReleaseOwnership("akeso-heal")
    assert made.actions == (
        Scale(1, 2, surge_for=only),
        release,
        EvictPod(only, 2),
        Scale(2, 1, restore=True),
        release,
    )
    assert made.undo == (Scale(2, 1, restore=True, settle=False), release)


def test_where_a_gap_is_accepted_the_only_pod_just_goes() -> None:
    seen = deployment(1)
    made = HEALER.plan(finding(seen, *seen.pods), seen, replace(CONTEXT, min_available=0))
    assert made.actions == (EvictPod(seen.pods[0].ref, 1),) and made.undo == ()


@pytest.mark.parametrize("seen", [stateful_set(1), daemon_set(1)], ids=lambda s: str(s.ref.kind))
def test_kinds_that_cant_surge_are_planned_without_and_left_to_the_guard(seen: Snapshot) -> None:
    made = HEALER.plan(finding(seen, *seen.pods), seen, CONTEXT)
    assert made.actions == (EvictPod(seen.pods[0].ref, 1),) and made.undo == ()


def test_the_way_back_from_a_surge_waits_for_the_evicted_pods_replacement() -> None:
    back = Scale(2, 1, restore=True)
    unseen = deployment(2, pods=(pod("web-0", deleting=True, ready=False), pod("web-9")))
    assert back.waits_for(unseen) == "2 pods to exist, 1 do"
    replaced = replace(unseen, pods=(*unseen.pods, pod("web-10", ready=False)))
    assert back.waits_for(replaced) is None


def test_the_undo_of_a_surge_that_never_became_ready_ends() -> None:
    seen = deployment(1)
    made = HEALER.plan(finding(seen, *seen.pods), seen, CONTEXT)
    world = Simulator(seen, "akeso-heal", broken=["v1"])
    with pytest.raises(AssertionError, match="1 other ready pods before web-0 goes"):
        carry_out(made.actions, world)
    assert made.undo[0].waits_for(replace(world.seen, pods=())) is None
    carry_out(made.undo, world)
    world.settle()
    assert world.seen.pods == seen.pods and world.seen.replicas == 1 and world.fewest == 1


def test_a_number_that_somebody_else_set_meanwhile_holds() -> None:
    seen = deployment(1)
    made = HEALER.plan(finding(seen, *seen.pods), seen, CONTEXT)
    five = replace(seen, replicas=5)
    assert all(a.superseded(five) for a in (*made.actions, *made.undo) if isinstance(a, Scale))


def test_the_plan_says_what_it_would_do() -> None:
    one, three = deployment(1), deployment(3)
    assert HEALER.plan(finding(one, *one.pods), one, CONTEXT).summary == (
        "start a second pod, evict web-0 when it is ready, and go back to 1 replica"
    )
    assert HEALER.plan(finding(three, *three.pods[:2]), three, CONTEXT).summary == (
        "evict 2 pods one at a time: web-0, web-1"
    )


def test_planning_what_diagnosis_refuses_is_a_mistake_and_says_so() -> None:
    seen = deployment(3)
    with pytest.raises(ValueError, match="ask diagnose"):
        HEALER.plan(finding(seen), seen, CONTEXT)
