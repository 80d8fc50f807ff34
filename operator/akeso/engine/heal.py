"""One Healing from detection to verdict: each cycle moves it as far as the world allows."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from akeso.api.healing import Attempt, Healing
from akeso.api.scalars import from_unix
from akeso.domain.finding import Origin, Outcome
from akeso.domain.forecast import SeriesKey
from akeso.domain.workload import Snapshot
from akeso.engine import begin, conclude, record
from akeso.engine.act import Actor, TargetGone, look_at, looked_around
from akeso.engine.detect import Problem
from akeso.engine.freshness import measured
from akeso.engine.intent import finished, new_healing, running
from akeso.engine.judge import Circumstances, Judge, Judgement, Proposal
from akeso.engine.records import Records
from akeso.engine.subject import Progress, Subject, predicted_failure
from akeso.engine.tell import Told, block_told, decision
from akeso.engine.verify import Check, Look, Trial, check, failure_event, killed, resizes
from akeso.engine.volumes import OF_VOLUMES
from akeso.errors import AkesoError, StaleError
from akeso.protocols import AlertSource, Clock, Cluster, Notifier, Predictor
from akeso.settings import Settings

log = logging.getLogger(__name__)

MOVES_PER_CYCLE = 64  # a bound, so that one Healing can't keep the others waiting
CLEAR_AFTER_CYCLES = 4  # a problem not seen so often in a row has gone away


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
        alerts: AlertSource | None = None,
    ) -> None:
        self._cluster = cluster
        self._records = records
        self._judge = judge
        self._actor = Actor(cluster, records, judge, clock, alerts)
        self._predictor = predictor
        self._notifier = notifier
        self._clock = clock
        self._settings = settings
        self._absent: dict[str, int] = {}  # Healing uid -> cycles without the problem
        self._checked: dict[str, float] = {}  # Healing uid -> time of the last check

    async def open(self, problem: Problem, around: Circumstances) -> Healing:
        """Creates the problem's Healing. Deterministic name: a second one finds the first."""
        predecessor = begin.last_finished(problem, around.healings)
        wanted = new_healing(problem.finding, problem.policy, predecessor)
        healing = await self._records.create(wanted)
        said = healing.spec.evidence.message
        await self._tell(healing, Told("Opened", problem.finding.origin.value, said))
        return healing

    async def advance(self, healing: Healing, subject: Subject) -> None:
        """Moves one Healing as far as it goes now. Raises nothing but AkesoErrors."""
        self._count_absence(healing, subject)
        try:
            for _ in range(MOVES_PER_CYCLE):
                if finished(healing):
                    self._forget(healing)
                    return
                progress = await self._move(healing, subject)
                healing = await self._save(healing, progress)
                if not progress.again:
                    return
        except TargetGone as gone:
            await self._save(healing, conclude.target_gone(healing, str(gone), self._now()))
            self._forget(healing)
        except StaleError as stale:
            log.info("%s/%s: %s", healing.metadata.namespace, healing.metadata.name, stale)

    async def _save(self, before: Healing, progress: Progress) -> Healing:
        after = progress.healing
        for told in progress.told:
            await self._tell(after, told)
        if after is not before:
            after = await self._records.save(after)
        if progress.wrote:
            await self._tell(after, Told("Wrote", "Action", progress.wrote))
        return after

    async def _move(self, healing: Healing, subject: Subject) -> Progress:
        attempt, now = running(healing), self._now()
        if subject.orphan and not (attempt and attempt.undoing):
            return conclude.orphaned(healing, now)
        if healing.spec.undo is not None and not (attempt and attempt.undoing):
            return conclude.withdrawn(healing, now)
        if attempt is None:
            return await self._begin(healing, subject, now)
        if record.pending(attempt) is not None:
            self._checked.pop(healing.metadata.uid, None)
            progress = await self._actor.step(healing, attempt, subject, now)
            told = (*progress.told, *block_told(healing, progress.healing))
            return replace(progress, told=told)
        if attempt.undoing:
            return conclude.ended(healing, attempt, now)
        return await self._verify(healing, attempt, subject, now)

    async def _begin(self, healing: Healing, subject: Subject, now: datetime) -> Progress:
        if subject.problem is not None:
            seen = subject.problem.seen
        elif healing.spec.origin is Origin.REQUEST and not healing.status.attempts:
            if now >= self._request_ends(healing):
                return conclude.expired(healing, now)
            seen = await look_at(self._cluster, healing)
        else:
            worse = await self._worse(healing, subject)
            if worse is None:
                return await self._without_problem(healing, subject, now)
            subject, seen = worse
        judgement = await self._judged(healing, subject, seen)
        acts = judgement.rung is not None and judgement.denial is None
        if acts or begin.proposing(healing, judgement.proposals, now)[1]:
            around = await self._actor.live(subject.around)
            subject = replace(subject, around=around)
            seen = await look_at(self._cluster, healing)
            judgement = await self._judged(healing, subject, seen)
        after, proposed = begin.proposing(healing, judgement.proposals, now)
        progress = self._next(after, subject, seen, judgement, now)
        said = "".join(t.message for t in progress.told if t.what == "NeedsHuman")
        news = tuple(t for t in proposed if t.message not in said)  # told once is enough
        return replace(progress, told=(*news, *progress.told))

    def _next(
        self,
        healing: Healing,
        subject: Subject,
        seen: Snapshot,
        judgement: Judgement,
        now: datetime,
    ) -> Progress:
        """What follows from a judgement."""
        if judgement.rung is None:
            if healing.status.attempts:
                return conclude.given_up(healing, now, judgement.proposals)
            return begin.nothing_fits(healing, subject.signal, judgement, now)
        if judgement.denial is not None:
            return begin.refused(healing, judgement, now)
        if judgement.plan is None:
            return Progress(healing, False)
        intention = begin.Intention(judgement.plan, judgement.rung, judgement, seen)
        limit = self._settings.recurrences_per_day
        return begin.intend(healing, subject, intention, limit, now)

    async def _judged(self, healing: Healing, subject: Subject, seen: Snapshot) -> Judgement:
        """The next step; on a live read with what is around the target."""
        question = subject.question(seen, healing)
        if seen.live:
            plans = self._judge.plans(question)
            question = await looked_around(self._cluster, question, plans)
        return self._judge.next_step(question)

    def _request_ends(self, healing: Healing) -> datetime:
        # The API server's clock where there is one: that of whoever asked may be wrong.
        asked = healing.metadata.creation_timestamp or healing.spec.evidence.sampled_at
        return asked + timedelta(seconds=self._settings.request_seconds)

    async def _worse(self, healing: Healing, subject: Subject) -> tuple[Subject, Snapshot] | None:
        """A failed rung that left the target failing: the next one needs no other evidence."""
        if not healing.status.attempts or not _rungs_left(healing, subject):
            return None
        seen = await look_at(self._cluster, healing)
        began = healing.status.attempts[-1].started_at.timestamp()
        pods = tuple(p.ref for p in seen.present if not p.ready or killed(p, began))
        if not pods:
            return None
        return replace(subject, finding=replace(subject.finding, pods=pods)), seen

    async def _without_problem(self, healing: Healing, subject: Subject, now: datetime) -> Progress:
        if healing.status.attempts and not _rungs_left(healing, subject):
            return conclude.given_up(healing, now)
        if not self._gone_for_good(healing, subject):
            return Progress(healing, False)
        seen = await look_at(self._cluster, healing)
        event = failure_event(seen, healing.spec.evidence.sampled_at.timestamp())
        return conclude.cleared(healing, event, now)

    def _gone_for_good(self, healing: Healing, subject: Subject) -> bool:
        """Not found for some cycles, and the moment that was predicted has passed."""
        predicted = predicted_failure(subject.finding)
        return self._absent.get(healing.metadata.uid, 0) >= CLEAR_AFTER_CYCLES and (
            predicted is None or predicted.timestamp() <= self._clock.now()
        )

    async def _verify(
        self, healing: Healing, attempt: Attempt, subject: Subject, now: datetime
    ) -> Progress:
        rules = subject.around.policy.spec.verify
        uid, unix = healing.metadata.uid, self._clock.now()
        last = self._checked.get(uid)
        on_record = attempt.checks.last_at if attempt.checks else None
        if last is None and on_record is not None:
            last = on_record.timestamp()
        if now < conclude.first_check(attempt, rules):
            return Progress(healing, False)
        if last is not None and unix - last < rules.interval_seconds:
            return Progress(healing, False)
        if last is None and not resizes(attempt):
            self._mark_action(subject, unix)
        self._checked[uid] = unix
        look = await self._look(healing, attempt, subject)
        effect = self._judge.effect_of(attempt)
        progress = conclude.concluded(healing, look, effect, rules, now)
        verdict = progress.healing.status.verdict
        more = self._judge.leaves_to_people(subject.signal, attempt.rung)
        if verdict is not Outcome.VERIFIED or not more:
            return progress
        try:
            proposals = await self._proposals(progress.healing, attempt.rung, subject)
        except AkesoError as error:
            log.info("%s: what else could be done is not known: %s", uid, error)
            return progress
        after, told = begin.proposing(progress.healing, proposals, now)
        return replace(progress, healing=after, told=(*progress.told, *told))

    async def _proposals(
        self, healing: Healing, rung: int, subject: Subject
    ) -> tuple[Proposal, ...]:
        """What is left to a person after a rung that helped: what would make it last."""
        question = subject.question(await look_at(self._cluster, healing), healing)
        if not self._judge.proposed_after(question, rung):
            return ()
        around = await self._actor.live(subject.around)
        question = replace(question, around=around)
        plans = [j.plan for j in self._judge.proposed_after(question, rung) if j.plan is not None]
        question = await looked_around(self._cluster, question, plans)
        judged = self._judge.proposed_after(question, rung)
        return tuple(p for p in (j.proposal for j in judged) if p is not None)

    async def _look(self, healing: Healing, attempt: Attempt, subject: Subject) -> Look:
        try:
            seen = await look_at(self._cluster, healing)
        except StaleError:
            raise
        except AkesoError as error:
            return Look(Check.ERROR, str(error))
        late = max(0.0, self._clock.now() - subject.around.observation.now)
        subject = replace(subject, around=replace(subject.around, late=late))
        return check(Trial(attempt, subject, seen, self._judge.effect_of(attempt), self._settings))

    def _count_absence(self, healing: Healing, subject: Subject) -> None:
        """Cycles in a row in which the problem was looked for and not found; no data is no look."""
        uid, observation = healing.metadata.uid, subject.around.observation
        targets = observation.selection.targets.get(healing.spec.policy_ref.uid, ())
        seen = next((s for s in targets if s.ref.uid == healing.spec.target.uid), None)
        if subject.problem is not None:
            self._absent[uid] = 0
        elif seen is None or measured(subject.signal, seen, observation, self._settings):
            self._absent[uid] = self._absent.get(uid, 0) + 1

    def _mark_action(self, subject: Subject, now: float) -> None:
        """Series of pods we touched, and of their workload, must prove themselves anew."""
        observed, target = subject.around.observation, subject.finding.target
        for (_, uid), loads in observed.loads.items():
            for load in loads if uid == target.uid else ():
                if load.measured.key.metric_class not in OF_VOLUMES:  # they outlive every pod
                    self._predictor.mark_action(load.measured.key, now)
        seen = subject.problem.seen if subject.problem else None
        for pod in seen.present if seen else ():
            for container in pod.containers:
                self._predictor.mark_action(
                    SeriesKey(subject.finding.target.namespace, pod.ref.name, container.name), now
                )

    async def _tell(self, healing: Healing, told: Told) -> None:
        await self._notifier.notify(decision(healing, told, self._clock.now()))

    def _now(self) -> datetime:
        return from_unix(self._clock.now())

    def _forget(self, healing: Healing) -> None:
        self._absent.pop(healing.metadata.uid, None)
        self._checked.pop(healing.metadata.uid, None)


def _rungs_left(healing: Healing, subject: Subject) -> bool:
    last = healing.status.attempts[-1]
    if last.verdict not in (Outcome.FAILED, Outcome.ERROR):
        return False
    return last.rung + 1 < len(subject.signal.rungs)
