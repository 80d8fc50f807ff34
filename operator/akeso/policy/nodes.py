"""The guard that asks whether pods stand on nodes where anything could be done for them.

Where the kubelet does not answer a deleted pod stays Terminating, and a node under pressure
evicts by itself: the node is the finding, and what is done to its pods would only hide it.
https://kubernetes.io/docs/concepts/architecture/nodes/#condition
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from akeso.domain.action import (
    Action,
    DeletePod,
    EvictPod,
    Plan,
    Resize,
    SetTemplate,
    SetTemplateMemory,
)
from akeso.domain.finding import Finding
from akeso.domain.node import Nodes
from akeso.domain.verdict import Verdict, allow, deny
from akeso.domain.workload import Pod, Snapshot
from akeso.policy.case import Case
from akeso.policy.moment import LOOK_AGAIN_SECONDS

GUARD = "node"

OnePod = EvictPod | DeletePod | Resize


@dataclass(frozen=True, slots=True)
class Ailing:
    """A pod on a node that is not well: the reason to leave it alone, and what is wrong."""

    pod: Pod
    node: str
    reason: str
    said: str


def homes(
    plan: Plan | None, finding: Finding, seen: Snapshot, action: Action | None = None
) -> frozenset[str]:
    """The nodes that decide about a plan, or about its next write."""
    pods = (*_touched(plan, seen, action), *_blamed(plan, finding, seen, action))
    return frozenset(p.node for p in pods if p.node is not None)


def node(case: Case) -> Verdict:
    """No pod is evicted, deleted or resized on a node that is not well.

    A new pod template is not about particular pods: it waits only where every pod of the finding
    stands on such nodes, for then they are the likelier cause.
    """
    touched = _touched(case.plan, case.seen, case.action)
    blamed = _blamed(case.plan, case.finding, case.seen, case.action)
    names = homes(case.plan, case.finding, case.seen, case.action)
    if not names:
        return allow(GUARD, "This is about no pod on a particular node.")
    nodes = case.nodes
    if nodes is None and not case.seen.live:
        return allow(GUARD, "The nodes of these pods are looked at right before the write.")
    if nodes is None or nodes.found is None:
        return _unread(case, nodes)
    ailing = list(_ailing(touched, nodes))
    behind = list(_ailing(blamed, nodes))
    if len(behind) == len(blamed):
        ailing += behind
    if not ailing:
        return allow(GUARD, f"Not held up by any node ({', '.join(sorted(names))}).")
    return _left_alone(case.seen, ailing)


def _touched(plan: Plan | None, seen: Snapshot, action: Action | None) -> tuple[Pod, ...]:
    """The pods that the write is about; with any other write those of the plan as a whole, for it
    makes no sense where they can't follow."""
    if plan is None or (action is not None and action.restore):
        return ()
    actions = (action,) if isinstance(action, OnePod) else plan.actions
    pods = (seen.pod(a.pod.uid) for a in actions if isinstance(a, OnePod) and not a.restore)
    return _once(pods)


def _blamed(
    plan: Plan | None, finding: Finding, seen: Snapshot, action: Action | None
) -> tuple[Pod, ...]:
    """The pods that a new template is to help."""
    actions = () if plan is None else plan.actions if action is None else (action,)
    if not any(isinstance(a, SetTemplate | SetTemplateMemory) and not a.restore for a in actions):
        return ()
    return _once(seen.pod(ref.uid) for ref in finding.pods)


def _once(pods: Iterable[Pod | None]) -> tuple[Pod, ...]:
    """Those that are there to stay, each once."""
    return tuple({p.ref.uid: p for p in pods if p is not None and not p.deleting}.values())


def _unread(case: Case, nodes: Nodes | None) -> Verdict:
    if nodes is not None and nodes.namespaced:
        return allow(GUARD, "With Akeso in some namespaces alone it can't be told how nodes are.")
    why = f" ({nodes.unreadable})" if nodes is not None and nodes.unreadable else ""
    return deny(
        GUARD,
        "NodeUnknown",
        f"It can't be told whether the nodes under the pods of {case.seen.ref} are well: nodes could "
        f"not be read{why}; give Akeso the right to list them.",
        LOOK_AGAIN_SECONDS,
    )


def _ailing(pods: Iterable[Pod], nodes: Nodes) -> Iterator[Ailing]:
    for pod in pods:
        if pod.node is None:
            continue
        found = nodes.node(pod.node)
        if found is None:
            yield Ailing(pod, pod.node, "NodeUnknown", "is not there (any more)")
        elif found.ready != "True":
            why = f": {found.reason}" if found.reason else ""
            said = f"is not ready (Ready is {found.ready}{why})"
            yield Ailing(pod, pod.node, "NodeNotReady", said)
        elif found.pressure:
            said = f"is under pressure ({', '.join(found.pressure)})"
            yield Ailing(pod, pod.node, "NodeUnderPressure", said)


def _left_alone(seen: Snapshot, ailing: list[Ailing]) -> Verdict:
    first = ailing[0]
    others = sorted({a.node for a in ailing} - {first.node})
    also = f" The same goes for pods on {', '.join(others)}." if others else ""
    return deny(
        GUARD,
        first.reason,
        f"Pod {first.pod.ref.name} of {seen.ref} stands on node {first.node}, which {first.said}: the "
        f"node needs a look (kubectl describe node {first.node}), and its pods are left alone until it "
        f"is well.{also}",
        LOOK_AGAIN_SECONDS,
    )
