"""What forecasts' outcomes taught outlives the operator, in the status of the HealingControl."""

from __future__ import annotations

import numpy as np

from akeso_predictors import Calibration
from cluster.harness import AKESO, MERGE, World
from cluster.workloads import MEMORY_SIGNAL, policy, workload

UNREADABLE = "it is learned anew (HealingControl, status.calibration): calibration is no JSON"


async def test_a_killed_operator_finds_again_what_had_been_learned(here: World) -> None:
    learned = Calibration().learned("memory", np.array([[0.5, 1.0, 3.0]]), np.zeros((0, 6)))
    await here.control()
    await store(here, learned.to_json())
    await here.apply(workload(), policy(MEMORY_SIGNAL, mode="Observe"))
    await here.rolled_out("Deployment")
    here.operator.start()
    await here.until(lambda: watching(here), what="a status of the operator's own")
    here.operator.kill()
    await here.operator.ended()
    assert Calibration.from_json(await stored(here)) == learned
    assert UNREADABLE not in str(here.operator.said())
    await store(here, "{")
    here.operator.start()
    await here.until(lambda: told(here), what="what can't be read is said")
    await here.condition("TargetsFound", "True")


async def store(here: World, text: str) -> None:
    await here.api.patch(f"{path(here)}/status", {"status": {"calibration": text}}, {}, MERGE)


async def stored(here: World) -> str:
    found: str = (await here.api.get(path(here)))["status"]["calibration"]
    return found


async def watching(here: World) -> bool:
    return "watched" in (await here.api.get(path(here))).get("status", {})


async def told(here: World) -> bool:
    return UNREADABLE in str(here.operator.said())


def path(here: World) -> str:
    return f"{AKESO}/namespaces/{here.own}/healingcontrols/akeso"
