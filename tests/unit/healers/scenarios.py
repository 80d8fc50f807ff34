"""For every built-in healer: workloads it is for, and look-alikes it must refuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from akeso.domain.finding import Finding, Signal
from akeso.domain.workload import Pod, PodRef, Snapshot
from akeso.protocols import HealerContext
from unit.world import NOW, daemon_set, deployment, finding, pod, revision, stateful_set

MANAGER = "akeso-heal"
V1_WORKED = HealerContext(1, ("v1",), MANAGER)


@dataclass(frozen=True)
class Scenario:
    """`reason` is why a look-alike is refused, empty where the healer fits.

    `broken` are revisions whose pods never become ready.
    """

    name: str
    healer: str
    finding: Finding
    seen: Snapshot
    context: HealerContext = V1_WORKED
    broken: tuple[str, ...] = ()
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.healer}: {self.name}"


# A workload on the way from v1, which worked, to v2, which does not.
REVISIONS = (revision("v1", 1), revision("v2", 2, created_at=NOW - 300))
FAILING: dict[str, Any] = {
    "update_revision": "v2",
    "template": {"image": "v2"},
    "revisions": REVISIONS,
}


def bad(name: str) -> Pod:
    return pod(name, revision="v2", ready=False)


ROLLOUT = deployment(3, pods=(*(pod(f"web-{i}") for i in range(3)), bad("web-3")), **FAILING)
ORDERED = stateful_set(3, pods=(pod("web-0"), pod("web-1"), bad("web-2")), **FAILING)
NODES = daemon_set(3, pods=(pod("web-0"), pod("web-1"), bad("web-2")), **FAILING)


def restart(name: str, seen: Snapshot, pods: Sequence[Pod], reason: str = "") -> Scenario:
    return Scenario(name, "RestartPods", finding(seen, *pods), seen, reason=reason)


def rollback(name: str, seen: Snapshot, reason: str = "", **fields: Any) -> Scenario:
    failing = [p for p in seen.present if p.revision == "v2"]
    found = finding(seen, *failing, about=Signal.ROLLOUT_FAILING)
    made = Scenario(name, "Rollback", found, seen, broken=("v2",), reason=reason)
    return replace(made, **fields)


def query(since: float) -> Finding:
    return finding(ROLLOUT, about=Signal.QUERY, since=since)


_three, _one = deployment(3), deployment(1)
_sick = deployment(3, pods=(pod("web-0", ready=False), pod("web-1"), pod("web-2")))
_leaving = deployment(2, pods=(pod("web-0", deleting=True, ready=False), pod("web-1")))
_predecessor = replace(pod("web-0"), ref=PodRef("web-0", "an-older-uid"))

FITTING: tuple[Scenario, ...] = (
    restart("one of three", _three, _three.pods[:1]),
    restart("all of three", _three, _three.pods),
    restart("one that is not ready", _sick, _sick.pods[:1]),
    restart("the only one", _one, _one.pods),
    restart("of a StatefulSet", stateful_set(3), stateful_set(3).pods[::-1]),
    restart("of a DaemonSet", daemon_set(2), daemon_set(2).pods),
    rollback("a Deployment", ROLLOUT),
    rollback("an ordered StatefulSet", ORDERED),
    rollback("a StatefulSet in parallel", replace(ORDERED, ordered=False, pods=ORDERED.pods[:2])),
    rollback("a DaemonSet", NODES),
    rollback("a query soon after", ROLLOUT, finding=query(NOW - 200)),
)

LOOK_ALIKES: tuple[Scenario, ...] = (
    restart("no pods named", _three, [], "NoPods"),
    restart("pods gone", _three, [pod("web-9")], "GoneAlready"),
    restart("a successor of the same name", _three, [_predecessor], "GoneAlready"),
    restart("pods on their way out", _leaving, _leaving.pods[:1], "AlreadyTerminating"),
    rollback("a leak", ROLLOUT, "NotARolloutProblem", finding=finding(ROLLOUT, bad("web-3"))),
    rollback("paused", replace(ROLLOUT, paused=True), "RolloutPaused"),
    rollback("OnDelete", replace(NODES, strategy="OnDelete"), "OnDelete"),
    rollback("a partition", replace(ORDERED, partition=2), "Partition"),
    rollback("an unknown revision", replace(ROLLOUT, update_revision="v9"), "RevisionUnknown"),
    rollback(
        "an outage three days after a good release",
        ROLLOUT,
        "RevisionWasHealthy",
        context=HealerContext(1, ("v2", "v1"), MANAGER),
    ),
    rollback("before the rollout", ROLLOUT, "BeganBeforeRollout", finding=query(NOW - 301)),
    rollback("long after it", ROLLOUT, "RolloutTooOld", finding=query(NOW - 300 + 1_801)),
    rollback(
        "nothing seen healthy", ROLLOUT, "RevisionInferred", context=HealerContext(1, (), "m")
    ),
    rollback(
        "the healthy one is pruned",
        replace(ROLLOUT, revisions=REVISIONS[1:]),
        "NoEarlierRevision",
    ),
)
