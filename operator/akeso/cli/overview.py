"""What `akeso status` tells, gathered from the custom resources. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from akeso.api.conditions import get_condition, is_true, said_by
from akeso.api.control import HealingControl
from akeso.api.healing import Attempt, Evidence, Guard, Healing
from akeso.api.policy import HealingPolicy
from akeso.cli.leader import Leader
from akeso.cli.sections import Akeso, Ended, Overview, Pause, PolicyLine, Refusal, Risk, UnderWay
from akeso.engine.intent import finished, running
from akeso.engine.record import PROPOSED
from akeso.engine.records import BrokenObject

SHOWN_FINISHED = 10
UNKNOWN = Leader()


def overview(
    control: HealingControl | None,
    policies: Sequence[HealingPolicy],
    healings: Sequence[Healing],
    broken: Sequence[BrokenObject],
    namespace: str | None,
    now: datetime,
    leader: Leader = UNKNOWN,
) -> Overview:
    """Puts the sections together; within each the most urgent comes first."""
    chosen = [h for h in healings if namespace in (None, h.metadata.namespace)]
    going = sorted((h for h in chosen if not finished(h)), key=lambda h: h.spec.evidence.since)
    risks = [_risk(h) for h in going if running(h) is None]
    never = datetime.max.replace(tzinfo=now.tzinfo)
    over = sorted((h for h in chosen if finished(h)), key=_completed, reverse=True)
    return Overview(
        at=now,
        namespace=namespace,
        leader=leader,
        akeso=_akeso(control, now) if control else None,
        policies=tuple(
            _policy(p)
            for p in sorted(policies, key=lambda p: (p.metadata.namespace, p.metadata.name))
            if namespace in (None, p.metadata.namespace)
        ),
        at_risk=tuple(sorted(risks, key=lambda r: (r.likely or never, r.since))),
        healing=tuple(_under_way(h, a) for h in going if (a := running(h)) is not None),
        refused=tuple(_refusal(h) for h in going if is_true(h.status.conditions, "Blocked")),
        finished=tuple(_ended(h) for h in over[:SHOWN_FINISHED]),
        unreadable=tuple(b.error for b in broken if namespace in (None, b.namespace)),
    )


def _akeso(control: HealingControl, now: datetime) -> Akeso:
    status, paused = control.status, control.spec.paused
    ready = get_condition(status.conditions, "Ready")
    degraded = get_condition(status.conditions, "Degraded")
    holds = paused if paused is not None and paused.holds(now) else None
    return Akeso(
        ready=None if ready is None or ready.status == "Unknown" else ready.status == "True",
        message=ready.message if ready else "no operator has reported yet",
        degraded=degraded.message if degraded and degraded.status == "True" else None,
        paused=Pause(reason=holds.reason, until=holds.until) if holds else None,
        metrics_source=status.metrics_source.value if status.metrics_source else None,
        scrape_interval_seconds=status.scrape_interval_seconds,
        shortest_failure_seconds=status.shortest_failure_seconds,
        watched=status.watched,
    )


def _policy(policy: HealingPolicy) -> PolicyLine:
    ready = get_condition(policy.status.conditions, "Ready")
    return PolicyLine(
        namespace=policy.metadata.namespace,
        name=policy.metadata.name,
        mode=policy.spec.mode.value,
        targets=policy.status.targets,
        healing=policy.status.healing,
        ready=None if ready is None or ready.status == "Unknown" else ready.status == "True",
        reason=ready.reason if ready else "NotSeen",
        message=ready.message if ready else "no operator has looked at it yet",
        pause_reasons=policy.spec.guardrails.pause_reasons,
    )


def _of(healing: Healing) -> dict[str, str]:
    spec = healing.spec
    return {
        "namespace": healing.metadata.namespace,
        "healing": healing.metadata.name,
        "kind": spec.target.kind.value,
        "name": spec.target.name,
        "signal": spec.signal,
        "policy": spec.policy_ref.name,
    }


def _risk(healing: Healing) -> Risk:
    evidence = healing.spec.evidence
    earliest, likely, latest = _expected(evidence)
    return Risk(
        **_of(healing),
        message=evidence.message,
        since=evidence.since,
        value=evidence.value,
        threshold=evidence.threshold,
        probability_percent=evidence.probability_percent,
        earliest=earliest,
        likely=likely,
        latest=latest,
        needs_human=is_true(healing.status.conditions, "NeedsHuman"),
        proposed=said_by(healing.status.conditions, PROPOSED),
    )


def _expected(evidence: Evidence) -> tuple[datetime | None, datetime | None, datetime | None]:
    """The moments the failure is expected at; None where that is not foreseeable."""
    found = evidence.time_to_threshold_seconds
    if found is None:
        return None, None, None
    return (
        _after(evidence.sampled_at, found.p10),
        _after(evidence.sampled_at, found.p50),
        _after(evidence.sampled_at, found.p90),
    )


def _after(moment: datetime, seconds: int | None) -> datetime | None:
    return None if seconds is None else moment + timedelta(seconds=seconds)


def _under_way(healing: Healing, attempt: Attempt) -> UnderWay:
    return UnderWay(
        **_of(healing),
        healer=attempt.healer,
        attempt=len(healing.status.attempts),
        started_at=attempt.started_at,
        deadline=attempt.deadline,
        writes=len(attempt.actions),
        written=sum(a.at is not None for a in attempt.actions),
        undoing=attempt.undoing,
        good_checks=attempt.checks.good if attempt.checks else 0,
        message=healing.status.message or "",
    )


def _refusal(healing: Healing) -> Refusal:
    blocked = get_condition(healing.status.conditions, "Blocked")
    denials = [g for g in healing.status.guards if not g.allowed]
    return Refusal(
        **_of(healing),
        reason=blocked.reason if blocked else "",
        message=blocked.message if blocked else "",
        since=blocked.last_transition_time if blocked else healing.spec.evidence.since,
        passes=bool(denials) and all(_passes(g) for g in denials),
        other_reasons=tuple(g.message for g in denials[1:]),
    )


def _passes(guard: Guard) -> bool:
    return guard.retry_after_seconds is not None


def _ended(healing: Healing) -> Ended:
    status = healing.status
    return Ended(
        **_of(healing),
        healer=status.attempts[-1].healer if status.attempts else None,
        verdict=status.verdict.value if status.verdict else "",
        message=status.message or "",
        completed_at=_completed(healing),
        needs_human=is_true(status.conditions, "NeedsHuman"),
        proposed=said_by(status.conditions, PROPOSED),
    )


def _completed(healing: Healing) -> datetime:
    return healing.status.completed_at or healing.spec.evidence.since
