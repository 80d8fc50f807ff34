"""What counts as a problem, measured by a real Prometheus and told by a real API server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from cluster.harness import World, conditions
from cluster.workloads import Json, policy, workload

CORES = 2.0  # per pod


def cpu_signal(**more: Any) -> Json:
    return {"name": "cpu", "builtin": "CPUSaturation", **more}


def limited(**resources: Json) -> Json:
    made = workload(replicas=2)
    made["spec"]["template"]["spec"]["containers"][0]["resources"] = resources
    return made


@asynccontextmanager
async def measured(here: World, put: Callable[[float, list[str]], None]) -> AsyncIterator[None]:
    """Calls `put` with the seconds since it began, and the names of the pods, all the time."""
    began = time.time()

    async def go_on() -> None:
        while True:
            pods = [pod["metadata"]["name"] for pod in await here.pods()]
            put(time.time() - began, pods)
            await asyncio.sleep(0.3)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def burnt(here: World, pods: list[str], seconds: float) -> None:
    """CPU seconds that each of these pods has used."""
    for pod in pods:
        here.stage.exporter.put(
            "container_cpu_usage_seconds_total",
            seconds,
            namespace=here.name,
            pod=pod,
            container="app",
        )


async def needs_human(here: World) -> Json | None:
    for healing in await here.healings():
        if conditions(healing).get("NeedsHuman", {}).get("status") == "True":
            return healing
    return None


async def test_pods_that_use_all_their_cpu_are_told_to_a_person(here: World) -> None:
    await here.apply(limited(limits={"cpu": str(CORES)}, requests={"cpu": "100m"}))
    await here.rolled_out("Deployment")
    await here.apply(policy(cpu_signal(threshold={"value": "90", "forSeconds": 2})))

    async with measured(here, lambda t, pods: burnt(here, pods, 0.5 * CORES * t)):
        here.operator.start()
        await here.condition("Ready", "True")
        await here.untouched(4)
        assert await here.healings() == []
    start = 1_000.0  # a counter that goes on from there, at once
    async with measured(here, lambda t, pods: burnt(here, pods, start + CORES * t)):
        healing = await here.until(lambda: needs_human(here))
    assert healing["spec"]["origin"] == "Threshold"
    assert "of 4 cores" in healing["spec"]["evidence"]["message"]
    assert conditions(healing)["NeedsHuman"]["reason"] == "NoLadder"
    assert here.effects() == []


async def test_load_that_is_coming_is_told_before_it_is_there(here: World) -> None:
    """Of CPU (against requests, where there is no limit) and of a query, from the same samples."""
    await here.apply(limited(requests={"cpu": str(CORES)}))
    await here.rolled_out("Deployment")
    queue = {
        "name": "queue",
        "query": f'queue_length{{namespace="{here.name}"}}',
        "workloadLabel": "deployment",
        "threshold": {"value": "1000"},
        "forecast": {"horizonSeconds": 600},
    }
    await here.apply(policy(cpu_signal(forecast={"horizonSeconds": 600}), queue))

    def put(t: float, pods: list[str]) -> None:
        share = 0.3 + 0.002 * t  # of all cores: 90 % after 300 s
        burnt(here, pods, CORES * (0.3 * t + 0.001 * t * t))
        here.stage.exporter.put(
            "queue_length", 1_000 * share / 0.9, namespace=here.name, deployment="web"
        )

    async def both() -> list[Json] | None:
        found = await here.healings()
        return found if {h["spec"]["signal"] for h in found} == {"cpu", "queue"} else None

    async with measured(here, put):
        began = time.time()
        here.operator.start()
        await here.condition("Ready", "True")
        found = await here.until(both, within=240)
    assert time.time() - began < 270
    assert [h["spec"]["origin"] for h in found] == ["Forecast"] * 2
    for healing in found:
        assert 80 <= healing["spec"]["evidence"]["probabilityPercent"] <= 100
    assert here.effects() == []
