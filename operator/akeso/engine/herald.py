"""Tells people's own systems what became of Healings: at least once, and never in the loop's way.

Sending has a task of its own, so that a slow receiver delays nobody. What was told is written by
the loop, which is the only writer of Healings, a bounded number per cycle. Nothing is remembered
that matters: what a Healing's condition `Notified` does not say is told (again, with the same id).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence

from akeso.api.scalars import from_unix
from akeso.engine.notices import Notice, Told, digest, due, message, told
from akeso.engine.records import Records
from akeso.errors import AkesoError, PermanentError, TransientError
from akeso.policy.retry import pause
from akeso.protocols import Channel, Clock, Message
from akeso.settings import Settings
from akeso.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

IDLE_SECONDS = 1.0  # how soon the task sees what the loop has found
RECORDED_PER_CYCLE = 50  # a bound, so that a storm's bookkeeping can't keep healings waiting
DOWN_SECONDS = 60.0  # failing for so long is worth a person's attention


class Herald:
    """`record` belongs to the loop, `run` is the task that sends; both on one event loop."""

    def __init__(
        self,
        records: Records,
        channel: Channel,
        metrics: Metrics,
        clock: Clock,
        settings: Settings,
        chance: Callable[[], float],
    ) -> None:
        self._records = records
        self._channel = channel
        self._metrics = metrics
        self._clock = clock
        self._settings = settings
        self._chance = chance
        self._waiting: dict[str, Notice] = {}
        self._told: dict[str, Told] = {}  # by notice, until it is on record
        self._tries: Counter[str] = Counter()
        self._failures = 0  # in a row
        self._failing: tuple[float, str] | None = None  # since when, and the first error
        self._refusal: str | None = None  # the last message's, if it was refused for good

    async def record(self) -> None:
        """Looks what is to be told, and writes down what was. Raises nothing."""
        now = from_unix(self._clock.now())
        notices = {notice.id: notice for notice in due(self._records.healings(), now)}
        self._told = {id: how for id, how in self._told.items() if id in notices}
        self._waiting = {id: n for id, n in notices.items() if id not in self._told}
        self._tries = Counter({id: n for id, n in self._tries.items() if id in self._waiting})
        self._metrics.untold.set(len(self._waiting))
        if not self._waiting:
            self._failures, self._failing = 0, None
        for id in list(self._told)[:RECORDED_PER_CYCLE]:
            try:
                await self._records.save(told(notices[id], self._told[id], now))
            except AkesoError as error:
                log.info("Notified not written, the next cycle tries again: %s", error)

    async def run(self) -> None:
        """Sends for ever what waits."""
        while True:
            await self._clock.sleep(await self.step())

    async def step(self) -> float:
        """Sends one message, if any waits; seconds to wait before the next."""
        batch = self._batch()
        if not batch:
            return IDLE_SECONDS
        sent = digest(batch) if len(batch) > 1 else message(batch[0])
        try:
            await self._channel.deliver(sent)
        except PermanentError as error:
            log.error("%s is not told: %s", _about(batch), error)
            self._refusal = str(error)
            self._settle(batch, Told(False, f"not told: {error}"), "refused")
        except AkesoError as error:
            return self._again(batch, error)
        else:
            self._refusal = None
            self._settle(batch, Told(True, _how(batch, sent)), "delivered")
        return 0.0

    def problems(self) -> Sequence[str]:
        """What a person should know; the same words for as long as it lasts."""
        if self._failing and self._clock.now() - self._failing[0] >= DOWN_SECONDS:
            return (f"notifications wait: {self._failing[1]}",)
        return (f"a notification was refused: {self._refusal}",) if self._refusal else ()

    def _batch(self) -> list[Notice]:
        """All of them in a storm, else the one that was tried least: none can block the others."""
        waiting = list(self._waiting.values())
        if len(waiting) > self._settings.webhook_digest_above:
            return waiting
        return sorted(waiting, key=lambda n: (self._tries[n.id], n.at, n.id))[:1]

    def _settle(self, batch: Sequence[Notice], how: Told, result: str) -> None:
        self._failures, self._failing = 0, None
        self._metrics.notifications.labels(result).inc()
        for notice in batch:
            self._told[notice.id] = how
            self._waiting.pop(notice.id, None)

    def _again(self, batch: Sequence[Notice], error: AkesoError) -> float:
        self._failures += 1
        self._failing = self._failing or (self._clock.now(), str(error))
        self._metrics.notifications.labels("failed").inc()
        self._tries.update(notice.id for notice in batch)
        asked = error.retry_after if isinstance(error, TransientError) else None
        wait = pause(self._failures, asked, self._chance())
        log.warning("%s is not told yet, next try in %.0f s: %s", _about(batch), wait, error)
        return wait


def _about(batch: Sequence[Notice]) -> str:
    if len(batch) > 1:
        return f"A digest of {len(batch)} Healings"
    meta = batch[0].healing.metadata
    return f"Healing {meta.namespace}/{meta.name} ({batch[0].word})"


def _how(batch: Sequence[Notice], sent: Message) -> str:
    return f"told in digest {sent.id}" if len(batch) > 1 else f"told in message {sent.id}"
