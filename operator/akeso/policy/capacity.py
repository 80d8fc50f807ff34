"""The guard that asks for room before more is asked for: limits, quotas and nodes.

A limit that no node can honour only moves the failure to the neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from akeso.domain.action import (
    Action,
    Plan,
    Resize,
    Scale,
    SetAutoscalerBound,
    SetTemplateMemory,
)
from akeso.domain.capacity import Amount, Bound, Capacity, Node, limited, requested
from akeso.domain.verdict import Verdict, allow, deny
from akeso.domain.words import bytes_of, quantity_of
from akeso.domain.workload import Ask, Kind, Pod, Snapshot
from akeso.policy.case import Case
from akeso.policy.moment import LOOK_AGAIN_SECONDS
from akeso.policy.wording import many

GUARD = "capacity"

More = Resize | Scale | SetAutoscalerBound | SetTemplateMemory


def takes_more(plan: Plan | None, action: Action | None = None) -> tuple[More, ...]:
    """What of a plan, or of the one write about to happen, asks the cluster for more than before.

    A surge is not among it: it is taken back within minutes, and where it finds no room the pod
    it stands in for stays.
    """
    if plan is None:
        return ()
    wanted = plan.actions if action is None else (action,)
    return tuple(
        a
        for a in wanted
        if isinstance(a, More)
        and not a.restore
        and (isinstance(a, SetTemplateMemory) or a.to > a.from_)
        and not (isinstance(a, Scale) and _surge(plan, a))
    )


def nodes_of(plan: Plan | None, seen: Snapshot) -> frozenset[str] | None:
    """The nodes whose room decides about a plan; None: any of the cluster's may."""
    more = takes_more(plan)
    if any(not isinstance(a, Resize) for a in more):
        return None
    pods = (seen.pod(a.pod.uid) for a in more if isinstance(a, Resize))
    return frozenset(p.node for p in pods if p is not None and p.node is not None)


def capacity(case: Case) -> Verdict:
    """Whether what the plan, or the write about to happen, asks for is there."""
    more = takes_more(case.plan, case.action)
    if not more:
        return allow(GUARD, "No more of anything is asked for by this.")
    room = case.capacity
    if room is None and not case.seen.live:
        return allow(GUARD, "The room for this is looked up right before the write.")
    if room is None:
        return _unknown(case, "limits, quotas and nodes")
    missing = tuple(_unread(room, more))
    if missing:
        return _unknown(case, ", ".join(missing))
    return next(_too_much(case.seen, more, room), None) or allow(
        GUARD, f"There is room for this: {'; '.join(_room(case.seen, more, room))}."
    )


def _surge(plan: Plan, more: Scale) -> bool:
    back = (a for a in plan.actions if isinstance(a, Scale) and a.restore)
    return more.surge_for is not None or any(a.to <= more.from_ for a in back)


def _unread(room: Capacity, more: tuple[More, ...]) -> Iterator[str]:
    if room.bounds is None and any(isinstance(a, Resize | SetTemplateMemory) for a in more):
        yield "limitranges"
    if room.quotas is None:
        yield "resourcequotas"
    if room.nodes is None and not _scheduled(room, more):
        yield "nodes or the pods on them"


def _scheduled(room: Capacity, more: tuple[More, ...]) -> bool:
    """Whether the scheduler answers for us where nodes are none of our business: a further pod
    that finds no place waits and takes nothing from anybody. A raised limit does not ask it."""
    return room.namespaced and all(isinstance(a, Scale | SetAutoscalerBound) for a in more)


def _unknown(case: Case, what: str) -> Verdict:
    why = case.capacity.unreadable if case.capacity else ()
    remedy = "give Akeso the right to list them"
    if case.capacity is not None and case.capacity.namespaced:
        remedy = "with Akeso in some namespaces alone a person must raise it"
    return deny(
        GUARD,
        "CapacityUnknown",
        f"It can't be told whether there is room for more of {case.seen.ref}: {what} could not be "
        f"read{f' ({why[0]})' if why else ''}; {remedy}.",
        LOOK_AGAIN_SECONDS,
    )


