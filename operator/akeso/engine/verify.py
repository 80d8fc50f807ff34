"""Step six: did it work? One check is one look at the world; missing data is never health."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from akeso.api.healing import ActionState, ActionType, Attempt
from akeso.domain.action import (
    ROOM,
    Effect,
    Resize,
    Scale,
    SetAutoscalerBound,
    SetTemplateMemory,
)
from akeso.domain.finding import FROM_THE_API, Outcome
from akeso.domain.finding import Signal as About
from akeso.domain.forecast import Forecast, SeriesKey
from akeso.domain.workload import Container, Pod, Resizing, Snapshot
from akeso.engine.detect import erring_of
from akeso.engine.freshness import measured, unmeasured
from akeso.engine.intent import read_action
from akeso.engine.load import source_of
from akeso.engine.observe import query_key
from akeso.engine.onsets import window_of
from akeso.engine.overload import sentence
from akeso.engine.record import last_write
from akeso.engine.rollouts import CANNOT_START
from akeso.engine.subject import Subject
from akeso.engine.words import bytes_of
from akeso.settings import Settings

# Seconds that the next rung needs to help before the failure (DecisionSettings.action).
HELP = 120.0


class Check(StrEnum):
    """What one check found; WAITING: too early to tell, which counts as nothing."""

    GOOD = "good"
    BAD = "bad"
    INCONCLUSIVE = "inconclusive"
    ERROR = "errors"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Look:
    """A check's result in one sentence; `event`: the failure that was to be prevented.

    `late` is what becomes of an attempt that still waits when its time is over; `stuck`: pods of
    the newest revision do not come up; `full`: containers that were started since have no room.
    """

    check: Check
    message: str
    event: bool = False
    late: Outcome = Outcome.FAILED
    stuck: bool = False
    full: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """What one check looks at: the target as `seen` live after the last write."""

    attempt: Attempt
    subject: Subject
    seen: Snapshot
    effect: Effect
    settings: Settings

    @property
    def about(self) -> About:
        return self.subject.signal.about

    @property
    def buys_memory(self) -> bool:
        return self.effect is Effect.BUYS_TIME and self.about is About.MEMORY_EXHAUSTION


def check(trial: Trial) -> Look:
    """One look at the target after the last write."""
    seen = trial.seen
    return (
        _failed(trial)
        or _scaled(trial)
        or _unsettled(seen)
        or _no_data(trial)
        or _for_memory(trial)
        or _borne(trial)
        or _still_there(trial)
        or _steady(trial)
        or Look(Check.GOOD, f"all {seen.ready} pods are ready and the problem is gone")
    )


def resizes(attempt: Attempt) -> bool:
    """Whether it changes running pods in place, so that their series go on as they were."""
    return any(a.type is ActionType.RESIZE for a in attempt.actions)


def _for_memory(trial: Trial) -> Look | None:
    """Buying time for memory is judged by the room there is, whoever else asked for it."""
    if resizes(trial.attempt):
        return _raised(trial)
    return _room(trial) if trial.buys_memory else None


def _failed(trial: Trial) -> Look | None:
    """The failure itself, new pods that can't start, or somebody else's newer revision."""
    seen = trial.seen
    event = failure_event(seen, trial.attempt.started_at.timestamp())
    if event is not None:
        return Look(Check.BAD, event, event=True)
    if seen.observed_generation < seen.generation:
        return None
    looping = [
        pod.ref.name
        for pod in seen.present
        if pod.revision == seen.update_revision
        and any(c.waiting_reason in CANNOT_START for c in pod.containers)
    ]
    if looping:
        return Look(Check.BAD, f"pods can't start: {', '.join(looping)}", stuck=True)
    before = trial.attempt.pre_state.get("revision")
    ours = any(a.type in _ROLLS_OUT for a in trial.attempt.actions)
    if before and not ours and seen.update_revision != before:
        said = f"revision {seen.update_revision} was rolled out meanwhile"
        return Look(Check.INCONCLUSIVE, said)
    return None


_ROLLS_OUT = (ActionType.SET_TEMPLATE, ActionType.SET_TEMPLATE_MEMORY)


def _scaled(trial: Trial) -> Look | None:
    """Whether what was scaled, or set for good, is as it was left; whoever set something else is not overruled."""
    seen = trial.seen
    for record in trial.attempt.actions:
        action = read_action(record)
        if record.restore or record.state is not ActionState.DONE:
            continue
        if isinstance(action, SetAutoscalerBound) and not action.in_effect(seen):
            return Look(Check.INCONCLUSIVE, f"somebody else changed {record.name} meanwhile")
        if isinstance(action, SetTemplateMemory) and not action.in_effect(seen):
            said = "somebody else set other memory limits in the pod template meanwhile"
            return Look(Check.INCONCLUSIVE, said)
        if isinstance(action, Scale) and not action.in_effect(seen):
            return Look(Check.INCONCLUSIVE, f"somebody else set {seen.replicas} replicas meanwhile")
        if isinstance(action, SetAutoscalerBound) and seen.replicas < action.to:
            said = f"{seen.autoscaler} has not brought it to {action.to} replicas yet"
            return Look(Check.WAITING, said)
    return None


def _unsettled(seen: Snapshot) -> Look | None:
    if not seen.rolling and not seen.failing:
        return None
    said = f"{seen.ready} of {seen.replicas} pods are ready and up to date"
    return Look(Check.WAITING, said, stuck=True)


def _no_data(trial: Trial) -> Look | None:
    around, signal, settings = trial.subject.around, trial.subject.signal, trial.settings
    age = around.observation.source_age(signal.about, query_key(signal, settings))
    if trial.about in FROM_THE_API and trial.seen.live:
        age = 0.0  # its source is the workload itself, read just now
    if age is None or age + around.late > settings.stale_after:
        return Look(Check.INCONCLUSIVE, "the source of the signal gives no fresh data")
    if trial.buys_memory or measured(signal, trial.seen, around.observation, settings):
        return None
    return Look(Check.INCONCLUSIVE, f"there is no fresh data about {trial.seen.ref}")


def _borne(trial: Trial) -> Look | None:
    """What is forecast is measured as well: good is what has been on the right side of its bound
    since all is settled. (The forecast itself says nothing for a while after an action.)"""
    signal, seen, settings = trial.subject.signal, trial.seen, trial.settings
    if trial.buys_memory or source_of(signal) is None:
        return None
    observed = trial.subject.around.observation
    settled = max((p.ready_since or 0.0 for p in seen.present), default=0.0)
    young = observed.now - settled < _lookback(trial) + settings.stale_after
    loads = observed.loads_of(signal, seen.ref.uid)
    beyond = [load for load in loads if load.measured.crossed]
    if beyond:
        said = f"the problem is still there: {sentence(signal, beyond[0])}"
        return Look(Check.WAITING if young else Check.BAD, said)
    if not loads or min(load.measured.time for load in loads) < settled:
        said = f"there is no fresh data about {seen.ref}"
        late = Outcome.INCONCLUSIVE
        return Look(Check.WAITING if young else Check.INCONCLUSIVE, said, late=late)
    return Look(Check.GOOD, sentence(signal, replace(loads[0], forecast=None)))


def _lookback(trial: Trial) -> float:
    """Seconds that what is measured now still tells of: the window of a rate."""
    if trial.about is About.CPU_SATURATION:
        return trial.settings.rate_seconds
    key = query_key(trial.subject.signal, trial.settings)
    return window_of(key[0]) if key else 0.0


def _still_there(trial: Trial) -> Look | None:
    """The problem itself, once what is measured can be about the time since all is settled."""
    if trial.about is About.ALERT:
        return _still_firing(trial)
    subject, seen, settings = trial.subject, trial.seen, trial.settings
    said = subject.finding.evidence.message if subject.problem else None
    if trial.about is About.ROLLOUT_FAILING and said is None:
        erring = erring_of(subject.around.policy, seen, subject.around.observation, settings)
        names = sorted(p.ref.name for p in seen.present if p.ref.name in erring)
        said = f"{', '.join(names)} answer with errors" if names else None
    if said is None:
        return None
    settled = max((p.ready_since or 0.0 for p in seen.present), default=0.0)
    key = query_key(subject.signal, settings)
    memory = _lookback(trial) + settings.stale_after if key else 0.0
    young = subject.around.observation.now - settled < memory
    return Look(Check.WAITING if young else Check.BAD, f"the problem is still there: {said}")


def _still_firing(trial: Trial) -> Look | None:
    """An alert ends, and fires anew, minutes after its cause: the rung's time is for waiting."""
    subject, alert = trial.subject, trial.subject.signal.alert
    settled = max((p.ready_since or 0.0 for p in trial.seen.present), default=0.0)
    settled = max(settled, last_write(trial.attempt).timestamp())
    if subject.problem is not None:
        evidence = subject.finding.evidence
        said = f"the problem is still there: {evidence.message}"
        return Look(Check.BAD if evidence.since > settled else Check.WAITING, said)
    quiet = subject.around.observation.now - settled
    if alert is None or quiet >= alert.quiet_seconds:
        return None
    said = f"no such alert fires, but not for {alert.quiet_seconds} s yet (quietSeconds)"
    return Look(Check.WAITING, said, late=Outcome.INCONCLUSIVE)


