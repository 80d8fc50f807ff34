"""What is wrong or will be: from one Observation to Findings. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from akeso.api.healing import MAX_EVIDENCE_PODS
from akeso.api.policy import HealingPolicy, Signal
from akeso.domain.finding import Evidence, Finding, Origin
from akeso.domain.finding import Signal as About
from akeso.domain.forecast import Forecast, SeriesKey
from akeso.domain.workload import Pod, PodRef, Snapshot
from akeso.engine.alerts import find_alert
from akeso.engine.breaches import Breach, Breaches
from akeso.engine.crashes import Looping, crash_looping, looping
from akeso.engine.observe import Observation, error_query, query_key
from akeso.engine.overload import forecast_of, overloaded
from akeso.engine.rollouts import RolloutRules, failing_rollout, on_trial
from akeso.engine.words import bytes_of, seconds_of
from akeso.settings import Settings


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding with the policy and signal it was found under."""

    finding: Finding
    policy: HealingPolicy
    signal: Signal
    seen: Snapshot

    @property
    def key(self) -> tuple[str, str, str]:
        return self.policy.metadata.uid, self.signal.name, self.seen.ref.uid


def rollout_rules(settings: Settings) -> RolloutRules:
    return RolloutRules(
        unready_seconds=settings.rollout_unready_seconds,
        blame_seconds=settings.rollout_blame_seconds,
        pod_blame_seconds=settings.pod_blame_seconds,
        healthy_seconds=settings.revision_healthy_seconds,
    )


def detect(
    policies: Sequence[HealingPolicy], observation: Observation, settings: Settings
) -> dict[tuple[str, str, str], Problem]:
    """All problems of this cycle by (policy uid, signal name, workload uid).

    Where several policies look at one workload for the same thing, the oldest policy reports it.
    """
    found: dict[tuple[str, str, str], Problem] = {}
    taken: set[tuple[str, object]] = set()
    oldest_first = sorted(
        policies, key=lambda p: (str(p.metadata.creation_timestamp), p.metadata.name)
    )
    for policy in oldest_first:
        for signal in policy.spec.signals:
            for seen in observation.selection.targets.get(policy.metadata.uid, ()):
                finding = _find(policy, signal, seen, observation, settings)
                same = (seen.ref.uid, signal.query or signal.alert_key or signal.builtin)
                if finding is not None and same not in taken:
                    taken.add(same)
                    problem = Problem(finding, policy, signal, seen)
                    found[problem.key] = problem
    return found


def _find(
    policy: HealingPolicy,
    signal: Signal,
    seen: Snapshot,
    observation: Observation,
    settings: Settings,
) -> Finding | None:
    about = signal.about
    if about is About.ALERT:
        return _alert(policy, signal, seen, observation)
    if about is About.MEMORY_EXHAUSTION:
        found = _memory(seen, observation)
    elif about in (About.CPU_SATURATION, About.VOLUME_FILLING):
        found = overloaded(signal, observation.loads_of(signal, seen.ref.uid), observation.now)
    elif about is About.CRASH_LOOPING:
        found = crash_looping(crashing(policy, seen, observation, settings), seen, observation.now)
    elif about is About.ROLLOUT_FAILING:
        found = _rollout(seen, signal, observation, settings)
    else:
        coming = observation.loads_of(signal, seen.ref.uid)
        found = _query(seen, signal, observation, settings) or forecast_of(signal, coming)
    if found is None:
        return None
    origin, evidence, pods = found
    worst = pods[:MAX_EVIDENCE_PODS]  # as many as a Healing can record, and a plan can hold
    return Finding(seen.ref, policy.metadata.name, signal.name, about, origin, evidence, worst)


_Found = tuple[Origin, Evidence, tuple[PodRef, ...]]


def _memory(seen: Snapshot, observation: Observation) -> _Found | None:
    alarming = [
        (pod, forecast)
        for pod in seen.present
        for forecast in forecasts_of(pod, seen.ref.namespace, observation.forecasts)
        if forecast.alarm
    ]
    if not alarming:
        return None
    alarming.sort(key=lambda hit: hit[1].ttf[1] if hit[1].ttf else 0.0)
    worst = alarming[0][1]
    evidence = Evidence(
        message=memory_sentence(worst),
        sampled_at=worst.sampled_at or observation.now,
        since=worst.sampled_at or observation.now,
        value=worst.value,
        threshold=worst.limit,
        probability=worst.probability,
        ttf=worst.ttf,
    )
    pods = tuple(dict.fromkeys(pod.ref for pod, _ in alarming))
    return Origin.FORECAST, evidence, pods


def forecasts_of(
    pod: Pod, namespace: str, forecasts: Mapping[SeriesKey, Forecast]
) -> Iterator[Forecast]:
    """The forecasts of one pod's containers."""
    for container in pod.containers:
        forecast = forecasts.get(SeriesKey(namespace, pod.ref.name, container.name))
        if forecast is not None:
            yield forecast


