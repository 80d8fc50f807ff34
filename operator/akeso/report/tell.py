"""A Healing in words: title, evidence, everything that happened in order. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from akeso.api.conditions import get_condition, is_true
from akeso.api.healing import ActionRecord, ActionState, ActionType, Attempt, Healing
from akeso.domain.finding import Origin, Outcome
from akeso.domain.finding import Signal as About
from akeso.engine.act import describe
from akeso.engine.intent import finished, read_action, running
from akeso.engine.record import VERDICT_TEXT
from akeso.engine.words import seconds_of
from akeso.errors import AkesoError
from akeso.report.measure import Measured
from akeso.report.model import (
    ActionTold,
    AttemptTold,
    Fact,
    GuardTold,
    Moment,
    Mood,
    Report,
    Unit,
)
from akeso.report.words import amount, clock, many, moment, plain

MOODS = {
    Outcome.VERIFIED: Mood.GOOD,
    Outcome.FAILED: Mood.BAD,
    Outcome.ERROR: Mood.BAD,
    Outcome.INCONCLUSIVE: Mood.UNSURE,
    Outcome.CLEARED: Mood.QUIET,
}
_STATES = {
    ActionState.PENDING: "not yet done",
    ActionState.DONE: "done",
    ActionState.SKIPPED: "skipped",
}
_NAMED_PODS = 5
_MARKED_REVISION = 24  # letters beside a mark


def report(healing: Healing, about: About, measured: Measured, now: datetime) -> Report:
    """The whole report; `about` is what the Healing's signal watches."""
    spec, status, meta = healing.spec, healing.status, healing.metadata
    badge, mood = badge_of(healing)
    return Report(
        name=meta.name,
        namespace=meta.namespace,
        uid=meta.uid,
        kind=spec.target.kind.value,
        target=spec.target.name,
        policy=spec.policy_ref.name,
        signal=spec.signal,
        title=title(healing, about),
        badge=badge,
        mood=mood,
        opened=opened_at(healing),
        closed=status.completed_at,
        made=now,
        said=_last_word(healing, about),
        figures=tuple(_figures(healing)),
        evidence=tuple(_evidence(healing, measured.unit)),
        moments=moments(healing),
        attempts=tuple(map(_attempt, status.attempts)),
        guards=tuple(
            GuardTold(guard=g.guard, allowed=g.allowed, said=g.message) for g in status.guards
        ),
        panels=measured.panels,
        notes=measured.notes,
    )


def _last_word(healing: Healing, about: About) -> str:
    """How it is now, in the engine's words; nothing where the title has said so."""
    said = healing.status.message or healing.spec.evidence.message
    return "" if said.rstrip(".") in title(healing, about) else said


def opened_at(healing: Healing) -> datetime:
    return healing.metadata.creation_timestamp or healing.spec.evidence.since


def expected_at(healing: Healing) -> datetime | None:
    """When the failure was as likely to have come as not."""
    evidence = healing.spec.evidence
    found = evidence.time_to_threshold_seconds
    if found is None or found.p50 is None:
        return None
    return evidence.sampled_at + timedelta(seconds=found.p50)


def badge_of(healing: Healing) -> tuple[str, Mood]:
    """How the Healing stands, in one or two words."""
    status = healing.status
    if status.verdict is not None and finished(healing):
        return status.verdict.value, MOODS[status.verdict]
    if running(healing) is not None:
        return "Healing", Mood.OPEN
    for kind, said, mood in (
        ("NeedsHuman", "Needs a person", Mood.UNSURE),
        ("Blocked", "Held back", Mood.UNSURE),
    ):
        if is_true(status.conditions, kind):
            return said, mood
    return "Open", Mood.OPEN


def title(healing: Healing, about: About) -> str:
    """What happened, in one sentence for people."""
    return f"{_problem(healing, about)}; {_answer(healing)}."


def _problem(healing: Healing, about: About) -> str:
    evidence, name = healing.spec.evidence, healing.spec.target.name
    if about is About.ROLLOUT_FAILING:
        return f"A rollout of {name} went wrong"
    if about is About.MEMORY_EXHAUSTION:
        expected = expected_at(healing)
        when = f" around {clock(expected)} UTC" if expected is not None else ""
        going = "was going" if finished(healing) else "is expected"
        return f"{name} {going} to run out of memory{when}"
    return f"{name}: {evidence.message.rstrip('.')}"


def _answer(healing: Healing) -> str:
    done = _done(healing)
    if not done:
        return _nothing_done(healing)
    verdict = healing.status.verdict if finished(healing) else None
    end = {
        Outcome.VERIFIED: ", and it worked",
        Outcome.FAILED: ", but it did not help",
        Outcome.INCONCLUSIVE: "; whether it worked can't be told",
        Outcome.ERROR: ", but could not carry it out",
        Outcome.CLEARED: ", and the problem went away",
    }
    after = end[verdict] if verdict is not None else " and has not come to a verdict yet"
    return f"Akeso {_deeds(done)}{_ahead(healing, done)}{after}"


