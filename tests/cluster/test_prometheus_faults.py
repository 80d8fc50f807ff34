"""Whatever Prometheus does: no healing starts, none is called verified, and the policy says why."""

from __future__ import annotations

from typing import Any

import pytest

from akeso_lab.proxy import (
    Cut,
    Delay,
    Fault,
    GarbageBody,
    PrometheusEmpty,
    PrometheusError,
    PrometheusLate,
    PrometheusValues,
)
from cluster.effects import in_words
from cluster.harness import Stage, World, brief, conditions, world
from cluster.workloads import LIMIT, MEMORY_SIGNAL, VERIFY, policy, query_signal, workload

# Each with what the policy says of the query; None: the data is there, and says nothing is wrong.
FAULTS: dict[str, tuple[Fault, str | None]] = {
    "down": (Cut(), "QueryFailed"),
    "answering 503": (PrometheusError(), "QueryFailed"),
    "answering 500": (PrometheusError(status=500, error_type="internal"), "QueryFailed"),
    "slow": (Delay(seconds=30), "QueryFailed"),
    "empty": (PrometheusEmpty(), "NoData"),
    "garbled": (GarbageBody(style="garbled"), "QueryFailed"),
    "truncated": (GarbageBody(), "QueryFailed"),
    "NaN": (PrometheusValues(value="NaN"), None),
}


async def tired(here: World, **verify: int) -> None:
    await here.apply(workload(replicas=2))
    await here.rolled_out("Deployment")
    await here.tire()
    await here.apply(policy(query_signal(here.name), verify={**VERIFY, **verify}))
    here.operator.start(prometheus_timeout_seconds="1")


@pytest.mark.parametrize("name", FAULTS)
async def test_while_prometheus_fails_nothing_starts_and_afterwards_it_does(
    stage: Stage, name: str
) -> None:
    fault, reason = FAULTS[name]
    async with world(stage, prometheus_faults=True) as here:
        assert here.prometheus is not None
        armed = here.prometheus.add(fault)
        await tired(here)
        if reason is not None:
            for type in ("SignalsReady", "Ready"):
                stands = await here.condition(type, "False", reason=reason)
                assert "spec.signals[fatigue].query" in stands["message"]
        await here.until(lambda: struck(armed, 4))
        await here.untouched(2)
        assert await here.healings() == []
        here.prometheus.remove(armed)
        [healed] = await here.healed()
        assert brief(healed)["verdict"] == "Verified"
        assert in_words(here.effects()) == ["evict"] * 2
        await here.condition("Ready", "True")
        assert here.operator.starts == 1


async def struck(armed: Any, times: int) -> bool:
    return bool(armed.applied >= times)


@pytest.mark.parametrize("name", ["down", "answering 503", "empty", "garbled"])
async def test_a_healing_whose_signal_goes_dark_is_not_called_verified(
    stage: Stage, name: str
) -> None:
    async with world(stage, prometheus_faults=True) as here:
        assert here.prometheus is not None
        await tired(here, initialDelaySeconds=5, inconclusiveLimit=3)
        await here.until(lambda: evicted(here, 2), what="both pods evicted")
        here.prometheus.add(FAULTS[name][0])
        [healing] = await here.healed()
        assert brief(healing)["verdict"] == "Inconclusive"
        assert conditions(healing)["NeedsHuman"]["status"] == "True"
        assert "no fresh data" in healing["status"]["message"]


async def evicted(here: World, count: int) -> bool:
    return len(here.effects()) == count


async def test_old_samples_of_memory_are_no_data(stage: Stage) -> None:
    async with world(stage, prometheus_faults=True) as here:
        assert here.prometheus is not None
        await here.apply(workload())
        await here.rolled_out("Deployment")
        for pod in await here.pods():
            here.stage.exporter.put(
                "container_memory_working_set_bytes",
                LIMIT * 0.5,
                namespace=here.name,
                pod=pod["metadata"]["name"],
                container="app",
            )
        await here.apply(policy(MEMORY_SIGNAL))
        here.operator.start()
        await here.condition("Ready", "True")
        late = here.prometheus.add(PrometheusLate(seconds=600))
        stands = await here.condition("SignalsReady", "False", reason="NoFreshData")
        assert "spec.signals[memory]" in stands["message"]
        assert "is scraped" in stands["message"]
        here.prometheus.remove(late)
        await here.condition("Ready", "True")
        assert here.effects() == []
