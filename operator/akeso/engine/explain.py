"""Why Akeso does, or does not, act on one workload: the same engine, asked without acting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from akeso.api.policy import HealingPolicy, Signal
from akeso.domain.finding import Evidence, Finding, Origin
from akeso.domain.finding import Signal as About
from akeso.domain.forecast import Forecast
from akeso.domain.workload import PodRef, Snapshot
from akeso.engine.alerts import find_alert
from akeso.engine.crashes import looping
from akeso.engine.detect import Problem, crashing, detect, forecasts_of, memory_sentence
from akeso.engine.judge import Circumstances, Judge, Judgement, Question
from akeso.engine.load import bounded
from akeso.engine.observe import Observation, query_key
from akeso.engine.overload import sentence
from akeso.engine.volumes import claims_of
from akeso.settings import Settings

MOST_LOADS = 20  # series of one query that are told of, one line each


@dataclass(frozen=True, slots=True)
class SignalExplained:
    """One signal on one target: what is measured, what is wrong, what would be done, what says no.

    `problem` None: nothing is wrong now; the judgement then tells what would be done if all of its
    pods had the problem.
    """

    policy: HealingPolicy
    signal: Signal
    facts: tuple[str, ...]
    problem: Problem | None
    judgement: Judgement
    forecasts: tuple[Forecast, ...] = ()
    bar: float | None = None  # the probability from which a forecast is acted on


@dataclass(frozen=True, slots=True)
class Explanation:
    """One workload as Akeso sees it now; without signals no policy selects it."""

    seen: Snapshot
    forecasts: tuple[Forecast, ...]
    signals: tuple[SignalExplained, ...]


def explain(
    seen: Snapshot,
    policies: Sequence[HealingPolicy],
    observation: Observation,
    around: dict[str, Circumstances],
    judge: Judge,
    settings: Settings,
) -> Explanation:
    """Explains one workload; `around` maps policy uids to what judgements stand on."""
    problems = detect(policies, observation, settings)
    explained: list[SignalExplained] = []
    for policy in policies:
        targets = observation.selection.targets.get(policy.metadata.uid, ())
        if all(t.ref.uid != seen.ref.uid for t in targets):
            continue
        for signal in policy.spec.signals:
            problem = problems.get((policy.metadata.uid, signal.name, seen.ref.uid))
            finding = problem.finding if problem else _supposed(policy, signal, seen, observation)
            judgement = judge.next_step(
                Question(finding, signal, seen, around[policy.metadata.uid])
            )
            facts = _facts(policy, signal, seen, observation, settings)
            coming = _forecasts(signal, seen, observation)
            foresight = signal.foresight
            bar = foresight.bar(settings.bar) if foresight is not None else None
            explained.append(
                SignalExplained(policy, signal, facts, problem, judgement, coming, bar)
            )
    return Explanation(seen, _of_containers(seen, observation), tuple(explained))


def _forecasts(signal: Signal, seen: Snapshot, observation: Observation) -> tuple[Forecast, ...]:
    """What a signal's findings would be drawn from."""
    if signal.about is About.MEMORY_EXHAUSTION:
        return _of_containers(seen, observation)
    loads = observation.loads_of(signal, seen.ref.uid)
    return tuple(load.forecast for load in loads if load.forecast is not None)


def _of_containers(seen: Snapshot, observation: Observation) -> tuple[Forecast, ...]:
    return tuple(
        forecast
        for pod in seen.present
        for forecast in forecasts_of(pod, seen.ref.namespace, observation.forecasts)
    )


def _supposed(
    policy: HealingPolicy, signal: Signal, seen: Snapshot, observation: Observation
) -> Finding:
    """The finding there would be if the problem came now, in all pods."""
    return Finding(
        target=seen.ref,
        policy=policy.metadata.name,
        signal=signal.name,
        about=signal.about,
        origin=Origin.FORECAST,
        evidence=Evidence("supposed", observation.now, observation.now),
        pods=tuple(PodRef(p.ref.name, p.ref.uid) for p in seen.present),
    )


def _facts(
    policy: HealingPolicy,
    signal: Signal,
    seen: Snapshot,
    observation: Observation,
    settings: Settings,
) -> tuple[str, ...]:
    if signal.about is About.MEMORY_EXHAUSTION:
        if observation.memory_error is not None:
            return (f"no memory samples: {observation.memory_error}",)
        found = (memory_sentence(forecast) for forecast in _of_containers(seen, observation))
        return tuple(found) or ("no memory samples of its pods",)
    if signal.about is About.ALERT:
        return (_alert_fact(signal, seen, observation),)
    loads = observation.loads_of(signal, seen.ref.uid)
    if signal.about is About.CPU_SATURATION:
        return tuple(sentence(signal, load) for load in loads) or (_no_cpu(seen, observation),)
    if signal.about is About.VOLUME_FILLING:
        return tuple(sentence(signal, load) for load in loads) or (_no_volume(seen, observation),)
    ready = f"{seen.ready} of {seen.replicas} pods are ready, revision {seen.update_revision}"
    if signal.about is About.CRASH_LOOPING:
        return (ready, *_crashes(policy, seen, observation, settings))
    key = query_key(signal, settings)
    result = observation.queries.get(key) if key else None
    if result is None:
        return (ready,)
    if result.error is not None:
        return (ready, f"the query failed: {result.error}")
    facts = (ready, f"the query returns {len(result.readings)} series")
    return (*facts, *(sentence(signal, load) for load in loads[:MOST_LOADS]))


def _alert_fact(signal: Signal, seen: Snapshot, observation: Observation) -> str:
    firing = observation.firing
    if firing.error is not None:
        return f"nothing is known of its alerts: {firing.error}"
    found = find_alert(seen, signal, firing, observation.now)
    if found is None:
        return "no such alert fires for it"
    evidence, _, _, suppressed = found
    return f"{evidence.message}, silenced or inhibited" if suppressed else evidence.message


def _crashes(
    policy: HealingPolicy, seen: Snapshot, observation: Observation, settings: Settings
) -> Iterator[str]:
    own = crashing(policy, seen, observation, settings)
    for hit in looping(seen, settings.crash_loop_restarts, observation.now):
        left = "" if hit in own else "; its rollout is RolloutFailing's to judge"
        yield f"{hit.told(observation.now)}{left}"


def _no_volume(seen: Snapshot, observation: Observation) -> str:
    if not claims_of(seen):
        return "its pods have no PersistentVolumeClaim, so nothing can fill"
    return f"nothing is known of its volumes: {observation.volumes.error or 'no such samples'}"


def _no_cpu(seen: Snapshot, observation: Observation) -> str:
    if observation.cpu.error:
        return f"no CPU samples: {observation.cpu.error}"
    if not any(True for _ in bounded(seen)):
        return "no container has a CPU limit or request, so nothing can be saturated"
    return "no CPU samples of its pods"