def _too_much(seen: Snapshot, more: tuple[More, ...], room: Capacity) -> Iterator[Verdict]:
    """What says no, the user's own limits first."""
    resizes = [a for a in more if isinstance(a, Resize)]
    for resize in resizes:
        for bound in room.bounds or ():
            said = _beyond(seen, resize, bound)
            if said is not None:
                yield deny(GUARD, "LimitRange", said)
    for asks in _new_pods(seen, more):
        for bound in room.bounds or ():
            said = _pod_beyond(seen, asks, bound)
            if said is not None:
                yield deny(GUARD, "LimitRange", said)
    yield from _beyond_quota(seen, more, room)
    yield from _beyond_nodes(seen, resizes, room)
    yield from _beyond_cluster(seen, _more_pods(seen, more), room)
    for asks in _new_pods(seen, more):
        yield from _no_place(seen, requested(asks), room)


def _beyond(seen: Snapshot, resize: Resize, bound: Bound) -> str | None:
    pod = seen.pod(resize.pod.uid)
    if pod is None:
        return None
    wanted = float(resize.to)
    what = f"container {resize.container} of pod {resize.pod.name}"
    if bound.per_pod:
        wanted += sum(c.memory_wanted or 0.0 for c in pod.containers if c.name != resize.container)
        what = f"pod {resize.pod.name}"
    if bound.memory is not None and wanted > bound.memory:
        return (
            f"{what} would have a memory limit of {bytes_of(wanted)}, but LimitRange {bound.name} "
            f"allows {bytes_of(bound.memory)}; raise its max.memory or lower the rung's ceiling."
        )
    found = pod.container(resize.container)
    request = found.memory_request if found else None
    if pod.qos == "Guaranteed" or bound.ratio is None or not request or bound.per_pod:
        return None
    if resize.to <= bound.ratio * request:
        return None
    return (
        f"{what} would have a memory limit of {bytes_of(resize.to)} over a request of "
        f"{bytes_of(request)}, but LimitRange {bound.name} allows {bound.ratio:g} times the "
        "request; raise the request or its maxLimitRequestRatio."
    )


def _beyond_quota(seen: Snapshot, more: tuple[More, ...], room: Capacity) -> Iterator[Verdict]:
    added = _added(seen, more)
    for quota in room.quotas or ():
        extra = added.get(quota.resource, 0.0)
        if extra > 0 and quota.used + extra > quota.hard:
            yield deny(
                GUARD,
                "QuotaExceeded",
                f"{seen.ref} would take {_said(quota.resource, extra)} more of {quota.resource}, "
                f"but ResourceQuota {quota.name} has {_said(quota.resource, quota.used)} of "
                f"{_said(quota.resource, quota.hard)} in use; raise the quota or free some of it.",
                LOOK_AGAIN_SECONDS,
            )


def _added(seen: Snapshot, more: tuple[More, ...]) -> Mapping[str, float]:
    """What is added, by the names quotas have for it.

    https://kubernetes.io/docs/concepts/policy/resource-quotas/
    """
    new = next(_new_pods(seen, more), None)
    if new is not None:
        return _added_by_rollout(seen, new)
    pods = _more_pods(seen, more)
    each, most = requested(seen.asks), limited(seen.asks)
    resizes = [a for a in more if isinstance(a, Resize)]
    limit = float(sum(a.to - a.from_ for a in resizes))
    request = float(sum(_reserved(seen, a) for a in resizes))
    memory, cpu = pods * each.memory + request, pods * each.cpu
    return {
        "limits.memory": pods * most.memory + limit,
        "limits.cpu": pods * most.cpu,
        "requests.memory": memory,
        "memory": memory,
        "requests.cpu": cpu,
        "cpu": cpu,
        "pods": float(pods),
        "count/pods": float(pods),
    }


def _new_pods(seen: Snapshot, more: tuple[More, ...]) -> Iterator[tuple[Ask, ...]]:
    """What the containers of a pod ask for once the template has its new limits."""
    for action in more:
        if isinstance(action, SetTemplateMemory):
            to = {c.container: float(c.to) for c in action.limits}
            yield tuple(
                _with_limit(a, to[a.container]) if a.container in to else a for a in seen.asks
            )


