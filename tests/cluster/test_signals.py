"""What counts as a problem, measured by a real Prometheus and told by a real API server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from akeso_lab.fake_nodes import BEHAVIOUR
from akeso_lab.proxy import Cut
from cluster.harness import Stage, World, conditions, world
from cluster.workloads import ROLLOUT_SIGNAL, Json, broken, policy, workload

CORES = 2.0  # per pod


def cpu_signal(**more: Any) -> Json:
    return {"name": "cpu", "builtin": "CPUSaturation", **more}


def limited(**resources: Json) -> Json:
    made = workload(replicas=2)
    made["spec"]["template"]["spec"]["containers"][0]["resources"] = resources
    return made


@asynccontextmanager
async def measured(here: World, put: Callable[[float, list[str]], None]) -> AsyncGenerator[None]:
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
        here.stage.exporter.put_now(
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
        # Of all cores: 90 % after 300 s. From .3 on so little of the way lies behind it that the probability stays
        # within .03 of the bar for half a minute, and luck says when it is told.
        share = 0.1 + 0.8 / 300 * t
        burnt(here, pods, CORES * (0.1 * t + 0.4 / 300 * t * t))
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


CRASHES: Json = {"name": "crashes", "builtin": "CrashLooping"}


async def test_a_pod_that_crash_loops_is_told_once_while_there_is_no_prometheus(
    stage: Stage,
) -> None:
    async with world(stage, prometheus_faults=True) as here:
        assert here.prometheus is not None
        here.prometheus.add(Cut())
        await here.apply(workload())
        await here.rolled_out("Deployment")
        await here.apply(policy(CRASHES))
        here.operator.start(crash_loop_restarts="2")
        await here.condition("Ready", "True")
        [sick, *_] = await here.pods()
        label = {"metadata": {"labels": {BEHAVIOUR: "crashloop"}}}
        await here.patch("Pod", sick["metadata"]["name"], label)
        healing = await here.until(lambda: needs_human(here))
        assert healing["spec"]["origin"] == "Event"
        assert [p["uid"] for p in healing["spec"]["evidence"]["pods"]] == [sick["metadata"]["uid"]]
        assert "crash-loops: 2 restarts, last with Error" in healing["spec"]["evidence"]["message"]
        await here.untouched(5)
        assert [h["metadata"]["name"] for h in await here.healings()] == [
            healing["metadata"]["name"]
        ]
        assert len(await told(here, "NeedsHuman")) == 1
        assert here.effects() == []


VOLUMES: Json = {"name": "volumes", "builtin": "VolumeFilling"}
AT_ONCE = {"forSeconds": 0}
STANDARD: list[Json] = [
    {"name": "throttled", "builtin": "CPUThrottling", "threshold": {"value": "25", **AT_ONCE}},
    {"name": "descriptors", "builtin": "DescriptorExhaustion"},
    {"name": "errors", "builtin": "ErrorRatio", "threshold": {"value": "0.05", **AT_ONCE}},
    {"name": "ceiling", "builtin": "AutoscalerCeiling", "threshold": {"value": "99", **AT_ONCE}},
]
ASKS = {
    "volumes": ("NoHealer", "volume data is 91.0 % full"),
    "throttled": ("NoLadder", " % of its CPU periods, above 25 % for"),
    "descriptors": ("NoLadder", "uses 95.0 % of its file descriptors, above 90 % for"),
    "errors": ("NoLadder", " of its requests with errors, above 0.05 for"),
    "ceiling": ("NoLadder", "its HorizontalPodAutoscaler wants 100 % of its maxReplicas"),
}


def ceiling(**bounds: int) -> Json:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": target,
            "metrics": [{"type": "Resource", "resource": cpu}],
            **bounds,
        },
    }


async def measure_pods(here: World) -> None:
    """One pod whose process has few descriptors left, that stands still and fails at times."""
    pod = (await here.pods())[0]["metadata"]["name"]
    labels = {"namespace": here.name, "pod": pod}
    for name, value, more in (
        ("process_open_fds", 95.0, {}),
        ("process_max_fds", 100.0, {}),
        ("container_cpu_cfs_throttled_periods_total", 0.0, {"container": "app"}),
        ("container_cpu_cfs_periods_total", 0.0, {"container": "app"}),
        ("http_requests_total", 0.0, {"code": "500"}),
        ("http_requests_total", 0.0, {"code": "200"}),
    ):
        here.stage.exporter.put(name, value, **labels, **more)
    await asyncio.sleep(2.5)  # a scrape: a counter that was never seen at zero has no increase
    for name, value, more in (
        ("container_cpu_cfs_throttled_periods_total", 50.0, {"container": "app"}),
        ("container_cpu_cfs_periods_total", 100.0, {"container": "app"}),
        ("http_requests_total", 30.0, {"code": "500"}),
        ("http_requests_total", 70.0, {"code": "200"}),
    ):
        here.stage.exporter.put(name, value, **labels, **more)


async def all_ask(here: World, number: int) -> dict[str, Json] | None:
    """Healings that ask for a person, by signal; None until there are so many."""
    asking = {
        healing["spec"]["signal"]: healing
        for healing in await here.healings()
        if conditions(healing).get("NeedsHuman", {}).get("status") == "True"
    }
    return asking if len(asking) >= number else None


async def test_what_no_healer_helps_against_is_told_once_and_nothing_is_done(here: World) -> None:
    wanted = workload()
    claim = {"persistentVolumeClaim": {"claimName": "data"}, "name": "data"}
    wanted["spec"]["template"]["spec"]["volumes"] = [claim]
    here.stage.lab.apply(*claimed(here.name))
    await here.apply(wanted)
    await here.rolled_out("Deployment")
    await here.apply(ceiling(minReplicas=1, maxReplicas=3))
    await here.apply(policy(VOLUMES, *STANDARD))
    await measure_pods(here)
    stats = "kubelet_volume_stats_"
    for about, free in (("data", 9.0), ("other", 1.0)):
        labels = {"namespace": here.name, "persistentvolumeclaim": about}
        for name, value in (("available_bytes", free), ("capacity_bytes", 100.0)):
            here.stage.exporter.put(f"{stats}{name}", value, **labels)
    here.operator.start()
    found = await here.until(lambda: all_ask(here, 1 + len(STANDARD)))
    for signal, (reason, said) in ASKS.items():
        assert conditions(found[signal])["NeedsHuman"]["reason"] == reason
        assert said in found[signal]["spec"]["evidence"]["message"], signal
    await here.untouched(5)
    assert len(await here.healings()) == len(ASKS)
    assert len(await told(here, "NeedsHuman")) == len(ASKS)
    assert here.effects() == []
    here.stage.lab.kubectl("delete", "pv", here.name, "--wait=false")


def claimed(namespace: str) -> tuple[Json, Json]:
    """A claim "data" with a volume of its own, which fake nodes never look at."""
    common = {"storageClassName": "", "accessModes": ["ReadWriteMany"]}
    ref = {"namespace": namespace, "name": "data"}
    volume = {"hostPath": {"path": "/nowhere"}, "capacity": {"storage": "1Gi"}, "claimRef": ref}
    asks = {"resources": {"requests": {"storage": "1Gi"}}, "volumeName": namespace}
    return (
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": namespace},
            "spec": {**common, **volume},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "namespace": namespace},
            "spec": {**common, **asks},
        },
    )


async def told(here: World, decision: str) -> list[Json]:
    """Events about that decision."""
    path = f"/apis/events.k8s.io/v1/namespaces/{here.name}/events"
    return [e for e in await here.api.list_all(path) if e.get("action") == decision]


async def test_a_release_that_crashes_is_one_problem_and_no_crash_loop_besides(
    here: World,
) -> None:
    """No revision was seen healthy, so nothing is rolled back and the pods go on crashing."""
    good = workload()
    await here.apply(good)
    await here.rolled_out("Deployment")
    await here.apply(policy(CRASHES, ROLLOUT_SIGNAL))
    bad = broken(good)
    bad["spec"]["template"]["metadata"]["labels"][BEHAVIOUR] = "crashloop"
    await here.apply(bad)
    # Between two crashes a container runs for 2 s, which is to be less than the four cycles in a row
    # after which a problem that is not seen counts as gone.
    here.operator.start(crash_loop_restarts="1", cycle_seconds="2")

    async def crashed_twice() -> bool:
        found = [c for p in await here.pods() for c in p["status"].get("containerStatuses", [])]
        return any(c["restartCount"] >= 2 for c in found)

    await here.until(crashed_twice)
    await here.untouched(5)
    assert [h["spec"]["signal"] for h in await here.healings()] == ["rollout"]
