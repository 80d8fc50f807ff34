"""Step six: did it work? One check is one look at the world; missing data is never health."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from akeso.domain.action import Effect
from akeso.domain.finding import Finding
from akeso.domain.finding import Signal as About
from akeso.domain.workload import Snapshot
from akeso.engine.detect import forecasts_of
from akeso.engine.observe import Observation
from akeso.engine.rollouts import CANNOT_START
from akeso.engine.words import bytes_of

# Below this share of its limit a container has room again.
ROOM = 0.8


class Check(StrEnum):
    """What one check found; WAITING: too early to tell, which counts as nothing."""

    GOOD = "good"
    BAD = "bad"
    INCONCLUSIVE = "inconclusive"
    ERROR = "errors"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Look:
    """A check's result in one sentence; `event`: the failure that was to be prevented."""

    check: Check
    message: str
    event: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """What one check looks at: the target after the last write, and what is measured of it.

    `began` is when the attempt started (Unix seconds); `still_found`: the problem is found now;
    ages are in seconds, `source_age` None means no data.
    """

    began: float
    effect: Effect
    finding: Finding
    still_found: bool
    seen: Snapshot
    observed: Observation
    source_age: float | None
    max_age: float


def check(trial: Trial) -> Look:
    """One look at the target after the last write."""
    seen = trial.seen
    event = failure_event(seen, trial.began)
    if event is not None:
        return Look(Check.BAD, event, event=True)
    looping = [
        pod.ref.name
        for pod in seen.present
        if any(c.waiting_reason in CANNOT_START for c in pod.containers)
    ]
    if looping:
        return Look(Check.BAD, f"pods can't start: {', '.join(looping)}")
    if seen.rolling or seen.failing:
        return Look(Check.WAITING, f"{seen.ready} of {seen.replicas} pods are ready and up to date")
    if trial.source_age is None or trial.source_age > trial.max_age:
        return Look(Check.INCONCLUSIVE, "the source of the signal gives no fresh data")
    if trial.effect is Effect.BUYS_TIME and trial.finding.about is About.MEMORY_EXHAUSTION:
        return _room(seen, trial.observed)
    if trial.still_found:
        return Look(Check.BAD, f"the problem is still there: {trial.finding.evidence.message}")
    return Look(Check.GOOD, f"all {seen.ready} pods are ready and the problem is gone")


def failure_event(seen: Snapshot, began: float) -> str | None:
    """The failure itself: a container killed for its memory since `began` (Unix seconds)."""
    for pod in seen.pods:
        for container in pod.containers:
            at = container.last_exit_at
            if container.last_exit_reason == "OOMKilled" and at is not None and at > began:
                return f"container {container.name} of pod {pod.ref.name} was OOM-killed"
    return None


def _room(seen: Snapshot, observed: Observation) -> Look:
    """Every limited container has a fresh sample well below its limit."""
    measured = 0
    for pod in seen.present:
        for forecast in forecasts_of(pod, seen.ref.namespace, observed.forecasts):
            if forecast.value is None or forecast.limit is None:
                continue
            measured += 1
            if forecast.value > ROOM * forecast.limit:
                return Look(
                    Check.BAD,
                    f"container {forecast.key.container} of pod {pod.ref.name} has no room:"
                    f" {bytes_of(forecast.value)} of {bytes_of(forecast.limit)}",
                )
    if not measured:
        return Look(Check.INCONCLUSIVE, "no memory samples of its pods yet")
    return Look(Check.GOOD, f"{measured} containers have room again")
