"""A decision holds only for the very object, in the very state, that it was made for."""

from __future__ import annotations

import asyncio
import json

from akeso_lab.proxy import Armed, Delay, Match, ReplayEvents
from cluster.effects import in_words
from cluster.harness import World, brief
from cluster.workloads import ROLLOUT_SIGNAL, Json, broken, policy, query_signal, workload

HELD_SECONDS = 4.0
TEMPLATE = Match(methods="PATCH", path="/deployments/web$", nth=1)


async def test_events_from_the_past_change_nothing(here: World) -> None:
    await here.apply(workload())
    await here.rolled_out("Deployment")
    uids = await here.tire()
    await here.apply(policy(query_signal(here.name)))
    replayed = here.proxy.add(ReplayEvents(count=5))
    here.operator.start()
    [healed] = await here.healed()
    await here.untouched(2)
    assert replayed.applied > 10
    assert brief(healed)["verdict"] == "Verified"
    assert sorted(e.uid for e in here.effects()) == sorted(uids)
    assert len(await here.healings()) == 1


async def test_pods_of_a_workload_that_was_made_anew_are_not_evicted_in_place_of_the_old(
    here: World,
) -> None:
    """A StatefulSet: the new pods have the names of the old."""
    await here.apply(workload("StatefulSet"))
    await here.rolled_out("StatefulSet")
    old = set(await here.tire())
    await here.apply(policy(query_signal(here.name)))
    held = here.proxy.add(Delay(seconds=HELD_SECONDS, match=Match(path="/eviction$", nth=1)))
    here.operator.start()
    await held.happened.wait()
    await here.delete("StatefulSet", "web")
    await here.until(lambda: gone(here))
    for number in range(3):
        here.fatigue(f"web-{number}", 0.0)
    await here.apply(workload("StatefulSet"))
    await here.rolled_out("StatefulSet")
    new = {pod["metadata"]["uid"] for pod in await here.pods()}
    healings = await here.healed()
    await here.untouched(2)
    assert [brief(h)["verdict"] for h in healings][:1] == ["Inconclusive"]
    assert not new & old
    assert not new & {e.uid for e in here.effects()}
    assert {pod["metadata"]["uid"] for pod in await here.pods()} == new


async def gone(here: World) -> bool:
    return await here.pods() == []


async def rolling_back(here: World) -> Armed:
    """A release that failed, and the rollback's write on its way."""
    good = workload()
    await here.apply(good)
    await here.rolled_out("Deployment")
    await here.apply(policy(ROLLOUT_SIGNAL))
    revision = await here.revision("Deployment")
    await here.apply(broken(good))
    await here.remember("Deployment", "web", [revision])
    held = here.proxy.add(Delay(seconds=HELD_SECONDS, match=TEMPLATE))
    here.operator.start()
    await asyncio.wait_for(held.happened.wait(), 60)
    return held


async def test_a_workload_that_was_made_anew_is_not_rolled_back_in_place_of_the_old(
    here: World,
) -> None:
    await rolling_back(here)
    await here.delete("Deployment", "web")
    await here.until(lambda: gone(here))
    await here.apply(release(3))
    await here.rolled_out("Deployment")
    [healing] = await here.healed()
    await here.untouched(2)
    assert brief(healing)["verdict"] == "Inconclusive"
    assert here.effects() == []
    assert await image(here) == "app:3"


async def test_a_newer_release_while_the_rollback_is_on_its_way_holds(here: World) -> None:
    await rolling_back(here)
    await here.apply(release(3))
    [healing] = await here.healed()
    await here.untouched(2)
    assert brief(healing)["verdict"] in ("Inconclusive", "Cleared")
    assert here.effects() == []
    assert await image(here) == "app:3"


async def test_a_change_beside_the_point_is_looked_at_and_then_the_rollback_is_done_once(
    here: World,
) -> None:
    await rolling_back(here)
    await here.patch("Deployment", "web", {"metadata": {"annotations": {"note": "hello"}}})
    [healing] = await here.healed()
    refused = [r for r in here.proxy.writes if r.path.endswith("/web") and not r.committed]
    # Ours, and one more each time that the failing release's own status came between; never the same again.
    assert refused and {r.upstream_status for r in refused} == {409}
    steps = [step for r in refused for step in json.loads(r.body)]
    versions = [s["value"] for s in steps if s["path"] == "/metadata/resourceVersion"]
    assert len(set(versions)) == len(refused)
    assert brief(healing)["verdict"] == "Verified"
    assert in_words(here.effects()) == ["change /metadata/managedFields", "change /spec/template"]
    assert await image(here) == "app:1"


def release(number: int) -> Json:
    return workload(image=f"app:{number}")


async def image(here: World) -> str:
    raw = await here.rolled_out("Deployment")
    return str(raw["spec"]["template"]["spec"]["containers"][0]["image"])