def _steady(trial: Trial) -> Look | None:
    """What crash-looped must have run for as long as it takes to show whether it does."""
    if trial.about is not About.CRASH_LOOPING:
        return None
    seen, began = trial.seen, trial.attempt.started_at.timestamp()
    again = [p.ref.name for p in seen.present if p.created_at >= began and p.restarts]
    if again:
        return Look(Check.BAD, f"pods that came since crashed as well: {', '.join(again)}")
    around, proof = trial.subject.around, trial.settings.pod_blame_seconds
    up = max((p.ready_since or 0.0 for p in seen.present), default=0.0)
    if around.observation.now + around.late - up >= proof:
        return None
    said = f"its pods have not run for {proof:g} s yet, so that they may crash again"
    return Look(Check.WAITING, said, late=Outcome.INCONCLUSIVE)


def failure_event(seen: Snapshot, began: float) -> str | None:
    """The failure itself: a container killed for its memory since `began` (Unix seconds)."""
    names = [pod.ref.name for pod in seen.pods if killed(pod, began)]
    return f"pod {', '.join(names)} was OOM-killed" if names else None


def killed(pod: Pod, began: float) -> bool:
    """Whether a container of the pod was killed for its memory since `began` (Unix seconds)."""
    return any(
        c.last_exit_reason == "OOMKilled" and c.last_exit_at is not None and c.last_exit_at > began
        for c in pod.containers
    )


