"""What the metrics show of a cycle. Told from what is recorded, so that it agrees with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from akeso.api.healing import Healing
from akeso.api.policy import HealingPolicy
from akeso.api.scalars import from_unix
from akeso.domain.finding import Signal as About
from akeso.engine.conclude import patience
from akeso.engine.detect import Problem
from akeso.engine.intent import finished, running
from akeso.engine.load import bounded, watched
from akeso.engine.observe import Observation
from akeso.engine.records import Records
from akeso.engine.volumes import claims_of
from akeso.errors import TransientError
from akeso.settings import Settings
from akeso.telemetry.metrics import Metrics

STATES = ("acting", "needs-human", "blocked", "waiting")
Healings = Mapping[str, Healing]  # by uid


class Gauges:
    """Shows each cycle; remembers what the last one showed, so that an ending counts once."""

    def __init__(self, records: Records, metrics: Metrics, settings: Settings) -> None:
        self._records = records
        self._metrics = metrics
        self._needed: set[str] = set()  # sources
        self._known: Healings | None = None
        self._expected: set[tuple[str, tuple[str, ...]]] = set()
        # Asked for when they are read: settings may change while it runs.
        metrics.cycle_interval.set_function(lambda: settings.cycle)
        metrics.stale_after.set_function(lambda: settings.stale_after)

    def begin(self) -> None:
        """What ended before the first cycle of this process was counted by another one."""
        if self._known is None:
            self._known = self._healings()

    def show(self, observation: Observation, problems: Iterable[Problem], degraded: int) -> None:
        self._workloads(observation, problems)
        self._policies()
        self._sources(observation)
        healings = self._healings()
        self._open([h for h in healings.values() if not finished(h)], observation.now)
        self._moved(self._known or {}, healings)
        self._known = healings
        self._metrics.degraded.set(degraded)
        control = self._records.control()
        paused = control.spec.paused if control is not None else None
        held = paused is not None and paused.holds(from_unix(observation.now))
        self._metrics.paused.set(held)

    def _healings(self) -> Healings:
        return {h.metadata.uid: h for h in self._records.healings()}

    def _workloads(self, observation: Observation, problems: Iterable[Problem]) -> None:
        targets = observation.selection.targets.values()
        self._metrics.targets.set(len({seen.ref.uid for found in targets for seen in found}))
        counts = Counter(p.finding.about.value for p in problems)
        for about in About:
            self._metrics.at_risk.labels(about.value).set(counts[about.value])

    def _policies(self) -> None:
        expected = {
            (signal.about.value, tuple(rung.healer for rung in signal.rungs))
            for policy in self._records.policies()
            for signal in policy.spec.signals
        }
        for about, healers in expected - self._expected:
            self._metrics.expect(about, healers)
        self._expected |= expected
        counts = Counter((p.spec.mode.value, _ready(p)) for p in self._records.policies())
        self._metrics.policies.clear()
        for (mode, ready), count in counts.items():
            self._metrics.policies.labels(mode, ready).set(count)

    def _sources(self, observation: Observation) -> None:
        heard = dict(_sources(observation, self._records.policies()))
        for source in self._needed - heard.keys():
            self._metrics.forget(source)
        for source, at in heard.items():
            if at is not None or source not in self._needed:
                self._metrics.hear(source, observation.now if at is None else at)
        self._needed = set(heard)

    def _open(self, healings: Sequence[Healing], now: float) -> None:
        metrics = self._metrics
        states = Counter(map(_state, healings))
        for state in STATES:
            metrics.open.labels(state).set(states[state])
        metrics.blocked.clear()
        reasons = (reason for h in healings if (reason := _stands(h, "Blocked")) is not None)
        for reason, count in Counter(reasons).items():
            metrics.blocked.labels(reason).set(count)
        under_way = [(h, attempt) for h in healings if (attempt := running(h)) is not None]
        metrics.oldest.set(max((now - _began(h) for h, _ in under_way), default=0.0))
        late = (now - patience(attempt).timestamp() for _, attempt in under_way)
        metrics.overdue.set(max(0.0, max(late, default=0.0)))

    def _moved(self, before: Healings, after: Healings) -> None:
        """Counts what happened to each Healing since the last look."""
        abouts = {
            (p.metadata.uid, s.name): s.about.value
            for p in self._records.policies()
            for s in p.spec.signals
        }
        for uid, healing in after.items():
            known = before.get(uid)
            if known is healing:
                continue
            about = abouts.get((healing.spec.policy_ref.uid, healing.spec.signal), "")
            if known is None and not finished(healing):
                self._metrics.opened.labels(healing.spec.origin.value, about).inc()
            self._acted(known, healing, about)
            self._ended(known, healing, about)

    def _acted(self, known: Healing | None, healing: Healing, about: str) -> None:
        attempts, evidence = healing.status.attempts, healing.spec.evidence
        ahead = evidence.time_to_threshold_seconds
        if not attempts or (known is not None and known.status.attempts):
            return
        if ahead is not None and ahead.p50 is not None:
            due = evidence.sampled_at.timestamp() + ahead.p50
            lead = max(0.0, due - attempts[0].started_at.timestamp())
            self._metrics.lead_seconds.labels(about).observe(lead)

    def _ended(self, known: Healing | None, healing: Healing, about: str) -> None:
        status = healing.status
        healer = status.attempts[-1].healer if status.attempts else ""
        back = _stands(healing, "Undone")
        if back is not None and (known is None or _stands(known, "Undone") is None):
            self._metrics.undone.labels(healer, back).inc()
        if status.completed_at is None or (known is not None and finished(known)):
            return
        verdict = status.verdict.value if status.verdict else ""
        self._metrics.healings.labels(verdict, healer, about).inc()
        took = max(0.0, status.completed_at.timestamp() - _began(healing))
        self._metrics.healing_seconds.labels(verdict, about).observe(took)


def _sources(
    observation: Observation, policies: Sequence[HealingPolicy]
) -> Iterator[tuple[str, float | None]]:
    """Each source that policies need, with the time of its newest sample; None: nothing new."""
    now, selection = observation.now, observation.selection
    if observation.containers:
        yield "memory", observation.newest_memory
    cpu = watched(selection, policies, About.CPU_SATURATION)
    if any(any(bounded(pair.seen)) for pair in cpu):
        times = (use.time for use in observation.cpu.by_container.values())
        yield "cpu", max(times, default=None)
    volumes = watched(selection, policies, About.VOLUME_FILLING)
    if any(claims_of(pair.seen) for pair in volumes):
        yield "volumes", now if any(observation.volumes.readings.values()) else None
    if observation.queries:
        # One that is wrong for good is its policy's affair, and says so there.
        errors = (result.error for result in observation.queries.values())
        down = any(isinstance(error, TransientError) for error in errors)
        yield "queries", None if down else now
    if policies and observation.silences.asked:
        down = bool(observation.firing.error or observation.silences.error)
        yield "alerts", None if down else now


def _ready(policy: HealingPolicy) -> str:
    ready = any(c.type == "Ready" and c.status == "True" for c in policy.status.conditions)
    return "true" if ready else "false"


def _state(healing: Healing) -> str:
    if running(healing) is not None:
        return "acting"
    if _stands(healing, "NeedsHuman") is not None:
        return "needs-human"
    return "waiting" if _stands(healing, "Blocked") is None else "blocked"


def _stands(healing: Healing, type: str) -> str | None:
    """The reason of a condition that holds."""
    found = (c for c in healing.status.conditions if c.type == type and c.status == "True")
    return next((c.reason for c in found), None)


def _began(healing: Healing) -> float:
    """When the problem was found, by the API server's clock where there is one."""
    made: datetime | None = healing.metadata.creation_timestamp
    return (made or healing.spec.evidence.sampled_at).timestamp()
