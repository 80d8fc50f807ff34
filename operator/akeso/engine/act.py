"""Step five: one write at a time, each judged right before it on what is true right now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from akeso.api.healing import ActionRecord, ActionState, Attempt, Healing
from akeso.api.policy import HealingPolicy, Mode
from akeso.domain.action import (
    Action,
    DeletePod,
    EvictPod,
    LimitChange,
    Plan,
    ReleaseAutoscaler,
    ReleaseOwnership,
    Resize,
    Scale,
    SetAutoscalerBound,
    SetTemplate,
    SetTemplateMemory,
)
from akeso.domain.finding import Outcome
from akeso.domain.verdict import Verdict, deny
from akeso.domain.workload import Snapshot
from akeso.engine import record
from akeso.engine.alerts import read_silences
from akeso.engine.intent import read_action, target_of
from akeso.engine.judge import Circumstances, Judge, Question
from akeso.engine.records import Records
from akeso.engine.subject import Progress, Subject
from akeso.engine.tell import Told
from akeso.engine.words import bytes_of
from akeso.errors import BlockedError, GoneError, PermanentError, StaleError
from akeso.policy.capacity import nodes_of, takes_more
from akeso.policy.chain import first_denial
from akeso.policy.nodes import homes
from akeso.protocols import AlertSource, Clock, Cluster


class Actor:
    """Carries an attempt's actions out. Resumes by looking at the world, never by memory."""

    def __init__(
        self,
        cluster: Cluster,
        records: Records,
        judge: Judge,
        clock: Clock,
        alerts: AlertSource | None = None,
    ) -> None:
        self._cluster = cluster
        self._alerts = alerts
        self._records = records
        self._judge = judge
        self._clock = clock

    async def step(
        self, healing: Healing, attempt: Attempt, subject: Subject, now: datetime
    ) -> Progress:
        """Tries the next action. Raises TargetGone, StaleError and TransientError."""
        index = record.pending(attempt)
        if index is None:
            return Progress(healing, True)
        action = read_action(attempt.actions[index])
        seen = await look_at(self._cluster, healing)
        if action.in_effect(seen):
            return _moved(healing, record.action_ended(attempt, index, ActionState.DONE, now))
        if action.superseded(seen):
            return _moved(healing, _superseded(healing, attempt, index, now))
        if now >= attempt.deadline and not attempt.undoing:
            late = f"not done within its time: {describe(action)}"
            return _moved(healing, record.undoing(attempt, Outcome.FAILED, late, now))
        if action.waits_for(seen) is not None:
            return Progress(healing, False)
        await still_ours(self._records, healing)
        around = await self.live(subject.around)
        question = replace(subject, around=around).question(seen, healing)
        plan = self._judge.plan_of(attempt, seen.ref)
        question = await looked_around(self._cluster, question, (plan,), action)
        verdicts = self._judge.write(question, attempt, action)
        if first_denial(verdicts) is not None:
            return Progress(record.blocked(healing, verdicts, now), False)
        return await self._write(record.unblocked(healing, now), index, seen, verdicts, now)

    async def live(self, around: Circumstances) -> Circumstances:
        """Kill switch, policy and silences as they are now.

        Where the cycle could not read the silences it has to end without: asking again for every
        write would add up to minutes.
        """
        known = around.observation.silences
        silences = known if known.error else await read_silences(self._alerts)
        found = await live(self._records, around, self._clock.now())
        return replace(found, silences=silences)

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
            reason = "DisruptionBudget" if isinstance(action, EvictPod) else "AdmissionRefused"
            verdict = deny("api-server", reason, str(error), error.retry_after)
            return Progress(record.blocked(healing, (*verdicts, verdict), now), False)
        except PermanentError as error:
            if action.restore:
                return _not_undone(healing, index, f"could not {describe(action)}: {error}", now)
            return _moved(healing, record.undoing(attempt, Outcome.ERROR, str(error), now))
        done = record.action_ended(attempt, index, ActionState.DONE, now)
        return replace(_moved(healing, done), wrote=describe(action))


