"""One operator process, put together, and its life."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kopf

from akeso.clients.clock import SystemClock
from akeso.clients.endpoints import Endpoints, serve
from akeso.clients.kubernetes.capabilities import capabilities
from akeso.clients.kubernetes.cluster import KubernetesCluster
from akeso.clients.kubernetes.connection import ApiServer, connect, credentials
from akeso.clients.kubernetes.events import EventNotifier
from akeso.clients.kubernetes.lease import COORDINATION, Leadership
from akeso.clients.kubernetes.lease import NAME as LEASE_NAME
from akeso.clients.kubernetes.paths import collection
from akeso.clients.kubernetes.raw import part, text
from akeso.clients.kubernetes.reflector import Reflector, Source
from akeso.clients.prometheus import PrometheusSource
from akeso.clients.records import KubernetesRecords
from akeso.clients.webhook import Webhook
from akeso.domain.finding import Decision
from akeso.engine.herald import Herald
from akeso.engine.judge import FIELD_MANAGER
from akeso.engine.loop import Loop
from akeso.errors import AkesoError
from akeso.protocols import Clock
from akeso.settings import Settings
from akeso.settings.names import unknown_variables
from akeso.simulation.ports import Ports, Problems
from akeso.simulation.recorder import Recorder
from akeso.telemetry import logs
from akeso.telemetry.metrics import Metrics
from akeso.version import version
from akeso.wiring.engine import engine
from akeso.wiring.entitlement import Entitlement
from akeso.wiring.exposure import expose, registry
from akeso.wiring.fitting import fitter
from akeso.wiring.parts import alert_source, metric_source
from akeso.wiring.reloading import Reloader
from akeso.wiring.watching import Watching

log = logging.getLogger(__name__)

LONGEST_PAUSE = 30.0
# The leader renews its Lease every few seconds and bookmarks come once a minute: a watch that is
# silent for longer than this is dead.
SILENT_SECONDS = 150.0
STUCK_SECONDS = 120.0
# Until the API servers refuse the writes of a former leader; they hear of a new one by a watch,
# within milliseconds.
SETTLES_SECONDS = 1.0


class Troubles:
    """What can't be read, may not be done or is not taken, from all who know of such things."""

    def __init__(self, *sources: Problems) -> None:
        self.sources = list(sources)

    def problems(self) -> Sequence[str]:
        return tuple(problem for source in self.sources for problem in source.problems())


@dataclass(slots=True)
class Teller:
    """Tells a decision to the log, the metrics and as an Event."""

    metrics: Metrics
    events: EventNotifier

    async def notify(self, decision: Decision) -> None:
        logs.log_decision(decision)
        self.metrics.count(decision)
        await self.events.notify(decision)


