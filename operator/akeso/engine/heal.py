"""One Healing from detection to verdict: each cycle moves it as far as the world allows."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from akeso.api.healing import ActionState, Attempt, Healing
from akeso.api.policy import Signal
from akeso.api.scalars import from_unix
from akeso.domain.action import Effect
from akeso.domain.finding import Decision, Finding, Outcome
from akeso.domain.forecast import SeriesKey
from akeso.domain.workload import Snapshot
from akeso.engine import record
from akeso.engine.act import Actor, Progress, live
from akeso.engine.detect import Problem
from akeso.engine.intent import (
    finding_of,
    finished,
    new_healing,
    record_action,
    running,
    target_of,
)
from akeso.engine.judge import Circumstances, Judge, Judgement, past_healings
from akeso.engine.observe import query_key
from akeso.engine.records import Records
from akeso.engine.verify import Check, Look, check, failure_event
from akeso.errors import GoneError, StaleError, TransientError
from akeso.protocols import Clock, Cluster, Notifier, Predictor
from akeso.settings import Settings

log = logging.getLogger(__name__)

MOVES_PER_CYCLE = 64  # a bound, so that one Healing can't keep the others waiting
CLEAR_AFTER_CYCLES = 4  # a problem not seen so often in a row has gone away
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Subject:
    """A Healing with what it is judged on in this cycle. `problem` None: not found any more."""

    problem: Problem | None
    finding: Finding
    signal: Signal
    around: Circumstances


class Healer:
    """Moves Healings. Keeps in RAM only counters whose loss costs time, never correctness."""

    def __init__(
        self,
        cluster: Cluster,
        records: Records,
        judge: Judge,
        predictor: Predictor,
        notifier: Notifier,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._cluster = cluster
        self._records = records
        self._judge = judge
        self._actor = Actor(cluster, records, judge)
        self._predictor = predictor
        self._notifier = notifier
        self._clock = clock
        self._settings = settings
        self._absent: dict[str, int] = {}  # Healing uid -> cycles without the problem
        self._checked: dict[str, float] = {}  # Healing uid -> time of the last check

    async def open(self, problem: Problem, around: Circumstances) -> Healing:
        """Creates the problem's Healing. Deterministic name: a second one finds the first."""
        predecessor = _last_finished(problem, around)
        wanted = new_healing(problem.finding, problem.policy, predecessor)
        healing = await self._records.create(wanted)
        await self._tell(healing, "Opened", problem.finding.origin.value, healing_message(healing))
        return healing

    async def advance(self, healing: Healing, subject: Subject) -> None:
        """Moves one Healing as far as it goes now. Raises nothing but AkesoErrors."""
        self._absent[healing.metadata.uid] = (
            0 if subject.problem else self._absent.get(healing.metadata.uid, 0) + 1
        )
        try:
            for _ in range(MOVES_PER_CYCLE):
                if finished(healing):
                    self._forget(healing)
                    return
                progress = await self._move(healing, subject)
                if progress.healing is not healing:
                    healing = await self._records.save(progress.healing)
                if progress.wrote:
                    await self._tell(healing, "Wrote", "Action", progress.wrote)
                if not progress.again:
                    return
        except GoneError as gone:
            await self._target_gone(healing, str(gone))
        except StaleError as stale:
            log.info("%s/%s: %s", healing.metadata.namespace, healing.metadata.name, stale)

    async def _move(self, healing: Healing, subject: Subject) -> Progress:
        attempt = running(healing)
        now = from_unix(self._clock.now())
        if attempt is None:
            return await self._begin(healing, subject, now)
        index = record.pending(attempt)
        if index is not None:
            self._checked.pop(healing.metadata.uid, None)
            progress = await self._actor.step(
                healing, attempt, index, subject.finding, subject.signal, subject.around, now
            )
            await self._tell_block(healing, progress.healing)
            return progress
        if attempt.undoing:
            return await self._end(healing, attempt, now)
        return await self._verify(healing, attempt, subject, now)

    # -- before the first write ------------------------------------------------------------

    async def _begin(self, healing: Healing, subject: Subject, now: datetime) -> Progress:
        tried = healing.status.attempts
        if subject.problem is None:
            if tried and not self._rungs_left(healing, subject):
                return await self._give_up(healing, now)
            if self._gone_for_good(healing, subject):
                return await self._clear(healing, now)
            return Progress(healing, False)
        judgement = self._judgement(healing, subject, subject.problem.seen)
        if judgement.rung is None:
            return await self._nothing_fits(healing, judgement, now)
        if judgement.denial is None:
            subject = replace(subject, around=await live(self._records, subject.around))
            seen = await self._cluster.live(target_of(healing))
            judgement = self._judgement(healing, subject, seen)
        if judgement.denial is not None:
            after = record.blocked(healing, judgement.verdicts, now)
            await self._tell_block(healing, after)
            return Progress(after, False)
        return await self._intend(healing, subject, judgement, now)

    def _judgement(self, healing: Healing, subject: Subject, seen: Snapshot) -> Judgement:
        return self._judge.next_step(subject.finding, subject.signal, seen, subject.around, healing)

    def _rungs_left(self, healing: Healing, subject: Subject) -> bool:
        last = healing.status.attempts[-1]
        if last.verdict not in (Outcome.FAILED, Outcome.ERROR):
            return False
        return last.rung + 1 < len(subject.signal.rungs)

    async def _intend(
        self, healing: Healing, subject: Subject, judgement: Judgement, now: datetime
    ) -> Progress:
        """Writes what is about to be done; only then it is done."""
        plan, rung = judgement.plan, judgement.rung
        if plan is None or rung is None:
            return Progress(healing, False)
        key = f"{healing.metadata.uid}/{rung}/{len(healing.status.attempts)}"
        attempt = Attempt(
            healer=plan.healer,
            rung=rung,
            intent_key=key,
            started_at=now,
            deadline=now + timedelta(seconds=judgement.timeout),
            predicted_failure_at=_predicted(subject.finding),
            actions=tuple(record_action(a, plan.target) for a in plan.actions),
            pre_state=_pre_state(subject),
        )
        healing = record.planned(healing, attempt, plan.summary, judgement.verdicts, now)
        recurrences = self._recurrences(healing, subject)
        if recurrences >= self._settings.recurrences_per_day:
            said = (
                f"this problem of {target_of(healing)} came back {recurrences} times in 24 h;"
                " healing buys time, the cause needs a person"
            )
            healing = record.needs_human(healing, "Recurring", said, now)
            await self._tell(healing, "NeedsHuman", "Recurring", said)
        await self._tell(healing, "Planned", plan.healer, plan.summary)
        return Progress(healing, True)

    def _recurrences(self, healing: Healing, subject: Subject) -> int:
        since = self._clock.now() - DAY
        return len(
            {
                p.name
                for p in past_healings(subject.around.healings, healing)
                if p.target_uid == healing.spec.target.uid
                and p.signal == healing.spec.signal
                and p.acted_at >= since
            }
        )

    # -- after the last write --------------------------------------------------------------

    async def _verify(
        self, healing: Healing, attempt: Attempt, subject: Subject, now: datetime
    ) -> Progress:
        rules = subject.around.policy.spec.verify
        uid, unix = healing.metadata.uid, self._clock.now()
        last = self._checked.get(uid)
        first = record.last_write(attempt) + timedelta(seconds=rules.initial_delay_seconds)
        if now < first or (last is not None and unix - last < rules.interval_seconds):
            return Progress(healing, False)
        if last is None:
            self._mark_action(subject, unix)
        self._checked[uid] = unix
        look = await self._look(healing, attempt, subject)
        if look.check is Check.WAITING:
            if now >= attempt.deadline:
                return self._undo(healing, attempt, Outcome.FAILED, look.message, now)
            return Progress(healing, False)
        attempt = record.counted(attempt, look.check.value, rules.successes, now)
        healing_now = record.with_attempt(healing, attempt)
        return await self._verdict(
            healing if attempt is running(healing) else healing_now, attempt, look, subject, now
        )

    async def _look(self, healing: Healing, attempt: Attempt, subject: Subject) -> Look:
        observed = subject.around.observation
        try:
            seen = await self._cluster.live(target_of(healing))
        except TransientError as error:
            return Look(Check.ERROR, str(error))
        return check(
            healing,
            attempt,
            self._judge.healers[attempt.healer].effect,
            subject.finding,
            subject.problem is not None,
            seen,
            observed,
            observed.source_age(subject.signal.about, query_key(subject.signal, self._settings)),
            self._settings.stale_after,
        )

    async def _verdict(
        self, healing: Healing, attempt: Attempt, look: Look, subject: Subject, now: datetime
    ) -> Progress:
        rules, counts = subject.around.policy.spec.verify, attempt.checks
        if counts is None:
            return Progress(healing, False)
        if look.event or counts.bad >= rules.failure_limit:
            return self._undo(healing, attempt, Outcome.FAILED, look.message, now)
        if counts.errors >= rules.error_limit:
            return self._undo(healing, attempt, Outcome.ERROR, look.message, now)
        if counts.inconclusive >= rules.inconclusive_limit:
            return await self._end(
                healing,
                record.changed(attempt, verdict=Outcome.INCONCLUSIVE, message=look.message),
                now,
            )
        due = attempt.predicted_failure_at
        if self._judge.healers[attempt.healer].effect is Effect.BUYS_TIME and due and now < due:
            return Progress(healing, False)
        if counts.good >= rules.successes:
            said = look.message
            if due is not None:
                said = f"the predicted time of failure passed without it, and {look.message}"
            return await self._end(
                healing, record.changed(attempt, verdict=Outcome.VERIFIED, message=said), now
            )
        return Progress(healing, False)

    # -- endings ---------------------------------------------------------------------------

    def _undo(
        self, healing: Healing, attempt: Attempt, outcome: Outcome, said: str, now: datetime
    ) -> Progress:
        return Progress(
            record.with_attempt(healing, record.undoing(attempt, outcome, said, now)), True
        )

    async def _end(self, healing: Healing, attempt: Attempt, now: datetime) -> Progress:
        """The attempt is over; a failed one leads to the next rung at once."""
        verdict = attempt.verdict or Outcome.ERROR
        healing = record.attempt_ended(healing, attempt, now)
        said = healing.status.message or ""
        await self._tell(healing, verdict.value, attempt.healer, said)
        if verdict is Outcome.VERIFIED:
            return Progress(record.completed(healing, verdict, said, now), True)
        if verdict is Outcome.INCONCLUSIVE:
            return await self._give_up(healing, now)
        return Progress(healing, True)

    async def _give_up(self, healing: Healing, now: datetime) -> Progress:
        """The ladder is at its end: a person must look."""
        last = healing.status.attempts[-1]
        verdict = last.verdict or Outcome.ERROR
        said = f"{last.healer} on {target_of(healing)}: {last.message}; a person must look"
        healing = record.needs_human(healing, f"{verdict.value}AtTheEnd", said, now)
        await self._tell(healing, "NeedsHuman", f"{verdict.value}AtTheEnd", said)
        return Progress(record.completed(healing, verdict, said, now), True)

    async def _nothing_fits(
        self, healing: Healing, judgement: Judgement, now: datetime
    ) -> Progress:
        """No rung is left, or none fits this target."""
        if healing.status.attempts:
            return await self._give_up(healing, now)
        denial = judgement.denial
        reason = denial.reason if denial else "NoLadder"
        said = denial.sentence if denial else "the signal names no healer, a person must look"
        after = record.needs_human(healing, reason, said, now)
        if denial:
            after = record.blocked(after, judgement.verdicts, now)
        if after is not healing and after.status.conditions != healing.status.conditions:
            await self._tell(after, "NeedsHuman", reason, said)
            return Progress(after, False)
        return Progress(healing, False)

    def _gone_for_good(self, healing: Healing, subject: Subject) -> bool:
        """Not found for some cycles, and the moment that was predicted has passed."""
        predicted = _predicted(subject.finding)
        return self._absent[healing.metadata.uid] >= CLEAR_AFTER_CYCLES and (
            predicted is None or predicted.timestamp() <= self._clock.now()
        )

    async def _clear(self, healing: Healing, now: datetime) -> Progress:
        """Nothing was done; it either went away by itself or came to pass."""
        seen = await self._cluster.live(target_of(healing))
        event = failure_event(seen, healing.spec.evidence.sampled_at.timestamp())
        denied = next((g for g in healing.status.guards if not g.allowed), None)
        why = f"; nothing was done: {denied.message}" if denied else ""
        said = f"it came to pass: {event}{why}" if event else f"the problem went away{why}"
        await self._tell(healing, "Cleared", "Happened" if event else "WentAway", said)
        return Progress(record.completed(healing, Outcome.CLEARED, said, now), True)

    async def _target_gone(self, healing: Healing, said: str) -> None:
        now = from_unix(self._clock.now())
        attempt = running(healing)
        if attempt is not None:
            ended = record.changed(attempt, verdict=Outcome.INCONCLUSIVE, message=said)
            ended = record.undoing(ended, Outcome.INCONCLUSIVE, said, now)
            ended = record.changed(
                ended,
                actions=tuple(
                    a.model_copy(update={"state": ActionState.SKIPPED, "at": now})
                    if a.state is ActionState.PENDING
                    else a
                    for a in ended.actions
                ),
            )
            healing = record.attempt_ended(healing, record.changed(ended, undoing=False), now)
        verdict = Outcome.INCONCLUSIVE if healing.status.attempts else Outcome.CLEARED
        healing = record.completed(healing, verdict, said, now)
        await self._records.save(healing)
        await self._tell(healing, verdict.value, "TargetGone", said)
        self._forget(healing)

    def _forget(self, healing: Healing) -> None:
        self._absent.pop(healing.metadata.uid, None)
        self._checked.pop(healing.metadata.uid, None)

    # -- telling ---------------------------------------------------------------------------

    def _mark_action(self, subject: Subject, now: float) -> None:
        """Series of pods we touched must prove themselves anew."""
        seen = subject.problem.seen if subject.problem else None
        for pod in seen.present if seen else ():
            for container in pod.containers:
                self._predictor.mark_action(
                    SeriesKey(subject.finding.target.namespace, pod.ref.name, container.name), now
                )

    async def _tell_block(self, before: Healing, after: Healing) -> None:
        if after is before or after.status.guards == before.status.guards:
            return
        denied = next((g for g in after.status.guards if not g.allowed), None)
        if denied is not None:
            await self._tell(after, "Blocked", denied.reason, denied.message)

    async def _tell(self, healing: Healing, what: str, reason: str, message: str) -> None:
        attempts = healing.status.attempts
        await self._notifier.notify(
            Decision(
                what=what,
                reason=reason,
                message=message,
                at=self._clock.now(),
                target=target_of(healing),
                signal=healing.spec.signal,
                healing=f"{healing.metadata.namespace}/{healing.metadata.name}",
                healing_uid=healing.metadata.uid,
                healer=attempts[-1].healer if attempts else "",
                policy=healing.spec.policy_ref.name,
            )
        )