def _with_limit(ask: Ask, to: float) -> Ask:
    """A request as large as the limit goes with it."""
    memory = to if ask.memory == ask.memory_limit else ask.memory
    return replace(ask, memory_limit=to, memory=memory)


def _pod_beyond(seen: Snapshot, asks: tuple[Ask, ...], bound: Bound) -> str | None:
    """What a LimitRange would refuse of the new pods, in words."""
    parts = [(f"container {a.container}", a.memory_limit or 0.0, a.memory) for a in asks]
    if bound.per_pod:
        parts = [("a pod", limited(asks).memory, requested(asks).memory)]
    for what, limit, request in parts:
        if bound.memory is not None and limit > bound.memory:
            return (
                f"{what} of {seen.ref} would have a memory limit of {bytes_of(limit)}, but LimitRange "
                f"{bound.name} allows {bytes_of(bound.memory)}; raise its max.memory or lower the "
                "rung's ceiling."
            )
        if bound.ratio is not None and request > 0 and limit > bound.ratio * request:
            return (
                f"{what} of {seen.ref} would have a memory limit of {bytes_of(limit)} over a request "
                f"of {bytes_of(request)}, but LimitRange {bound.name} allows {bound.ratio:g} times "
                "the request; raise the request or its maxLimitRequestRatio."
            )
    return None


def _added_by_rollout(seen: Snapshot, new: tuple[Ask, ...]) -> Mapping[str, float]:
    """At most: all the new pods, and those that start before old ones go; less what is held now."""
    each, most, pods = requested(new), limited(new), seen.replicas + seen.surge
    held = [c for p in seen.present for c in p.containers]
    cpu, memory = _held(seen.present)
    return {
        "limits.memory": pods * most.memory - sum(c.memory_wanted or 0.0 for c in held),
        "limits.cpu": pods * most.cpu - sum(c.cpu_limit or 0.0 for c in held),
        "requests.memory": pods * each.memory - memory,
        "memory": pods * each.memory - memory,
        "requests.cpu": pods * each.cpu - cpu,
        "cpu": pods * each.cpu - cpu,
        "pods": float(pods - len(seen.present)),
        "count/pods": float(pods - len(seen.present)),
    }


def _held(pods: Iterable[Pod]) -> tuple[float, float]:
    """CPU and memory that pods reserve; a request left out is as large as the limit."""
    containers = [c for p in pods for c in p.containers]
    cpu = sum(c.cpu_limit or 0.0 if c.cpu_request is None else c.cpu_request for c in containers)
    memory = sum(
        c.memory_wanted or 0.0 if c.memory_request is None else c.memory_request for c in containers
    )
    return cpu, memory


def _no_place(seen: Snapshot, each: Amount, room: Capacity) -> Iterator[Verdict]:
    """Whether the first new pods find room beside the old ones, and all of them in place of those.

    A DaemonSet's pods stay on their nodes.
    """
    nodes = tuple(_candidates(seen.present, room.nodes or ()))
    beside = sum(n.fits(each) for n in nodes)
    ours = {n.name: [p for p in seen.present if p.node == n.name] for n in nodes}
    freed = {n.name: _without(n, ours[n.name]).fits(each) for n in nodes}
    if seen.ref.kind is Kind.DAEMON_SET:
        tight = next((name for name, pods in ours.items() if freed[name] < len(pods)), None)
        if tight is not None:
            yield _no_room(seen, f"node {tight} has none for it", each, 1)
    elif beside < seen.surge:
        yield _no_room(
            seen, f"the nodes have room for {beside} beside the others", each, seen.surge
        )
    elif sum(freed.values()) < seen.replicas:
        said = f"the nodes have room for {sum(freed.values())}"
        yield _no_room(seen, said, each, seen.replicas)


def _without(node: Node, pods: list[Pod]) -> Node:
    cpu, memory = _held(pods)
    left = node.requested - Amount(cpu, memory)
    return replace(node, requested=left, pods=node.pods - len(pods))


def _no_room(seen: Snapshot, said: str, each: Amount, wanted: int) -> Verdict:
    return deny(
        GUARD,
        "NoRoomInCluster",
        f"{many(wanted, 'new pod')} of {seen.ref} would ask for {_asked(each)} each, and {said}; add "
        "a node or lower the requests.",
        LOOK_AGAIN_SECONDS,
    )


