"""A look at the cluster without acting, for the command line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from akeso.api.control import HealingControl
from akeso.api.policy import HealingPolicy
from akeso.api.scalars import format_time
from akeso.clients.clock import SystemClock
from akeso.clients.kubernetes.cluster import KubernetesCluster
from akeso.clients.kubernetes.connection import ApiServer, connect
from akeso.clients.prometheus import PrometheusSource
from akeso.clients.records import KubernetesRecords
from akeso.domain.workload import Kind, Snapshot
from akeso.engine.explain import Explanation, explain
from akeso.engine.judge import FIELD_MANAGER, Circumstances, Judge
from akeso.engine.observe import Observer
from akeso.engine.records import Records
from akeso.errors import PermanentError
from akeso.protocols import MetricSource
from akeso.settings import Settings
from akeso.wiring.parts import healers, metric_source
from akeso_predictors import ExhaustionPredictor

READY_SECONDS = 60.0  # how long a one-off view waits for its lists


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
