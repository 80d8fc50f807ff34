"""What somebody changed cuts the legs of every class of metrics that it changes, and of no other."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from akeso.api.policy import Builtin
from akeso.domain.forecast import LoadKey, SeriesKey
from akeso.engine.volumes import INODES, SPACE
from akeso.engine.volumes import queries as volume_queries
from akeso.protocols import Reading
from akeso.settings import Settings
from unit.engine.sim import NOW, SCRAPE, World
from unit.engine.sim_workload import SimWorkload
from unit.engine.test_standard import asked, told

QUEUE = "queue_length"
SIGNALS: tuple[dict[str, Any], ...] = (
    {"name": "memory", "builtin": "MemoryExhaustion"},
    {"name": "cpu", "builtin": "CPUSaturation"},
    {"name": "volumes", "builtin": "VolumeFilling"},
    {"name": "descriptors", "builtin": "DescriptorExhaustion"},
    {"name": "throttled", "builtin": "CPUThrottling", "forecast": {}},
    {"name": "errors", "builtin": "ErrorRatio", "forecast": {}},
    {
        "name": "queue",
        "query": QUEUE,
        "workloadLabel": "deployment",
        "threshold": {"value": "1000"},
        "forecast": {},
    },
)
OF_PODS = {"memory", "connections", "throttling", "errors"}
OF_WORKLOADS = {"load CPU", "load query"}
OF_VOLUMES = {"volume", "inodes"}
EVERYTHING = OF_PODS | OF_WORKLOADS | OF_VOLUMES
SETTLED = 900.0


def world() -> tuple[World, SimWorkload]:
    """Two pods of which everything is measured and nothing is wrong, for a while."""
    made = World()
    made.policy(*SIGNALS)
    w = made.cluster.add(replicas=2, claims=("data",))
    of_pods = (Builtin.DESCRIPTOR_EXHAUSTION, Builtin.CPU_THROTTLING, Builtin.ERROR_RATIO)
    for builtin, value in zip(of_pods, (20.0, 3.0, 0.01), strict=True):
        made.source.answers[asked(builtin)] = partial(_told, w, value)
    claim = {"namespace": "shop", "persistentvolumeclaim": "data"}
    for of in (SPACE, INODES):
        query = volume_queries(Settings())[of]
        made.source.answers[query] = lambda now: [Reading(claim, now, 30 + (now - NOW) / 1e4)]
    labels = {"namespace": "shop", "deployment": w.ref.name}
    made.source.answers[QUEUE] = lambda now: [Reading(labels, now, 100.0)]
    return made, w


def _told(w: SimWorkload, value: float, now: float) -> list[Reading]:
    return told(w, value, now)


async def ages(made: World) -> dict[str, int]:
    """The fewest samples of a leg, by class (the two of class load by what they measure)."""
    policies = made.records.policies()
    observation = await made.engine.observer.observe(policies)
    found: dict[str, int] = {}
    for key, forecast in observation.forecasts.items():
        name = class_of(key)
        found[name] = min(forecast.samples, found.get(name, forecast.samples))
    return found


def class_of(key: SeriesKey) -> str:
    if not isinstance(key, LoadKey):
        return "memory"
    if key.metric_class != "load":
        return key.metric_class
    return "load CPU" if key.source.startswith("CPU") else "load query"


async def settled() -> tuple[World, SimWorkload]:
    made, w = world()
    await made.run(SETTLED)
    found = await ages(made)
    assert found.keys() == EVERYTHING
    assert min(found.values()) >= SETTLED / SCRAPE - 1, found
    return made, w


def cut(before_seconds: float, found: dict[str, int]) -> set[str]:
    """Classes whose leg is no older than the change."""
    return {name for name, samples in found.items() if samples <= before_seconds / SCRAPE + 1}


async def test_a_rollout_cuts_all_but_volumes() -> None:
    made, w = await settled()
    made.cluster.roll_out(w, "v2")
    await made.run(120)
    assert cut(120, await ages(made)) == EVERYTHING - OF_VOLUMES


async def test_the_end_of_a_rollout_cuts_what_old_and_new_pods_bore_together() -> None:
    made, w = await settled()
    made.cluster.roll_out(w, "v2")
    while any(p.revision != "v2" for p in w.present):
        await made.cycle()
    await made.run(60)
    found = await ages(made)
    assert all(found[name] <= 60 / SCRAPE + 1 for name in OF_WORKLOADS), found


async def test_a_restarted_container_cuts_what_is_measured_of_its_pod() -> None:
    made, w = await settled()
    pod = w.present[0]
    pod.restarts += 1
    pod.started = made.cluster.now
    w.version += 1
    await made.run(120)
    assert cut(120, await ages(made)) >= OF_PODS
    assert not cut(120, await ages(made)) & (OF_VOLUMES | {"load query"})


async def test_a_lowered_limit_cuts_what_it_bounds_and_a_raised_one_does_not() -> None:
    made, w = await settled()
    for factor, expected in ((2.0, False), (0.5, True)):
        w.cpu_limit = (w.cpu_limit or 1.0) * factor
        for pod in w.present:
            pod.limit = pod.wanted = pod.limit * factor
        w.version += 1
        await made.run(120)
        found = cut(120, await ages(made))
        assert found == ({"memory", "load CPU"} if expected else set[str]())


async def test_our_own_action_cuts_everything_of_the_workload_but_its_volumes() -> None:
    made, w = await settled()
    w.leak = 0.16 * 1024**2
    for pod in w.present:
        pod.started = made.cluster.now
    await made.until(made.wrote(), within=3_600)
    await made.run(60)
    assert cut(75, await ages(made)) == EVERYTHING - OF_VOLUMES


@pytest.mark.parametrize("seconds", [60.0])
async def test_a_changed_threshold_is_another_series_with_the_same_history(seconds: float) -> None:
    made, _ = await settled()
    changed = [dict(s) for s in SIGNALS]
    changed[-1]["threshold"] = {"value": "2000"}
    made.policy(*changed)
    await made.run(seconds)
    assert cut(seconds, await ages(made)) == set[str]()