def _room(trial: Trial) -> Look:
    """Every container that was started since has a fresh sample well below its limit."""
    seen, observed, settings = trial.seen, trial.subject.around.observation, trial.settings
    began = trial.attempt.started_at.timestamp()
    fresh = [p for p in seen.present if p.created_at >= began]
    if not fresh:
        return Look(Check.INCONCLUSIVE, "no pod took the place of those that went")
    full = _without_room(fresh, seen, observed.forecasts)
    if full is not None:
        return Look(Check.BAD, full, full=True)
    for pod, container in unmeasured(fresh, seen, observed, settings):
        said = f"no fresh memory samples of container {container.name} of pod {pod.ref.name}"
        young = observed.now - (container.started_at or pod.created_at) < settings.stale_after
        late = Outcome.INCONCLUSIVE
        return Look(Check.WAITING if young else Check.INCONCLUSIVE, said, late=late)
    count = sum(c.memory_limit is not None for p in fresh for c in p.containers)
    if not count:
        return Look(Check.INCONCLUSIVE, "its pods have no memory limit any more")
    have = "container has" if count == 1 else "containers have"
    return Look(Check.GOOD, f"{count} {have} room again")


def _raised(trial: Trial) -> Look:
    """Every limit that was raised holds, in the container that ran before, and leaves room."""
    looks = [look for hit in _resized(trial) if (look := _one_raised(trial, *hit)) is not None]
    if not looks:
        return Look(Check.INCONCLUSIVE, "the pods that were resized are gone")
    return min(looks, key=lambda look: _WORST_FIRST.index(look.check))