def memory_sentence(forecast: Forecast) -> str:
    """One sentence on where a container's memory is and where it goes."""
    key = forecast.key
    where = f"container {key.container} of pod {key.pod}"
    if forecast.value is None:
        return f"{where}: no memory samples ({forecast.readiness})"
    if forecast.limit is None:
        return f"{where} uses {bytes_of(forecast.value)} and has no memory limit"
    used = f"{where} uses {bytes_of(forecast.value)} of {bytes_of(forecast.limit)}"
    if forecast.probability is None or forecast.ttf is None:
        return f"{used}; no forecast ({forecast.readiness})"
    likely = f"with probability {forecast.probability:.0%} within {seconds_of(forecast.horizon)}"
    low, middle, high = forecast.ttf
    if middle == float("inf"):
        return f"{used} and reaches the limit {likely}"
    return (
        f"{used} and reaches the limit in about {seconds_of(middle)}"
        f" ({seconds_of(low)} to {seconds_of(high)}), {likely}"
    )


def erring_of(
    policy: HealingPolicy, seen: Snapshot, observation: Observation, settings: Settings
) -> dict[str, float]:
    """Pods that any of the policy's RolloutFailing signals sees erring, and since when."""
    found: dict[str, float] = {}
    for signal in policy.spec.signals:
        if signal.about is About.ROLLOUT_FAILING:
            found |= _erring(seen, signal, observation, settings)
    return found


def _erring(
    seen: Snapshot, signal: Signal, observation: Observation, settings: Settings
) -> dict[str, float]:
    key = error_query(signal, settings)
    result = observation.queries.get(key)
    if result is None:
        return {}
    found: dict[str, float] = {}
    for pod in seen.pods:
        hits = result.breaches.about(seen.ref.namespace, signal.pod_label or "pod", pod.ref.name)
        if hits:
            found[pod.ref.name] = min(breach.since for breach in hits)
    return {pod: at for pod, at in found.items() if observation.now - at >= key[1].for_seconds}


def crashing(
    policy: HealingPolicy, seen: Snapshot, observation: Observation, settings: Settings
) -> tuple[Looping, ...]:
    """The containers that crash-loop, without those of a rollout that a RolloutFailing signal, of
    this policy or of another, judges still."""
    now, meeting = observation.now, observation.selection.overlaps.get(seen.ref.uid, (policy,))
    judged = any(s.about is About.ROLLOUT_FAILING for p in meeting for s in p.spec.signals)
    healthy = observation.healthy.get(seen.ref.uid, ())
    tried = on_trial(seen, healthy, rollout_rules(settings), now) if judged else None
    return looping(seen, settings.crash_loop_restarts, now, tried)


def _rollout(
    seen: Snapshot, signal: Signal, observation: Observation, settings: Settings
) -> _Found | None:
    erring = _erring(seen, signal, observation, settings)
    found = failing_rollout(
        seen,
        erring,
        observation.healthy.get(seen.ref.uid, ()),
        rollout_rules(settings),
        observation.now,
    )
    if found is None:
        return None
    evidence = Evidence(found.message, sampled_at=observation.now, since=found.since)
    return Origin.EVENT, evidence, tuple(t.pod.ref for t in found.troubles)


def _query(
    seen: Snapshot, signal: Signal, observation: Observation, settings: Settings
) -> _Found | None:
    key = query_key(signal, settings)
    result = observation.queries.get(key) if key is not None else None
    if key is None or result is None or result.error is not None:
        return None
    threshold = key[1]
    hits = [
        (breach.since, breach.value, pods)
        for breach, pods in _meant(seen, signal, result.breaches)
        if observation.now - breach.since >= threshold.for_seconds
    ]
    if not hits:
        return None
    hits.sort(key=_earliest_first)
    since, value, meant = hits[0]
    told = f"signal {signal.name} is {value:g}"
    unit = ""
    if signal.standard is not None:
        told = signal.standard.told(value, meant[0].name if meant else "")
        unit = signal.standard.unit
    evidence = Evidence(
        message=(
            f"{told}, {threshold.operator.value.lower()} {threshold.value:g}{unit}"
            f" for {seconds_of(observation.now - since)}"
        ),
        sampled_at=observation.now,
        since=since,
        value=value,
        threshold=threshold.value,
    )
    pods = tuple(dict.fromkeys(pod for hit in hits for pod in hit[2]))
    return Origin.THRESHOLD, evidence, pods


def _alert(
    policy: HealingPolicy, signal: Signal, seen: Snapshot, observation: Observation
) -> Finding | None:
    found = find_alert(seen, signal, observation.firing, observation.now)
    if found is None:
        return None
    evidence, pods, alerts, suppressed = found
    return Finding(
        seen.ref,
        policy.metadata.name,
        signal.name,
        signal.about,
        Origin.EVENT,  # somebody else decided: there is no value, and no threshold of ours
        evidence,
        pods[:MAX_EVIDENCE_PODS],
        alerts,
        suppressed,
    )


def _earliest_first(hit: tuple[float, float, tuple[PodRef, ...]]) -> tuple[float, list[str]]:
    """Series that breach since the same moment go by the names of their pods."""
    return hit[0], [pod.name for pod in hit[2]]


def _meant(
    seen: Snapshot, signal: Signal, breaches: Breaches
) -> Iterator[tuple[Breach, tuple[PodRef, ...]]]:
    """The series that speak of this workload, each with the pods it means.

    A series about the workload as a whole means all of its pods. Series of other namespaces are
    never followed, whatever the query returns.
    """
    namespace = seen.ref.namespace
    if signal.by_workload is not None:
        everyone = tuple(pod.ref for pod in seen.present)
        for breach in breaches.about(namespace, signal.by_workload, seen.ref.name):
            yield breach, everyone
        return
    for pod in seen.present:
        for breach in breaches.about(namespace, signal.pod_label or "pod", pod.ref.name):
            yield breach, (pod.ref,)
