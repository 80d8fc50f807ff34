"""Each action is one write, on exactly the object that was seen, and leaves nothing of ours."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml

from akeso.clients.clock import SystemClock
from akeso.clients.kubernetes import paths
from akeso.clients.kubernetes.cluster import KubernetesCluster
from akeso.clients.kubernetes.connection import ApiServer, connect
from akeso.domain.action import (
    DeletePod,
    EvictPod,
    LimitChange,
    ReleaseOwnership,
    Resize,
    Scale,
    SetTemplate,
    SetTemplateMemory,
)
from akeso.domain.workload import Kind, PodRef, Snapshot, WorkloadRef
from akeso.errors import BlockedError, GoneError, PermanentError, StaleError
from akeso.settings import Settings
from akeso_lab import Lab, LabError

OTHER_UID = "11111111-2222-3333-4444-555555555555"


def manifest(kind: Kind, namespace: str, image: str = "app:1", replicas: int = 2) -> dict[str, Any]:
    container = {
        "name": "app",
        "image": image,
        "env": [{"name": "MODE", "value": "blue"}],
        "resources": {"limits": {"memory": "64Mi"}},
        "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
    }
    volumes = [{"name": "scratch", "emptyDir": {}}]
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [container],
                "volumes": volumes,
                "terminationGracePeriodSeconds": 1,
            },
        },
    }
    if kind is not Kind.DAEMON_SET:
        spec["replicas"] = replicas
    if kind is Kind.STATEFUL_SET:
        spec["serviceName"] = "web"
    return {
        "apiVersion": "apps/v1",
        "kind": kind.value,
        "metadata": {"name": "web", "namespace": namespace},
        "spec": spec,
    }


async def eventually(condition: Callable[[], Any], within: float = 30.0) -> Any:
    """Waits for an async condition to be true, with what it last saw in the complaint."""
    async with asyncio.timeout(within):
        while not (found := await condition()):
            await asyncio.sleep(0.1)
        return found


class Bench:
    """One workload of a test, looked at as the engine would."""

    def __init__(self, api: ApiServer, lab: Lab, namespace: str, kind: Kind) -> None:
        self.api, self.lab, self.namespace, self.kind = api, lab, namespace, kind
        self.cluster = KubernetesCluster(api, SystemClock())
        self.path = f"{paths.collection(paths.APPS, paths.PLURALS[kind], namespace)}/web"
        self.ref = WorkloadRef(kind, namespace, "web", "")

    async def start(self, **options: Any) -> Snapshot:
        self.apply(manifest(self.kind, self.namespace, **options))
        raw = await self.api.get(self.path)
        self.ref = replace(self.ref, uid=raw["metadata"]["uid"])
        return await self.settled()

    def apply(self, wanted: dict[str, Any]) -> str:
        """As a user would: server-side, without --force-conflicts."""
        text = yaml.safe_dump(wanted)
        return self.lab.kubectl("apply", "--server-side", "-f", "-", stdin=text)

    async def seen(self) -> Snapshot:
        return await self.cluster.live(self.ref)

    async def settled(self) -> Snapshot:
        """Seen with all pods of the newest revision ready, and a second later the same version:
        controllers write a status once more when the last old pod is gone."""

        async def still() -> Snapshot | None:
            one = await self.seen()
            await asyncio.sleep(1)
            two = await self.seen()
            done = two.replicas > 0 and two.ready == two.replicas == len(two.pods)
            return two if done and not two.rolling and one == two else None

        found: Snapshot = await eventually(still)
        return found

    async def raw(self) -> dict[str, Any]:
        return await self.api.get(self.path)


@pytest.fixture
def namespace(lab: Lab) -> Iterator[str]:
    """A namespace of this test's own, with fake nodes for its pods."""
    lab.add_kwok_nodes(2)
    name = f"clients-{uuid.uuid4().hex[:8]}"
    lab.kubectl("create", "namespace", name)
    yield name
    lab.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