def healing_message(healing: Healing) -> str:
    return healing.spec.evidence.message


def _last_finished(problem: Problem, around: Circumstances) -> str:
    """uid of the last finished Healing of the same problem; empty for the first."""
    before = [
        h
        for h in around.healings
        if finished(h)
        and h.spec.target.uid == problem.seen.ref.uid
        and h.spec.signal == problem.signal.name
    ]
    latest = max(before, key=lambda h: str(h.metadata.creation_timestamp), default=None)
    return latest.metadata.uid if latest else ""


def _predicted(finding: Finding) -> datetime | None:
    """When the failure was to come: the late quantile, so that passing it means something."""
    if finding.evidence.ttf is None:
        return None
    _, middle, late = finding.evidence.ttf
    seconds = late if late < float("inf") else middle
    if seconds == float("inf"):
        return None
    return from_unix(finding.evidence.sampled_at + seconds)


def _pre_state(subject: Subject) -> dict[str, str]:
    seen = subject.problem.seen if subject.problem else None
    if seen is None:
        return {}
    return {
        "replicas": str(seen.replicas),
        "revision": seen.update_revision,
        "generation": str(seen.generation),
    }


def subject_of(healing: Healing, problem: Problem | None, around: Circumstances) -> Subject:
    """What a Healing is judged on: the problem as found now, else as it was recorded."""
    if problem is not None:
        return Subject(problem, problem.finding, problem.signal, around)
    signals = {s.name: s for s in around.policy.spec.signals}
    signal = signals.get(healing.spec.signal) or Signal(name=healing.spec.signal, ladder=())
    return Subject(None, finding_of(healing, signal.about), signal, around)
