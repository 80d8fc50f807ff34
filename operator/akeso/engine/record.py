"""How a Healing's status changes: one pure function per thing that can happen to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from akeso.api.conditions import set_condition
from akeso.api.healing import (
    ActionRecord,
    ActionState,
    ActionType,
    Attempt,
    Checks,
    Guard,
    Healing,
)
from akeso.api.scalars import MESSAGE_LENGTH
from akeso.domain.finding import Outcome
from akeso.domain.verdict import Verdict

VERDICT_TEXT = {
    Outcome.VERIFIED: "it worked",
    Outcome.FAILED: "it did not work",
    Outcome.INCONCLUSIVE: "it can't be told whether it worked",
    Outcome.ERROR: "it could not be carried out",
    Outcome.CLEARED: "the problem went away before anything was done",
}

PROPOSED = "Proposed"  # condition: a rung that fits is left to a person, its healer is the reason

# What a person must look at even after a healing that worked: its cause, or what it left behind.
LASTING = frozenset({"Recurring", "NotUndone"})

# Reasons whose sentences change only when people change what they say; others may hold measures.
BY_PEOPLE = frozenset({"Silenced"})


def _short(changes: dict[str, object]) -> dict[str, object]:
    """A sentence that quotes a foreign error may be long; it must not cost the write."""
    said = changes.get("message")
    if isinstance(said, str) and len(said) > MESSAGE_LENGTH:
        return {**changes, "message": said[: MESSAGE_LENGTH - 1] + "…"}
    return changes


def with_status(healing: Healing, **changes: object) -> Healing:
    """The same Healing with parts of its status replaced."""
    changes = _short(changes)
    return healing.model_copy(update={"status": healing.status.model_copy(update=changes)})


def with_condition(
    healing: Healing, type: str, status: bool, reason: str, message: str, now: datetime
) -> Healing:
    conditions = set_condition(
        healing.status.conditions, type, status, reason, message, now, healing.metadata.generation
    )
    return with_status(healing, conditions=conditions)


def with_attempt(healing: Healing, attempt: Attempt) -> Healing:
    """Replaces the last attempt."""
    return with_status(healing, attempts=(*healing.status.attempts[:-1], attempt))


def changed(attempt: Attempt, **changes: object) -> Attempt:
    return attempt.model_copy(update=_short(changes))


def blocked(healing: Healing, verdicts: Sequence[Verdict], now: datetime) -> Healing:
    """Not allowed now. Only a change of reasons changes the object: waiting writes nothing.

    A silence that is extended, or made anew, is a change too: its end is what people read.
    """
    denials = [v for v in verdicts if not v.allowed]
    first = denials[0]
    guards = tuple(Guard.of(v) for v in verdicts)
    if _said(healing.status.guards) == _said(guards) and _stands(healing, "Blocked", first.reason):
        return healing
    healing = with_status(healing, guards=guards, message=first.sentence)
    healing = with_condition(healing, "Allowed", False, first.reason, first.sentence, now)
    return with_condition(healing, "Blocked", True, first.reason, first.sentence, now)


def _said(guards: Iterable[Guard]) -> dict[str, tuple[bool, str, str]]:
    return {
        g.guard: (g.allowed, g.reason, g.message if g.reason in BY_PEOPLE else "") for g in guards
    }


def _stands(healing: Healing, type: str, reason: str) -> bool:
    return any(
        c.type == type and c.status == "True" and c.reason == reason
        for c in healing.status.conditions
    )


def planned(
    healing: Healing, attempt: Attempt, summary: str, verdicts: Sequence[Verdict], now: datetime
) -> Healing:
    """The intent, written before the first write."""
    healing = with_status(
        healing,
        attempts=(*healing.status.attempts, attempt),
        guards=tuple(Guard.of(v) for v in verdicts),
        message=f"{attempt.healer}: {summary}",
    )
    healing = with_condition(healing, "Planned", True, attempt.healer, summary, now)
    if _stands(healing, PROPOSED, attempt.healer):
        healing = with_condition(healing, PROPOSED, False, "Planned", summary, now)
    healing = needs_nobody(healing, "Planned", summary, now)
    healing = unblocked(healing, now)
    return with_condition(healing, "Acting", True, attempt.healer, summary, now)


def unblocked(healing: Healing, now: datetime) -> Healing:
    said = "every guard allows it"
    healing = with_condition(healing, "Allowed", True, "Allowed", said, now)
    if any(c.type == "Blocked" for c in healing.status.conditions):
        healing = with_condition(healing, "Blocked", False, "Allowed", said, now)
    return healing


def action_ended(attempt: Attempt, index: int, state: ActionState, now: datetime) -> Attempt:
    actions = tuple(
        record.model_copy(update={"state": state, "at": now}) if i == index else record
        for i, record in enumerate(attempt.actions)
    )
    return changed(attempt, actions=actions)


def pending(attempt: Attempt) -> int | None:
    """Index of the next action to do; None: all are done, but for what is owed."""
    return next(
        (
            i
            for i, a in enumerate(attempt.actions)
            if a.state is ActionState.PENDING and not a.afterwards
        ),
        None,
    )


def owed(healing: Healing) -> tuple[tuple[int, int], ...]:
    """What is to be brought back once it is needed no more: indices of attempt and action."""
    return tuple(
        (i, j)
        for i, attempt in enumerate(healing.status.attempts)
        for j, action in enumerate(attempt.actions)
        if action.afterwards and action.state is ActionState.PENDING
    )


def due(healing: Healing) -> bool:
    """Whether something is owed that is brought back without anybody's asking."""
    status = healing.status
    return any(not _sets_template(status.attempts[i]) for i, _ in owed(healing))


