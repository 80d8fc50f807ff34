"""The composition root: the only module that names healers, predictors and clients together."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import kopf
from prometheus_client import CollectorRegistry

from akeso.api.control import HealingControl
from akeso.api.policy import HealingPolicy
from akeso.api.scalars import format_time
from akeso.clients.clock import SystemClock
from akeso.clients.endpoints import Endpoints, serve
from akeso.clients.kubernetes.cluster import KubernetesCluster
from akeso.clients.kubernetes.connection import ApiServer, connect, credentials
from akeso.clients.kubernetes.events import EventNotifier
from akeso.clients.kubernetes.lease import COORDINATION, Leadership
from akeso.clients.kubernetes.lease import NAME as LEASE_NAME
from akeso.clients.kubernetes.paths import collection
from akeso.clients.kubernetes.raw import part, text
from akeso.clients.kubernetes.reflector import Reflector, Source
from akeso.clients.metrics_api import MetricsApiSource
from akeso.clients.prometheus import PrometheusSource
from akeso.clients.records import KubernetesRecords
from akeso.domain.finding import Decision
from akeso.domain.workload import Kind, Snapshot
from akeso.engine.explain import Explanation, explain
from akeso.engine.heal import Healer
from akeso.engine.judge import FIELD_MANAGER, Circumstances, Judge
from akeso.engine.loop import Loop
from akeso.engine.observe import Observer
from akeso.engine.records import Records
from akeso.engine.report import Reporter
from akeso.errors import AkesoError, PermanentError
from akeso.handlers.watch import watch
from akeso.protocols import Clock, MetricSource
from akeso.settings import Settings
from akeso.telemetry import logs
from akeso.telemetry.metrics import Metrics
from akeso_healers import RestartPods, Rollback
from akeso_predictors import ExhaustionPredictor

log = logging.getLogger(__name__)

READY_SECONDS = 60.0  # how long a one-off view waits for its lists
LONGEST_PAUSE = 30.0
# The leader renews its Lease every few seconds and bookmarks come once a minute: a watch that is
# silent for longer than this is dead.
SILENT_SECONDS = 150.0
STUCK_SECONDS = 120.0


def healers(settings: Settings) -> tuple[RestartPods, Rollback]:
    """The built-in healers, least invasive first."""
    return RestartPods(), Rollback(settings.rollout_blame_seconds)


def metric_source(api: ApiServer, settings: Settings) -> PrometheusSource | MetricsApiSource:
    """Prometheus where one is set, else what `kubectl top` reads."""
    if settings.prometheus_url is not None:
        return PrometheusSource(settings)
    return MetricsApiSource(api, settings)


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

    def __init__(self, api: ApiServer, settings: Settings) -> None:
        self.api = api
        self.settings = settings
        self.clock = SystemClock()
        self.metrics = Metrics(CollectorRegistry())
        self.leadership = Leadership(api, settings, self.clock)
        self.records = KubernetesRecords(api, settings)
        self.cluster = KubernetesCluster(
            api,
            self.clock,
            settings.watch_namespace,
            manager=FIELD_MANAGER,
            fence=lambda: self.leadership.holds,
        )
        self.source = metric_source(api, settings)
        self.loop = self._loop()
        self.heartbeat = Reflector(api, self.clock, _lease_source(settings))
        self.working_since: float | None = None
        self.watching = asyncio.Event()
        self._stop = asyncio.Event()

    def _loop(self) -> Loop:
        settings, clock = self.settings, self.clock
        judge = Judge(healers(settings), settings)
        predictor = ExhaustionPredictor(settings.scrape_interval_seconds)
        healer = Healer(
            self.cluster,
            self.records,
            judge,
            predictor,
            Teller(self.metrics, EventNotifier(self.api)),
            clock,
            settings,
        )
        observer = Observer(self.cluster, self.source, predictor, clock, settings)
        reporter = Reporter(
            self.records,
            self.source.kind,
            tuple(judge.healers),
            self.cluster.problems,
            clock,
            settings,
        )
        return Loop(self.records, observer, healer, reporter, self.metrics, clock, settings)

    async def run(self) -> int:
        """Until told to stop (0), or a part is beyond repair (1). A lost Lease ends it at once."""
        runner, port = await serve(
            Endpoints(self._live, self._ready, self.metrics.registry),
            self.settings.listen_host,
            self.settings.listen_port,
        )
        log.info("Listening on port %d.", port)
        tasks = [
            asyncio.create_task(self._watch(), name="watch of Akeso's own kinds"),
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
            await self.leadership.release()
            await runner.cleanup()
            if isinstance(self.source, PrometheusSource):
                await self.source.close()

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

    async def _watch(self) -> None:
        """Returns or raises only when the watch is beyond repair."""
        namespaces = (
            (self.settings.watch_namespace, self.settings.namespace)
            if self.settings.watch_namespace
            else ()
        )
        await watch(
            self.records.seen,
            self._kopf_login,
            tuple(dict.fromkeys(namespaces)),
            self.watching,
        )

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
        try:
            await asyncio.wait({keeping, working}, return_when=asyncio.FIRST_COMPLETED)
            if keeping.done() and not self._stop.is_set():
                log.error("The Lease is lost; this process ends at once.")
                os._exit(1)  # not one write more, whatever is under way
            await working
        finally:
            for task in (keeping, working):
                task.cancel()
            await asyncio.gather(keeping, working, return_exceptions=True)

    async def _work(self) -> None:
        await retried(self.records.load, self.clock)
        await retried(self.records.ensure_control, self.clock)
        while not self.cluster.ready:
            await self.clock.sleep(0.1)
        await self.watching.wait()
        self.working_since = self.clock.now()
        log.info("Watching; cycles of %g s.", self.settings.cycle)
        await self.loop.run()

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
        return None if self.watching.is_set() else "not watching Akeso's own kinds yet"


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


async def run_operator(settings: Settings) -> int:
    """Runs until SIGTERM or SIGINT; the process's exit code."""
    logs.configure(settings.log_level)
    api = await connect(settings)
    try:
        return await Operator(api, settings).run()
    finally:
        await api.close()


