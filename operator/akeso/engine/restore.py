"""After the verdict: what was done for the time being is brought back when it is needed no more.

What is owed stands in the Healing, so that it outlives the process. Nothing is written while it is
waited for.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from akeso.api.healing import ActionState, ActionType, Attempt, Healing
from akeso.api.scalars import from_unix
from akeso.domain.action import Action, ReleaseAutoscaler, ReleaseOwnership
from akeso.domain.workload import Snapshot
from akeso.engine import record
from akeso.engine.act import TargetGone, describe, live, look_at, still_ours
from akeso.engine.freshness import measured
from akeso.engine.intent import finished, read_action
from akeso.engine.judge import Judge
from akeso.engine.owed import Debt, carries, still_needed
from akeso.engine.records import Records
from akeso.engine.subject import Subject
from akeso.engine.tell import Told, decision
from akeso.errors import PermanentError, StaleError
from akeso.policy.chain import first_denial
from akeso.protocols import Clock, Cluster, Notifier
from akeso.settings import Settings

# How often a target is read that no policy selects any more, and that informers may not show.
LOOK_AGAIN_SECONDS = 60.0


def owes(healing: Healing) -> bool:
    """Whether a finished Healing is not done with: something is due, or a person asked."""
    if healing.spec.undo is None:
        return record.due(healing)
    answered = any(c.type == "Undone" for c in healing.status.conditions)
    return bool(record.owed(healing)) or not answered


class Restorer:
    """Brings back what finished Healings owe. Keeps in RAM only since when it has been calm."""

    def __init__(
        self,
        cluster: Cluster,
        records: Records,
        judge: Judge,
        notifier: Notifier,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._cluster = cluster
        self._records = records
        self._judge = judge
        self._notifier = notifier
        self._clock = clock
        self._settings = settings
        self._calm: dict[str, float] = {}  # Healing uid -> since when its problem is not seen
        self._looked: dict[str, float] = {}  # Healing uid -> when its target was read last

    async def advance(self, healing: Healing, subject: Subject) -> None:
        """One step of one finished Healing, where it is due. Raises nothing but AkesoErrors."""
        calm_for = self._calm_for(healing, subject)
        owed = record.owed(healing)
        if not owed:
            await self._nothing_left(healing)
            return
        try:
            for attempt, index in owed:
                if not await self._step(healing, subject, attempt, index, calm_for):
                    return
                healing = await self._records.live_healing(healing)
        except TargetGone as gone:
            await self._target_gone(healing, str(gone))
        except StaleError:
            return  # the next cycle looks again

    async def _step(
        self,
        healing: Healing,
        subject: Subject,
        attempt: int,
        index: int,
        calm_for: float | None,
    ) -> bool:
        """One owed action; whether the next may follow."""
        action = read_action(healing.status.attempts[attempt].actions[index])
        seen = await self._seen(healing, subject)
        if seen is None or self._busy(healing, subject):
            return False
        asked = healing.spec.undo is not None
        if not (action.in_effect(seen) or action.superseded(seen)):
            why = still_needed(Debt(action, seen, subject, calm_for, asked), self._settings)
            if why is not None:
                await self._waits(healing, asked, describe(action), why)
                return False
        seen = await look_at(self._cluster, healing)
        if action.in_effect(seen) or action.superseded(seen):
            state = ActionState.DONE if action.in_effect(seen) else ActionState.SKIPPED
            await self._ended(healing, attempt, index, action, state)
            return True
        waits = action.waits_for(seen)
        if waits is not None:
            await self._waits(healing, asked, describe(action), waits)
            return False
        return await self._write(healing, subject, attempt, index, seen)

    async def _write(
        self, healing: Healing, subject: Subject, attempt: int, index: int, seen: Snapshot
    ) -> bool:
        tried: Attempt = healing.status.attempts[attempt]
        action = read_action(tried.actions[index])
        await still_ours(self._records, healing)
        around = await live(self._records, subject.around, self._clock.now())
        question = replace(subject, around=around).question(seen, healing)
        denial = first_denial(self._judge.write(question, tried, action))
        if denial is not None:
            await self._waits(healing, True, describe(action), denial.sentence, denial.reason)
            return False
        try:
            await self._cluster.perform(action, seen)
        except PermanentError as error:
            await self._not_undone(healing, attempt, index, action, str(error))
            return True
        await self._ended(healing, attempt, index, action, ActionState.DONE, wrote=True)
        return True

    async def _seen(self, healing: Healing, subject: Subject) -> Snapshot | None:
        """The target as informers show it; where no policy selects it, read now and then."""
        uid, target = healing.metadata.uid, healing.spec.target.uid
        for snapshots in subject.around.observation.selection.targets.values():
            for seen in snapshots:
                if seen.ref.uid == target:
                    return seen
        now = self._clock.now()
        if now - self._looked.get(uid, 0.0) < LOOK_AGAIN_SECONDS:
            return None
        self._looked[uid] = now
        return await look_at(self._cluster, healing)

    def _busy(self, healing: Healing, subject: Subject) -> bool:
        """Another healing of the target is under way: one thing at a time."""
        return any(
            other.spec.target.uid == healing.spec.target.uid
            and other.status.attempts
            and not finished(other)
            for other in subject.around.healings
        )

    def _calm_for(self, healing: Healing, subject: Subject) -> float | None:
        """Seconds since the problem was there, or would have been; no data is no calm."""
        uid, observation = healing.metadata.uid, subject.around.observation
        targets = observation.selection.targets.get(healing.spec.policy_ref.uid, ())
        seen = next((s for s in targets if s.ref.uid == healing.spec.target.uid), None)
        known = seen is not None and measured(subject.signal, seen, observation, self._settings)
        carried = seen is not None and self._carried(healing, subject, seen)
        if subject.problem is not None or not known or not carried:
            self._calm.pop(uid, None)
            return None
        return observation.now - self._calm.setdefault(uid, observation.now)

    def _carried(self, healing: Healing, subject: Subject, seen: Snapshot) -> bool:
        """Whether the load would be borne once the first of what is owed is done."""
        for i, j in record.owed(healing)[:1]:
            tried = healing.status.attempts[i]
            back, before = read_action(tried.actions[j]), int(tried.pre_state.get("replicas", "1"))
            return carries(back, before, seen, subject, self._settings)
        return True

    async def _waits(
        self, healing: Healing, say: bool, what: str, why: str, reason: str = "Waiting"
    ) -> None:
        """Said only to a person who asked, and once per reason: waiting writes nothing."""
        stands = next((c for c in healing.status.conditions if c.type == "Undone"), None)
        if not say or (stands and stands.status == "False" and stands.reason == reason):
            return
        said = f"{what} waits: {why}"
        await self._records.save(
            record.with_condition(healing, "Undone", False, reason, said, self._now())
        )

    async def _ended(
        self,
        healing: Healing,
        attempt: int,
        index: int,
        action: Action,
        state: ActionState,
        wrote: bool = False,
    ) -> None:
        after = record.owed_ended(healing, attempt, index, state, self._now())
        asked = healing.spec.undo
        why = "somebody else did it, or changed it, meanwhile"
        if wrote:
            why = f"{asked.requested_by} asked for it" if asked else "it is needed no more"
        said = f"{describe(action)}: {why}"
        if not record.owed(after):
            self._forget(healing)
        if _settles(after, action):
            reason = "Requested" if asked else "NeedPassed" if wrote else "Overtaken"
            after = record.with_condition(after, "Undone", True, reason, said, self._now())
        after = await self._records.save(after)
        if wrote:
            told = Told("Restored", healing.status.attempts[attempt].healer, said)
            await self._notifier.notify(decision(after, told, self._clock.now()))

    async def _not_undone(
        self, healing: Healing, attempt: int, index: int, action: Action, error: str
    ) -> None:
        """What can't be taken back is left to a person; trying again would not help."""
        said = f"could not {describe(action)}: {error}"
        now = self._now()
        after = record.owed_ended(healing, attempt, index, ActionState.SKIPPED, now)
        after = record.needs_human(after, "NotUndone", said, now)
        after = await self._records.save(
            record.with_condition(after, "Undone", False, "NotUndone", said, now)
        )
        told = Told("NeedsHuman", "NotUndone", said)
        await self._notifier.notify(decision(after, told, self._clock.now()))

    async def _target_gone(self, healing: Healing, said: str) -> None:
        now = self._now()
        for attempt, index in record.owed(healing):
            healing = record.owed_ended(healing, attempt, index, ActionState.SKIPPED, now)
        self._forget(healing)
        await self._records.save(
            record.with_condition(healing, "Undone", False, "TargetGone", said, now)
        )

    async def _nothing_left(self, healing: Healing) -> None:
        last = healing.status.attempts[-1].healer if healing.status.attempts else None
        said = f"{last} left nothing that could be taken back" if last else "nothing was done"
        await self._records.save(
            record.with_condition(healing, "Undone", False, "NothingToUndo", said, self._now())
        )

    def _now(self) -> datetime:
        return from_unix(self._clock.now())

    def _forget(self, healing: Healing) -> None:
        self._calm.pop(healing.metadata.uid, None)
        self._looked.pop(healing.metadata.uid, None)


def _settles(after: Healing, ended: Action) -> bool:
    """Whether this was the last that a user would see; giving up ownership is no news after it."""
    left = (after.status.attempts[i].actions[j].type for i, j in record.owed(after))
    stands = any(c.type == "Undone" and c.status == "True" for c in after.status.conditions)
    if isinstance(ended, ReleaseOwnership | ReleaseAutoscaler) and stands:
        return False
    return all(t in (ActionType.RELEASE_OWNERSHIP, ActionType.RELEASE_AUTOSCALER) for t in left)
