"""The guards, on a real cluster: who says no is heard, and what was begun goes on afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from akeso_lab.fake_nodes import FAKE, fake_node
from akeso_lab.proxy import Crash, Delay, Match
from cluster.effects import in_words
from cluster.harness import World, brief, conditions, second
from cluster.workloads import budget, policy, query_signal, workload

EVICTIONS = Match(path="/eviction$", verbs="write")


async def tired(here: World, replicas: int = 3, labels: dict[str, str] | None = None) -> list[str]:
    """A Deployment all of whose pods have the problem; their uids."""
    await here.apply(workload(replicas=replicas, labels=labels or {}))
    await here.rolled_out("Deployment")
    return await here.tire()


def care(here: World, **spec: Any) -> dict[str, Any]:
    return policy(query_signal(here.name), **spec)


async def test_the_kill_switch_stops_a_healing_under_way_and_letting_go_resumes_it(
    here: World,
) -> None:
    await tired(here)
    await here.apply(care(here))
    first = here.proxy.add(Delay(seconds=0.1, match=Match(path="/eviction$", nth=1)))
    here.operator.start()
    await first.happened.wait()
    await here.control(paused={"reason": "we look at it ourselves"})
    healing = await here.blocked("KillSwitch")
    assert "we look at it ourselves" in healing["status"]["message"]
    assert in_words(here.effects()) == ["evict"]
    await here.untouched(5)
    await here.control()
    [healed] = await here.healed()
    assert brief(healed)["verdict"] == "Verified"
    assert in_words(here.effects()) == ["evict"] * 3


async def test_a_used_up_disruption_budget_blocks_with_its_reason_until_it_allows_one(
    here: World,
) -> None:
    await here.apply(budget(minAvailable=3))
    await tired(here)
    await here.until(lambda: budget_is(here, 0))
    await here.apply(care(here))
    here.operator.start()
    healing = await here.blocked("DisruptionBudget")
    assert "web-budget allows 0 disruptions" in healing["status"]["message"]
    await here.untouched(2)
    await here.apply(budget(minAvailable=2))
    [healed] = await here.healed()
    assert brief(healed)["verdict"] == "Verified"
    assert in_words(here.effects()) == ["evict"] * 3


async def test_pods_on_a_node_under_pressure_are_left_alone_until_it_is_well(here: World) -> None:
    async with node_of_its_own(here) as name:
        web = workload(replicas=2)
        taint = {"key": FAKE, "operator": "Exists"}
        on = {"nodeSelector": {"kubernetes.io/hostname": name}, "tolerations": [taint]}
        web["spec"]["template"]["spec"] |= on
        await here.apply(web)
        await here.rolled_out("Deployment")
        await here.tire()
        await press(here, name, "True")
        await here.apply(care(here))
        here.operator.start()
        healing = await here.blocked("NodeUnderPressure")
        assert f"node {name}, which is under pressure" in healing["status"]["message"]
        assert "MemoryPressure" in healing["status"]["message"]
        await here.untouched(2)
        assert here.effects() == []
        await press(here, name, "False")
        [healed] = await here.healed()
        assert brief(healed)["verdict"] == "Verified"
        assert in_words(here.effects()) == ["evict"] * 2


@asynccontextmanager
async def node_of_its_own(here: World) -> AsyncIterator[str]:
    """A fake node that no other test's pods come to, and nothing is left of."""
    name = f"{here.name}-node"
    await here.api.post("/api/v1/nodes", fake_node(name, tainted=True))
    try:
        await here.until(lambda: held(here, name, "Ready"), what=f"node {name} ready")
        yield name
    finally:
        await here.operator.stop()
        await here.delete("Deployment", "web")
        await here.until(lambda: emptied(here), what="its pods gone")
        await here.api.delete(f"/api/v1/nodes/{name}")


