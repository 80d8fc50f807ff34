"""The loop, in a dozen lines: observe, detect, open, advance, report."""

from __future__ import annotations

import logging
from collections.abc import Callable

from akeso.api.control import HealingControl
from akeso.api.healing import Healing
from akeso.api.meta import ObjectMeta
from akeso.api.policy import HealingPolicy, HealingPolicySpec, LabelSelector, Signal, Target
from akeso.engine.detect import Problem, detect
from akeso.engine.experience import Experience
from akeso.engine.gauges import Gauges
from akeso.engine.heal import Healer
from akeso.engine.intent import finished
from akeso.engine.judge import Circumstances
from akeso.engine.observe import Observation, Observer
from akeso.engine.records import Records
from akeso.engine.report import Reporter
from akeso.engine.restore import Restorer, owes
from akeso.engine.subject import Subject, subject_of
from akeso.errors import AkesoError
from akeso.protocols import Clock
from akeso.settings import Settings
from akeso.telemetry.metrics import Metrics

log = logging.getLogger(__name__)


class Loop:
    """Runs one cycle after the other; an error in one part never stops the others."""

    def __init__(
        self,
        records: Records,
        observer: Observer,
        healer: Healer,
        restorer: Restorer,
        reporter: Reporter,
        metrics: Metrics,
        clock: Clock,
        settings: Settings,
        experience: Experience | None = None,
    ) -> None:
        self._records = records
        self._observer = observer
        self._healer = healer
        self._restorer = restorer
        self._reporter = reporter
        self._metrics = metrics
        self._experience = experience  # None: nothing is learned
        self._gauges = Gauges(records, metrics, settings)
        self._clock = clock
        self._settings = settings
        self.between: Callable[[], None] = lambda: None  # where settings change, and nowhere else
        self.ended_at = 0.0  # when the last cycle ended, Unix seconds

    async def run(self) -> None:
        """Cycles for ever, each `settings.cycle` seconds after the last one began."""
        while True:
            self.between()
            began = self._clock.now()
            await self.cycle()
            took = self._clock.now() - began
            self._metrics.cycle_seconds.observe(took)
            self.ended_at = self._clock.now()
            self._metrics.last_cycle.set(self.ended_at)
            await self._clock.sleep(max(0.1, self._settings.cycle - took))

    async def cycle(self) -> None:
        """One cycle. Never raises an AkesoError."""
        self._gauges.begin()
        if self._experience is not None:
            self._experience.recall(self._records.control())
        observation = await self._observer.observe(self._records.policies())
        problems = detect(self._records.policies(), observation, self._settings)
        await self._open(problems, observation)
        for healing in self._records.healings():
            if not finished(healing):
                await self._advance("advance", self._healer, healing, problems, observation)
            elif owes(healing):
                await self._advance("restore", self._restorer, healing, problems, observation)
        degraded = await self._reporter.report(observation)
        if self._experience is not None:
            self._experience.count()
        self._gauges.show(observation, problems.values(), degraded)

    async def _open(
        self, problems: dict[tuple[str, str, str], Problem], observation: Observation
    ) -> None:
        being_healed = {
            (h.spec.target.uid, h.spec.signal) for h in self._records.healings() if not finished(h)
        }
        for problem in problems.values():
            if (problem.seen.ref.uid, problem.signal.name) in being_healed:
                continue
            if problem.finding.suppressed:
                continue
            try:
                await self._healer.open(problem, self._around(problem.policy, observation))
            except AkesoError as error:
                self._failed("open", str(error))

    async def _advance(
        self,
        what: str,
        mover: Healer | Restorer,
        healing: Healing,
        problems: dict[tuple[str, str, str], Problem],
        observation: Observation,
    ) -> None:
        """One Healing's error keeps no other waiting."""
        try:
            await mover.advance(healing, self._subject(healing, problems, observation))
        except AkesoError as error:
            self._failed(what, f"Healing {healing.metadata.name}: {error}")

    def _subject(
        self,
        healing: Healing,
        problems: dict[tuple[str, str, str], Problem],
        observation: Observation,
    ) -> Subject:
        spec = healing.spec
        problem = problems.get((spec.policy_ref.uid, spec.signal, spec.target.uid))
        around = self._around(self._policy_of(healing), observation)
        return subject_of(healing, problem, around)

    def _policy_of(self, healing: Healing) -> HealingPolicy:
        """Its policy; where that is gone, one that allows nothing but restoring."""
        ref = healing.spec.policy_ref
        for policy in self._records.policies():
            if policy.metadata.uid == ref.uid:
                return policy
        return HealingPolicy(
            metadata=ObjectMeta(name=ref.name, namespace=healing.metadata.namespace, uid=ref.uid),
            spec=HealingPolicySpec(
                targets=(Target(name="gone", selector=LabelSelector()),),
                signals=(Signal(name=healing.spec.signal, ladder=()),),
            ),
        )

    def _around(self, policy: HealingPolicy, observation: Observation) -> Circumstances:
        control: HealingControl | None = self._records.control()
        return Circumstances(policy, control, observation, self._records.healings())

    def _failed(self, part: str, message: str) -> None:
        self._metrics.cycle_errors.labels(part).inc()
        log.warning("%s, the next cycle tries again: %s", part, message)