def _reserved(seen: Snapshot, resize: Resize) -> float:
    """What a resize adds to the pod's request: only a Guaranteed pod's follows its limit."""
    pod = seen.pod(resize.pod.uid)
    return resize.to - resize.from_ if pod is not None and pod.qos == "Guaranteed" else 0.0


def _beyond_nodes(seen: Snapshot, resizes: list[Resize], room: Capacity) -> Iterator[Verdict]:
    for name, extra in _by_node(seen, resizes).items():
        node = room.node(name)
        if node is None:
            said = f"node {name} is not there (any more)"
        elif node.closed is not None and node.closed != "cordoned":
            said = f"node {name} is not well ({node.closed})"
        elif extra > node.left.memory:
            said = (
                f"{bytes_of(extra)} more are wanted on node {name}, of whose "
                f"{bytes_of(node.allocatable.memory)} only {bytes_of(max(0.0, node.left.memory))} "
                "are not reserved"
            )
        else:
            continue
        yield deny(
            GUARD,
            "NoRoomOnNode",
            f"{seen.ref}: {said}; free memory there, or have the pod run on a larger node.",
            LOOK_AGAIN_SECONDS,
        )


def _by_node(seen: Snapshot, resizes: list[Resize]) -> dict[str, float]:
    extra: dict[str, float] = {}
    for resize in resizes:
        pod = seen.pod(resize.pod.uid)
        if pod is not None and pod.node is not None:
            extra[pod.node] = extra.get(pod.node, 0.0) + resize.to - resize.from_
    return extra


def _more_pods(seen: Snapshot, more: tuple[More, ...]) -> int:
    """How many pods are added; both bounds of an autoscaler ask for the same ones."""
    scaled = (a.to - a.from_ for a in more if isinstance(a, Scale))
    asked = (a.to - seen.replicas for a in more if isinstance(a, SetAutoscalerBound))
    return sum(scaled) + max(0, max(asked, default=0))


def _beyond_cluster(seen: Snapshot, wanted: int, room: Capacity) -> Iterator[Verdict]:
    if room.nodes is None:
        return  # the scheduler answers
    each = requested(seen.asks)
    found = sum(n.fits(each) for n in _candidates(seen.present, room.nodes or ()))
    if found >= wanted:
        return
    yield deny(
        GUARD,
        "NoRoomInCluster",
        f"{many(wanted, 'more pod')} of {seen.ref} would ask for {_asked(each)} each, and the "
        f"nodes have room for {found}; add a node or lower the requests.",
        LOOK_AGAIN_SECONDS,
    )


def _candidates(pods: tuple[Pod, ...], nodes: tuple[Node, ...]) -> Iterator[Node]:
    """Nodes that take more pods of this workload; it tolerates the taints of where it runs."""
    homes = {p.node for p in pods}
    return (n for n in nodes if n.closed is None and (not n.tainted or n.name in homes))


def _room(seen: Snapshot, more: tuple[More, ...], room: Capacity) -> Iterator[str]:
    for name, extra in _by_node(seen, [a for a in more if isinstance(a, Resize)]).items():
        node = room.node(name)
        left = node.left.memory if node else 0.0
        yield f"{bytes_of(extra)} on node {name}, which has {bytes_of(left)} not reserved"
    for asks in _new_pods(seen, more):
        yield f"{many(seen.replicas, 'pod')} that ask for {_asked(requested(asks))} each"
    if room.nodes is None:
        yield f"{many(_more_pods(seen, more), 'pod')}, for which the scheduler finds a place or none"
    elif pods := _more_pods(seen, more):
        found = sum(
            n.fits(requested(seen.asks)) for n in _candidates(seen.present, room.nodes or ())
        )
        yield f"{many(pods, 'pod')}, the nodes take {found}"


def _asked(each: Amount) -> str:
    parts = [f"{each.cpu:g} CPU"] if each.cpu else []
    parts += [bytes_of(each.memory)] if each.memory else []
    return " and ".join(parts) or "nothing but a place"


def _said(resource: str, value: float) -> str:
    return quantity_of(value) if resource.endswith("memory") else f"{value:g}"
