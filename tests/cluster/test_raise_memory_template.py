"""More memory for good, through a real API server: proposed, asked for, rolled out."""

from __future__ import annotations

import json
from typing import Any

from cluster.commands import akeso
from cluster.effects import in_words
from cluster.harness import World, brief, complete, conditions
from cluster.test_raise_memory import growing, limits
from cluster.workloads import policy, raise_signals

LASTING = {"healer": "RaiseMemoryTemplate", "ceiling": "1Gi", "timeoutSeconds": 120}


def signals(here: World, *rungs: dict[str, Any]) -> list[dict[str, Any]]:
    """`fatigue` asks for more memory by these rungs; a forecast is there for it."""
    asks, foresees = raise_signals(here.name)
    return [{**asks, "ladder": [*asks["ladder"], *rungs]}, foresees]


async def test_a_verified_raise_is_proposed_for_good_and_made_so_when_a_person_asks(
    here: World,
) -> None:
    await growing(here)
    rest = {"cooldownSeconds": 0}
    await here.apply(policy(*signals(here, LASTING), guardrails=rest))
    here.operator.start()
    [healed] = await here.healed()
    assert brief(healed)["verdict"] == "Verified", str(healed["status"])
    proposed = conditions(healed)["Proposed"]
    assert (proposed["status"], proposed["reason"]) == ("True", "RaiseMemoryTemplate")
    where = f"deployment/web -n {here.name}"
    for words in (
        "raise the memory limit of container app from 256 MiB to 384 MiB in the pod template",
        f"akeso heal {where} --healer RaiseMemoryTemplate",
        f"kubectl set resources {where} -c app --limits=memory=384Mi",
    ):
        assert words in proposed["message"], proposed["message"]
    assert in_words(here.effects()) == ["resize to 384Mi"]

    wish = ("--healer", "RaiseMemoryTemplate", "--signal", "fatigue", "--reason", "it is a leak")
    done = await akeso(here, "heal", "web", "-n", here.name, *wish, "--wait", "-o", "json")
    assert done.code == 0, done
    assert json.loads(done.out)["verdict"] == "Verified"
    after = await here.rolled_out("Deployment")
    [container] = after["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {"limits": {"memory": "384Mi"}}
    assert container["image"] == "app:1" and complete(after)
    assert await limits(here) == ["384Mi"]
    assert all(m["manager"] != "akeso" for m in after["metadata"]["managedFields"])
    name = "/spec/template/spec/containers/0"
    memory = f"{name}/resources/limits/memory"
    assert in_words(here.effects()) == [
        "change /metadata/managedFields",
        f"change {name}/name {memory} {memory}",
        "resize to 384Mi",
    ]
    told = await akeso(here, "history", "web", "-n", here.name)
    assert "Left to you" in told.out and "RaiseMemoryTemplate" in told.out, told

    healing = str(json.loads(done.out)["healing"])
    why = ("--reason", "we found the leak", "--wait")
    back = await akeso(here, "undo", healing, "-n", here.name, *why)
    assert back.code == 0 and "from 384 MiB to 256 MiB" in back.out, back
    after = await here.rolled_out("Deployment")
    [container] = after["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {"limits": {"memory": "256Mi"}}

    async def given_up() -> bool:
        fields = (await here.get("Deployment", "web"))["metadata"]["managedFields"]
        return all(m["manager"] != "akeso" for m in fields)

    await here.until(given_up)


async def test_a_rollout_that_somebody_leads_by_hand_is_left_alone(here: World) -> None:
    await growing(here, kind="StatefulSet")
    by_hand = {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 1}}}}
    await here.patch("StatefulSet", "web", by_hand)
    asks, foresees = raise_signals(here.name)
    heal = {**LASTING, "mode": "Heal"}
    await here.apply(policy({**asks, "ladder": [heal]}, foresees))
    here.operator.start()

    async def asked() -> dict[str, Any] | None:
        for healing in await here.healings():
            stands = conditions(healing).get("NeedsHuman", {})
            if stands.get("reason") == "Partition":
                return stands
        return None

    assert "from pod 1 upwards" in (await here.until(asked))["message"]
    assert here.effects() == []
