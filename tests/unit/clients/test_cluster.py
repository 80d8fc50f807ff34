"""Reads and writes of the cluster, where the answer is not the usual one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from akeso.clients.kubernetes import assembly
from akeso.clients.kubernetes.cluster import UNKNOWN_AUTOSCALER, KubernetesCluster
from akeso.domain.action import (
    Action,
    DeletePod,
    EvictPod,
    ReleaseOwnership,
    Resize,
    Scale,
    SetTemplate,
)
from akeso.domain.workload import Container, Kind, Pod, PodRef, Revision, Snapshot
from akeso.errors import GoneError, PermanentError, StaleError, TransientError
from unit.clients.apiserver import QuickClock, Refusal, Script, serving, status
from unit.clients.fixtures import real

POD = PodRef("web-1", "uid-1")
SEEN: Snapshot = replace(
    assembly.workload(Kind.DEPLOYMENT, real("deployment"), with_template=True).partial,
    pods=(Pod(POD, resource_version="7", containers=(Container("app"),)),),
    revisions=(Revision("v1", "web-v1", 1, template={"spec": {}}), Revision("v0", "web-v0")),
)
ACTIONS: tuple[Action, ...] = (
    EvictPod(POD, 1),
    DeletePod(POD),
    Scale(2, 3),
    SetTemplate("v2", "v1"),
    ReleaseOwnership("kubectl"),
    Resize(POD, "app", 64 * 2**20, 96 * 2**20),
)
OF_A_POD = (EvictPod, DeletePod, Resize)


@asynccontextmanager
async def cluster(
    script: Script, folder: Path, leads: bool = True
) -> AsyncIterator[KubernetesCluster]:
    async with serving(script, folder) as api:
        yield KubernetesCluster(api, QuickClock(), fence=lambda: leads)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: type(a).__name__)
async def test_who_does_not_lead_writes_nothing(tmp_path: Path, action: Action) -> None:
    script = Script()
    script.answers.append(Refusal(200, real("deployment")))
    async with cluster(script, tmp_path, leads=False) as found:
        with pytest.raises(StaleError, match="leadership is lost"):
            await found.perform(action, SEEN)
    assert script.bodies == []


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: type(a).__name__)
async def test_each_action_is_one_write_on_what_was_seen(tmp_path: Path, action: Action) -> None:
    script = Script()
    if isinstance(action, ReleaseOwnership):
        script.answers.append(Refusal(200, real("deployment")))
    async with cluster(script, tmp_path) as found:
        await found.perform(action, SEEN)
    [body] = script.bodies
    assert (POD.uid if isinstance(action, OF_A_POD) else SEEN.ref.uid) in str(body)
    if not isinstance(action, EvictPod):
        version = "7" if isinstance(action, OF_A_POD) else SEEN.resource_version
        assert f"'{version}'" in str(body)


async def test_a_pod_that_was_not_seen_is_not_touched(tmp_path: Path) -> None:
    script = Script()
    other = PodRef("web-1", "another")
    async with cluster(script, tmp_path) as found:
        for action in (EvictPod(other, 1), DeletePod(other)):
            with pytest.raises(GoneError):
                await found.perform(action, SEEN)
    assert script.seen == []


async def test_only_a_template_that_was_read_live_is_written(tmp_path: Path) -> None:
    script = Script()
    async with cluster(script, tmp_path) as found:
        with pytest.raises(PermanentError, match="not read live"):
            await found.perform(SetTemplate("v2", "v0"), SEEN)
        with pytest.raises(GoneError):
            await found.perform(SetTemplate("v2", "pruned"), SEEN)
    assert script.seen == []


async def test_ownership_of_a_successor_is_left_alone(tmp_path: Path) -> None:
    script = Script()
    successor = real("deployment")
    successor["metadata"]["uid"] = "another"
    script.answers.append(Refusal(200, successor))
    async with cluster(script, tmp_path) as found:
        with pytest.raises(GoneError):
            await found.perform(ReleaseOwnership("kubectl"), SEEN)
    assert script.bodies == []


CONFLICT = Refusal(409, status(409, reason="Conflict"))


def version(number: str) -> Refusal:
    raw = real("deployment")
    raw["metadata"]["resourceVersion"] = number
    return Refusal(200, raw)


async def test_ownership_is_given_up_at_once_though_controllers_write_as_well(
    tmp_path: Path,
) -> None:
    script = Script()
    script.answers.extend((version("8"), CONFLICT, version("9"), CONFLICT, version("10")))
    async with cluster(script, tmp_path) as found:
        await found.perform(ReleaseOwnership("kubectl"), SEEN)
    looked_at = [p["value"] for b in script.bodies for p in b if "Version" in p["path"]]
    assert looked_at == ["8", "9", "10"]


async def test_giving_up_ownership_is_tried_a_few_times_and_then_left_to_the_next_cycle(
    tmp_path: Path,
) -> None:
    script = Script()
    for _ in range(20):
        script.answers.extend((version("8"), CONFLICT))
    async with cluster(script, tmp_path) as found:
        with pytest.raises(StaleError):
            await found.perform(ReleaseOwnership("kubectl"), SEEN)
    assert len(script.bodies) == 5


async def test_who_leads_no_more_does_not_try_again(tmp_path: Path) -> None:
    script = Script()
    script.answers.extend((version("8"), CONFLICT, version("9")))
    leads = iter((True, False))
    async with serving(script, tmp_path) as api:
        found = KubernetesCluster(api, QuickClock(), fence=lambda: next(leads))
        with pytest.raises(StaleError):
            await found.perform(ReleaseOwnership("kubectl"), SEEN)
    assert len(script.bodies) == 1


async def test_a_live_read_that_is_not_understood_is_an_error_of_ours(tmp_path: Path) -> None:
    script = Script()
    broken = real("deployment")
    broken["spec"]["replicas"] = "many"
    script.answers.append(Refusal(200, broken))
    async with cluster(script, tmp_path) as found:
        with pytest.raises(PermanentError, match="not understood"):
            await found.live(SEEN.ref)


async def test_where_autoscalers_cannot_be_read_one_is_assumed(tmp_path: Path) -> None:
    script = Script(absent=frozenset({"horizontalpodautoscalers", "poddisruptionbudgets"}))
    script.answers.append(Refusal(200, real("deployment")))
    async with cluster(script, tmp_path) as found:
        seen = await found.live(SEEN.ref)
    assert seen.autoscaler == UNKNOWN_AUTOSCALER
    assert seen.budgets == ()


async def test_an_outage_in_the_middle_of_a_live_read_shows_nothing_half(tmp_path: Path) -> None:
    script = Script()
    script.answers.append(Refusal(200, real("deployment")))
    script.lists.extend(Refusal(503, status(503)) for _ in range(4))
    async with cluster(script, tmp_path) as found:
        with pytest.raises(TransientError):
            await found.live(SEEN.ref)
        await asyncio.sleep(0.05)


async def test_before_pods_are_known_no_workload_is_shown(tmp_path: Path) -> None:
    script = Script()
    refusal = status(403, 'cannot list resource "pods" in API group ""')
    script.answers.extend(Refusal(403, refusal) for _ in range(50))  # whatever is asked
    clock = QuickClock()
    clock.runs.clear()  # nothing is tried again
    async with serving(script, tmp_path) as api:
        found = KubernetesCluster(api, clock)
        task = asyncio.create_task(found.run())
        try:
            async with asyncio.timeout(10):
                while not found.ready:
                    await asyncio.sleep(0.005)
            assert list(found.snapshots()) == []
            assert found.age(0.0) == float("inf")
            assert any("may not list pods" in p for p in found.problems())
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_limit_that_can_not_be_lowered_in_place_is_said_with_what_follows(
    tmp_path: Path,
) -> None:
    script = Script()
    said = "memory limits cannot be decreased unless resizePolicy is RestartContainer"
    script.answers.append(Refusal(422, {"kind": "Status", "message": said, "reason": "Invalid"}))
    back = Resize(POD, "app", 96 * 2**20, 64 * 2**20, restore=True)
    async with cluster(script, tmp_path) as found:
        with pytest.raises(
            PermanentError, match=r"1\.34.*keeps 96Mi until another takes its place"
        ):
            await found.perform(back, SEEN)
