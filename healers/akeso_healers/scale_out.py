"""ScaleOut: more replicas before the load is there, and fewer again after it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from akeso.domain.action import (
    LOAD_ROOM,
    Action,
    Effect,
    Plan,
    ReleaseAutoscaler,
    ReleaseOwnership,
    Scale,
    SetAutoscalerBound,
)
from akeso.domain.finding import Finding, Origin, Signal
from akeso.domain.verdict import Verdict, allow, deny
from akeso.domain.workload import Autoscaler, AutoscalerBound, Kind, Snapshot
from akeso.protocols import HealerContext

# What tells of load; anything else would only be spread over more pods.
OF_LOAD = (Signal.CPU_SATURATION, Signal.QUERY, Signal.ALERT)
# At most so many times what is there: a forecast that is wrong costs no more than that, and what
# is still too little is found again.
GROWTH = 2
# Until pods that start are there, or known not to come.
LOOK_AGAIN_SECONDS = 15.0


class ScaleOut:
    """Adds replicas for load that is there, or will be, and takes them away again after it.

    Watches: load that more pods share: CPU, a query such as latency or the length of a queue, an
        alert.
    Acts when: all pods that are wanted have started, there are fewer than the rung's maxReplicas,
        and the load is, or is forecast to be, above its threshold. A workload scaled to zero is
        left alone.
    Does: sets the replicas so that the load expected at the end of the horizon is 80 % of the
        threshold: one more at least, twice as many at most. Where a HorizontalPodAutoscaler owns
        them its minReplicas are raised instead, and its maxReplicas too where it is at them.
    Blast radius: no pod goes; room and quota are looked at first.
    Undo: the old number, or the old bounds, are set again once the problem was not seen for
        calm_seconds and the load would leave 20 % of room on so few pods; never to zero.
    Known false alarms: latency or a queue that comes from a dependency, such as a database, gets
        no better by more pods, and the dependency worse; keep maxReplicas within what it bears.
    """

    name = "ScaleOut"
    effect = Effect.BUYS_TIME
    proposed = False
    kinds = frozenset({Kind.DEPLOYMENT, Kind.STATEFUL_SET})

    def diagnose(self, finding: Finding, seen: Snapshot, context: HealerContext) -> Verdict:
        """The first reason why not; StillStarting passes by itself."""
        denied = _not_possible(finding, seen, context)
        if denied is not None:
            reason, said = denied
            return deny(self.name, reason, f"{seen.ref}: {said}")
        starting = _starting(seen)
        if starting is not None:
            return deny(self.name, "StillStarting", f"{seen.ref}: {starting}", LOOK_AGAIN_SECONDS)
        to = _wanted(finding, seen, context)
        if to <= seen.replicas:
            return deny(self.name, "AtMaxReplicas", f"{seen.ref}: {_at_most(seen, context)}")
        return allow(self.name, f"{seen.ref} can go from {seen.replicas} to {to} replicas.")

    def plan(self, finding: Finding, seen: Snapshot, context: HealerContext) -> Plan:
        """What it goes back to is the user's own number, however often it was raised."""
        to, scaler = _wanted(finding, seen, context), seen.autoscaler
        if to <= seen.replicas:
            raise ValueError(f"{seen.ref} can't have more: ask diagnose() before plan()")
        release: Action = ReleaseOwnership(context.manager)
        raised: list[Action] = [Scale(seen.replicas, to, settle=False)]
        summary = f"scale from {seen.replicas} to {to} replicas"
        if scaler is not None:
            release = ReleaseAutoscaler(context.manager, scaler.name, scaler.uid)
            bounds = list(_bounds(scaler, to))
            raised = list(bounds)
            said = " and ".join(f"{b.bound} from {b.from_} to {b.to}" for b in reversed(bounds))
            summary = f"raise {said} of {scaler}, so that there are {to} pods, not {seen.replicas}"
        back = (_back(action, context) for action in reversed(raised))
        return Plan(
            healer=self.name,
            target=seen.ref,
            effect=self.effect,
            # Ownership is given up at once: the user's next apply shall meet no conflict.
            actions=(*raised, release),
            undo=(),
            summary=f"{summary}, until the load is gone",
            blast_radius=0,
            afterwards=(*back, release),
        )


