"""One workload, explained by the engine itself: the same parts as the operator, and no writes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from akeso.clients.clock import SystemClock
from akeso.clients.kubernetes.cluster import KubernetesCluster
from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.prometheus import PrometheusSource
from akeso.domain.workload import Kind, Snapshot
from akeso.engine.explain import Explanation, explain
from akeso.engine.judge import FIELD_MANAGER, Circumstances, Judge
from akeso.engine.observe import Observer
from akeso.engine.records import Records
from akeso.errors import PermanentError
from akeso.protocols import AlertSource, MetricSource
from akeso.settings import Settings
from akeso.wiring.parts import alert_source, healers, metric_source
from akeso_predictors import Forecaster

READY_SECONDS = 60.0  # how long a one-off view waits for its lists


async def explain_workload(
    api: ApiServer, settings: Settings, records: Records, asked: tuple[Kind | None, str, str]
) -> Explanation:
    """The workload of that kind (None: any), namespace and name. PermanentError lists candidates."""
    kind, namespace, name = asked
    settings = settings.model_copy(update={"watch_namespaces": (namespace,)})
    cluster = KubernetesCluster(api, SystemClock(), (namespace,), manager=FIELD_MANAGER)
    source, alerts = metric_source(api, settings), alert_source(settings)
    informers = asyncio.create_task(cluster.run())
    try:
        await _until_ready(cluster)
        seen = _pick(list(cluster.snapshots()), kind, namespace, name)
        return await _explain(seen, cluster, (source, alerts), (records, settings))
    finally:
        informers.cancel()
        await asyncio.gather(informers, return_exceptions=True)
        if isinstance(source, PrometheusSource):
            await source.close()
        if alerts is not None:
            await alerts.close()


async def _explain(
    seen: Snapshot,
    cluster: KubernetesCluster,
    sources: tuple[MetricSource, AlertSource | None],
    known: tuple[Records, Settings],
) -> Explanation:
    records, settings = known
    predictor = Forecaster(settings.scrape_interval_seconds)
    _recall(predictor, records)
    source, alerts = sources
    observer = Observer(cluster, source, predictor, SystemClock(), settings, alerts)
    namespace = seen.ref.namespace
    policies = [p for p in records.policies() if p.metadata.namespace == namespace]
    observation = await observer.observe(policies)
    around = {
        policy.metadata.uid: Circumstances(
            policy, records.control(), observation, records.healings()
        )
        for policy in policies
    }
    judge = Judge(healers(settings), settings)
    return explain(seen, policies, observation, around, judge, settings)


def _recall(predictor: Forecaster, records: Records) -> None:
    """Forecasts are corrected as the operator corrects them; what can't be read it does not use, either."""
    control = records.control()
    if control is not None and control.status.calibration is not None:
        with suppress(PermanentError):
            predictor.learn_from(control.status.calibration)


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
