"""For every built-in healer: workloads it is for, and look-alikes it must refuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from akeso.domain.finding import Evidence, Finding, Origin, Signal
from akeso.domain.forecast import Forecast, Readiness, SeriesKey
from akeso.domain.workload import (
    Ask,
    Autoscaler,
    Container,
    Kind,
    Pod,
    PodRef,
    Resizing,
    Snapshot,
)
from akeso.protocols import HealerContext
from unit.world import NOW, daemon_set, deployment, finding, pod, revision, stateful_set

MANAGER = "akeso-heal"
MIB = 2**20
GIB = 1024.0 * MIB
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


def raising(name: str, seen: Snapshot, reason: str = "", **fields: Any) -> Scenario:
    """Its first pod, which uses 220 of 256 MiB, as alarming as the forecast says."""
    pods = seen.pods[:1]
    context = HealerContext(
        1, ("v1",), MANAGER, forecasts=dict(map(alarm, pods)), ceiling=1024.0 * MIB
    )
    made = Scenario(name, "RaiseMemory", finding(seen, *pods), seen, context, reason=reason)
    return replace(made, **fields)


def with_context(scenario: Scenario, **fields: Any) -> Scenario:
    return replace(scenario, context=replace(scenario.context, **fields))


def alarm(pod: Pod, **fields: Any) -> tuple[SeriesKey, Forecast]:
    key = SeriesKey("shop", pod.ref.name, "app")
    made = Forecast(
        key, Readiness.READY, 1800.0, 0.97, (300.0, 400.0, 500.0), True,
        220.0 * MIB, 256.0 * MIB, NOW - 10, 100,
    )  # fmt: skip
    return key, replace(made, **fields)


def sized(name: str = "web-0", **fields: Any) -> Pod:
    """A pod with a memory limit of 256 MiB; `fields` are its container's."""
    limit = 256.0 * MIB
    app = Container("app", True, memory_limit=limit, memory_wanted=limit, started_at=NOW - 3_600)
    return pod(name, node="node-1", qos="Burstable", containers=(replace(app, **fields),))


def filling(*pods: Pod, **fields: Any) -> Snapshot:
    kind = fields.pop("kind", Kind.DEPLOYMENT)
    made = {Kind.DEPLOYMENT: deployment, Kind.STATEFUL_SET: stateful_set}.get(kind, daemon_set)
    return made(len(pods) or 1, pods=pods or (sized(),), **{"resizes": True, **fields})


def lasting(name: str, seen: Snapshot, reason: str = "", **fields: Any) -> Scenario:
    """As `raising`, for the template, which gives 256 MiB."""
    made = raising(name, seen, reason, **fields)
    return replace(made, healer="RaiseMemoryTemplate")


def templated(*pods: Pod, limit: float | None = 256.0 * MIB, **fields: Any) -> Snapshot:
    return filling(*pods, **{"asks": (Ask("app", 0.1, 64.0 * MIB, None, limit),), **fields})


def raised_to(limit: float, **fields: Any) -> Pod:
    return sized(memory_limit=limit * MIB, memory_wanted=limit * MIB, **fields)


_slow = {"alarm": False, "probability": 0.2}
_raised = sized(memory_limit=700.0 * MIB, memory_wanted=700.0 * MIB)
_killed = sized(last_exit_reason="OOMKilled", last_exit_at=NOW - 86_400)
_put_off = replace(sized(), resizing=Resizing.DEFERRED, resize_message="no room")


def load(name: str, seen: Snapshot, reason: str = "", **fields: Any) -> Scenario:
    """CPU at 60 of a threshold of 100, which it reaches in five minutes; a horizon of ten."""
    found = finding(seen, *seen.pods, about=Signal.CPU_SATURATION, evidence=COMING)
    made = Scenario(name, "ScaleOut", found, seen, reason=reason, context=UP_TO_TEN)
    return replace(made, **fields)


COMING = Evidence("load is coming", NOW - 10, NOW - 10, 60.0, 100.0, 0.95, (250.0, 300.0, 360.0))
UP_TO_TEN = HealerContext(1, ("v1",), MANAGER, max_replicas=10, horizon=600.0)


def scaled(floor: int, ceiling: int, **fields: Any) -> Autoscaler:
    made = Autoscaler("web", "uid-hpa", "1", floor, ceiling, managers=("kubectl",))
    return replace(made, **fields)