class View:
    """A look at the cluster without acting: for the command line."""

    def __init__(self, api: ApiServer, settings: Settings, records: KubernetesRecords) -> None:
        self.records: Records = records
        self._own = records
        self._api = api
        self._settings = settings

    async def explain(self, kind: Kind | None, namespace: str, name: str) -> Explanation:
        """One workload as the engine sees it now. PermanentError lists candidates."""
        settings = self._settings.model_copy(update={"watch_namespace": namespace})
        cluster = KubernetesCluster(self._api, SystemClock(), namespace, manager=FIELD_MANAGER)
        source = metric_source(self._api, settings)
        informers = asyncio.create_task(cluster.run())
        try:
            await _until_ready(cluster)
            seen = _pick(list(cluster.snapshots()), kind, namespace, name)
            return await self._explain(seen, cluster, source, settings)
        finally:
            informers.cancel()
            await asyncio.gather(informers, return_exceptions=True)
            if isinstance(source, PrometheusSource):
                await source.close()

    async def _explain(
        self,
        seen: Snapshot,
        cluster: KubernetesCluster,
        source: MetricSource,
        settings: Settings,
    ) -> Explanation:
        predictor = ExhaustionPredictor(settings.scrape_interval_seconds)
        observer = Observer(cluster, source, predictor, SystemClock(), settings)
        namespace = seen.ref.namespace
        policies = [p for p in self.records.policies() if p.metadata.namespace == namespace]
        observation = await observer.observe(policies)
        around = {
            policy.metadata.uid: Circumstances(
                policy, self.records.control(), observation, self.records.healings()
            )
            for policy in policies
        }
        judge = Judge(healers(settings), settings)
        return explain(seen, policies, observation, around, judge, settings)

    async def set_paused(self, reason: str | None, until: datetime | None) -> HealingControl:
        """The kill switch; None lets go. Creates the HealingControl where there is none."""
        await self._own.ensure_control()
        control = await self.records.live_control()
        if control is None:
            raise PermanentError("The HealingControl was deleted just now; try again.")
        if reason is None:
            if control.spec.paused is None:
                return control
            return await self._own.patch_spec(control, [{"op": "remove", "path": "/spec/paused"}])
        value = {"reason": reason} | ({"until": format_time(until)} if until else {})
        return await self._own.patch_spec(
            control, [{"op": "add", "path": "/spec/paused", "value": value}]
        )

    async def set_policy_pause(
        self, namespace: str, name: str, reason: str | None
    ) -> HealingPolicy:
        """Pauses one policy with a reason; None removes every reason."""
        policies = self.records.policies()
        found = [
            p for p in policies if (p.metadata.namespace, p.metadata.name) == (namespace, name)
        ]
        if not found:
            known = ", ".join(f"{p.metadata.namespace}/{p.metadata.name}" for p in policies)
            raise PermanentError(
                f"There is no HealingPolicy {namespace}/{name}; there are: {known or 'none'}."
            )
        policy = found[0]
        before = policy.spec.guardrails.pause_reasons
        after = [*before, reason] if reason is not None and reason not in before else list(before)
        rails = policy.spec.guardrails.model_dump(mode="json", by_alias=True)
        rails["pauseReasons"] = [] if reason is None else after
        return await self._own.patch_spec(
            policy, [{"op": "add", "path": "/spec/guardrails", "value": rails}]
        )


@asynccontextmanager
async def open_view(settings: Settings) -> AsyncGenerator[View]:
    """Connects and reads Akeso's own resources; writes nothing by itself."""
    api = await connect(settings)
    try:
        records = KubernetesRecords(api, settings)
        await records.load()
        yield View(api, settings, records)
    finally:
        await api.close()


async def _until_ready(cluster: KubernetesCluster) -> None:
    try:
        async with asyncio.timeout(READY_SECONDS):
            while not cluster.ready:
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        problems = "; ".join(cluster.problems()) or "no answer"
        raise PermanentError(f"The API server can't be listed: {problems}.") from error


def _pick(seen: Sequence[Snapshot], kind: Kind | None, namespace: str, name: str) -> Snapshot:
    named = [s for s in seen if s.ref.name == name]
    hits = [s for s in named if kind is None or s.ref.kind is kind]
    if len(hits) == 1:
        return hits[0]
    if hits:
        choices = ", ".join(f"{s.ref.kind.lower()}/{s.ref.name}" for s in hits)
        raise PermanentError(f"{name} in namespace {namespace} is ambiguous; say which: {choices}.")
    others = ", ".join(sorted(f"{s.ref.kind.lower()}/{s.ref.name}" for s in named or seen)[:20])
    wanted = f"{kind.lower()}/{name}" if kind else name
    raise PermanentError(
        f"There is no {wanted} in namespace {namespace}; there are: {others or 'no workloads'}."
    )
