"""A whole world in memory for tests of the engine: only time, cluster and metrics are simulated.

Predictor, judge, guards, healers and loop are the real ones. `World.restart` drops every object
of the engine and builds new ones from what is stored, as a new process would.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from prometheus_client import CollectorRegistry

from akeso.api.control import HealingControl
from akeso.api.healing import Healing
from akeso.api.meta import ObjectMeta
from akeso.api.policy import HealingPolicy
from akeso.api.scalars import from_unix
from akeso.domain.alert import Alert, Matcher, Operator, Silence
from akeso.domain.finding import Decision, Outcome
from akeso.engine.experience import Experience
from akeso.engine.heal import Healer
from akeso.engine.herald import Herald
from akeso.engine.intent import finished
from akeso.engine.judge import Judge
from akeso.engine.loop import Loop
from akeso.engine.observe import Observer
from akeso.engine.report import Reporter
from akeso.engine.restore import Restorer
from akeso.errors import AkesoError
from akeso.protocols import Healer as Routine
from akeso.protocols import Message, Reading, Usage
from akeso.settings import Settings
from akeso.telemetry.metrics import Metrics
from akeso_healers import built_in
from akeso_predictors import Forecaster
from unit.engine.sim_cluster import Crash, Journal, SimCluster
from unit.engine.sim_records import SimRecords
from unit.engine.sim_workload import MIB, SimWorkload

NOW = 1_800_000_000.0  # a multiple of the scrape interval
SCRAPE = 15.0
LEAK = 0.16 * MIB  # bytes per second: 40 MiB -> 256 MiB in 22 minutes


class SimClock:
    """Virtual time: it passes only when a test says so, and the cluster with it."""

    def __init__(self, cluster: SimCluster) -> None:
        self._cluster = cluster

    def now(self) -> float:
        return self._cluster.now

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds)):
            self._cluster.pass_second()


class SimSource:
    """Implements `akeso.protocols.MetricSource` on the cluster's own memory.

    `down` is raised by everything; `silent` pods give no samples, from `frozen_at` on nobody
    does. `answers` maps queries to what they return now.
    """

    kind = "Prometheus"

    def __init__(self, cluster: SimCluster) -> None:
        self._cluster = cluster
        self.down: AkesoError | None = None
        self.history_down: AkesoError | None = None
        self.silent: set[str] = set()
        self.frozen_at: float | None = None
        self.odd: list[Usage] = []
        self.answers: dict[str, Callable[[float], Sequence[Reading]]] = {}

    async def memory(self) -> Sequence[Usage]:
        return [*self._samples(self._cluster.now - 3 * SCRAPE, self._cluster.now), *self.odd]

    async def memory_history(self, start: float, end: float) -> Sequence[Usage]:
        if self.history_down is not None:
            raise self.history_down
        return self._samples(start, end)

    async def cpu(self) -> Sequence[Usage]:
        newest = self._cluster.now // SCRAPE * SCRAPE
        return self._cores(newest if self.frozen_at is None else min(newest, self.frozen_at))

    async def cpu_history(self, start: float, end: float, step: float) -> Sequence[Usage]:
        if self.history_down is not None:
            raise self.history_down
        times = [start + i * step for i in range(int((end - start) / step) + 1)]
        return [use for time in times for use in self._cores(time)]

    async def evaluate(self, query: str) -> Sequence[Reading]:
        self._fail()
        answer = self.answers.get(query)
        return answer(self._cluster.now) if answer else []

    async def evaluate_range(
        self, query: str, start: float, end: float, step: float
    ) -> Sequence[Sequence[Reading]]:
        self._fail()
        answer = self.answers.get(query)
        series: dict[frozenset[tuple[str, str]], list[Reading]] = {}
        at = start
        while answer is not None and at <= end:
            for reading in answer(at):
                series.setdefault(frozenset(reading.labels.items()), []).append(reading)
            at += step
        return list(series.values())

    def _fail(self) -> None:
        if self.down is not None:
            raise self.down

    def _cores(self, time: float) -> list[Usage]:
        self._fail()
        return [
            Usage(w.ref.namespace, pod.ref.name, "app", time, w.cores(pod, time))
            for w in self._cluster.workloads.values()
            for pod in w.present
            if pod.ref.name not in self.silent and time > pod.started
        ]

    def _samples(self, start: float, end: float) -> list[Usage]:
        self._fail()
        end = end if self.frozen_at is None else min(end, self.frozen_at)
        found: list[Usage] = []
        for w in self._cluster.workloads.values():
            for pod in w.present:
                if pod.ref.name in self.silent:
                    continue
                at = -(-max(start, pod.started + 1) // SCRAPE) * SCRAPE
                while at <= end:
                    name = (w.ref.namespace, pod.ref.name, "app")
                    found.append(Usage(*name, at, w.memory(pod, at)))
                    at += SCRAPE
        return found


class SimAlerts:
    """Implements `akeso.protocols.AlertSource`.

    `firing` gives what fires now; a silence on an alert suppresses it, as in Alertmanager. `down`
    is raised by everything; `asked` counts the reads of silences.
    """

    def __init__(self, cluster: SimCluster) -> None:
        self._cluster = cluster
        self.down: AkesoError | None = None
        self.firing: Callable[[], Sequence[Alert]] = list
        self.made: list[Silence] = []
        self.asked = 0

    async def alerts(self) -> Sequence[Alert]:
        if self.down is not None:
            raise self.down
        held = self._held()
        return [
            replace(a, suppressed=a.suppressed or any(s.covers(a.labels) for s in held))
            for a in self.firing()
        ]

    async def silences(self) -> Sequence[Silence]:
        self.asked += 1
        if self.down is not None:
            raise self.down
        return self._held()

    def _held(self) -> list[Silence]:
        return [s for s in self.made if s.ends_at > self._cluster.now]

    def silence(self, seconds: float, **labels: str) -> None:
        """Somebody silences what has these labels."""
        matchers = tuple(Matcher(name, Operator.EQUAL, value) for name, value in labels.items())
        ends = self._cluster.now + seconds
        self.made.append(Silence(f"s-{len(self.made)}", matchers, ends, "ana", "we are at it"))


class SimNotifier:
    """Remembers every decision."""

    def __init__(self) -> None:
        self.heard: list[Decision] = []

    async def notify(self, decision: Decision) -> None:
        self.heard.append(decision)

    def story(self) -> list[str]:
        return [d.what for d in self.heard]


class SimChannel:
    """A receiver that takes every message, or raises what `faults` has first."""

    def __init__(self, cluster: SimCluster) -> None:
        self._cluster = cluster
        self.taken: list[Message] = []
        self.tried: list[float] = []  # when, Unix seconds
        self.faults: list[AkesoError] = []
        self.down: AkesoError | None = None

    async def deliver(self, message: Message) -> None:
        self.tried.append(self._cluster.now)
        if self.down is not None:
            raise self.down
        if self.faults:
            raise self.faults.pop(0)
        self.taken.append(message)


@dataclass
class Engine:
    """What dies with the process."""

    herald: Herald | None
    loop: Loop
    observer: Observer
    judge: Judge
    predictor: Forecaster


class World:
    """Everything put together; time passes in `run`."""

    def __init__(self, *more_healers: Routine, webhook: bool = False, **settings: Any) -> None:
        self.settings = Settings(scrape_interval_seconds=SCRAPE, **settings)
        self.journal = Journal()
        self.cluster = SimCluster(self.journal, NOW)
        self.clock = SimClock(self.cluster)
        self.source = SimSource(self.cluster)
        self.alerts = SimAlerts(self.cluster)
        self.records = SimRecords(self.journal, self.cluster)
        self.notifier = SimNotifier()
        self.channel = SimChannel(self.cluster) if webhook else None
        self._telling_at = NOW  # when the task that tells wakes up again
        self.more_healers = more_healers
        self.crashes = 0
        self.began = NOW
        self.engine = self._engine()
        control = HealingControl(metadata=ObjectMeta(name="akeso", namespace="akeso"))
        self.control = self.records.put(control)

    def _engine(self) -> Engine:
        healers = built_in(self.settings.rollout_blame_seconds)
        judge = Judge((*healers, *self.more_healers), self.settings)
        alerts = self.alerts if self.settings.alertmanager_url else None
        predictor = Forecaster(SCRAPE)
        healer = Healer(
            self.cluster,
            self.records,
            judge,
            predictor,
            self.notifier,
            self.clock,
            self.settings,
            alerts,
        )
        restorer = Restorer(
            self.cluster, self.records, judge, self.notifier, self.clock, self.settings
        )
        observer = Observer(self.cluster, self.source, predictor, self.clock, self.settings, alerts)
        self.metrics = metrics = Metrics(CollectorRegistry(), self.clock.now)
        herald = None
        if self.channel is not None:
            herald = Herald(
                self.records, self.channel, metrics, self.clock, self.settings, lambda: 0.0
            )
        experience = Experience(predictor, metrics)
        reporter = Reporter(
            self.records,
            self.source.kind,
            tuple(judge.healers),
            lambda: (),
            self.clock,
            self.settings,
            herald,
            experience,
        )
        loop = Loop(
            self.records,
            observer,
            healer,
            restorer,
            reporter,
            metrics,
            self.clock,
            self.settings,
            experience,
        )
        return Engine(herald, loop, observer, judge, predictor)

    def restart(self) -> None:
        """The process is gone; a new one starts."""
        self.engine = self._engine()
        self._telling_at = self.cluster.now

    def policy(self, *signals: Mapping[str, Any], **spec: Any) -> HealingPolicy:
        """Creates or changes policy "shop": mode Heal on everything, unless told otherwise."""
        name = spec.pop("name", "shop")
        namespace = spec.pop("namespace", "shop")
        wire = {
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "mode": "Heal",
                "targets": [{"name": "all", "selector": {}}],
                "signals": [dict(s) for s in signals] or [dict(MEMORY)],
                **spec,
            },
        }
        return self.records.put(HealingPolicy.parse(wire))

    def remember(self, policy: HealingPolicy, w: SimWorkload, *revisions: str) -> None:
        """Lets the policy have seen these revisions healthy, newest first."""
        self.remember_all(policy, [w], *revisions)

    def remember_all(
        self, policy: HealingPolicy, workloads: Sequence[SimWorkload], *revisions: str
    ) -> None:
        wire = self.records.wire(policy)
        seen = wire.setdefault("status", {}).setdefault("revisions", [])
        seen.extend(
            {
                "kind": w.ref.kind.value,
                "name": w.ref.name,
                "uid": w.ref.uid,
                "healthy": list(revisions),
                "since": "2027-01-01T00:00:00Z",
            }
            for w in workloads
        )
        self.records.overwrite(policy, wire)

    def pause(self, reason: str | None) -> None:
        """The kill switch, pulled by a person."""
        spec: dict[str, Any] = {} if reason is None else {"paused": {"reason": reason}}
        meta = {"name": "akeso", "namespace": "akeso"}
        self.records.put(HealingControl.parse({"metadata": meta, "spec": spec}))

    async def cycle(self) -> None:
        """One cycle and the time until the next; a crash is followed by a new process."""
        try:
            await self.engine.loop.cycle()
        except Crash:
            self.crashes += 1
            self.restart()
        await self.tell()
        self.clock.advance(self.settings.cycle)

    async def tell(self) -> None:
        """What the task that tells does until it sleeps beyond this moment."""
        while self.engine.herald is not None and self._telling_at <= self.cluster.now:
            self._telling_at = self.cluster.now + await self.engine.herald.step()

    async def run(self, seconds: float) -> None:
        until = self.cluster.now + seconds
        while self.cluster.now < until:
            await self.cycle()

    async def until(self, done: Callable[[], object], within: float = 7_200) -> None:
        """Cycles until something holds; AssertionError with the story when it does not."""
        end = self.cluster.now + within
        while not done():
            assert self.cluster.now < end, self.told()
            await self.cycle()

    def told(self) -> str:
        lines = [f"{d.at - NOW:7.0f} {d.what} {d.reason}: {d.message}" for d in self.notifier.heard]
        return "\n".join([*lines, *self.journal.writes])

    def healing(self, index: int = -1) -> Healing:
        return self.healings()[index]

    def healings(self) -> list[Healing]:
        return sorted(self.records.healings(), key=lambda h: int(h.metadata.uid.split("-")[-1]))

    def wrote(self, number: int = 1) -> Callable[[], bool]:
        """So many writes to users' objects were made."""
        return lambda: len(self.journal.of_users()) >= number

    def opened(self, number: int = 1) -> Callable[[], bool]:
        return lambda: len(self.healings()) >= number

    def completed(self, number: int = 1) -> Callable[[], bool]:
        return lambda: sum(finished(h) for h in self.healings()) >= number

    def acting(self) -> bool:
        return any(h.status.attempts and not finished(h) for h in self.healings())

    def verifying(self) -> bool:
        """Every write is done and checks have begun."""
        return any(
            h.status.attempts and h.status.attempts[-1].checks is not None and not finished(h)
            for h in self.healings()
        )

    def outcomes(self) -> list[Outcome | None]:
        return [h.status.verdict for h in self.healings()]

    def condition(self, type: str, healing: Healing | None = None) -> str | None:
        """The reason of a condition that holds."""
        healing = healing or self.healing()
        found = [c for c in healing.status.conditions if c.type == type and c.status == "True"]
        return found[0].reason if found else None


def stem(write: str) -> str:
    """A write without what the controller, or a crash, makes different: generated pod names."""
    return re.sub(r"(evict|delete) (.*)-v\d+-\d+$", r"\1 \2", write)


MEMORY: Mapping[str, Any] = {"name": "memory", "builtin": "MemoryExhaustion"}
ROLLOUT: Mapping[str, Any] = {"name": "rollout", "builtin": "RolloutFailing"}


def at(unix: float) -> Any:
    return from_unix(unix)