def _nothing_done(healing: Healing) -> str:
    status = healing.status
    if finished(healing) and status.verdict is Outcome.CLEARED:
        return "it went away before anything was done"
    blocked = get_condition(status.conditions, "Blocked")
    asked = get_condition(status.conditions, "NeedsHuman")
    for condition, said in ((blocked, "Akeso holds back"), (asked, "a person is asked")):
        if condition is not None and condition.status == "True":
            return f"{said}: {condition.message.rstrip('.')}"
    if finished(healing) and status.verdict is not None:
        return f"nothing was done: {status.message or VERDICT_TEXT[status.verdict]}".rstrip(".")
    return "nothing is done yet"


def _ahead(healing: Healing, done: Sequence[ActionRecord]) -> str:
    """How long before the expected failure the first thing was done."""
    expected, first = expected_at(healing), min(a.at for a in done if a.at is not None)
    if healing.spec.origin is not Origin.FORECAST or expected is None or first >= expected:
        return ""
    return f" {seconds_of((expected - first).total_seconds())} ahead of that"


def _deeds(done: Sequence[ActionRecord]) -> str:
    """`restarted 2 pods`, `put revision 5c9 back`: what all the writes come to."""
    count = Counter(a.type for a in done if not a.restore)
    told: list[str] = []
    put_back = [a for a in done if a.type is ActionType.SET_TEMPLATE and not a.restore]
    if put_back:
        told.append(f"put revision {put_back[-1].to} back")
    if count[ActionType.EVICT_POD]:
        told.append(f"restarted {many(count[ActionType.EVICT_POD], 'pod')} in good order")
    if count[ActionType.DELETE_POD]:
        told.append(f"deleted {many(count[ActionType.DELETE_POD], 'broken pod')}")
    known = {ActionType.SET_TEMPLATE, ActionType.EVICT_POD, ActionType.DELETE_POD}
    if not told:
        rest = [a for a in done if a.type not in known] or list(done)
        told.append(f"did this: {_said(rest[0])}" if len(rest) == 1 else "changed it")
    return " and ".join(told)


def _done(healing: Healing) -> list[ActionRecord]:
    return [
        a
        for attempt in healing.status.attempts
        for a in attempt.actions
        if a.state is ActionState.DONE and a.at is not None
    ]


def _figures(healing: Healing) -> Iterator[Fact]:
    opened, expected, status = opened_at(healing), expected_at(healing), healing.status
    percent = healing.spec.evidence.probability_percent
    if expected is not None and expected > opened:
        yield Fact(name="seen ahead", said=seconds_of((expected - opened).total_seconds()))
    if percent is not None:
        yield Fact(name="probability", said=f"{percent} %")
    first = min((a.at for a in _done(healing) if a.at is not None), default=None)
    if first is not None:
        waited = max(0.0, (first - opened).total_seconds())
        yield Fact(name="first action after", said=seconds_of(waited) if waited else "under 1 s")
    writes = len(_done(healing))
    if writes:
        yield Fact(name="writes", said=f"{writes}")
    if status.completed_at is not None:
        took = max(0.0, (status.completed_at - opened).total_seconds())
        yield Fact(name="verdict after", said=seconds_of(took))


def _evidence(healing: Healing, unit: Unit) -> Iterator[Fact]:
    evidence = healing.spec.evidence
    yield Fact(name="What was seen", said=evidence.message)
    if evidence.value is not None:
        yield Fact(name="Value", said=amount(evidence.value, unit))
    if evidence.threshold is not None:
        yield Fact(name="Threshold", said=amount(evidence.threshold, unit))
    if evidence.probability_percent is not None:
        yield Fact(name="Probability", said=f"{evidence.probability_percent} %")
    found = evidence.time_to_threshold_seconds
    if found is not None:
        early, middle, late = (
            "not foreseeable"
            if q is None
            else f"{seconds_of(q)} ({clock(evidence.sampled_at + timedelta(seconds=q))} UTC)"
            for q in (found.p10, found.p50, found.p90)
        )
        yield Fact(name="Expected after", said=f"{middle}; 10 %: {early}, 90 %: {late}")
    yield Fact(name="Newest sample", said=f"{moment(evidence.sampled_at)}")
    if evidence.since != evidence.sampled_at:
        yield Fact(name="Since", said=f"{moment(evidence.since)}")
    if evidence.pods:
        names = [p.name for p in evidence.pods]
        more = len(names) - _NAMED_PODS
        said = ", ".join(names[:_NAMED_PODS]) + (f" and {more} more" if more > 0 else "")
        yield Fact(name="Pods", said=said)
    yield Fact(name="Origin", said=healing.spec.origin.value)


def moments(healing: Healing) -> tuple[Moment, ...]:
    """Everything on record, oldest first; what happened in one second stays in its order."""
    found = [
        *_detection(healing),
        *_conditions(healing),
        *(m for i, a in enumerate(healing.status.attempts) for m in _of_attempt(healing, i, a)),
        *_end(healing),
    ]
    return tuple(sorted(found, key=lambda m: m.at))


