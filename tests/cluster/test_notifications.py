"""People's own systems are told by the real operator, over real HTTP, once per problem."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from akeso_lab.proxy import Crash, Match
from cluster.harness import World, conditions
from cluster.receiver import PATH, SECRET, receiving
from cluster.workloads import policy, query_signal, workload

RECORDS = Match(path="/healings/.*/status$", verbs="write")


async def tired(here: World) -> None:
    await here.apply(workload(replicas=2))
    await here.rolled_out("Deployment")
    await here.apply(policy(query_signal(here.name)))
    await here.tire()


async def on_record(here: World) -> dict[str, Any]:
    """The only Healing, once its condition Notified is True."""

    async def told() -> dict[str, Any] | None:
        [healing] = await here.healings()
        stands = conditions(healing).get("Notified", {})
        return healing if stands.get("status") == "True" else None

    return await here.until(told, what="the Healing marked Notified")


async def test_one_healing_is_one_message_that_verifies_and_no_secret_is_told(
    here: World, tmp_path: Path
) -> None:
    await tired(here)
    async with receiving(tmp_path) as receiver:
        here.operator.environment |= receiver.environment()
        here.operator.start()
        await here.healed()
        healing = await on_record(here)
        await here.quiet()
    assert receiver.forged == 0 and len(receiver.ids) == 1
    [body] = receiver.bodies
    said = body["data"]
    assert body["type"] == "healing.verified"
    assert said["healing"]["uid"] == healing["metadata"]["uid"]
    assert said["target"]["name"] == "web" and said["healer"] == "RestartPods"
    assert [a["state"] for a in said["attempts"][0]["actions"]] == ["Done", "Done"]
    assert body["timestamp"] == healing["status"]["completedAt"]
    events = await here.api.list_all(f"/apis/events.k8s.io/v1/namespaces/{here.name}/events")
    control = f"/apis/akeso.dev/v1alpha1/namespaces/{here.own}/healingcontrols/akeso"
    told = (
        json.dumps([healing, events, await here.api.get(control)]) + here.operator.log.read_text()
    )
    assert "akeso.decisions" in told and events
    for canary in (SECRET, SECRET.removeprefix("whsec_"), PATH):
        assert canary not in told


async def test_killed_between_delivery_and_record_it_sends_the_same_id_again(
    here: World, tmp_path: Path
) -> None:
    await tired(here)
    async with receiving(tmp_path) as receiver:
        receiver.then = lambda: crash_once(here, receiver.ids)
        here.operator.environment |= receiver.environment()
        here.operator.start(crash_only=False)
        await here.proxy.crashed.wait()
        await here.operator.ended()
        [healing] = await here.healings()
        assert healing["status"]["verdict"] == "Verified"
        assert "Notified" not in conditions(healing)
        here.proxy.reset()
        here.operator.start()
        await on_record(here)
        await here.quiet()
    assert receiver.forged == 0
    assert len(receiver.ids) == 2 and len(set(receiver.ids)) == 1
    assert receiver.bodies[0] == receiver.bodies[1]


async def test_a_storm_that_nobody_heard_of_is_one_digest(here: World, tmp_path: Path) -> None:
    names = {"cart", "shop", "web"}
    for name in names:
        await here.apply(workload(name=name, replicas=2))
    for name in names:
        await here.rolled_out("Deployment", name)
        await here.tire(name)
    await here.apply(policy(query_signal(here.name)))
    async with receiving(tmp_path) as receiver:
        receiver.down = True
        here.operator.environment |= receiver.environment()
        here.operator.environment["AKESO_WEBHOOK_DIGEST_ABOVE"] = "2"
        here.operator.start()
        healed = await here.healed(3)

        async def as_one() -> bool:
            return receiver.refused[-1:] == ["healing.digest"]

        await here.until(as_one, what="a digest that is refused")
        receiver.down = False

        async def told() -> bool:
            marks = [conditions(h).get("Notified", {}) for h in await here.healings()]
            return [m.get("status") for m in marks] == ["True"] * 3

        await here.until(told, what="three Healings marked Notified")
        await here.quiet()
    assert receiver.forged == 0 and len(receiver.ids) == 1
    [body] = receiver.bodies
    assert body["type"] == "healing.digest"
    text = json.dumps(body)
    assert all(h["metadata"]["name"] in text for h in healed)


def crash_once(here: World, ids: list[str]) -> None:
    """The next write to a Healing is the record of this delivery: it does not get through."""
    if len(ids) == 1:
        here.proxy.add(Crash(write=1, match=RECORDS))