async def press(here: World, name: str, status: str) -> None:
    """What a kubelet says when memory runs out; kwok leaves the conditions of ready nodes alone."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    said = {"type": "MemoryPressure", "status": status, "reason": "Test", "message": "a test"}
    times = {"lastHeartbeatTime": now, "lastTransitionTime": now}
    change = {"status": {"conditions": [{**said, **times}]}}
    strategic = "application/strategic-merge-patch+json"
    await here.api.patch(f"/api/v1/nodes/{name}/status", change, {}, strategic)


async def held(here: World, name: str, condition: str) -> bool:
    found = (await here.api.get(f"/api/v1/nodes/{name}")).get("status", {}).get("conditions", [])
    return any(c["type"] == condition and c["status"] == "True" for c in found)


async def emptied(here: World) -> bool:
    return not await here.api.list_all(f"/api/v1/namespaces/{here.name}/pods")


async def budget_is(here: World, allowed: int) -> bool:
    found = await here.api.get(
        f"/apis/policy/v1/namespaces/{here.name}/poddisruptionbudgets/web-budget"
    )
    status = found.get("status", {})
    return status.get("currentHealthy") == 3 and status.get("disruptionsAllowed") == allowed


async def test_a_workload_that_opted_out_is_left_alone(here: World) -> None:
    await tired(here, labels={"akeso.dev/heal": "false"})
    await here.apply(care(here))
    here.operator.start()
    healing = await here.blocked("OptedOut")
    assert "remove the label" in healing["status"]["message"]
    await here.untouched(3)
    assert here.effects() == []


async def test_a_protected_namespace_is_left_alone(here: World) -> None:
    await tired(here)
    await here.control(protectedNamespaces=[here.name])
    await here.apply(care(here))
    here.operator.start()
    healing = await here.blocked("ProtectedNamespace")
    assert "protectedNamespaces" in healing["status"]["message"]
    await here.untouched(3)
    assert here.effects() == []


async def test_the_only_pod_of_an_autoscaled_workload_is_left_to_a_person(here: World) -> None:
    await here.apply(autoscaler())
    await tired(here, replicas=1)
    await here.apply(care(here))
    here.operator.start()
    healing = await here.blocked("AutoscalerOwnsReplicas")
    assert "raise the minimum" in healing["status"]["message"]
    assert conditions(healing)["NeedsHuman"]["status"] == "True"
    await here.untouched(3)
    assert here.effects() == []


@pytest.mark.parametrize("manager", ["argocd-controller", "kustomize-controller"])
async def test_what_a_gitops_controller_applied_is_not_written(here: World, manager: str) -> None:
    """Its next sync would revert the surge that the only pod needs."""
    await here.apply(workload(replicas=1), manager=manager)
    await here.rolled_out("Deployment")
    await here.tire()
    await here.apply(care(here))
    here.operator.start()
    healing = await here.blocked("GitOpsOwnsManifest")
    assert conditions(healing)["NeedsHuman"]["status"] == "True"
    await here.untouched(2)
    assert here.effects() == []


async def test_pods_of_an_autoscaled_workload_are_evicted_without_touching_its_replicas(
    here: World,
) -> None:
    await here.apply(autoscaler(minReplicas=2))
    await tired(here, replicas=2)
    await here.apply(care(here))
    here.operator.start()
    await here.healed()
    assert in_words(here.effects()) == ["evict"] * 2


def autoscaler(**spec: Any) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": target, "maxReplicas": 5, **spec},
    }


async def test_a_paused_policy_waits_and_goes_on_when_the_pause_is_lifted(here: World) -> None:
    await tired(here)
    await here.apply(care(here, guardrails={"pauseReasons": ["release day"]}))
    here.operator.start()
    healing = await here.blocked("PolicyPaused")
    assert "release day" in healing["status"]["message"]
    await here.untouched(3)
    await here.apply(care(here))
    [healed] = await here.healed()
    assert brief(healed)["verdict"] == "Verified"
    assert in_words(here.effects()) == ["evict"] * 3


async def test_observe_mode_records_what_would_be_done_and_does_nothing(here: World) -> None:
    await tired(here)
    await here.apply(care(here, mode="Observe"))
    here.operator.start()
    healing = await here.blocked("ModeObserve")
    assert "would do: evict 3 pods" in healing["status"]["message"]
    said = {guard["guard"]: guard["allowed"] for guard in healing["status"]["guards"]}
    assert [guard for guard, allowed in said.items() if not allowed] == ["mode"]
    assert len(said) > 15
    await here.untouched(5)
    assert here.effects() == []
    assert len(await here.healings()) == 1


async def test_the_hourly_budget_holds_when_many_targets_have_the_problem_at_once(
    here: World,
) -> None:
    names = [f"web-{number}" for number in range(6)]
    await here.apply(*(workload(name=name, replicas=2) for name in names))
    for name in names:
        await here.rolled_out("Deployment", name)
        await here.tire(name)
    await here.apply(care(here, guardrails={"maxHealingsPerHour": 2}))
    here.operator.start()

    async def settled() -> list[dict[str, Any]] | None:
        found = await here.healings()
        done = [h for h in found if h.get("status", {}).get("verdict")]
        blocked = [h for h in found if reason(h) == "PolicyBudget"]
        return found if (len(done), len(blocked)) == (2, 4) else None

    def reason(healing: dict[str, Any]) -> str:
        stands = conditions(healing).get("Blocked", {"status": "False"})
        return stands["reason"] if stands["status"] == "True" else ""

    await here.until(settled)
    await here.untouched(3)
    assert in_words(here.effects()) == ["evict"] * 4


async def test_when_the_leader_is_killed_the_other_operator_finishes_its_work_once(
    here: World,
) -> None:
    uids = await tired(here)
    await here.apply(care(here))
    # The first eviction is done, and nobody was told.
    here.proxy.add(Crash(write=1, when="committed", match=EVICTIONS))
    here.operator.start(lease_seconds="6", lease_renew_seconds="1")
    await here.until(lambda: leader_is(here, "akeso-0"))
    async with second(here, "akeso-1") as other:
        other.operator.start()
        await here.proxy.crashed.wait()
        await other.healed()
        await other.quiet()
        assert await leader_is(other, "akeso-1")
        done = here.effects() + other.effects()
    assert sorted(e.uid for e in done) == sorted(uids)
    assert [brief(h)["verdict"] for h in await here.healings()] == ["Verified"]


async def test_a_leader_that_was_frozen_past_its_lease_writes_nothing_any_more(
    here: World,
) -> None:
    uids = await tired(here)
    await here.apply(care(here))
    frozen = here.proxy.add(Delay(seconds=1, match=Match(path="/eviction$", nth=2)))
    here.operator.start(crash_only=False, lease_seconds="6", lease_renew_seconds="1")
    await here.until(lambda: leader_is(here, "akeso-0"))
    async with second(here, "akeso-1") as other:
        other.operator.start()
        await frozen.happened.wait()
        os.kill(here.operator.pid, signal.SIGSTOP)
        await other.healed()
        await other.quiet()
        thawed = time.time()
        os.kill(here.operator.pid, signal.SIGCONT)
        assert await asyncio.wait_for(here.operator.ended(), 30) == 1
        done = here.effects() + other.effects()
        late = [r.path for r in here.proxy.requests if r.started > thawed and r.committed]
    assert late == []
    assert sorted(e.uid for e in done) == sorted(uids)


async def leader_is(here: World, identity: str) -> bool:
    lease = await here.api.get(
        f"/apis/coordination.k8s.io/v1/namespaces/{here.own}/leases/akeso-operator"
    )
    return bool(lease["spec"].get("holderIdentity") == identity)