def _detection(healing: Healing) -> Iterator[Moment]:
    evidence, opened = healing.spec.evidence, opened_at(healing)
    if evidence.since < evidence.sampled_at:
        yield Moment(at=evidence.since, what="Began", said="the problem, as far as it is known")
    yield Moment(at=opened, what="Opened", said=evidence.message, mood=Mood.OPEN, mark="opened")
    expected = expected_at(healing)
    if expected is not None:
        yield Moment(
            at=expected,
            what="Expected",
            said="the failure, by the forecast as it was when the Healing was opened",
            mood=Mood.UNSURE,
            mark="failure expected",
            expected=True,
        )


def _conditions(healing: Healing) -> Iterator[Moment]:
    told = {
        "Blocked": ("Held back", Mood.UNSURE, "held back"),
        "NeedsHuman": ("A person is asked", Mood.UNSURE, "a person is asked"),
        "Proposed": ("Left to a person", Mood.UNSURE, "left to a person"),
        "Undone": ("Taken back", Mood.UNSURE, "taken back"),
    }
    for condition in healing.status.conditions:
        if condition.type in told and condition.status == "True":
            what, mood, mark = told[condition.type]
            yield Moment(
                at=condition.last_transition_time,
                what=what,
                said=f"{condition.reason}: {condition.message}",
                mood=mood,
                mark=mark,
            )


def _of_attempt(healing: Healing, index: int, attempt: Attempt) -> Iterator[Moment]:
    last = index == len(healing.status.attempts) - 1
    planned = get_condition(healing.status.conditions, "Planned")
    plan = f": {planned.message}" if last and planned is not None else ""
    yield Moment(at=attempt.started_at, what="Planned", said=f"{attempt.healer}{plan}")
    for record in attempt.actions:
        if record.at is None:
            continue
        done = record.state is ActionState.DONE
        yield Moment(
            at=record.at,
            what="Done" if done else "Skipped",
            said=_said(record),
            mood=Mood.OPEN if done else Mood.QUIET,
            mark=_mark(record) if done else "",
        )
    checks = attempt.checks
    if checks is not None and checks.last_at is not None:
        yield Moment(at=checks.last_at, what="Checked", said=_checks(attempt))
    if attempt.finished_at is not None and attempt.verdict is not None and not last:
        yield Moment(
            at=attempt.finished_at,
            what=attempt.verdict.value,
            said=f"{attempt.healer}: {attempt.message or VERDICT_TEXT[attempt.verdict]}",
            mood=MOODS[attempt.verdict],
            mark=attempt.verdict.value.lower(),
        )


def _end(healing: Healing) -> Iterator[Moment]:
    status = healing.status
    if status.completed_at is not None:
        badge, mood = badge_of(healing)
        said = status.message or "nothing more is done"
        yield Moment(at=status.completed_at, what=badge, said=said, mood=mood, mark=badge.lower())


def _attempt(attempt: Attempt) -> AttemptTold:
    verdict = attempt.verdict
    return AttemptTold(
        healer=attempt.healer,
        began=attempt.started_at,
        ended=attempt.finished_at,
        verdict=verdict.value if verdict is not None else "under way",
        mood=MOODS[verdict] if verdict is not None else Mood.OPEN,
        said=attempt.message or "",
        actions=tuple(
            ActionTold(said=_said(a), state=_STATES.get(a.state, a.state.value), at=a.at)
            for a in attempt.actions
        ),
        checks=_checks(attempt),
    )


def _checks(attempt: Attempt) -> str:
    checks = attempt.checks
    if checks is None:
        return "no check yet"
    counts = (
        (checks.good, "good in a row"),
        (checks.bad, "bad"),
        (checks.inconclusive, "without data"),
        (checks.errors, "that could not look"),
    )
    told = ", ".join(f"{count} {said}" for count, said in counts if count)
    return f"last checks: {told}" if told else "no check has counted yet"


def _said(record: ActionRecord) -> str:
    """What the write does; a record that can't be read is shown as it is."""
    try:
        return describe(read_action(record))
    except AkesoError:
        return f"{record.type.value} {record.name}"


def _mark(record: ActionRecord) -> str:
    match record.type:
        case ActionType.SCALE:
            return f"scale {record.from_} → {record.to}"
        case ActionType.EVICT_POD:
            return "evict"
        case ActionType.DELETE_POD:
            return "delete pod"
        case ActionType.SET_TEMPLATE:
            return f"back to {plain(record.to or '', _MARKED_REVISION)}"
        case ActionType.SET_TEMPLATE_MEMORY:
            return "other limits"
        case ActionType.SET_AUTOSCALER_BOUND:
            return f"{record.bound} {record.from_} → {record.to}"
        case ActionType.RELEASE_OWNERSHIP | ActionType.RELEASE_AUTOSCALER:
            return ""  # it moves nothing that a plot shows
        case _:
            return _words(record.type.value)


def _words(name: str) -> str:
    """`RaiseMemory` -> `raise memory`."""
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()


def latest_first(healings: Iterable[Healing]) -> list[Healing]:
    """The Healing that was opened last comes first."""
    return sorted(healings, key=lambda h: (opened_at(h), h.metadata.name), reverse=True)