async def api(lab: Lab) -> AsyncIterator[ApiServer]:
    server = await connect(Settings.model_validate({"kubeconfig": str(lab.kubeconfig)}))
    yield server
    await server.close()


@pytest.fixture(params=list(Kind))
def any_kind(api: ApiServer, lab: Lab, namespace: str, request: pytest.FixtureRequest) -> Bench:
    return Bench(api, lab, namespace, request.param)


@pytest.fixture
def deployment(api: ApiServer, lab: Lab, namespace: str) -> Bench:
    return Bench(api, lab, namespace, Kind.DEPLOYMENT)


async def test_an_evicted_pod_goes_and_another_comes(deployment: Bench) -> None:
    seen = await deployment.start()
    victim = seen.pods[0].ref
    await deployment.cluster.perform(EvictPod(victim, min_ready=1), seen)
    after = await deployment.settled()
    assert after.pod(victim.uid) is None
    assert len(after.pods) == 2


async def test_an_eviction_of_a_pod_that_was_replaced_harms_nobody(deployment: Bench) -> None:
    seen = await deployment.start()
    pod = seen.pods[0]
    impostor = replace(pod, ref=PodRef(pod.ref.name, OTHER_UID))
    mistaken = replace(seen, pods=(impostor,))
    with pytest.raises(StaleError):
        await deployment.cluster.perform(EvictPod(impostor.ref, min_ready=1), mistaken)
    assert (await deployment.seen()).pods == seen.pods


async def test_an_eviction_of_a_pod_that_is_gone_says_so(deployment: Bench) -> None:
    seen = await deployment.start()
    with pytest.raises(GoneError):
        await deployment.cluster.perform(EvictPod(PodRef("web-x", OTHER_UID), min_ready=1), seen)


async def test_a_disruption_budget_blocks_an_eviction_with_its_reason(deployment: Bench) -> None:
    await deployment.start()
    deployment.lab.kubectl(
        "-n",
        deployment.namespace,
        "create",
        "pdb",
        "keep",
        "--selector=app=web",
        "--min-available=2",
    )

    async def budget_is_known() -> Snapshot | None:
        found = await deployment.seen()
        return found if found.budgets else None

    seen: Snapshot = await eventually(budget_is_known)
    assert seen.budgets[0].name == "keep"
    assert seen.budgets[0].disruptions_allowed == 0
    with pytest.raises(BlockedError, match="disruption budget keep"):
        await deployment.cluster.perform(EvictPod(seen.pods[0].ref, min_ready=1), seen)
    assert not any(p.deleting for p in (await deployment.seen()).pods)


async def test_two_budgets_over_one_pod_block_too(deployment: Bench) -> None:
    seen = await deployment.start()
    for name in ("one", "two"):
        deployment.lab.kubectl(
            "-n",
            deployment.namespace,
            "create",
            "pdb",
            name,
            "--selector=app=web",
            "--min-available=0",
        )
    with pytest.raises(BlockedError, match="more than one PodDisruptionBudget"):
        await deployment.cluster.perform(EvictPod(seen.pods[0].ref, min_ready=1), seen)


async def test_a_pod_is_deleted_only_in_the_version_that_was_seen(deployment: Bench) -> None:
    seen = await deployment.start()
    pod = seen.pods[0]
    label = [{"op": "add", "path": "/metadata/labels/touched", "value": "yes"}]
    await deployment.api.patch(
        paths.pod(deployment.namespace, pod.ref.name), label, None, "application/json-patch+json"
    )
    with pytest.raises(StaleError):
        await deployment.cluster.perform(DeletePod(pod.ref), seen)
    await deployment.cluster.perform(DeletePod(pod.ref), await deployment.seen())
    assert (await deployment.settled()).pod(pod.ref.uid) is None


MIB = 2**20