_three, _one = deployment(3), deployment(1)
_sick = deployment(3, pods=(pod("web-0", ready=False), pod("web-1"), pod("web-2")))
_leaving = deployment(2, pods=(pod("web-0", deleting=True, ready=False), pod("web-1")))
_predecessor = replace(pod("web-0"), ref=PodRef("web-0", "an-older-uid"))

VPA = "VerticalPodAutoscaler"
BRIEF_GAP = HealerContext(
    0, ("v1",), MANAGER, forecasts=dict([alarm(sized())]), ceiling=1024.0 * MIB
)

FITTING: tuple[Scenario, ...] = (
    raising("a Deployment", filling()),
    raising(
        "two of three pods",
        filling(*(sized(f"web-{i}") for i in range(3))),
        finding=finding(filling(), sized("web-2"), sized("web-1")),
        context=HealerContext(
            1, (), MANAGER, forecasts=dict(alarm(sized(f"web-{i}")) for i in (1, 2)), ceiling=GIB
        ),
    ),
    raising("of a StatefulSet", stateful_set(1, pods=(sized(),), resizes=True)),
    raising("of a DaemonSet", daemon_set(1, pods=(sized(),), resizes=True)),
    raising(
        "a query that a forecast bears out",
        filling(),
        finding=finding(filling(), sized(), about=Signal.QUERY),
        context=HealerContext(
            1, (), MANAGER, forecasts=dict([alarm(sized(), alarm=False)]), ceiling=GIB
        ),
    ),
    lasting("a Deployment", templated()),
    lasting("of a cluster that resizes nothing", templated(resizes=False)),
    lasting("of a StatefulSet", templated(kind=Kind.STATEFUL_SET), context=BRIEF_GAP),
    lasting("of a DaemonSet", templated(kind=Kind.DAEMON_SET), context=BRIEF_GAP),
    with_context(
        lasting("raised in place before", templated(raised_to(384))),
        forecasts=dict([alarm(sized(), **_slow)]),
    ),
    with_context(
        lasting("raised in place, and a heap that needs it", templated(raised_to(384))),
        forecasts=dict([alarm(sized(), levelled_off=True)]),
    ),
    load("a Deployment", deployment(3)),
    load("its only pod", deployment(1)),
    load("a StatefulSet", stateful_set(2)),
    load(
        "a query beyond its threshold",
        deployment(2),
        finding=finding(
            deployment(2),
            about=Signal.QUERY,
            origin=Origin.THRESHOLD,
            evidence=replace(COMING, value=130.0, ttf=None),
        ),
    ),
    load("below its HPA's ceiling", deployment(3, autoscaler=scaled(3, 8))),
    load("at its HPA's ceiling", deployment(3, autoscaler=scaled(3, 3))),
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
    raising(
        "a failing rollout",
        filling(),
        "NotAMemoryProblem",
        finding=finding(filling(), sized(), about=Signal.ROLLOUT_FAILING),
    ),
    raising("no in-place resize", filling(resizes=False), "NoInPlaceResize"),
    raising("in-place resize unknown", filling(resizes=None), "NoInPlaceResize"),
    with_context(raising("no ceiling", filling(), "NoCeiling"), ceiling=None),
    raising("no pods named", filling(), "NoPods", finding=finding(filling())),
    raising("pods gone", filling(), "GoneAlready", finding=finding(filling(), pod("web-9"))),
    raising("on its way out", filling(replace(sized(), deleting=True)), "AlreadyTerminating"),
    with_context(raising("no forecast", filling(), "NoForecast"), forecasts={}),
    with_context(
        raising("no alarm", filling(), "NotGrowing"), forecasts=dict([alarm(sized(), **_slow)])
    ),
    with_context(
        raising(
            "a query, but memory hardly grows",
            filling(),
            "NotGrowing",
            finding=finding(filling(), sized(), about=Signal.QUERY),
        ),
        forecasts=dict([alarm(sized(), **_slow)]),
    ),
    with_context(
        raising("a JVM's heap", filling(), "LevelledOff"),
        forecasts=dict([alarm(sized(), levelled_off=True)]),
    ),
    with_context(
        raising("an idle heap", filling(), "LevelledOff"),
        forecasts=dict([alarm(sized(), levelled_off=True, **_slow)]),
    ),
    raising("no limit", filling(sized(memory_wanted=None)), "NoLimit"),
    raising("OOM-killed before", filling(_killed), "AlreadyKilled"),
    raising("a resize restarts it", filling(sized(resize_restarts=True)), "ResizeRestarts"),
    raising("an older node", filling(replace(sized(), resizable=False)), "NoInPlaceResize"),
    raising("a Windows pod", filling(replace(sized(), windows=True)), "WindowsPod"),
    raising("a resize put off", filling(_put_off), "ResizePending"),
    with_context(raising("at its ceiling", filling(_raised), "CeilingReached"), ceiling=GIB * 0.8),
    lasting(
        "a failing rollout",
        templated(),
        "NotAMemoryProblem",
        finding=finding(templated(), sized(), about=Signal.ROLLOUT_FAILING),
    ),
    with_context(lasting("no ceiling", templated(), "NoCeiling"), ceiling=None),
    lasting("paused", templated(paused=True), "RolloutPaused"),
    lasting("OnDelete", templated(kind=Kind.DAEMON_SET, strategy="OnDelete"), "OnDelete"),
    lasting("a partition", templated(kind=Kind.STATEFUL_SET, partition=1), "Partition"),
    lasting("no pods named", templated(), "NoPods", finding=finding(templated())),
    lasting("pods gone", templated(), "GoneAlready", finding=finding(templated(), pod("web-9"))),
    lasting("no limit in the template", templated(limit=None), "NoLimit"),
    lasting("sized by a VPA", templated(replace(sized(), sized_by_vpa=True)), VPA),
    raising("sized by a VPA", filling(replace(sized(), sized_by_vpa=True)), VPA),
    with_context(lasting("no forecast", templated(), "NoForecast"), forecasts={}),
    with_context(
        lasting("no alarm", templated(), "NotGrowing"), forecasts=dict([alarm(sized(), **_slow)])
    ),
    with_context(
        lasting("a JVM's heap", templated(), "LevelledOff"),
        forecasts=dict([alarm(sized(), levelled_off=True)]),
    ),
    with_context(
        lasting("raised in place, and needed no more", templated(raised_to(384)), "NotGrowing"),
        forecasts=dict([alarm(sized(), **_slow, value=200.0 * MIB)]),
    ),
    with_context(
        lasting(
            "a limit that its owner has just lowered",
            templated(replace(raised_to(384), revision="v0")),
            "NotGrowing",
        ),
        forecasts=dict([alarm(sized(), **_slow)]),
    ),
    with_context(
        lasting("at its ceiling", templated(raised_to(300)), "CeilingReached"), ceiling=300.0 * MIB
    ),
    load(
        "memory that fills up",
        deployment(3),
        "NotALoadProblem",
        finding=finding(deployment(3), about=Signal.MEMORY_EXHAUSTION, evidence=COMING),
    ),
    load(
        "a value that falls",
        deployment(3),
        "BelowIsTheProblem",
        finding=finding(deployment(3), about=Signal.QUERY, evidence=replace(COMING, value=150.0)),
    ),
    load(
        "a value that is too low",
        deployment(3),
        "BelowIsTheProblem",
        finding=finding(
            deployment(3), about=Signal.QUERY, origin=Origin.THRESHOLD, evidence=COMING
        ),
    ),
    load("a pod per node", daemon_set(3), "OnePerNode"),
    load("no maxReplicas", deployment(3), "NoMaxReplicas", context=V1_WORKED),
    load("scaled to zero", deployment(0), "ScaledToZero"),
    load(
        "an autoscaler that can't be read",
        deployment(3, autoscaler=Autoscaler("(not readable)", readable=False)),
        "AutoscalerUnknown",
    ),
    load("as many as it may", deployment(10), "AtMaxReplicas"),
    load(
        "at its HPA's ceiling and the rung's",
        deployment(10, autoscaler=scaled(3, 10)),
        "AtMaxReplicas",
    ),
    load("pods that start", deployment(3, pods=(pod("web-0"), pod("web-1"))), "StillStarting"),
    load(
        "a pod without a node",
        deployment(
            2,
            pods=(
                pod("web-0"),
                pod("web-1", ready=False, phase="Pending", unscheduled="0/3 nodes"),
            ),
        ),
        "StillStarting",
    ),
    load(
        "an HPA that has yet to raise it", deployment(2, autoscaler=scaled(4, 8)), "StillStarting"
    ),
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
