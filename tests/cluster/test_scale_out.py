"""Pods are added before the load and go after it, on a real API server with its own controllers."""

from __future__ import annotations

import time
from typing import Any

from cluster.effects import in_words
from cluster.harness import World, conditions
from cluster.loads import queue, service
from cluster.workloads import Json, policy, workload


async def replicas(here: World) -> int:
    return int((await here.get("Deployment", "web"))["spec"]["replicas"])


async def undone(here: World) -> bool:
    """All that was owed is brought back. Load that still grew may have opened another Healing."""
    healing = (await here.healings())[0]
    done = conditions(healing).get("Undone", {}).get("reason") == "NeedPassed"
    owed = [a for t in healing["status"]["attempts"] for a in t["actions"] if a.get("afterwards")]
    return done and all(a["state"] != "Pending" for a in owed)


def managers(raw: Json) -> set[str]:
    return {entry["manager"] for entry in raw["metadata"]["managedFields"]}


async def ready(here: World, **more: Any) -> None:
    await here.apply(workload(replicas=2))
    await here.rolled_out("Deployment")
    await here.apply(policy(queue(here.name, **more)))


def start(here: World) -> None:
    here.operator.start(calm_seconds="4")


async def test_pods_are_added_before_the_load_and_taken_away_after_it(here: World) -> None:
    await ready(here, forecast={"horizonSeconds": 120})
    began = time.time()
    over = False

    def work() -> float:  # 100 per pod of two after 100 s
        return 20.0 if over else 40.0 + 1.6 * (time.time() - began)

    async def scaled() -> bool:
        return await replicas(here) > 2

    async with service(here, work):
        start(here)
        await here.until(scaled, within=120)
        assert work() < 200, "two pods would not have borne it any more"
        most = await replicas(here)
        assert 3 <= most <= 4
        [healing] = await here.healed(within=180)
        assert healing["status"]["verdict"] == "Verified"
        assert healing["spec"]["origin"] == "Forecast"
        assert "akeso" not in managers(await here.get("Deployment", "web"))
        assert await replicas(here) == most
        over = True
        await here.until(lambda: undone(here), within=60)
        assert await replicas(here) == 2
    assert in_words(here.effects()) == sorted(
        [
            f"scale to {most}",
            "change /metadata/managedFields",
            "scale to 2",  # what nobody owns stays so: no second release
        ]
    )
    assert "akeso" not in managers(await here.get("Deployment", "web"))


async def test_the_replicas_of_a_stateful_set_are_its_own(here: World) -> None:
    await here.apply(workload("StatefulSet", replicas=2))
    await here.rolled_out("StatefulSet")
    await here.apply(policy(queue(here.name)))
    async with service(here, lambda: 260.0, "StatefulSet"):
        start(here)
        [healing] = await here.healed()
    assert healing["status"]["verdict"] == "Verified"
    found = await here.get("StatefulSet", "web")
    assert found["spec"]["replicas"] > 2
    assert "akeso" not in managers(found)


def autoscaler(**spec: Any) -> Json:
    """Without metrics of its pods it only keeps its bounds."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": target, **spec},
    }


async def test_the_bounds_of_an_autoscaler_are_raised_and_brought_back(here: World) -> None:
    await here.apply(autoscaler(minReplicas=2, maxReplicas=2))
    await ready(here)
    path = f"/apis/autoscaling/v2/namespaces/{here.name}/horizontalpodautoscalers/web"
    total = 260.0

    async def bounds() -> tuple[int, int]:
        spec = (await here.api.get(path))["spec"]
        return spec["minReplicas"], spec["maxReplicas"]

    async with service(here, lambda: total):
        start(here)
        [healing] = await here.healed()
        assert healing["status"]["verdict"] == "Verified"
        assert await bounds() == (4, 4) and await replicas(here) == 4
        assert "akeso" not in managers(await here.api.get(path))
        total = 20.0

        # The controller of autoscalers looks every 15 s; it needs metrics to take pods away, and
        # has none, so a person does it.
        async def lowered() -> bool:
            return (await bounds())[0] == 2

        await here.until(lowered, within=60)
        await here.patch("Deployment", "web", {"spec": {"replicas": 2}})
        await here.until(lambda: undone(here), within=60)
        assert await bounds() == (2, 2)
    assert not any("scale to" in said for said in in_words(here.effects()))
    assert "akeso" not in managers(await here.api.get(path))


async def test_an_autoscaler_that_keda_keeps_is_left_alone(here: World) -> None:
    owner = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "name": "web",
        "uid": "0a0a0a0a-0000-4000-8000-000000000000",
        "controller": True,
    }
    kept = autoscaler(minReplicas=2, maxReplicas=5)
    kept["metadata"]["ownerReferences"] = [owner]
    await ready(here)
    await here.apply(kept)
    async with service(here, lambda: 260.0):
        start(here)
        healing = await here.blocked("AutoscalerOwnedByController")
        assert "set minReplicaCount and maxReplicaCount of ScaledObject web" in str(
            healing["status"]["message"]
        )
        assert conditions(healing)["NeedsHuman"]["status"] == "True"
        await here.untouched(3)
    assert here.effects() == []
