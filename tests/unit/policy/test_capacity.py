"""More is asked for only where it is there: limits of the namespace, quotas, nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akeso.domain.action import Action, Resize, Scale, SetAutoscalerBound
from akeso.domain.capacity import Amount, Bound, Capacity, Node, Quota, limited, requested
from akeso.domain.workload import Ask, AutoscalerBound, Container, Snapshot
from akeso.policy.capacity import capacity, nodes_of, takes_more
from akeso.policy.case import Case
from unit.policy.cases import EVICTION, FOR_GOOD, ROLLBACK, SURGE, case, denied, plan, steady
from unit.world import daemon_set, deployment, pod

MIB = 2**20
ASKS = (Ask("app", 0.5, 64 * MIB, None, 128 * MIB),)


def node(name: str = "node-1", free: float = 1_024, cpu: float = 4.0, **fields: Any) -> Node:
    """A node with `free` MiB of its 4 GiB not reserved."""
    used = Amount(0.0, (4_096 - free) * MIB)
    return replace(Node(name, Amount(cpu, 4_096.0 * MIB), used, pods=10), **fields)


def room(*nodes: Node, bounds: tuple[Bound, ...] = (), quotas: tuple[Quota, ...] = ()) -> Capacity:
    return Capacity(bounds, quotas, nodes or (node(),))


def seen(qos: str = "Burstable", request: float | None = 64.0 * MIB, **fields: Any) -> Snapshot:
    app = Container(
        "app", memory_limit=128.0 * MIB, memory_wanted=128.0 * MIB, memory_request=request
    )
    side = Container("side", memory_limit=32.0 * MIB, memory_wanted=32.0 * MIB)
    pods = [
        replace(pod(f"web-{i}"), node="node-1", qos=qos, containers=(app, side)) for i in range(3)
    ]
    return deployment(3, pods=pods, asks=ASKS, **fields)


def raise_by(mib: int, index: int = 0) -> Resize:
    return Resize(pod(f"web-{index}").ref, "app", 128 * MIB, (128 + mib) * MIB)


def asked(*actions: Action, room: Capacity | None, **fields: Any) -> Case:
    of = fields.pop("seen", None) or seen()
    return case(of, *actions, capacity=room, **fields)


MORE = Scale(3, 5)


@pytest.mark.parametrize("actions", [(EVICTION,), SURGE, ROLLBACK, (Scale(3, 2),)])
def test_what_asks_for_no_more_needs_no_look_at_the_room(actions: tuple[Action, ...]) -> None:
    assert takes_more(plan(*actions)) == ()
    assert capacity(asked(*actions, room=None)).allowed


@pytest.mark.parametrize("action", [raise_by(64), MORE])
def test_what_is_not_known_at_the_write_is_refused_and_before_it_only_remarked(
    action: Action,
) -> None:
    assert denied(capacity(asked(action, room=None)), "CapacityUnknown", "give Akeso the right")
    early = capacity(asked(action, room=None, seen=replace(seen(), live=False)))
    assert early.allowed and "right before the write" in early.sentence


def test_where_nodes_are_none_of_our_business_only_the_scheduler_is_asked_for_pods() -> None:
    here = replace(room(), nodes=None, namespaced=True, unreadable=("no list of nodes",))
    more = capacity(asked(MORE, room=here))
    assert more.allowed and "the scheduler finds a place" in more.sentence
    quota = Quota("team", "pods", 4, 3)
    assert denied(capacity(asked(MORE, room=replace(here, quotas=(quota,)))), "QuotaExceeded")
    verdict = capacity(asked(raise_by(64), room=here))
    assert denied(verdict, "CapacityUnknown", "nodes", "a person must raise it")


@pytest.mark.parametrize("field", ["bounds", "quotas", "nodes"])
def test_a_part_that_may_not_be_read_is_unknown_and_named(field: str) -> None:
    missing: dict[str, Any] = {field: None}
    partly = replace(room(), **missing, unreadable=("Akeso may not list it",))
    verdict = capacity(asked(raise_by(64), room=partly))
    assert denied(verdict, "CapacityUnknown", "may not list it")


def test_a_way_back_asks_for_nothing() -> None:
    back = Resize(pod("web-0").ref, "app", 192 * MIB, 256 * MIB, restore=True)
    assert capacity(asked(raise_by(64), room=None, action=back)).allowed


@pytest.mark.parametrize(("free", "allowed"), [(64, True), (63.9, False), (-10, False)])
def test_a_raise_must_fit_into_what_is_not_reserved_on_its_node(free: float, allowed: bool) -> None:
    verdict = capacity(asked(raise_by(64), room=room(node(free=free), node("node-2"))))
    assert verdict.allowed is allowed
    if not allowed:
        assert denied(verdict, "NoRoomOnNode", "node-1", "64 MiB more")


def test_raises_on_one_node_are_added_up() -> None:
    both = (raise_by(64), raise_by(64, 1))
    assert not capacity(asked(*both, room=room(node(free=100)))).allowed
    # At the second write the first is part of what was read.
    second = asked(*both, room=room(node(free=100)), action=both[1])
    assert capacity(second).allowed


@pytest.mark.parametrize(
    ("found", "allowed"),
    [
        (node(closed="cordoned"), True),  # the pod is there already
        (node(tainted=True), True),
        (node(closed="MemoryPressure"), False),
        (node(closed="not ready"), False),
        (node("another"), False),
    ],
)
def test_a_node_that_is_not_well_gives_no_more(found: Node, allowed: bool) -> None:
    assert capacity(asked(raise_by(64), room=room(found))).allowed is allowed


@pytest.mark.parametrize(
    ("bound", "allowed"),
    [
        (Bound("most", per_pod=False, memory=192.0 * MIB), True),
        (Bound("most", per_pod=False, memory=191.0 * MIB), False),
        (Bound("most", per_pod=True, memory=224.0 * MIB), True),  # with the 32 MiB of its sidecar
        (Bound("most", per_pod=True, memory=223.0 * MIB), False),
        (Bound("most", per_pod=False, ratio=3.0), True),
        (Bound("most", per_pod=False, ratio=2.9), False),
    ],
)
def test_a_limit_range_holds(bound: Bound, allowed: bool) -> None:
    verdict = capacity(asked(raise_by(64), room=room(bounds=(bound,))))
    assert verdict.allowed is allowed
    if not allowed:
        assert denied(verdict, "LimitRange", "LimitRange most")


def test_a_guaranteed_pods_request_goes_with_its_limit_so_a_ratio_holds() -> None:
    strict = Bound("ratio", per_pod=False, ratio=1.0)
    guaranteed = seen("Guaranteed", 128.0 * MIB)
    assert capacity(asked(raise_by(64), room=room(bounds=(strict,)), seen=guaranteed)).allowed


@pytest.mark.parametrize(
    ("resource", "hard", "qos", "allowed"),
    [
        ("limits.memory", 564, "Burstable", True),
        ("limits.memory", 563, "Burstable", False),
        ("requests.memory", 500, "Burstable", True),
        ("requests.memory", 563, "Guaranteed", False),
        ("memory", 563, "Guaranteed", False),
        ("requests.cpu", 0, "Guaranteed", True),
        ("pods", 0, "Guaranteed", True),
    ],
)
def test_a_quota_counts_what_a_raise_adds(
    resource: str, hard: float, qos: str, allowed: bool
) -> None:
    quota = Quota("team", resource, hard * MIB, 500.0 * MIB)
    verdict = capacity(asked(raise_by(64), room=room(quotas=(quota,)), seen=seen(qos)))
    assert verdict.allowed is allowed
    if not allowed:
        assert denied(verdict, "QuotaExceeded", "ResourceQuota team", resource, "500Mi")


@pytest.mark.parametrize(
    ("resource", "hard", "allowed"),
    [
        ("pods", 12, True),
        ("pods", 11, False),
        ("count/pods", 11, False),
        ("requests.cpu", 11, True),
        ("requests.cpu", 10.9, False),
        ("limits.memory", 10 + 256 * MIB, True),
        ("limits.memory", 255 * MIB, False),
        ("requests.memory", 10 + 128 * MIB, True),
        ("requests.memory", 127 * MIB, False),
        ("services", 0, True),
    ],
)
def test_a_quota_counts_what_new_pods_ask_for(resource: str, hard: float, allowed: bool) -> None:
    quota = Quota("team", resource, hard, 10.0)
    assert capacity(asked(MORE, room=room(quotas=(quota,)))).allowed is allowed


@pytest.mark.parametrize(
    ("nodes", "allowed"),
    [
        ((node(free=128),), True),
        ((node(free=127),), False),
        ((node(free=64), node("node-2", free=64)), True),
        ((node(free=64), node("node-2", free=64, closed="cordoned")), False),
        ((node(free=64), node("node-2", free=64, tainted=True)), False),
        ((node(free=128, tainted=True),), True),  # its pods run there, so they tolerate it
        ((node(cpu=0.9),), False),
        ((node(most_pods=11),), False),
        ((node(most_pods=12),), True),
    ],
)
def test_new_pods_need_nodes_that_take_them(nodes: tuple[Node, ...], allowed: bool) -> None:
    verdict = capacity(asked(MORE, room=room(*nodes)))
    assert verdict.allowed is allowed
    if not allowed:
        assert denied(verdict, "NoRoomInCluster", "2 more pods", "0.5 CPU and 64 MiB")


def test_only_the_nodes_that_matter_are_asked_for() -> None:
    assert nodes_of(plan(raise_by(64)), seen()) == frozenset({"node-1"})
    assert nodes_of(plan(EVICTION), seen()) == frozenset()
    assert nodes_of(plan(raise_by(64), MORE), seen()) is None


@steady
@given(st.integers(1, 5_000), st.integers(1, 5_000))
def test_a_smaller_raise_is_never_refused_where_a_larger_one_fits(one: int, other: int) -> None:
    small, large = sorted((one, other))
    quota = Quota("team", "limits.memory", 3_000.0 * MIB, 0.0)
    there = room(node(free=2_000), bounds=(Bound("b", False, 2_500.0 * MIB),), quotas=(quota,))
    if capacity(asked(raise_by(large), room=there)).allowed:
        assert capacity(asked(raise_by(small), room=there)).allowed


def test_what_a_pod_reserves_is_what_runs_together_or_the_largest_before_it() -> None:
    asks = (Ask("a", 1.0, 10.0, 2.0, 20.0), Ask("b", 0.5, 5.0), Ask("setup", 2.0, 12.0, init=True))
    assert requested(asks) == Amount(2.0, 15.0)
    assert limited(asks) == Amount(2.0, 20.0)


FLOOR = SetAutoscalerBound("web", "uid-hpa", AutoscalerBound.FLOOR, 2, 5)
CEILING = SetAutoscalerBound("web", "uid-hpa", AutoscalerBound.CEILING, 4, 5)


@pytest.mark.parametrize("actions", [(FLOOR,), (CEILING, FLOOR)])
@pytest.mark.parametrize(("free", "allowed"), [(128, True), (127, False)])
def test_bounds_of_an_autoscaler_ask_for_the_pods_that_they_bring_about_once(
    actions: tuple[Action, ...], free: float, allowed: bool
) -> None:
    """From the three that are there to five, whatever the bounds were."""
    assert nodes_of(plan(*actions), seen()) is None
    assert capacity(asked(*actions, room=room(node(free=free)))).allowed is allowed


def test_bounds_that_are_lowered_or_met_already_ask_for_nothing() -> None:
    lower = SetAutoscalerBound("web", "uid-hpa", AutoscalerBound.FLOOR, 5, 2, restore=True)
    assert takes_more(plan(lower)) == ()
    met = SetAutoscalerBound("web", "uid-hpa", AutoscalerBound.FLOOR, 2, 3)
    assert capacity(asked(met, room=room(node(free=0, cpu=0)))).allowed


# -- new limits in the template: a rollout --------------------------------------------------------


def equal(**fields: Any) -> Snapshot:
    """As `seen`, with a request that goes with the limit."""
    asks = (Ask("app", 0.0, 128.0 * MIB, None, 128.0 * MIB),)
    return replace(seen(request=128.0 * MIB, **fields), asks=asks)


def test_new_pods_must_keep_within_what_the_namespace_allows() -> None:
    for bound, words in (
        (Bound("most", False, 150.0 * MIB), "container app"),
        (Bound("most", True, 150.0 * MIB), "a pod"),
        (Bound("most", False, None, 2.0), "2 times the request"),
    ):
        verdict = capacity(asked(*FOR_GOOD, room=room(bounds=(bound,))))
        assert denied(verdict, "LimitRange", words, "192 MiB", "most")
    wide = Bound("most", False, 192.0 * MIB, 3.0)
    assert capacity(asked(*FOR_GOOD, room=room(bounds=(wide,)))).allowed


def test_a_quota_bears_the_new_pods_and_those_that_start_before_old_ones_go() -> None:
    # 4 x 192 MiB in place of 3 x (128 + 32) MiB
    for left, fits in ((288.0, True), (287.0, False)):
        quota = Quota("team", "limits.memory", 4_096.0 * MIB, (4_096.0 - left) * MIB)
        assert capacity(asked(*FOR_GOOD, room=room(quotas=(quota,)))).allowed is fits
    pods = Quota("team", "pods", 3.0, 3.0)
    assert denied(capacity(asked(*FOR_GOOD, room=room(quotas=(pods,)))), "QuotaExceeded", "pods")


def test_the_first_new_pod_finds_a_place_beside_the_old_ones() -> None:
    tight = room(node(free=150))
    assert capacity(asked(*FOR_GOOD, room=tight)).allowed  # it asks for 64 MiB as before
    verdict = capacity(asked(*FOR_GOOD, room=tight, seen=equal()))
    assert denied(verdict, "NoRoomInCluster", "1 new pod", "192 MiB", "beside the others")


def test_all_new_pods_find_a_place_in_the_end() -> None:
    # one more of 192 MiB fits beside the three of 128 (+ nothing reserved by `side` but its limit)
    enough, short = room(node(free=200)), room(node("node-1", free=10), node("node-2", free=200))
    assert capacity(asked(*FOR_GOOD, room=enough, seen=equal())).allowed
    assert capacity(asked(*FOR_GOOD, room=short, seen=equal())).allowed
    crowd = replace(equal(), replicas=9)
    verdict = capacity(asked(*FOR_GOOD, room=enough, seen=crowd))
    assert denied(verdict, "NoRoomInCluster", "9 new pods", "have room for 3")


def test_a_pod_of_a_daemon_set_must_fit_on_its_own_node() -> None:
    asks = (Ask("app", 0.0, 128.0 * MIB, None, 128.0 * MIB),)
    app = Container("app", memory_wanted=128.0 * MIB, memory_request=128.0 * MIB)
    pods = [replace(pod("web-0"), node="node-1", containers=(app,))]
    on_node = daemon_set(1, pods=pods, asks=asks)
    other = node("node-2", free=2_000)
    for free, fits in ((64.0, True), (63.0, False)):
        case_ = asked(*FOR_GOOD, room=room(node(free=free), other), seen=on_node)
        assert capacity(case_).allowed is fits
    assert nodes_of(plan(*FOR_GOOD), on_node) is None
