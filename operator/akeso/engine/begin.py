"""Before the first write: what an attempt intends, as it is written into its Healing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from akeso.api.healing import Attempt, Healing
from akeso.api.policy import Signal
from akeso.domain.action import Plan
from akeso.domain.finding import Signal as About
from akeso.domain.workload import Snapshot
from akeso.engine import record
from akeso.engine.detect import Problem
from akeso.engine.intent import finished, record_action, target_of
from akeso.engine.judge import Judgement, Proposal, past_healings
from akeso.engine.subject import Progress, Subject, predicted_failure
from akeso.engine.tell import Told, block_told

DAY = 86_400.0

# Problems that no routine helps against, and what a person can do.
NO_HEALER = {
    About.VOLUME_FILLING: (
        "no healer makes room in a volume, a person must: delete what is not needed, or raise"
        " resources.requests.storage of the claim where its StorageClass allows expansion"
    )
}


@dataclass(frozen=True, slots=True)
class Intention:
    """A rung that may be tried now: its plan, the judgement that allowed it, and on what."""

    plan: Plan
    rung: int
    judgement: Judgement
    seen: Snapshot


def intend(
    healing: Healing, subject: Subject, intention: Intention, recurrence_limit: int, now: datetime
) -> Progress:
    """Writes what is about to be done; only then it is done."""
    plan = intention.plan
    attempt = _attempt(healing, subject, intention, now)
    told: tuple[Told, ...] = (Told("Planned", plan.healer, plan.summary),)
    healing = record.planned(healing, attempt, plan.summary, intention.judgement.verdicts, now)
    count = 1 + _others(healing, subject, now)
    if count >= recurrence_limit:
        said = (
            f"this problem of {target_of(healing)} is healed for the {count}. time in 24 h;"
            " healing buys time, the cause needs a person"
        )
        healing = record.needs_human(healing, "Recurring", said, now)
        told = (Told("NeedsHuman", "Recurring", said), *told)
    return Progress(healing, True, told)


def _attempt(healing: Healing, subject: Subject, intention: Intention, now: datetime) -> Attempt:
    plan, rung = intention.plan, intention.rung
    return Attempt(
        healer=plan.healer,
        rung=rung,
        intent_key=f"{healing.metadata.uid}/{rung}/{len(healing.status.attempts)}",
        started_at=now,
        deadline=now + timedelta(seconds=intention.judgement.timeout),
        predicted_failure_at=predicted_failure(subject.finding),
        actions=(
            *(record_action(a, plan.target) for a in plan.actions),
            *(record_action(a, plan.target, afterwards=True) for a in plan.afterwards),
        ),
        pre_state=_pre_state(intention.seen),
    )


def _others(healing: Healing, subject: Subject, now: datetime) -> int:
    """How many other healings of the same problem began within a day."""
    since = now.timestamp() - DAY
    return len(
        {
            p.name
            for p in past_healings(subject.around.healings, healing)
            if p.target_uid == healing.spec.target.uid
            and p.signal == healing.spec.signal
            and p.acted_at >= since
        }
    )


def _pre_state(seen: Snapshot) -> dict[str, str]:
    return {
        "replicas": str(seen.replicas),
        "revision": seen.update_revision,
        "generation": str(seen.generation),
    }


def proposing(
    healing: Healing, proposals: Sequence[Proposal], now: datetime
) -> tuple[Healing, tuple[Told, ...]]:
    """Tells of rungs that fit and are left to a person, once."""
    if not proposals:
        return healing, ()
    healer, said = proposals[0].healer, " ".join(p.sentence for p in proposals)
    after = record.proposed(healing, healer, said, now)
    return after, (() if after is healing else (Told("Proposed", healer, said),))


def refused(healing: Healing, judgement: Judgement, now: datetime) -> Progress:
    """A rung would fit, but guards say not now."""
    after = record.blocked(healing, judgement.verdicts, now)
    return Progress(after, False, block_told(healing, after))


def nothing_fits(healing: Healing, signal: Signal, judgement: Judgement, now: datetime) -> Progress:
    """No rung fits this target: a person is asked, once."""
    denial = judgement.denial
    if denial:
        reason, said = denial.reason, denial.sentence
    elif signal.about in NO_HEALER:
        reason, said = "NoHealer", NO_HEALER[signal.about]
    else:
        reason, said = "NoLadder", "the signal names no healer, a person must look"
    more = (p.sentence for p in judgement.proposals if p.sentence != said)
    said = " ".join([said, *more])
    after = record.needs_human(healing, reason, said, now)
    if denial:
        after = record.blocked(after, judgement.verdicts, now)
    if after.status.conditions == healing.status.conditions:
        return Progress(healing, False)
    return Progress(after, False, (Told("NeedsHuman", reason, said),))


def last_finished(problem: Problem, healings: Iterable[Healing]) -> str:
    """uid of the last finished Healing of the same problem; empty for the first."""
    before = [
        h
        for h in healings
        if finished(h)
        and h.spec.target.uid == problem.seen.ref.uid
        and h.spec.signal == problem.signal.name
    ]
    latest = max(before, key=lambda h: str(h.metadata.creation_timestamp), default=None)
    return latest.metadata.uid if latest else ""