def owed_ended(
    healing: Healing, attempt: int, index: int, state: ActionState, now: datetime
) -> Healing:
    """The same Healing with one owed action done or skipped, in whichever attempt owes it."""
    attempts = tuple(
        action_ended(a, index, state, now) if i == attempt else a
        for i, a in enumerate(healing.status.attempts)
    )
    return with_status(healing, attempts=attempts)


def last_write(attempt: Attempt) -> datetime:
    """When the attempt last did something."""
    return max((a.at for a in attempt.actions if a.at is not None), default=attempt.started_at)


def undoing(
    attempt: Attempt, outcome: Outcome, message: str, now: datetime, back: bool = True
) -> Attempt:
    """Given up: what is not done yet is skipped, except what brings the user's state back.

    That no longer waits for pods to settle; an undo must end even where none becomes ready. Without
    `back` a pod template stays as it was set.
    """
    return changed(
        attempt,
        undoing=True,
        verdict=outcome,
        message=message,
        actions=tuple(
            _for_undo(record, now, back and _sets_template(attempt)) for record in attempt.actions
        ),
    )


def _sets_template(attempt: Attempt) -> bool:
    return any(a.type is ActionType.SET_TEMPLATE_MEMORY for a in attempt.actions)


def _for_undo(record: ActionRecord, now: datetime, back: bool) -> ActionRecord:
    if record.state is not ActionState.PENDING:
        return record
    if record.afterwards and back:
        return record.model_copy(update={"afterwards": False})  # pods that can't start need it now
    if record.afterwards:
        return record  # owed whatever the verdict: taken back at once it might do harm
    if record.restore:
        return record.model_copy(update={"settle": False})
    return record.model_copy(update={"state": ActionState.SKIPPED, "at": now})


def abandoned(attempt: Attempt, message: str, now: datetime) -> Attempt:
    """Nothing more can be done, not even taken back: the target is gone."""
    actions = tuple(
        a.model_copy(update={"state": ActionState.SKIPPED, "at": now})
        if a.state is ActionState.PENDING
        else a
        for a in attempt.actions
    )
    return changed(
        attempt, undoing=False, verdict=Outcome.INCONCLUSIVE, message=message, actions=actions
    )


def attempt_ended(healing: Healing, attempt: Attempt, now: datetime) -> Healing:
    """The attempt has its verdict; the Healing goes on where a rung is left."""
    verdict = attempt.verdict or Outcome.ERROR
    said = attempt.message or VERDICT_TEXT[verdict]
    healing = with_attempt(healing, changed(attempt, finished_at=now))
    healing = with_status(healing, message=said)
    healing = with_condition(healing, "Acting", False, verdict.value, said, now)
    if attempt.undoing and any(_took_back(action) for action in attempt.actions):
        healing = with_condition(healing, "Undone", True, verdict.value, said, now)
    return with_condition(
        healing, "Verified", verdict is Outcome.VERIFIED, verdict.value, said, now
    )


def _took_back(action: ActionRecord) -> bool:
    """Giving up ownership changes nothing that a user would see."""
    given_up = action.type in (ActionType.RELEASE_OWNERSHIP, ActionType.RELEASE_AUTOSCALER)
    return action.restore and not action.afterwards and not given_up


def completed(healing: Healing, verdict: Outcome, message: str, now: datetime) -> Healing:
    """Nothing more is done."""
    if any(c.type == "Blocked" and c.status == "True" for c in healing.status.conditions):
        healing = with_condition(healing, "Blocked", False, verdict.value, message, now)
    return with_status(healing, verdict=verdict, message=message, completed_at=now)


def needs_human(healing: Healing, reason: str, message: str, now: datetime) -> Healing:
    """Asked once per reason: a sentence whose numbers move on is not written again."""
    if _stands(healing, "NeedsHuman", reason):
        return healing
    return with_condition(healing, "NeedsHuman", True, reason, message, now)


def needs_nobody(healing: Healing, reason: str, message: str, now: datetime) -> Healing:
    """No rung fitted, and that is over: one goes on now, or there is no problem any more."""
    asks = (c for c in healing.status.conditions if c.type == "NeedsHuman" and c.status == "True")
    if all(c.reason in LASTING for c in asks):
        return healing
    return with_condition(healing, "NeedsHuman", False, reason, message, now)


def proposed(healing: Healing, healer: str, message: str, now: datetime) -> Healing:
    """A person may have this done. Said once per healer: numbers that move on are not written."""
    if _stands(healing, PROPOSED, healer):
        return healing
    return with_condition(healing, PROPOSED, True, healer, message, now)


def counted(attempt: Attempt, result: str, most: int, now: datetime) -> Attempt:
    """One check more. Good ones count in a row up to `most`, so that waiting writes nothing."""
    before = attempt.checks or Checks()
    if result == "good":
        after = {"good": min(before.good + 1, most), "bad": 0, "inconclusive": 0, "errors": 0}
    else:
        after = {**before.model_dump(include={"bad", "inconclusive", "errors"}), "good": 0}
        after[result] += 1
    if after == before.model_dump(include=set(after)):
        return attempt
    return changed(attempt, checks=Checks(**after, last_at=now))