async def looked_around(
    cluster: Cluster, question: Question, plans: Iterable[Plan], action: Action | None = None
) -> Question:
    """The question with what the plans (or the next write of one) depend on beside the target: the
    room there is where they ask for more, and how the nodes under the pods are that they are about."""
    plans, seen = tuple(plans), question.seen
    asking = [p for p in plans if takes_more(p, action)]
    if asking:
        each = [nodes_of(p, seen) for p in asking]
        nodes = (
            None if None in each else frozenset[str]().union(*(n for n in each if n is not None))
        )
        question = replace(question, capacity=await cluster.capacity(seen, nodes))
    under = frozenset[str]().union(*(homes(p, question.finding, seen, action) for p in plans))
    if under:
        question = replace(question, nodes=await cluster.nodes(under))
    return question


class TargetGone(StaleError):
    """The workload a Healing is about is gone, or another one carries its name."""


async def still_ours(records: Records, healing: Healing) -> None:
    """Whoever deleted the Healing, or wrote it since, may not be overruled by a write."""
    current = await records.live_healing(healing)
    if current.metadata.resource_version != healing.metadata.resource_version:
        name = f"{healing.metadata.namespace}/{healing.metadata.name}"
        raise StaleError(f"Healing {name} was written by somebody else; nothing was done.")


async def look_at(cluster: Cluster, healing: Healing) -> Snapshot:
    """The target as it is now. TargetGone when it is not there any more."""
    try:
        return await cluster.live(target_of(healing))
    except GoneError as error:
        raise TargetGone(str(error)) from error


def _not_undone(healing: Healing, index: int, said: str, now: datetime) -> Progress:
    """What can't be taken back is left to a person; trying again would not help."""
    attempt = healing.status.attempts[-1]
    skipped = record.action_ended(attempt, index, ActionState.SKIPPED, now)
    if not skipped.undoing:
        skipped = record.undoing(skipped, Outcome.ERROR, said, now)
    healing = record.needs_human(healing, "NotUndone", said, now)
    return replace(_moved(healing, skipped), told=(Told("NeedsHuman", "NotUndone", said),))


def _moved(healing: Healing, attempt: Attempt) -> Progress:
    return Progress(record.with_attempt(healing, attempt), True)


def _superseded(healing: Healing, attempt: Attempt, index: int, now: datetime) -> Attempt:
    """Somebody else changed the same thing meanwhile. Their change holds."""
    if attempt.actions[index].restore:
        return record.action_ended(attempt, index, ActionState.SKIPPED, now)
    said = f"somebody else changed {target_of(healing)} meanwhile; their change holds"
    return record.undoing(attempt, Outcome.INCONCLUSIVE, said, now)


async def live(records: Records, around: Circumstances, now: float) -> Circumstances:
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
        late=max(0.0, now - around.observation.now),
    )


def only_observing(policy: HealingPolicy) -> HealingPolicy:
    return policy.model_copy(update={"spec": policy.spec.model_copy(update={"mode": Mode.OBSERVE})})


def describe_record(action: ActionRecord) -> str:
    """What a recorded action does; an incomplete record still happened."""
    try:
        return describe(read_action(action))
    except PermanentError:
        return f"{action.type.value} of {action.name}"


def _limit(change: LimitChange) -> str:
    how = f"from {bytes_of(change.from_)} to {bytes_of(change.to)}"
    return f"the memory limit of container {change.container} {how}"


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
        case SetTemplateMemory(limits):
            return f"set in the pod template {'; '.join(map(_limit, limits))}"
        case SetAutoscalerBound(name, _, bound, before, to):
            return f"set {bound} of HorizontalPodAutoscaler {name} from {before} to {to}"
        case ReleaseOwnership() | ReleaseAutoscaler():
            return "give up ownership of the fields it wrote"
        case Resize(pod, container, before, to):
            where = f"container {container} of pod {pod.name}"
            return f"set the memory limit of {where} from {bytes_of(before)} to {bytes_of(to)}"
