"""Pods on nodes that are not well are left alone, and the node is named as what is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from akeso.domain.action import (
    Action,
    DeletePod,
    EvictPod,
    Plan,
    ReleaseOwnership,
    Resize,
    Scale,
    SetAutoscalerBound,
)
from akeso.domain.node import NodeHealth, Nodes
from akeso.domain.workload import AutoscalerBound, Pod, Snapshot
from akeso.policy.case import Case
from akeso.policy.chain import earliest_retry, first_denial, judge
from akeso.policy.nodes import homes, node
from unit.policy.cases import FOR_GOOD, ROLLBACK, case, denied, plan
from unit.world import deployment, finding, pod, stateful_set

# web-0 stands on node-0, and so on.
PODS = tuple(pod(f"web-{i}", node=f"node-{i}") for i in range(3))
FIRST, SECOND = PODS[0].ref, PODS[1].ref
EVICT, DELETE = EvictPod(FIRST, 3), DeletePod(FIRST)
RESIZE = Resize(FIRST, "app", 128, 256)
SURGE = (Scale(1, 2, surge_for=FIRST), EvictPod(FIRST, 2), Scale(2, 1, restore=True))
DOWN = NodeHealth("node-0", "Unknown", "NodeStatusUnknown")
PRESSED = NodeHealth("node-0", pressure=("MemoryPressure", "DiskPressure"))


def nodes(*ailing: NodeHealth) -> Nodes:
    """All three, well but for these."""
    known = {f"node-{i}": NodeHealth(f"node-{i}") for i in range(3)}
    return Nodes(tuple({**known, **{n.name: n for n in ailing}}.values()))


def asked(*actions: Action, nodes: Nodes | None, named: int = 1, **fields: Any) -> Case:
    """What is to be done to a workload whose finding names its first pods."""
    seen: Snapshot = fields.pop("seen", None) or deployment(3, pods=PODS)
    return case(seen, *actions, nodes=nodes, finding=finding(seen, *seen.pods[:named]), **fields)


@pytest.mark.parametrize("action", [EVICT, DELETE, RESIZE], ids=lambda a: type(a).__name__)
@pytest.mark.parametrize(
    ("ill", "reason", "words"),
    [
        (DOWN, "NodeNotReady", ("is not ready", "Ready is Unknown: NodeStatusUnknown")),
        (NodeHealth("node-0", "False"), "NodeNotReady", ("Ready is False)",)),
        (PRESSED, "NodeUnderPressure", ("under pressure (MemoryPressure, DiskPressure)",)),
        (replace(PRESSED, ready="False"), "NodeNotReady", ("Ready is False",)),
    ],
)
def test_pods_on_a_node_that_is_not_well_are_left_alone_and_it_is_named(
    action: Action, ill: NodeHealth, reason: str, words: tuple[str, ...]
) -> None:
    for now in (None, action):
        verdict = node(asked(action, nodes=nodes(ill), action=now))
        assert denied(verdict, reason, "web-0", "node-0", "kubectl describe node node-0", *words)
        assert verdict.retry_after is not None


@pytest.mark.parametrize("action", [EVICT, DELETE, RESIZE], ids=lambda a: type(a).__name__)
def test_where_its_node_is_well_a_pod_may_be_touched(action: Action) -> None:
    assert node(asked(action, nodes=nodes())).allowed
    elsewhere = nodes(replace(DOWN, name="node-1"), replace(PRESSED, name="node-2"))
    assert node(asked(action, nodes=elsewhere, action=action)).allowed


def test_it_waits_rather_than_being_passed_over_and_is_told_before_what_it_causes() -> None:
    verdicts = judge(asked(EVICT, nodes=nodes(DOWN), mode="Observe"))
    denial = first_denial(verdicts)
    assert denial is not None and denial.reason == "NodeNotReady"
    alone = judge(asked(EVICT, nodes=nodes(DOWN)))
    assert earliest_retry(alone) is not None


def test_a_plan_waits_for_each_of_its_pods_and_a_write_only_for_its_own() -> None:
    both = (EVICT, EvictPod(SECOND, 3))
    ill = nodes(replace(DOWN, name="node-1"))
    assert denied(node(asked(*both, nodes=ill)), "NodeNotReady", "web-1", "node-1")
    assert node(asked(*both, nodes=ill, action=both[0])).allowed
    assert denied(node(asked(*both, nodes=ill, action=both[1])), "NodeNotReady", "web-1")
    two = node(asked(*both, nodes=nodes(DOWN, replace(PRESSED, name="node-1"))))
    assert denied(two, "NodeNotReady", "web-0", "node-0", "pods on node-1")


def test_no_second_pod_is_started_for_one_that_can_not_be_evicted_afterwards() -> None:
    for now in (None, SURGE[0], SURGE[1]):
        assert denied(node(asked(*SURGE, nodes=nodes(DOWN), action=now)), "NodeNotReady")


@pytest.mark.parametrize("back", [SURGE[2], ReleaseOwnership("akeso")])
def test_what_brings_the_users_own_state_back_asks_no_node(back: Action) -> None:
    assert node(asked(*SURGE, nodes=None, action=back)).allowed


@pytest.mark.parametrize(
    "action",
    [
        Scale(3, 5),
        SetAutoscalerBound("web", "uid-hpa", AutoscalerBound.FLOOR, 3, 5),
    ],
)
def test_what_touches_no_pod_asks_no_node(action: Action) -> None:
    down = nodes(*(replace(DOWN, name=f"node-{i}") for i in range(3)))
    assert node(asked(action, nodes=down, named=3)).allowed
    assert homes(plan(action), finding(deployment(), *PODS), deployment(3, pods=PODS)) == set()


@pytest.mark.parametrize("actions", [ROLLBACK, FOR_GOOD])
def test_a_new_template_waits_only_where_every_pod_it_is_to_help_stands_on_such_nodes(
    actions: tuple[Action, ...],
) -> None:
    half = nodes(DOWN)
    assert node(asked(*actions, nodes=half, named=2)).allowed
    whole = nodes(DOWN, replace(PRESSED, name="node-1"))
    for now in (None, actions[0]):
        verdict = node(asked(*actions, nodes=whole, named=2, action=now))
        assert denied(verdict, "NodeNotReady", "web-0", "node-0", "node-1")
    assert node(asked(*actions, nodes=whole, named=3)).allowed
    assert node(asked(*actions, nodes=whole, named=0)).allowed
    pending = deployment(3, pods=(PODS[0], replace(PODS[1], node=None), PODS[2]))
    assert node(asked(*actions, nodes=whole, named=2, seen=pending)).allowed


def test_a_rollback_waits_where_a_broken_pod_would_have_to_be_deleted() -> None:
    seen = stateful_set(3, pods=PODS)
    back = (*ROLLBACK, DeletePod(SECOND))
    ill = nodes(replace(DOWN, name="node-1"))
    for now in (None, back[0], back[2]):
        assert denied(node(asked(*back, nodes=ill, seen=seen, action=now)), "NodeNotReady")


@pytest.mark.parametrize("gone", [replace(PODS[0], node=None), replace(PODS[0], deleting=True)])
def test_a_pod_without_a_node_or_on_its_way_out_waits_for_none(gone: Pod) -> None:
    seen = deployment(3, pods=(gone, *PODS[1:]))
    assert node(asked(EVICT, nodes=None, seen=seen)).allowed


def test_what_is_not_known_at_the_write_is_refused_and_before_it_only_remarked() -> None:
    assert denied(node(asked(EVICT, nodes=None)), "NodeUnknown", "give Akeso the right")
    refused = Nodes(unreadable="nodes is forbidden")
    assert denied(node(asked(EVICT, nodes=refused)), "NodeUnknown", "nodes is forbidden")
    early = node(asked(EVICT, nodes=None, seen=replace(deployment(3, pods=PODS), live=False)))
    assert early.allowed and "right before the write" in early.sentence


def test_a_node_that_is_not_there_is_not_taken_for_well() -> None:
    verdict = node(asked(EVICT, nodes=Nodes((NodeHealth("node-1"),))))
    assert denied(verdict, "NodeUnknown", "node-0", "not there")


def test_where_nodes_are_none_of_our_business_they_hold_nothing_up() -> None:
    verdict = node(asked(EVICT, nodes=Nodes(unreadable="forbidden", namespaced=True)))
    assert verdict.allowed and "some namespaces alone" in verdict.sentence
    # Whoever may read them nevertheless is held to what they say.
    seen = replace(nodes(DOWN), namespaced=True)
    assert denied(node(asked(EVICT, nodes=seen)), "NodeNotReady")


def test_only_the_nodes_that_decide_are_read() -> None:
    seen, of = deployment(3, pods=PODS), finding(deployment(), *PODS[:2])
    evictions: Plan = plan(EVICT, EvictPod(SECOND, 3))
    assert homes(evictions, of, seen) == {"node-0", "node-1"}
    assert homes(evictions, of, seen, EVICT) == {"node-0"}
    assert homes(plan(*SURGE), of, seen, SURGE[2]) == set()
    assert homes(plan(*ROLLBACK), of, seen) == {"node-0", "node-1"}
    assert homes(None, of, seen) == set()