async def with_resources(bench: Bench, *resources: dict[str, Any]) -> Snapshot:
    """Started with one container per entry, named app, side, ..."""
    wanted = manifest(bench.kind, bench.namespace, replicas=1)
    pod = wanted["spec"]["template"]["spec"]
    [app] = pod["containers"]
    pod["containers"] = [
        {**app, "name": name, "resources": one}
        for name, one in zip(("app", "side"), resources, strict=False)
    ]
    bench.apply(wanted)
    bench.ref = replace(bench.ref, uid=(await bench.raw())["metadata"]["uid"])
    return await bench.settled()


async def resources_of(bench: Bench, seen: Snapshot) -> dict[str, Any]:
    raw = await bench.api.get(paths.pod(bench.namespace, seen.pods[0].ref.name))
    assert raw["status"]["qosClass"] == seen.pods[0].qos
    return {c["name"]: c["resources"] for c in raw["spec"]["containers"]}


async def test_a_resize_changes_one_limit_of_one_container_of_one_pod(any_kind: Bench) -> None:
    limits = {"limits": {"memory": "64Mi"}, "requests": {"memory": "32Mi", "cpu": "10m"}}
    seen = await with_resources(any_kind, limits, limits)
    assert seen.resizes
    raise_ = Resize(seen.pods[0].ref, "app", 64 * MIB, 96 * MIB)
    assert not raise_.in_effect(seen) and not raise_.superseded(seen)
    await any_kind.cluster.perform(raise_, seen)
    assert raise_.in_effect(await any_kind.seen())
    after = await any_kind.settled()
    assert {c.memory_limit for c in after.pods[0].containers} == {96.0 * MIB, 64.0 * MIB}
    found = await resources_of(any_kind, after)
    assert found["app"] == {**limits, "limits": {"memory": "96Mi"}}
    assert found["side"] == limits
    assert (await any_kind.raw())["metadata"]["resourceVersion"] == seen.resource_version
    back = Resize(seen.pods[0].ref, "app", 96 * MIB, 64 * MIB, restore=True)
    await any_kind.cluster.perform(back, after)
    after = await any_kind.seen()
    assert back.in_effect(after) and (await resources_of(any_kind, after))["app"] == limits


async def test_the_request_of_a_guaranteed_pod_goes_with_its_limit(deployment: Bench) -> None:
    whole = {
        "limits": {"memory": "64Mi", "cpu": "10m"},
        "requests": {"memory": "64Mi", "cpu": "10m"},
    }
    seen = await with_resources(deployment, whole)
    assert seen.pods[0].qos == "Guaranteed"
    await deployment.cluster.perform(Resize(seen.pods[0].ref, "app", 64 * MIB, 80 * MIB), seen)
    found = (await resources_of(deployment, seen))["app"]
    assert found["limits"]["memory"] == found["requests"]["memory"] == "80Mi"


async def test_a_resize_of_a_pod_that_changed_or_was_replaced_writes_nothing(
    deployment: Bench,
) -> None:
    seen = await with_resources(deployment, {"limits": {"memory": "64Mi"}})
    pod = seen.pods[0]
    raise_ = Resize(pod.ref, "app", 64 * MIB, 96 * MIB)
    older = replace(seen, pods=(replace(pod, resource_version="1"),))
    impostor = replace(pod, ref=PodRef(pod.ref.name, OTHER_UID), resource_version="1")
    with pytest.raises(StaleError):
        await deployment.cluster.perform(raise_, older)
    with pytest.raises(StaleError):
        await deployment.cluster.perform(
            replace(raise_, pod=impostor.ref), replace(seen, pods=(impostor,))
        )
    assert (await resources_of(deployment, seen))["app"]["limits"]["memory"] == "64Mi"


