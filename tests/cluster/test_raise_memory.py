"""More memory in place, through a real API server; what the kubelet does is tried on a node."""

from __future__ import annotations

from typing import Any

from cluster.effects import in_words
from cluster.harness import World, brief, conditions
from cluster.workloads import LIMIT, policy, raise_signals, workload


async def growing(here: World, replicas: int = 1, kind: str = "Deployment") -> None:
    """A workload whose pods use more and more, and a signal that asks for help."""
    await here.apply(workload(kind, replicas=replicas))
    await here.rolled_out(kind)
    await here.tire()
    await here.leak(share=0.85)


async def limits(here: World) -> list[str]:
    """The memory limit of every pod's container, as its spec has it."""
    found = [p["spec"]["containers"][0]["resources"] for p in await here.pods()]
    return [resources["limits"]["memory"] for resources in found]


async def test_a_limit_is_raised_and_brought_back_when_a_person_asks_and_usage_allows(
    here: World,
) -> None:
    await growing(here)
    [pod] = await here.pods()
    template = (await here.get("Deployment", "web"))["metadata"]
    await here.apply(policy(*raise_signals(here.name), guardrails={"cooldownSeconds": 3600}))
    here.operator.start()
    [healed] = await here.healed()
    assert brief(healed)["verdict"] == "Verified", str(healed["status"])
    assert in_words(here.effects()) == ["resize to 384Mi"]
    assert await limits(here) == ["384Mi"]
    undo = {"spec": {"undo": {"requestedBy": "alice", "reason": "we found the leak"}}}
    await here.patch("Healing", healed["metadata"]["name"], undo)

    async def waiting() -> dict[str, Any] | None:
        stands = conditions((await here.healings())[0]).get("Undone")
        return stands if stands and stands["status"] == "False" else None

    said = await here.until(waiting)
    assert "which is not below 80% of 256 MiB" in said["message"]
    await here.calm("web", 0.5 * LIMIT)

    async def lowered() -> bool:
        return await limits(here) == ["256Mi"]

    await here.until(lowered)

    async def undone() -> bool:
        return conditions((await here.healings())[0])["Undone"]["reason"] == "Requested"

    await here.until(undone)
    assert in_words(here.effects()) == ["resize to 256Mi", "resize to 384Mi"]
    [after] = await here.pods()
    assert after["metadata"]["uid"] == pod["metadata"]["uid"]
    now = (await here.get("Deployment", "web"))["metadata"]
    assert (now["generation"], now["managedFields"]) == (
        template["generation"],
        template["managedFields"],
    )


async def test_where_a_limit_range_allows_no_more_nothing_is_raised_and_it_is_named(
    here: World,
) -> None:
    await growing(here)
    most = {"type": "Container", "max": {"memory": "300Mi"}}
    path = f"/api/v1/namespaces/{here.name}/limitranges"
    await here.api.post(path, {"metadata": {"name": "most"}, "spec": {"limits": [most]}})
    await here.apply(policy(*raise_signals(here.name)))
    here.operator.start()

    async def asked() -> dict[str, Any] | None:
        for healing in await here.healings():
            stands = conditions(healing).get("NeedsHuman", {})
            if stands.get("reason") == "LimitRange":
                return stands
        return None

    assert "LimitRange most" in (await here.until(asked))["message"]
    assert await limits(here) == ["256Mi"]
    assert here.effects() == []