class Operator:
    """One operator process, put together; `run` is its life."""

    def __init__(self, api: ApiServer, settings: Settings, read: Callable[[], Settings]) -> None:
        """`read` gives the settings as a start would find them now."""
        self.api = api
        self.settings = settings
        self.clock = SystemClock()
        self.metrics = Metrics(registry(), self.clock.now)
        self.leadership = Leadership(api, settings, self.clock)
        self.records = KubernetesRecords(api, settings)
        self.cluster = KubernetesCluster(
            api,
            self.clock,
            settings.watch_namespaces,
            manager=FIELD_MANAGER,
            fence=lambda: self.leadership.holds,
        )
        self.source = metric_source(api, settings)
        self.webhook = self._webhook()
        self.herald = self._herald()
        self.alerts = alert_source(settings)
        self.recorder = self._recorder()
        self.reloader = Reloader(settings, read, self.clock)
        self.entitlement = Entitlement(api, self.records, settings, self.clock)
        self.reloader.changed.append(self.entitlement.changed)
        self.watching = Watching(self.records, self._kopf_login, self.clock, settings)
        self.troubles = Troubles(self.watching, self.cluster, self.reloader, self.entitlement)
        self.loop = self._loop()
        self.heartbeat = Reflector(api, self.clock, _lease_source(settings))
        self.working_since: float | None = None
        self.led = asyncio.Event()  # set once the HealingControl names this process
        self._stop = asyncio.Event()
        api.tally = self.metrics.answered
        watches = (*self.cluster.informers.reflectors, self.heartbeat)
        expose(self.metrics, self.leadership, watches, self.clock)

    def _webhook(self) -> Webhook | None:
        settings = self.settings
        wanted = settings.webhook_url is not None or settings.webhook_secret_file is not None
        return Webhook(settings, self.clock) if wanted else None

    def _herald(self) -> Herald | None:
        if self.webhook is None:
            return None
        return Herald(
            self.records, self.webhook, self.metrics, self.clock, self.settings, random.random
        )

    def _loop(self) -> Loop:
        teller = Teller(self.metrics, EventNotifier(self.api))
        ports = Ports(
            clock=self.clock,
            metrics=self.source,
            cluster=self.cluster,
            notifier=teller,
            records=self.records,
            informers=self.troubles,
            messages=self.herald,
            alerts=self.alerts,
        )
        if self.recorder is not None:
            ports = self.recorder.ports(ports)
        loop = engine(ports, self.settings, self.metrics, fitter(self.settings, live=True))
        loop.between = self.reloader.look
        return loop

    def _recorder(self) -> Recorder | None:
        """Where a recording is wanted; PermanentError where it can't be written."""
        settings = self.settings
        if settings.record_path is None:
            return None
        return Recorder(settings, version(), self.clock, Path(settings.record_path))

    async def run(self) -> int:
        """Until told to stop (0), or a part is beyond repair (1). A lost Lease ends it at once."""
        runner, port = await serve(
            Endpoints(self._live, self._ready, self.metrics.registry),
            self.settings.listen_host,
            self.settings.listen_port,
        )
        log.info("Listening on port %d.", port)
        tasks = [
            asyncio.create_task(self.watching.run(), name="watch of Akeso's own kinds"),
            asyncio.create_task(self.cluster.run(), name="informers"),
            asyncio.create_task(self.heartbeat.run(), name="heartbeat"),
            asyncio.create_task(self._lead(), name="leadership"),
        ]
        stopped: asyncio.Task[Any] = asyncio.create_task(self._stop.wait(), name="signals")
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        try:
            done, _ = await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
            return self._verdict(done)
        finally:
            self._stop.set()
            for task in (*tasks, stopped):
                task.cancel()
            await asyncio.gather(*tasks, stopped, return_exceptions=True)
            if self.recorder is not None:
                self.recorder.close()
            await self.leadership.release()
            await runner.cleanup()
            if isinstance(self.source, PrometheusSource):
                await self.source.close()
            if self.webhook is not None:
                await self.webhook.close()
            if self.alerts is not None:
                await self.alerts.close()

    def _verdict(self, done: set[asyncio.Task[Any]]) -> int:
        for task in done:
            if task.get_name() == "signals":
                log.info("Told to stop.")
                return 0
            log.error(
                "The %s ended: %s. The process ends; state is in the resources.",
                task.get_name(),
                task.exception(),
            )
        return 1

    async def _kopf_login(self) -> kopf.ConnectionInfo:
        """kopf's own connection, with the same credentials, read anew each time it is refused."""
        found = await credentials(self.settings)
        return kopf.ConnectionInfo(
            server=found.server,
            ca_path=found.ca_path,
            certificate_path=found.certificate_path,
            private_key_path=found.key_path,
            scheme="Bearer" if found.token else None,
            token=found.token,
            insecure=not found.verify,
        )

    async def _lead(self) -> None:
        await self.leadership.acquire()
        self.metrics.leader.set(1)
        keeping = asyncio.create_task(self.leadership.keep(), name="lease")
        working = asyncio.create_task(self._work(), name="loop")
        telling = asyncio.create_task(self._tell(), name="notifications")
        looking = asyncio.create_task(self._look(), name="rights and capabilities")
        try:
            await asyncio.wait({keeping, working}, return_when=asyncio.FIRST_COMPLETED)
            if keeping.done() and not self._stop.is_set():
                log.error("The Lease is lost; this process ends at once.")
                os._exit(1)  # not one write more, whatever is under way
            await working
        finally:
            tasks = (keeping, working, telling, looking)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> None:
        await retried(self._take_over, self.clock)
        self.led.set()
        await self.watching.settled()
        await retried(self.watching.refresh, self.clock)
        while not self.cluster.ready:
            await self.clock.sleep(0.1)
        self.working_since = self.clock.now()
        log.info("Watching; cycles of %g s.", self.settings.cycle)
        await self.loop.run()

    async def _look(self) -> None:
        await self.led.wait()
        await self.entitlement.run()

    async def _take_over(self) -> None:
        """What a former leader may still write is stored before anything is read."""
        await self.records.ensure_control()
        able = await capabilities(self.api, self.settings.namespace)
        if await self.records.lead(self.leadership.identity, able):
            await self.clock.sleep(SETTLES_SECONDS)

    async def _tell(self) -> None:
        """Beside the loop: a defect here ends the telling, never the healing."""
        try:
            if self.herald is not None:
                await self.herald.run()
        except Exception:
            log.exception("Notifications have ended; restart Akeso and report this.")
            self.metrics.cycle_errors.labels("notify").inc()

    async def _live(self) -> str | None:
        """What only a restart helps against. An outage of the API server is not one of them."""
        now = self.clock.now()
        if self.working_since is not None:
            last = max(self.working_since, self.loop.ended_at)
            if now - last > max(STUCK_SECONDS, 10 * self.settings.cycle):
                return f"no cycle has ended for {now - last:.0f} s"
        silent = now - self.heartbeat.heard_at
        if not self.heartbeat.synced.is_set() or silent < SILENT_SECONDS:
            return None
        try:
            await self.api.get(self.heartbeat.source.path, timeout=5.0)
        except AkesoError:
            return None  # the API server is the one that is gone
        return f"the watch of the Lease is silent for {silent:.0f} s while the API server answers"

    async def _ready(self) -> str | None:
        if not self.cluster.ready:
            return f"not listed yet: {'; '.join(self.cluster.problems()) or 'in progress'}"
        if self.watching.ready:
            return None
        problems = "; ".join(self.watching.problems())
        return f"not watching Akeso's own kinds yet: {problems or 'in progress'}"


def _lease_source(settings: Settings) -> Source[str]:
    """Our own Lease, seen through a watch of its own."""
    return Source(
        "leases",
        collection(COORDINATION, "leases", settings.namespace),
        lambda raw: text(part(raw, "spec"), "renewTime"),
        query={"fieldSelector": f"metadata.name={LEASE_NAME}"},
    )


async def retried(call: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Until it works: an installation whose CRDs or rights come a little later heals itself."""
    pause = 1.0
    while True:
        try:
            await call()
            return
        except AkesoError as error:
            log.error("Not started yet, next try in %.0f s: %s", pause, error)
            await clock.sleep(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)


async def run_operator(read: Callable[[], Settings]) -> int:
    """Runs until SIGTERM or SIGINT; the process's exit code. `read`: see `Operator`."""
    settings = read()
    logs.configure(settings.log_level)
    for unknown in unknown_variables(Settings.model_fields, os.environ):
        log.warning("%s", unknown)
    api = await connect(settings)
    try:
        return await Operator(api, settings, read).run()
    finally:
        await api.close()