async def test_a_resize_that_a_limit_range_forbids_is_refused_and_named(deployment: Bench) -> None:
    seen = await with_resources(deployment, {"limits": {"memory": "64Mi"}})
    most = {"type": "Container", "max": {"memory": "80Mi"}}
    body = {"metadata": {"name": "most"}, "spec": {"limits": [most]}}
    await deployment.api.post(f"/api/v1/namespaces/{deployment.namespace}/limitranges", body)
    room = await deployment.cluster.capacity(seen, {seen.pods[0].node or ""})
    assert [(b.name, b.memory) for b in room.bounds or ()] == [("most", 80.0 * MIB)]
    assert [n.name for n in room.nodes or ()] == [seen.pods[0].node]
    with pytest.raises(BlockedError, match="maximum memory usage per Container is 80Mi"):
        await deployment.cluster.perform(Resize(seen.pods[0].ref, "app", 64 * MIB, 96 * MIB), seen)


@pytest.mark.parametrize("kind", [Kind.DEPLOYMENT, Kind.STATEFUL_SET])
async def test_scale_sets_replicas_and_is_seen_in_effect(
    api: ApiServer, lab: Lab, namespace: str, kind: Kind
) -> None:
    bench = Bench(api, lab, namespace, kind)
    seen = await bench.start()
    up = Scale(2, 3)
    await bench.cluster.perform(up, seen)
    assert up.in_effect(await bench.settled())


async def test_a_stale_scale_writes_nothing(deployment: Bench) -> None:
    seen = await deployment.start()
    deployment.lab.kubectl("-n", deployment.namespace, "label", "deployment", "web", "touched=yes")
    with pytest.raises(StaleError):
        await deployment.cluster.perform(Scale(2, 3), seen)
    assert (await deployment.seen()).replicas == 2


async def test_a_scale_of_a_successor_with_the_same_name_writes_nothing(deployment: Bench) -> None:
    seen = await deployment.start()
    mistaken = replace(seen, ref=replace(seen.ref, uid=OTHER_UID))
    with pytest.raises(StaleError):
        await deployment.cluster.perform(Scale(2, 3), mistaken)
    assert (await deployment.seen()).replicas == 2


async def test_a_daemon_set_cannot_be_scaled(api: ApiServer, lab: Lab, namespace: str) -> None:
    bench = Bench(api, lab, namespace, Kind.DAEMON_SET)
    with pytest.raises(PermanentError, match="no replicas"):
        await bench.cluster.perform(Scale(2, 3), await bench.start())


async def test_a_live_read_of_a_successor_with_the_same_name_is_gone(deployment: Bench) -> None:
    await deployment.start()
    with pytest.raises(GoneError):
        await deployment.cluster.live(replace(deployment.ref, uid=OTHER_UID))
    with pytest.raises(GoneError):
        await deployment.cluster.live(replace(deployment.ref, name="never-was"))


async def rolled_out(bench: Bench) -> tuple[str, str, Snapshot]:
    """A second release, with another image, one variable less and another limit."""
    first = (await bench.start()).update_revision
    release = manifest(bench.kind, bench.namespace, image="app:2")
    container = release["spec"]["template"]["spec"]["containers"][0]
    del container["env"]
    container["resources"]["limits"]["memory"] = "32Mi"
    bench.apply(release)
    seen = await bench.settled()
    assert seen.update_revision != first
    return first, seen.update_revision, seen