_WORST_FIRST = (Check.BAD, Check.INCONCLUSIVE, Check.WAITING, Check.GOOD)


def _resized(trial: Trial) -> Iterator[tuple[Resize, Pod]]:
    for record in trial.attempt.actions:
        if record.type is not ActionType.RESIZE or record.restore:
            continue
        action = read_action(record)
        pod = trial.seen.pod(action.pod.uid) if isinstance(action, Resize) else None
        if isinstance(action, Resize) and pod is not None and not pod.deleting:
            yield action, pod


def _one_raised(trial: Trial, action: Resize, pod: Pod) -> Look | None:
    container = pod.container(action.container)
    if container is None:
        return None
    what = f"container {container.name} of pod {pod.ref.name}"
    if container.memory_wanted != action.to:
        return Look(Check.INCONCLUSIVE, f"somebody else set another memory limit for {what}")
    if (container.started_at or 0.0) > trial.attempt.started_at.timestamp():
        return Look(Check.INCONCLUSIVE, f"{what} was restarted meanwhile")
    if container.memory_limit != action.to:
        return _not_in_force(trial, pod, what)
    return _measured_room(trial, pod, container) or Look(
        Check.GOOD, f"{what} has room again: its limit is {bytes_of(action.to)} now"
    )


def _not_in_force(trial: Trial, pod: Pod, what: str) -> Look:
    """Asked for, and not done by the kubelet: waited for while there is time for something else."""
    why = f" ({pod.resize_message})" if pod.resize_message else ""
    if pod.resizing is Resizing.INFEASIBLE:
        return Look(Check.BAD, f"the node can never give {what} so much memory{why}")
    how = "puts it off" if pod.resizing is Resizing.DEFERRED else "has not done it yet"
    said = f"the new memory limit of {what} does not hold: the kubelet {how}{why}"
    evidence, around = trial.subject.finding.evidence, trial.subject.around
    now = around.observation.now + around.late
    pressing = evidence.ttf is not None and evidence.sampled_at + evidence.ttf[0] - now < HELP
    return Look(Check.BAD if pressing else Check.WAITING, said)


def _measured_room(trial: Trial, pod: Pod, container: Container) -> Look | None:
    """Whether a fresh sample shows a pod's containers well below their limits; None: it does."""
    seen, observed, settings = trial.seen, trial.subject.around.observation, trial.settings
    full = _without_room([pod], seen, observed.forecasts)
    if full is not None:
        return Look(Check.BAD, full)
    if any(c.name == container.name for _, c in unmeasured([pod], seen, observed, settings)):
        said = f"no fresh memory samples of container {container.name} of pod {pod.ref.name}"
        return Look(Check.INCONCLUSIVE, said)
    return None


def _without_room(
    pods: list[Pod], seen: Snapshot, forecasts: Mapping[SeriesKey, Forecast]
) -> str | None:
    for pod in pods:
        for container in pod.containers:
            key = SeriesKey(seen.ref.namespace, pod.ref.name, container.name)
            value, limit = (
                forecasts[key].value if key in forecasts else None,
                container.memory_limit,
            )
            if value is not None and limit is not None and value > ROOM * limit:
                where = f"container {container.name} of pod {pod.ref.name}"
                return f"{where} has no room: {bytes_of(value)} of {bytes_of(limit)}"
    return None
