"""Load that pods share: the exporter plays a service whose queue falls as pods become ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from cluster.harness import World
from cluster.workloads import Json

# Work that waits, in all; a pod takes its share of it. The threshold is 100 per pod.
Work = Callable[[], float]


def queue(namespace: str, **more: Any) -> Json:
    return {
        "name": "queue",
        "query": f'queue_per_pod{{namespace="{namespace}"}}',
        "workloadLabel": "deployment",
        "threshold": {"value": "100"},
        "ladder": [{"healer": "ScaleOut", "maxReplicas": 5, "timeoutSeconds": 60}],
        **more,
    }


@asynccontextmanager
async def service(here: World, work: Work, kind: str = "Deployment") -> AsyncGenerator[None]:
    """Tells the queue per ready pod, all the time."""

    async def go_on() -> None:
        while True:
            ready = (await here.get(kind, "web"))["status"].get("readyReplicas", 0)
            queue_is(here, work() / max(1, ready))
            await asyncio.sleep(0.3)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def queue_is(here: World, per_pod: float) -> None:
    labels = {"namespace": here.name, "deployment": "web"}
    here.stage.exporter.put("queue_per_pod", per_pod, **labels)
