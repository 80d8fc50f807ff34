"""What a real operator shows of itself: dashboards find it, and ages rise when it goes deaf."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from akeso.telemetry.metrics import PROCESS, Metrics
from akeso_lab.proxy import Cut, ErrorEvent, Match
from cluster.exporter import scraped
from cluster.harness import Stage, World, world
from cluster.workloads import VERIFY, policy, query_signal, workload

CHART = Path(__file__).parents[2] / "charts" / "akeso"
BOARDS = {file.stem: json.loads(file.read_text()) for file in (CHART / "dashboards").iterdir()}
# Panels that stay empty unless something goes wrong, or is forecast, in the story below.
MAY_BE_EMPTY = {
    "Refused or unanswered requests",
    "Lead of forecasts, median",
    "Forecasts that matured",
    "Claims that came true",
    "A person is asked, and why",
    "Taken back, and why",
}


@asynccontextmanager
async def watched(stage: Stage) -> AsyncIterator[World]:
    """An operator with one workload and a signal by query, scraped by the lab's Prometheus."""
    async with world(stage, prometheus_faults=True) as here:
        await here.apply(workload(replicas=2), policy(query_signal(here.name), verify=VERIFY))
        await here.rolled_out("Deployment")
        here.operator.start()
        await here.condition("Ready", "True")
        port = int((await url_of(here)).rpartition(":")[2])
        labels = {"job": here.name, "namespace": here.own}
        forget = await asyncio.to_thread(scraped, stage.lab, here.name, port, labels)
        try:
            yield here
        finally:
            forget()


async def url_of(here: World) -> str:
    async def listening() -> str | None:
        words = [str(line.get("message", "")) for line in here.operator.said()]
        ports = [w.split()[-1].rstrip(".") for w in words if w.startswith("Listening on port")]
        return f"http://127.0.0.1:{ports[-1]}" if ports else None

    return await here.until(listening)


async def page(here: World) -> str:
    url = await url_of(here) + "/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.text()


async def exported(here: World) -> Mapping[tuple[str, str], float]:
    """Samples of /metrics by name and the value of their only label, if they have one."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(await url_of(here) + "/metrics") as r,
    ):
        text = await r.text()
    families = text_string_to_metric_families(text)
    samples = [s for family in families for s in family.samples if len(s.labels) <= 1]
    return {(s.name, "".join(s.labels.values())): s.value for s in samples}


async def test_a_real_operator_exports_what_the_reference_describes_and_no_more(
    stage: Stage,
) -> None:
    async with watched(stage) as here:
        text = await page(here)
        known = {told.name: told.type for told in Metrics(CollectorRegistry()).described}
        found = {
            family.name + ("_total" if family.type == "counter" else ""): family.type
            for family in text_string_to_metric_families(text)
        }
        assert {name: kind for name, kind in found.items() if name not in PROCESS} == known
        values = await exported(here)
        assert values["akeso_leader", ""] == 1
        assert 0 < values["akeso_lease_left_seconds", ""] <= 15
        assert values["akeso_watch_age_seconds", "pods"] < 100
        assert values["akeso_watch_age_seconds", "leases"] < 10


async def test_every_query_of_the_dashboards_finds_an_operator_that_has_healed(
    stage: Stage,
) -> None:
    async with watched(stage) as here:
        since = time.time()
        await here.until(lambda: seen(here, f'akeso_leader{{job="{here.name}"}}'))
        await here.control(paused={"reason": "we are at it"})
        await here.tire()
        await here.blocked("KillSwitch")
        held = f'akeso_healings_blocked{{job="{here.name}",reason="KillSwitch"}}'
        await here.until(lambda: seen(here, held))
        await here.control()
        await here.healed()
        ended = f'increase(akeso_healings_total{{job="{here.name}",verdict="Verified"}}[5s]) > 0'
        await here.until(lambda: seen(here, ended))
        empty: dict[str, str] = {}
        for board in BOARDS.values():
            for panel in board["panels"]:
                for target in panel.get("targets", ()):
                    if not await series(here, target["expr"], since):
                        empty[panel["title"]] = target["expr"]
        assert empty.keys() <= MAY_BE_EMPTY, empty


async def seen(here: World, query: str) -> bool:
    return bool(await asyncio.to_thread(here.stage.lab.query, query))


async def series(here: World, expression: str, since: float) -> Sequence[Any]:
    """What Grafana would get of Prometheus for this panel since then."""
    values = {
        "$namespace": here.own,
        "$job": here.name,
        "$__rate_interval": "5s",
        "$__range": f"{time.time() - since:.0f}s",
    }
    for name, value in values.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    form = {"query": expression, "start": since, "end": time.time() + 1, "step": "1s"}
    url = f"{here.stage.lab.prometheus}/api/v1/query_range?{urlencode(form)}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        said = await response.json()
    assert said["status"] == "success", (expression, said)
    found: Sequence[Any] = said["data"]["result"]
    return found


async def test_ages_rise_while_prometheus_or_a_watch_is_cut_and_the_alert_sees_it(
    stage: Stage,
) -> None:
    async with watched(stage) as here:
        assert here.prometheus is not None
        # Another world's operator may be scraped as well; the alert's own words, for this one.
        alert = f'({expression("AkesoNoFreshData")}) and on (job) akeso_leader{{job="{here.name}"}}'

        async def age(name: str, of: str, low: float, high: float) -> bool:
            return low <= (await exported(here)).get((name, of), math.nan) < high

        source = "akeso_metrics_source_age_seconds"
        stale = (await exported(here))["akeso_stale_after_seconds", ""]
        await here.until(lambda: age(source, "queries", 0, stale))
        await here.until(lambda: seen(here, f'akeso_leader{{job="{here.name}"}}'))
        assert not await seen(here, alert)
        cut = here.prometheus.add(Cut())
        await here.until(lambda: age(source, "queries", stale, 600), what="old data of queries")
        await here.until(lambda: seen(here, alert), what="AkesoNoFreshData")
        here.prometheus.remove(cut)
        await here.until(lambda: age(source, "queries", 0, stale), what="fresh data again")

        pods = f"/namespaces/{here.name}/pods$"
        deaf = [
            here.proxy.add(Cut(match=Match(verbs=("list", "watch"), path=pods))),
            here.proxy.add(ErrorEvent(match=Match(verbs="watch", path=pods))),
        ]
        name = (await here.pods())[0]["metadata"]["name"]
        touched = {"metadata": {"annotations": {"touched": "true"}}}  # so that the watch ends
        await here.patch("Pod", name, touched)
        watch = "akeso_watch_age_seconds"
        await here.until(lambda: age(watch, "pods", 8, 600), what="a silent watch of pods")
        assert await age(watch, "leases", 0, 8), "only this one is silent"
        for fault in deaf:
            here.proxy.remove(fault)
        await here.until(lambda: age(watch, "pods", 0, 5), what="pods heard again")
        assert here.operator.starts == 1


def expression(alert: str) -> str:
    groups = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"]
    [rule] = [r for group in groups for r in group["rules"] if r["alert"] == alert]
    return str(rule["expr"])