async def test_a_rollback_puts_the_former_template_back_for_every_kind(any_kind: Bench) -> None:
    first, second, seen = await rolled_out(any_kind)
    back = SetTemplate(from_revision=second, to_revision=first)
    assert not back.in_effect(seen)
    assert not back.superseded(seen)
    await any_kind.cluster.perform(back, seen)
    assert back.in_effect(await any_kind.seen())
    after = await any_kind.settled()
    assert after.update_revision == first
    assert {p.revision for p in after.pods} == {first}
    container = (await any_kind.raw())["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "app:1"
    assert container["env"] == [{"name": "MODE", "value": "blue"}]


async def test_a_stale_rollback_writes_nothing(any_kind: Bench) -> None:
    first, second, seen = await rolled_out(any_kind)
    before = await any_kind.raw()
    back = SetTemplate(from_revision=second, to_revision=first)
    for mistaken in (
        replace(seen, resource_version="1"),
        replace(seen, ref=replace(seen.ref, uid=OTHER_UID)),
    ):
        with pytest.raises(StaleError):
            await any_kind.cluster.perform(back, mistaken)
    assert await any_kind.raw() == before


async def test_a_fix_that_the_user_pushed_meanwhile_is_not_rolled_back(any_kind: Bench) -> None:
    first, second, _ = await rolled_out(any_kind)
    any_kind.apply(manifest(any_kind.kind, any_kind.namespace, image="app:3"))
    assert SetTemplate(from_revision=second, to_revision=first).superseded(await any_kind.seen())


MIB = 2**20
RAISED = SetTemplateMemory((LimitChange("app", 64 * MIB, 96 * MIB),))
LOWERED = SetTemplateMemory((LimitChange("app", 96 * MIB, 64 * MIB),), restore=True)


async def test_a_limit_in_the_template_is_set_and_back_and_nothing_else(any_kind: Bench) -> None:
    seen = await any_kind.start()
    before = (await any_kind.raw())["spec"]["template"]
    assert not RAISED.in_effect(seen) and not RAISED.superseded(seen)
    await any_kind.cluster.perform(RAISED, seen)
    after = await any_kind.settled()
    assert RAISED.in_effect(after) and not RAISED.in_effect(seen)
    [container] = (await any_kind.raw())["spec"]["template"]["spec"]["containers"]
    assert container.pop("resources") == {"limits": {"memory": "96Mi"}}
    [as_before] = before["spec"]["containers"]
    assert container == {k: v for k, v in as_before.items() if k != "resources"}
    assert {c.memory_wanted for p in after.pods for c in p.containers} == {96.0 * MIB}
    await any_kind.cluster.perform(ReleaseOwnership("akeso"), after)
    assert "akeso" not in (await any_kind.seen()).managers
    await any_kind.cluster.perform(LOWERED, await any_kind.settled())
    await any_kind.settled()
    assert (await any_kind.raw())["spec"]["template"] == before


async def test_a_request_that_equals_its_limit_goes_with_it(deployment: Bench) -> None:
    await deployment.start()
    same = manifest(Kind.DEPLOYMENT, deployment.namespace)
    resources = same["spec"]["template"]["spec"]["containers"][0]["resources"]
    resources["requests"] = {"memory": "65536Ki", "cpu": "10m"}
    deployment.apply(same)
    seen = await deployment.settled()
    await deployment.cluster.perform(RAISED, seen)
    [container] = (await deployment.raw())["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["requests"] == {"memory": "96Mi", "cpu": "10m"}
    await deployment.cluster.perform(LOWERED, await deployment.settled())
    await deployment.cluster.perform(ReleaseOwnership("akeso"), await deployment.settled())
    resources["requests"]["memory"] = "16Mi"
    deployment.apply(same)
    await deployment.cluster.perform(RAISED, await deployment.settled())
    [container] = (await deployment.raw())["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["requests"]["memory"] == "16Mi"


async def test_a_limit_that_somebody_set_meanwhile_is_not_overwritten(deployment: Bench) -> None:
    seen = await deployment.start()
    path = ("-n", deployment.namespace, "set", "resources", "deployment/web")
    deployment.lab.kubectl(*path, "-c", "app", "--limits=memory=80Mi")
    newer = await deployment.settled()
    assert RAISED.superseded(newer)
    for mistaken in (
        seen,
        replace(newer, template=seen.template),
        replace(seen, resource_version=newer.resource_version),
        newer,
    ):
        with pytest.raises(StaleError):
            await deployment.cluster.perform(RAISED, mistaken)
    gone = SetTemplateMemory((LimitChange("sidecar", 64 * MIB, 96 * MIB),))
    with pytest.raises(PermanentError, match="no container sidecar"):
        await deployment.cluster.perform(gone, newer)
    [container] = (await deployment.raw())["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"memory": "80Mi"}


async def test_after_a_healing_is_released_the_user_applies_without_a_conflict(
    any_kind: Bench,
) -> None:
    first, second, seen = await rolled_out(any_kind)
    await any_kind.cluster.perform(SetTemplate(from_revision=second, to_revision=first), seen)
    seen = await any_kind.settled()
    if any_kind.kind is not Kind.DAEMON_SET:
        await any_kind.cluster.perform(Scale(2, 3), seen)
        seen = await any_kind.settled()
    fix = manifest(any_kind.kind, any_kind.namespace, image="app:4", replicas=4)
    with pytest.raises(LabError, match="conflict"):
        any_kind.apply(fix)

    release = ReleaseOwnership("akeso")
    assert not release.in_effect(seen)
    await any_kind.cluster.perform(release, seen)
    seen = await any_kind.seen()
    assert release.in_effect(seen)
    assert "akeso" not in json.dumps((await any_kind.raw())["metadata"]["managedFields"])
    assert "kubectl" in seen.managers

    any_kind.apply(fix)
    after = await any_kind.settled()
    assert any_kind.kind is Kind.DAEMON_SET or after.replicas == 4
    container = (await any_kind.raw())["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "app:4"


async def test_after_a_rollback_the_next_release_is_what_its_manifest_says(any_kind: Bench) -> None:
    first, second, seen = await rolled_out(any_kind)
    await any_kind.cluster.perform(SetTemplate(from_revision=second, to_revision=first), seen)
    seen = await any_kind.settled()
    await any_kind.cluster.perform(ReleaseOwnership("akeso"), seen)

    third = manifest(any_kind.kind, any_kind.namespace, image="app:3")
    del third["spec"]["template"]["spec"]["containers"][0]["env"]
    any_kind.apply(third)
    container = (await any_kind.raw())["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "app:3"
    assert "env" not in container


async def test_replicas_that_the_user_never_set_survive_the_next_apply(deployment: Bench) -> None:
    await deployment.start()
    without = manifest(Kind.DEPLOYMENT, deployment.namespace)
    del without["spec"]["replicas"]
    deployment.lab.kubectl("-n", deployment.namespace, "scale", "deployment/web", "--replicas=3")
    deployment.apply(without)
    seen = await deployment.settled()
    assert seen.replicas == 3
    for wanted in (4, 3):
        await deployment.cluster.perform(Scale(7 - wanted, wanted), seen)
        seen = await deployment.settled()
    await deployment.cluster.perform(ReleaseOwnership("akeso"), seen)
    deployment.apply(without)
    assert (await deployment.settled()).replicas == 3


async def test_releasing_twice_changes_nothing(deployment: Bench) -> None:
    seen = await deployment.start()
    before = await deployment.raw()
    await deployment.cluster.perform(ReleaseOwnership("akeso"), seen)
    assert await deployment.raw() == before


async def test_what_is_forbidden_names_the_verb_the_resource_and_the_remedy(
    deployment: Bench, lab: Lab
) -> None:
    seen = await deployment.start()
    nobody = lab.user_kubeconfig("nobody-in-particular")
    weak = await connect(Settings.model_validate({"kubeconfig": str(nobody)}))
    try:
        with pytest.raises(PermanentError, match=r"may not patch deployments/scale .*Grant it"):
            await KubernetesCluster(weak, SystemClock()).perform(Scale(2, 3), seen)
    finally:
        await weak.close()


async def test_without_leadership_nothing_is_written(deployment: Bench) -> None:
    seen = await deployment.start()
    fenced = KubernetesCluster(deployment.api, SystemClock(), fence=lambda: False)
    with pytest.raises(StaleError, match="leadership"):
        await fenced.perform(Scale(2, 3), seen)
    assert (await deployment.seen()).replicas == 2