def _not_possible(
    finding: Finding, seen: Snapshot, context: HealerContext
) -> tuple[str, str] | None:
    """What time does not change."""
    if finding.about not in OF_LOAD:
        return "NotALoadProblem", f"{finding.about} is no load that more pods would share."
    if _too_low(finding):
        return "BelowIsTheProblem", "more pods make no value larger that is too small."
    if seen.ref.kind is Kind.DAEMON_SET:
        return "OnePerNode", "it runs one pod per node, so it has no replicas to add."
    if context.max_replicas is None:
        return "NoMaxReplicas", "the rung has no maxReplicas, the number up to which it may go."
    if seen.replicas == 0:
        return "ScaledToZero", "it is scaled to zero and stays there; whoever did that starts it."
    if seen.autoscaler is not None and not seen.autoscaler.readable:
        return "AutoscalerUnknown", (
            "whether an autoscaler owns its replicas can't be told; give Akeso the right to read "
            f"the HorizontalPodAutoscalers of namespace {seen.ref.namespace}."
        )
    return None


def _too_low(finding: Finding) -> bool:
    """Whether the threshold is crossed downwards; evidence holds the value, not the operator."""
    value, threshold = finding.evidence.value, finding.evidence.threshold
    if value is None or threshold is None or finding.origin is Origin.REQUEST:
        return False
    if finding.origin is Origin.FORECAST:
        return value > threshold
    return value < threshold


def _starting(seen: Snapshot) -> str | None:
    """More are asked for when those asked for before are there, or can't come: not on top."""
    scaler, there = seen.autoscaler, len(seen.present)
    if scaler is not None and scaler.min_replicas > seen.replicas:
        return f"{scaler} will bring it to {scaler.min_replicas} replicas by itself."
    unscheduled = next((p for p in seen.present if p.unscheduled is not None), None)
    if unscheduled is not None:
        why = unscheduled.unscheduled
        return f"pod {unscheduled.ref.name} has no node ({why}), so more pods would not have one."
    if seen.short is not None and there < seen.replicas:
        return f"its controller can't make all the pods it should ({seen.short})."
    starting = sum(p.phase == "Pending" for p in seen.present) + max(0, seen.replicas - there)
    if starting:
        return (
            f"{starting} of its {seen.replicas} pods start only now; what they take is not known."
        )
    return None


def _wanted(finding: Finding, seen: Snapshot, context: HealerContext) -> int:
    """So many that the expected load leaves room; no more than the rung and the HPA allow."""
    now, needed = seen.replicas, 0
    threshold = finding.evidence.threshold
    expected = _expected(finding, context.horizon)
    if expected is not None and threshold is not None:
        needed = math.ceil(min(now * expected / (LOAD_ROOM * threshold), GROWTH * now))
    return min(max(needed, now + 1), GROWTH * now, _most(seen, context))


def _expected(finding: Finding, horizon: float) -> float | None:
    """The load at the end of the horizon (seconds), if it goes on as most probably forecast."""
    evidence = finding.evidence
    value, threshold = evidence.value, evidence.threshold
    if value is None or threshold is None or threshold <= 0 or not math.isfinite(value):
        return None
    if evidence.ttf is None:
        return value
    middle = evidence.ttf[1]
    if not 0 < middle < math.inf:
        return max(value, threshold)
    return max(threshold, value + (threshold - value) * horizon / middle)


def _most(seen: Snapshot, context: HealerContext) -> int:
    """Beyond the HPA's own ceiling only where it is at it already."""
    most, scaler = context.max_replicas or 0, seen.autoscaler
    if scaler is not None and seen.replicas < scaler.max_replicas:
        return min(most, scaler.max_replicas)
    return most


def _at_most(seen: Snapshot, context: HealerContext) -> str:
    return (
        f"it has {seen.replicas} replicas and the rung's maxReplicas are {context.max_replicas}; "
        "raise them if what it depends on bears more."
    )


def _bounds(scaler: Autoscaler, to: int) -> Iterator[SetAutoscalerBound]:
    """The ceiling first: the API server takes no floor above it."""
    for bound in (AutoscalerBound.CEILING, AutoscalerBound.FLOOR):
        before = scaler.bound(bound)
        if before < to:
            yield SetAutoscalerBound(scaler.name, scaler.uid, bound, before, to)


def _back(raised: Action, context: HealerContext) -> Action:
    """The way back, to the user's own number: what stands now may be owed already."""
    if isinstance(raised, SetAutoscalerBound):
        own = next(
            (
                a.to
                for a in context.owed
                if isinstance(a, SetAutoscalerBound)
                and (a.uid, a.bound, a.from_) == (raised.uid, raised.bound, raised.from_)
            ),
            raised.from_,
        )
        return SetAutoscalerBound(
            raised.name, raised.uid, raised.bound, raised.to, own, restore=True
        )
    assert isinstance(raised, Scale)
    own = next(
        (a.to for a in context.owed if isinstance(a, Scale) and a.from_ == raised.from_),
        raised.from_,
    )
    return Scale(raised.to, own, restore=True, settle=False)
