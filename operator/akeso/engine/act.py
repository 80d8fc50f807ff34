"""Step five: one write at a time, each judged right before it on what is true right now."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from akeso.api.healing import ActionState, Attempt, Healing
from akeso.api.policy import HealingPolicy, Mode
from akeso.domain.action import (
    Action,
    DeletePod,
    EvictPod,
    ReleaseOwnership,
    Scale,
    SetTemplate,
)
from akeso.domain.finding import Outcome
from akeso.domain.verdict import Verdict, deny
from akeso.domain.workload import Snapshot
from akeso.engine import record
from akeso.engine.intent import read_action, target_of
from akeso.engine.judge import Circumstances, Judge
from akeso.engine.records import Records
from akeso.engine.subject import Progress, Subject
from akeso.errors import BlockedError, GoneError, PermanentError
from akeso.policy.chain import first_denial
from akeso.protocols import Cluster


class Actor:
    """Carries an attempt's actions out. Resumes by looking at the world, never by memory."""

    def __init__(self, cluster: Cluster, records: Records, judge: Judge) -> None:
        self._cluster = cluster
        self._records = records
        self._judge = judge

    async def step(
        self, healing: Healing, attempt: Attempt, subject: Subject, now: datetime
    ) -> Progress:
        """Tries the next action. Raises GoneError, StaleError and TransientError."""
        index = record.pending(attempt)
        if index is None:
            return Progress(healing, True)
        action = read_action(attempt.actions[index])
        seen = await self._cluster.live(target_of(healing))
        if action.in_effect(seen):
            return _moved(healing, record.action_ended(attempt, index, ActionState.DONE, now))
        if action.superseded(seen):
            return _moved(healing, _superseded(healing, attempt, index, now))
        if now >= attempt.deadline and not attempt.undoing:
            late = f"not done within its time: {describe(action)}"
            return _moved(healing, record.undoing(attempt, Outcome.FAILED, late, now))
        if action.waits_for(seen) is not None:
            return Progress(healing, False)
        around = await live(self._records, subject.around)
        question = replace(subject, around=around).question(seen, healing)
        verdicts = self._judge.write(question, attempt, action)
        if first_denial(verdicts) is not None:
            return Progress(record.blocked(healing, verdicts, now), False)
        return await self._write(record.unblocked(healing, now), index, seen, verdicts, now)

    async def _write(
        self,
        healing: Healing,
        index: int,
        seen: Snapshot,
        verdicts: tuple[Verdict, ...],
        now: datetime,
    ) -> Progress:
        attempt = healing.status.attempts[-1]
        action = read_action(attempt.actions[index])
        try:
            await self._cluster.perform(action, seen)
        except BlockedError as error:
            verdict = deny("api-server", "DisruptionBudget", str(error), error.retry_after)
            return Progress(record.blocked(healing, (*verdicts, verdict), now), False)
        except PermanentError as error:
            return _moved(healing, record.undoing(attempt, Outcome.ERROR, str(error), now))
        done = record.action_ended(attempt, index, ActionState.DONE, now)
        return replace(_moved(healing, done), wrote=describe(action))


def _moved(healing: Healing, attempt: Attempt) -> Progress:
    return Progress(record.with_attempt(healing, attempt), True)


def _superseded(healing: Healing, attempt: Attempt, index: int, now: datetime) -> Attempt:
    """Somebody else changed the same thing meanwhile. Their change holds."""
    if attempt.actions[index].restore:
        return record.action_ended(attempt, index, ActionState.SKIPPED, now)
    said = f"somebody else changed {target_of(healing)} meanwhile; their change holds"
    return record.undoing(attempt, Outcome.INCONCLUSIVE, said, now)


async def live(records: Records, around: Circumstances) -> Circumstances:
    """Kill switch and policy as they are now, whatever the watches have told so far.

    A policy that is gone allows nothing but bringing the user's own state back.
    """
    try:
        policy = await records.live_policy(around.policy)
    except GoneError:
        policy = only_observing(around.policy)
    return Circumstances(
        policy=policy,
        control=await records.live_control(),
        observation=around.observation,
        healings=records.healings(),
    )


def only_observing(policy: HealingPolicy) -> HealingPolicy:
    return policy.model_copy(update={"spec": policy.spec.model_copy(update={"mode": Mode.OBSERVE})})


def describe(action: Action) -> str:
    """What an action does, in a few words."""
    match action:
        case EvictPod(pod):
            return f"evict pod {pod.name}"
        case DeletePod(pod):
            return f"delete broken pod {pod.name}"
        case Scale(before, to):
            return f"scale from {before} to {to}"
        case SetTemplate(before, to):
            return f"put revision {to} back in place of {before}"
        case ReleaseOwnership():
            return "give up ownership of the fields it wrote"
