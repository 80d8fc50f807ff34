"""The last step of a cycle: what policies and Akeso itself look like, written where it changed."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from akeso.api.healing import Healing
from akeso.api.scalars import from_unix
from akeso.engine import record
from akeso.engine.experience import Experience
from akeso.engine.health import control_status, parts_off, policy_status
from akeso.engine.intent import finished
from akeso.engine.observe import Observation
from akeso.engine.records import Records
from akeso.errors import AkesoError
from akeso.protocols import Clock
from akeso.settings import Settings

log = logging.getLogger(__name__)

DAY = 86_400.0


class Messages(Protocol):
    """What people's own systems are told, as far as the loop has to do with it."""

    async def record(self) -> None:
        """Looks what is to be told, and writes down what was. Raises nothing."""

    def problems(self) -> Sequence[str]:
        """What a person should know; the same words for as long as it lasts."""
        ...


class Reporter:
    """Writes conditions and revisions of policies, the state of Akeso, and prunes."""

    def __init__(
        self,
        records: Records,
        source: str,
        healers: Sequence[str],
        missing: Callable[[], Sequence[str]],
        clock: Clock,
        settings: Settings,
        herald: Messages | None = None,
        experience: Experience | None = None,
    ) -> None:
        self._records = records
        self._source = source
        self._healers = healers
        self._missing = missing
        self._clock = clock
        self._settings = settings
        self._herald = herald  # None: nobody is to be told
        self._experience = experience  # None: nothing is learned

    async def report(self, observation: Observation) -> int:
        """How many things the condition Degraded names."""
        if self._herald is not None:
            await self._herald.record()
        await self._policies(observation)
        off = self._off(observation)
        await self._control(observation, off)
        await self._prune()
        return len(off)

    async def _policies(self, observation: Observation) -> None:
        now = from_unix(self._clock.now())
        active = Counter(h.spec.policy_ref.uid for h in self._records.healings() if not finished(h))
        for policy in self._records.policies():
            after = policy_status(
                policy,
                observation,
                self._healers,
                active[policy.metadata.uid],
                self._settings,
                now,
            )
            if after is not policy:
                await self._try(self._records.save_policy(after))

    def _off(self, observation: Observation) -> Sequence[str]:
        off = [*self._missing(), *(self._herald.problems() if self._herald else ())]
        broken = [f"{b.kind} {b.namespace}/{b.name}: {b.error}" for b in self._records.broken()]
        return [*off, *broken, *parts_off(observation, self._source)]

    async def _control(self, observation: Observation, off: Sequence[str]) -> None:
        control = self._records.control()
        if control is None:
            return
        after = control_status(
            control,
            observation,
            self._source,
            off,
            self._settings,
            from_unix(self._clock.now()),
        )
        learned = None
        if self._experience is not None:
            learned = self._experience.to_store(control, self._clock.now())
        if learned is not None:
            status = after.status.model_copy(update={"calibration": learned})
            after = after.model_copy(update={"status": status})
        if after is not control:
            await self._try(self._records.save_control(after))

    async def _prune(self) -> None:
        """Finished Healings beyond the number kept go, but none that a guard still counts."""
        by_namespace: dict[str, list[Healing]] = {}
        for healing in self._records.healings():
            if finished(healing):
                by_namespace.setdefault(healing.metadata.namespace, []).append(healing)
        for healings in by_namespace.values():
            for healing in self._surplus(healings):
                await self._try(self._records.prune(healing))

    def _surplus(self, healings: list[Healing]) -> list[Healing]:
        healings.sort(key=_completed, reverse=True)
        too_old = self._clock.now() - DAY
        surplus = healings[self._settings.keep_finished :]
        return [h for h in surplus if _completed(h) < too_old and not record.due(h)]

    async def _try(self, write: Awaitable[object]) -> None:
        try:
            await write
        except AkesoError as error:
            log.warning("status not written, the next cycle tries again: %s", error)


def _completed(healing: Healing) -> float:
    at = healing.status.completed_at
    return at.timestamp() if at else 0.0
