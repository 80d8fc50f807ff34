"""The metrics source: whether memory comes, whole, once, and as often as the settings say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

from akeso.cli.doctor import samples
from akeso.cli.doctor.checks import Check, Checks, failure, not_told, ok, skipped, warning
from akeso.cli.doctor.samples import (
    ENDPOINT,
    IDENTITY,
    INTERVAL,
    LABELS,
    LOOKBACK_SECONDS,
    MEMORY,
    PROMETHEUS,
    TWICE,
)
from akeso.clients.alertmanager import AlertmanagerSource
from akeso.clients.metrics_api import MetricsApiSource
from akeso.clients.prometheus import CONTAINERS, PrometheusSource
from akeso.clients.promql import matcher, selector
from akeso.errors import AkesoError, PermanentError, TransientError
from akeso.protocols import Reading, Usage
from akeso.settings import Settings

METRICS_API, ALERTMANAGER = "Metrics API", "Alertmanager"
SHORTEST_WINDOW, LONGEST_WINDOW = 120.0, 1_800.0
SAMPLED = 3  # containers whose sample times are measured


async def prometheus(settings: Settings) -> Checks:
    """All that is to be asked of Prometheus; what does not answer hides nothing else."""
    patient = settings.model_copy(update={"scrape_interval_seconds": LOOKBACK_SECONDS / 3})
    source = PrometheusSource(patient)
    try:
        try:
            checks = [*await _answers(source, settings)]
        except AkesoError as error:
            remedy = "Is --prometheus-url right, and reachable from here? A port-forward will do."
            return (failure(PROMETHEUS, str(error), remedy),)
        for name, asking in (
            (MEMORY, _memory(source, settings)),
            (INTERVAL, _interval(source, settings)),
        ):
            try:
                checks += await asking
            except AkesoError as error:
                checks.append(_unanswered(name, error))
        return tuple(checks)
    finally:
        await source.close()


async def _answers(source: PrometheusSource, settings: Settings) -> Checks:
    before = time.time()
    found = await source.evaluate("vector(time())")
    if len(found) != 1:
        raise TransientError("It does not answer as Prometheus would: vector(time()) is no vector.")
    stale = settings.stale_after
    return ok(PROMETHEUS, "It answers."), samples.clock(found[0].value, before, time.time(), stale)


def _series(settings: Settings, *more: str) -> str:
    return selector(settings.memory_metric, settings.metric_matchers, *more)


async def _count(source: PrometheusSource, query: str) -> int:
    found = await source.evaluate(query)
    return int(found[0].value) if found else 0


async def _memory(source: PrometheusSource, settings: Settings) -> Checks:
    everything = await _count(source, f"count({_series(settings)})")
    if not everything:
        bare = await _count(source, f"count({selector(settings.memory_metric)})")
        return (samples.no_series(settings, bare),)
    named = [matcher(label, "", "!=") for label in IDENTITY]
    whole = _series(settings, *named, matcher("container", "POD", "!="))
    count = await _count(source, f"count(count by ({', '.join(IDENTITY)}) ({whole}))")
    if not count:
        example = await source.evaluate(f"topk(1, {_series(settings)})")
        return (samples.no_labels(settings, example[0].labels if example else {}),)
    by = ", ".join((*IDENTITY, *ENDPOINT))
    per = f"count by ({', '.join(IDENTITY)}) (count by ({by}) ({whole})) > 1"
    twice = await _count(source, f"count({per})")
    return (
        ok(MEMORY, f"{settings.memory_metric} is there for {count} containers."),
        ok(LABELS, f"It has {', '.join(IDENTITY)}."),
        await _duplicates(source, settings, per, (twice, count)),
    )


async def _duplicates(
    source: PrometheusSource, settings: Settings, per: str, counts: tuple[int, int]
) -> Check:
    twice, count = counts
    if not twice:
        return ok(TWICE, "Every container has one series.")
    found = await source.evaluate(f"topk(1, {per})")
    example: Mapping[str, str] = found[0].labels if found else {}
    same = [matcher(label, example.get(label, "")) for label in IDENTITY]
    return samples.duplicates(twice, count, await source.evaluate(_series(settings, *same)))


async def _interval(source: PrometheusSource, settings: Settings) -> Checks:
    """From the times of real samples of a few containers."""
    named = [matcher(label, "", "!=") for label in IDENTITY]
    pick = f"topk({SAMPLED}, {_series(settings, *named, *CONTAINERS)})"
    found = await source.evaluate(pick)
    if not found:
        return (skipped(INTERVAL, "There are no samples to measure it from."),)
    window = min(LONGEST_WINDOW, max(SHORTEST_WINDOW, 10 * settings.scrape_interval_seconds))
    usages: list[Usage] = []
    for one in found:
        usages += await _samples(one, settings, window)
    return (samples.interval(samples.spacing(usages), settings.scrape_interval_seconds, window),)


async def _samples(one: Reading, settings: Settings, window: float) -> Sequence[Usage]:
    """All samples of one series in the window, with their own times."""
    same = ",".join(
        matcher(label, one.labels[label]) for label in (*IDENTITY, *ENDPOINT) if label in one.labels
    )
    only = ",".join(m for m in (settings.metric_matchers, same) if m)
    changes = {"metric_matchers": only, "scrape_interval_seconds": window / 3}
    source = PrometheusSource(settings.model_copy(update=changes))
    try:
        return await source.memory()
    finally:
        await source.close()


async def metrics_api(source: MetricsApiSource) -> Checks:
    """Where no Prometheus is set."""
    try:
        found = await source.memory()
    except PermanentError as error:
        return (not_told(METRICS_API, error),)
    except AkesoError as error:
        remedy = "Install metrics-server, or better, name a Prometheus with --prometheus-url."
        return (failure(METRICS_API, str(error), remedy),)
    containers = len({(u.namespace, u.pod, u.container) for u in found})
    if not containers:
        remedy = "Are there pods with metrics? kubectl top pods -A"
        return (warning(METRICS_API, "It answers, but has no container's memory.", remedy),)
    return (ok(METRICS_API, f"It has the memory of {containers} containers."),)


async def alertmanager(source: AlertmanagerSource) -> Checks:
    """Where one is set."""
    try:
        alerts, silences = await asyncio.gather(source.alerts(), source.silences())
    except AkesoError as error:
        remedy = "Is --alertmanager-url right, and reachable from here? A port-forward will do."
        return (failure(ALERTMANAGER, str(error), remedy),)
    said = f"It answers: {len(alerts)} alerts fire, {len(silences)} silences hold."
    return (ok(ALERTMANAGER, said),)


def _unanswered(name: str, error: AkesoError) -> Check:
    """A query that Prometheus refuses is ours and the settings'."""
    if isinstance(error, PermanentError):
        remedy = "Correct --metric-matchers (AKESO_METRIC_MATCHERS) or --memory-metric."
        return failure(name, str(error), remedy)
    return not_told(name, error)
