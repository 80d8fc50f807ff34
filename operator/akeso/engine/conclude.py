"""After the last write: what the checks add up to, and how attempts and Healings end. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from akeso.api.healing import Attempt, Healing
from akeso.api.policy import Verify
from akeso.domain.action import Effect
from akeso.domain.finding import Outcome
from akeso.engine import record
from akeso.engine.intent import running, target_of
from akeso.engine.judge import Proposal
from akeso.engine.subject import Progress
from akeso.engine.tell import Told
from akeso.engine.verify import Check, Look


def first_check(attempt: Attempt, rules: Verify) -> datetime:
    """The earliest moment at which looking tells something."""
    return record.last_write(attempt) + timedelta(seconds=rules.initial_delay_seconds)


def concluded(
    healing: Healing, look: Look, effect: Effect, rules: Verify, now: datetime
) -> Progress:
    """One check more, and the verdict where the checks add up to one."""
    attempt = running(healing)
    if attempt is None:
        return Progress(healing, False)
    if look.full and _lasted(healing, attempt, rules, now):
        said = (
            f"the likely time of failure passed without it; there was room, and now {look.message}"
        )
        return _judged(healing, attempt, Outcome.VERIFIED, said, now)
    if look.check is Check.WAITING:
        if now < patience(attempt):
            return Progress(healing, False)
        return undone(healing, attempt, look.late, look.message, now, look.stuck)
    counted = record.counted(attempt, look.check.value, rules.successes, now)
    if counted is not attempt:
        healing = record.with_attempt(healing, counted)
    return _verdict(healing, counted, look, effect, rules, now)


def _lasted(healing: Healing, attempt: Attempt, rules: Verify, now: datetime) -> bool:
    """Whether a restart has bought what it can: there was room, until after the likely time of
    failure. A leak that goes on fills the new container too; where the late quantile is as far
    away as that takes, waiting for it would call every restart a failure."""
    times = healing.spec.evidence.time_to_threshold_seconds
    if times is None or times.p50 is None or attempt.checks is None:
        return False
    likely = healing.spec.evidence.sampled_at + timedelta(seconds=times.p50)
    return attempt.checks.good >= rules.successes and likely <= now


def patience(attempt: Attempt) -> datetime:
    """Until when a check may say "too early to tell".

    Once checks have told something, the action is done: what is unready later, while the predicted
    moment is awaited, is judged by the time it takes after that.
    """
    due = attempt.predicted_failure_at
    if due is None or attempt.checks is None:
        return attempt.deadline
    return max(attempt.deadline, due + (attempt.deadline - attempt.started_at))


def _verdict(
    healing: Healing, attempt: Attempt, look: Look, effect: Effect, rules: Verify, now: datetime
) -> Progress:
    counts = attempt.checks
    if counts is None:
        return Progress(healing, False)
    if look.event or counts.bad >= rules.failure_limit:
        return undone(healing, attempt, Outcome.FAILED, look.message, now, look.stuck)
    if counts.errors >= rules.error_limit:
        return undone(healing, attempt, Outcome.ERROR, look.message, now, back=False)
    if counts.inconclusive >= rules.inconclusive_limit:
        return _judged(healing, attempt, Outcome.INCONCLUSIVE, look.message, now)
    due = attempt.predicted_failure_at
    if effect is Effect.BUYS_TIME and due and now < due:
        return Progress(healing, False)
    if counts.good < rules.successes:
        return Progress(healing, False)
    said = look.message
    if due is not None:
        said = f"the predicted time of failure passed without it, and {look.message}"
    return _judged(healing, attempt, Outcome.VERIFIED, said, now)


def undone(
    healing: Healing,
    attempt: Attempt,
    outcome: Outcome,
    said: str,
    now: datetime,
    back: bool = True,
) -> Progress:
    """Given up with this outcome: what can be taken back is, then the attempt ends.

    Without `back` a pod template is left as it was set: its pods run, and to roll them out once
    more with less would not help them.
    """
    undoing = record.undoing(attempt, outcome, said, now, back)
    return Progress(record.with_attempt(healing, undoing), True)


def _judged(
    healing: Healing, attempt: Attempt, outcome: Outcome, said: str, now: datetime
) -> Progress:
    return ended(healing, record.changed(attempt, verdict=outcome, message=said), now)


def ended(healing: Healing, attempt: Attempt, now: datetime) -> Progress:
    """The attempt is over; a failed one leads to the next rung at once."""
    verdict = attempt.verdict or Outcome.ERROR
    healing = record.attempt_ended(healing, attempt, now)
    said = healing.status.message or ""
    told = (Told(verdict.value, attempt.healer, said),)
    if verdict is Outcome.VERIFIED:
        return Progress(record.completed(healing, verdict, said, now), True, told)
    if verdict is Outcome.INCONCLUSIVE and healing.spec.undo is not None:
        return Progress(record.completed(healing, verdict, said, now), True, told)
    if verdict is Outcome.INCONCLUSIVE:
        last = given_up(healing, now)
        return Progress(last.healing, True, (*told, *last.told))
    return Progress(healing, True, told)


def given_up(healing: Healing, now: datetime, proposals: Sequence[Proposal] = ()) -> Progress:
    """The ladder is at its end: a person must look."""
    last = healing.status.attempts[-1]
    verdict = last.verdict or Outcome.ERROR
    said = f"{last.healer} on {target_of(healing)}: {last.message}; a person must look"
    said = ". ".join([said, *(p.sentence for p in proposals)])
    reason = f"{verdict.value}AtTheEnd"
    healing = record.needs_human(healing, reason, said, now)
    told = (Told("NeedsHuman", reason, said),)
    return Progress(record.completed(healing, verdict, said, now), True, told)


def cleared(healing: Healing, event: str | None, now: datetime) -> Progress:
    """Nothing was done; it either went away by itself or came to pass (`event`)."""
    denied = next((g for g in healing.status.guards if not g.allowed), None)
    why = f"; nothing was done: {denied.message}" if denied else ""
    said = f"it came to pass: {event}{why}" if event else f"the problem went away{why}"
    told = (Told("Cleared", "Happened" if event else "WentAway", said),)
    if event is None:
        healing = record.needs_nobody(healing, "WentAway", said, now)
    return Progress(record.completed(healing, Outcome.CLEARED, said, now), True, told)


def orphaned(healing: Healing, now: datetime) -> Progress:
    """Nobody asks for this Healing any more: what was begun is taken back, nothing else is done."""
    spec = healing.spec
    said = f"policy {spec.policy_ref.name}, or signal {spec.signal} in it, is gone"
    attempt = running(healing)
    if attempt is not None:
        return undone(healing, attempt, Outcome.INCONCLUSIVE, said, now)
    told = (Told("Cleared", "PolicyGone", said),)
    healing = record.needs_nobody(healing, "PolicyGone", said, now)
    return Progress(record.completed(healing, Outcome.CLEARED, said, now), True, told)


def withdrawn(healing: Healing, now: datetime) -> Progress:
    """A person asks to take it back before it has ended."""
    undo = healing.spec.undo
    said = f"{undo.requested_by} asked to take it back: {undo.reason}" if undo else "taken back"
    attempt = running(healing)
    if attempt is not None:
        return undone(healing, attempt, Outcome.INCONCLUSIVE, said, now)
    verdict = Outcome.INCONCLUSIVE if healing.status.attempts else Outcome.CLEARED
    told = (Told(verdict.value, "Withdrawn", said),)
    healing = record.needs_nobody(healing, "Withdrawn", said, now)
    return Progress(record.completed(healing, verdict, said, now), True, told)


def expired(healing: Healing, now: datetime) -> Progress:
    """Asked for by a person, and not allowed while that person may still expect it."""
    denied = next((g for g in healing.status.guards if not g.allowed), None)
    why = denied.message if denied else "no healer of the signal's ladder fits"
    said = f"asked for by {healing.spec.requested_by}, and not allowed in time: {why}"
    told = (Told("Cleared", "NotAllowed", said),)
    return Progress(record.completed(healing, Outcome.CLEARED, said, now), True, told)


def target_gone(healing: Healing, said: str, now: datetime) -> Progress:
    """There is nothing left to heal, or to take back."""
    attempt = running(healing)
    if attempt is not None:
        healing = record.attempt_ended(healing, record.abandoned(attempt, said, now), now)
    verdict = Outcome.INCONCLUSIVE if healing.status.attempts else Outcome.CLEARED
    healing = record.needs_nobody(healing, "TargetGone", said, now)
    healing = record.completed(healing, verdict, said, now)
    return Progress(healing, False, (Told(verdict.value, "TargetGone", said),))
