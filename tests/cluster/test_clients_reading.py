"""What is seen of a real cluster is what is there, whatever happens on the way."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from akeso.clients.clock import SystemClock
from akeso.clients.kubernetes import paths
from akeso.clients.kubernetes.cluster import UNKNOWN_AUTOSCALER, KubernetesCluster
from akeso.clients.kubernetes.connection import ApiServer, connect
from akeso.clients.kubernetes.events import EventNotifier
from akeso.clients.kubernetes.lease import COORDINATION, Leadership
from akeso.clients.kubernetes.reflector import Reflector, Source
from akeso.clients.prometheus import PrometheusSource
from akeso.clients.promql import matcher
from akeso.domain.finding import Decision
from akeso.domain.workload import Kind, Snapshot, WorkloadRef
from akeso.errors import PermanentError, TransientError
from akeso.settings import Settings
from akeso_lab import Lab
from akeso_lab.build import build
from akeso_lab.certificates import Authority
from akeso_lab.certificates import Subject as Who
from akeso_lab.parts import PROMETHEUS
from akeso_lab.proxy import (
    Cut,
    DuplicateEvent,
    ErrorEvent,
    Fault,
    FaultProxy,
    GarbageBody,
    GarbageEvent,
    Match,
    Reject,
    ReplayEvents,
    SwapEvents,
    WatchError,
)

Json = dict[str, Any]
# "open-sesame", as `htpasswd -nB` writes it; four rounds, so that it costs nothing.
SESAME = "$2b$04$zfBiCG.y1hmVH5lGzV6x/efm2GUuzSB2Sdf7HEpnSvLK1J72XoXDW"


@pytest.fixture
def namespace(lab: Lab) -> Iterator[str]:
    """A namespace of this test's own, with fake nodes for its pods."""
    lab.add_kwok_nodes(2)
    name = f"clients-{uuid.uuid4().hex[:8]}"
    lab.kubectl("create", "namespace", name)
    yield name
    lab.kubectl("delete", "namespace", name, "--wait=false")


@asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[ApiServer]:
    api = await connect(Settings.model_validate({"kubeconfig": str(kubeconfig)}))
    try:
        yield api
    finally:
        await api.close()


@asynccontextmanager
async def running(work: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(work.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def eventually(condition: Callable[[], Any], within: float = 30.0) -> Any:
    async with asyncio.timeout(within):
        while not (found := condition()):
            await asyncio.sleep(0.05)
        return found


@pytest.fixture
async def api(lab: Lab) -> AsyncIterator[ApiServer]:
    async with connected(lab.kubeconfig) as server:
        yield server


def workload(kind: Kind, namespace: str) -> Json:
    name = kind.value.lower()
    container = {"name": "app", "image": "app:1", "resources": {"limits": {"memory": "64Mi"}}}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    spec: Json = {"selector": {"matchLabels": {"app": name}}, "template": template}
    if kind is not Kind.DAEMON_SET:
        spec["replicas"] = 2
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "apps/v1", "kind": kind.value, "metadata": metadata, "spec": spec}


async def test_the_informers_show_what_a_live_read_shows(
    lab: Lab, api: ApiServer, namespace: str
) -> None:
    lab.apply(*(workload(kind, namespace) for kind in Kind))
    lab.kubectl(
        "-n", namespace, "create", "pdb", "keep", "--selector=app=deployment", "--min-available=1"
    )
    lab.kubectl("-n", namespace, "autoscale", "deployment/deployment", "--max=5", "--cpu=50%")
    cluster = KubernetesCluster(api, SystemClock(), (namespace,))
    assert cluster.age(SystemClock().now()) == float("inf")

    def at_rest() -> list[Snapshot]:
        found = list(cluster.snapshots())
        rest = [s for s in found if s.ready == s.replicas > 0 and not s.rolling]
        return found if len(rest) == 3 and any(s.autoscaler for s in rest) else []

    async with running(cluster):
        await eventually(lambda: cluster.ready)
        seen = await eventually(at_rest)
        await asyncio.sleep(1)  # the last status updates
        for informed in cluster.snapshots():
            live = await cluster.live(informed.ref)
            assert replace(live, live=False) == informed
            assert live.template is not None
        assert {s.ref.kind for s in seen} == set(Kind)
        deployment = next(s for s in cluster.snapshots() if s.ref.kind is Kind.DEPLOYMENT)
        assert str(deployment.autoscaler) == "HorizontalPodAutoscaler/deployment"
        assert [b.name for b in deployment.budgets] == ["keep"]
        assert cluster.age(SystemClock().now()) < 60
        assert cluster.problems() == ()


async def test_without_the_right_to_some_kinds_the_rest_goes_on(
    lab: Lab, api: ApiServer, namespace: str
) -> None:
    lab.apply(*(workload(kind, namespace) for kind in Kind))
    verbs = ["get", "list", "watch"]
    resources = ["deployments", "replicasets", "statefulsets", "controllerrevisions"]
    version = "rbac.authorization.k8s.io/v1"
    named = {"name": "reader", "namespace": namespace}
    rules = [
        {"apiGroups": ["apps"], "resources": resources, "verbs": verbs},
        {"apiGroups": [""], "resources": ["pods"], "verbs": verbs},
    ]
    user = f"reader-{namespace}"
    subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
    role = {"kind": "Role", "name": "reader", "apiGroup": "rbac.authorization.k8s.io"}
    lab.apply(
        {"apiVersion": version, "kind": "Role", "metadata": named, "rules": rules},
        {
            "apiVersion": version,
            "kind": "RoleBinding",
            "metadata": named,
            "roleRef": role,
            "subjects": [subject],
        },
    )
    async with connected(lab.user_kubeconfig(user)) as reader:
        cluster = KubernetesCluster(reader, SystemClock(), (namespace,))
        async with running(cluster):
            await eventually(lambda: cluster.ready)
            kinds = {s.ref.kind for s in await eventually(lambda: list(cluster.snapshots()))}
            assert kinds == {Kind.DEPLOYMENT, Kind.STATEFUL_SET}
            missing = "\n".join(cluster.problems())
            for kind in ("daemonsets", "poddisruptionbudgets", "horizontalpodautoscalers"):
                assert f"may not list {kind}" in missing
            assert cluster.age(SystemClock().now()) < 60
            some = next(iter(cluster.snapshots()))
            assert (await cluster.live(some.ref)).autoscaler == UNKNOWN_AUTOSCALER


async def test_a_list_in_many_pages_is_whole(lab: Lab, api: ApiServer, namespace: str) -> None:
    names = {f"c{number}" for number in range(5)}
    lab.apply(*(config_map(namespace, name, "1") for name in names))
    path = paths.collection(paths.CORE, "configmaps", namespace)
    pages = [page async for page in api.pages(path, limit=2)]
    assert len(pages) >= 3
    assert names <= {item["metadata"]["name"] for page in pages for item in page.items}
    assert len({page.resource_version for page in pages}) == 1


def config_map(namespace: str, name: str, value: str) -> Json:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"v": value}}


def value(raw: Json) -> str | None:
    return None if raw["metadata"]["name"] == "noise" else raw["data"].get("v")


SOME = Match(every=3)
WATCHES = Match(verbs="watch", path="configmaps")
FAULTS: tuple[tuple[Fault, ...], ...] = (
    (DuplicateEvent(),),
    (ReplayEvents(count=5),),
    (SwapEvents(match=SOME),),
    (GarbageEvent(match=SOME, style="garbled"),),
    (GarbageEvent(match=SOME, style="truncated"),),
    (GarbageEvent(match=SOME, style="severed"),),
    (ErrorEvent(match=SOME, code=410),),
    (ErrorEvent(match=SOME, code=500),),
    (WatchError(match=replace(WATCHES, first=2), code=410),),
    (Reject(match=replace(WATCHES, first=2), status=429, retry_after=1),),
    (Reject(match=replace(WATCHES, first=3), status=500),),
    (Reject(match=replace(WATCHES, first=1), status=410),),
    (Cut(match=replace(WATCHES, first=3)),),
    (Cut(match=WATCHES, after_bytes=900),),
    (GarbageBody(match=Match(verbs="list", first=2)),),
    (ReplayEvents(count=5), SwapEvents(match=SOME), DuplicateEvent()),
)


@pytest.mark.parametrize("faults", FAULTS, ids=lambda f: "+".join(type(x).__name__ for x in f))
async def test_the_cache_ends_up_as_the_cluster_is(
    lab: Lab, api: ApiServer, namespace: str, tmp_path: Path, faults: tuple[Fault, ...]
) -> None:
    path = paths.collection(paths.CORE, "configmaps", namespace)

    async def change() -> None:
        for round_ in ("1", "2", "3"):
            for name in ("a", "b", "c", "d"):
                if round_ == "1":
                    await api.post(path, config_map(namespace, name, "1"))
                else:
                    await api.patch(f"{path}/{name}", {"data": {"v": round_}})
        await api.delete(f"{path}/a")
        await api.delete(f"{path}/b")
        await api.post(path, config_map(namespace, "b", "again"))
        await api.post(path, config_map(namespace, "noise", "1"))

    async def noise() -> None:
        """What comes after the last event, so that none is held for ever."""
        await api.patch(f"{path}/noise", {"data": {"v": uuid.uuid4().hex}})

    wanted = {"b": "again", "c": "3", "d": "3"}
    async with FaultProxy.for_kubeconfig(lab.kubeconfig) as proxy:
        armed = [proxy.add(fault) for fault in faults]
        async with connected(proxy.kubeconfig(tmp_path / "kubeconfig")) as through:
            source = Source("configmaps", path, value)
            reflector: Reflector[str] = Reflector(through, SystemClock(), source)

            def seen() -> dict[str, str]:
                return {name: value for (_, name), value in reflector.items().items()}

            async with running(reflector):
                await change()
                async with asyncio.timeout(40):
                    while seen() != wanted:
                        await noise()
                        await asyncio.sleep(0.1)
                await asyncio.sleep(0.3)
                assert seen() == wanted
        assert all(fault.applied for fault in armed), "each fault has struck"


async def test_an_event_is_written_once_however_often_it_is_told(
    lab: Lab, api: ApiServer, namespace: str
) -> None:
    lab.apply(workload(Kind.DEPLOYMENT, namespace))
    path = f"{paths.collection(paths.APPS, 'deployments', namespace)}/deployment"
    uid = (await api.get(path))["metadata"]["uid"]
    decision = Decision(
        what="Wrote",
        reason="RestartedPod",
        message="Evicted one pod.",
        at=SystemClock().now(),
        target=WorkloadRef(Kind.DEPLOYMENT, namespace, "deployment", uid),
        signal="memory",
        healing=f"{namespace}/healing-1",
        healing_uid="11111111-2222-3333-4444-555555555555",
    )
    for _ in range(2):
        await EventNotifier(api).notify(decision)
    shown = lab.kubectl("-n", namespace, "events", "--for", "deployment/deployment")
    assert shown.count("Evicted one pod.") == 1
    assert "RestartedPod" in shown


def contender(api: ApiServer, namespace: str, identity: str) -> Leadership:
    settings = Settings.model_validate(
        {
            "namespace": namespace,
            "identity": identity,
            "lease_seconds": 3,
            "lease_renew_seconds": 0.5,
        }
    )
    return Leadership(api, settings, SystemClock())


async def test_two_contenders_for_a_real_lease_never_both_hold_it(lab: Lab, namespace: str) -> None:
    async with connected(lab.kubeconfig) as api_one, connected(lab.kubeconfig) as api_two:
        one, two = contender(api_one, namespace, "one"), contender(api_two, namespace, "two")

        async def lead(leadership: Leadership) -> None:
            await leadership.acquire()
            await leadership.keep()

        tasks = [asyncio.create_task(lead(one)), asyncio.create_task(lead(two))]
        try:
            for _ in range(20):
                await asyncio.sleep(0.1)
                assert not (one.holds and two.holds)
            first, other = (one, two) if one.holds else (two, one)
            tasks[0 if first is one else 1].cancel()  # it dies without giving the Lease back
            await asyncio.sleep(2)
            assert not other.holds
            await eventually(lambda: other.holds, within=4)
            assert not first.holds
            path = f"{paths.collection(COORDINATION, 'leases', namespace)}/akeso-operator"
            assert (await api_one.get(path))["spec"]["holderIdentity"] == other.identity
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await other.release()
            assert (await api_one.get(path))["spec"].get("holderIdentity", "") == ""
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_real_prometheus_is_understood(lab: Lab) -> None:
    assert lab.prometheus is not None
    made = {
        "prometheus_url": lab.prometheus,
        "scrape_interval_seconds": lab.scrape_interval_seconds,
    }
    made["metric_matchers"] = matcher("namespace", "of nobody")  # other tests measure too
    source = PrometheusSource(Settings.model_validate(made))
    now = SystemClock().now()
    try:
        assert await source.memory() == []
        readings = await source.evaluate("up")
        assert readings
        assert all(r.labels["job"] and abs(r.time - now) < 60 for r in readings)
        with pytest.raises(PermanentError, match="parse error"):
            await source.evaluate("up{")
        with pytest.raises(PermanentError, match="not a vector"):
            await source.evaluate("1")
        with pytest.raises(PermanentError, match="parse error"):
            await source.evaluate_range("up{", now - 60, now, 5)
        ranged = await source.evaluate_range("up", now - 60, now, 5)
        assert any(len(series) > 1 for series in ranged)
        assert await source.memory_history(now - 60, now) == []
    finally:
        await source.close()


async def test_a_real_prometheus_behind_tls_wants_the_right_login(
    lab: Lab, tmp_path: Path, unused_tcp_port: int
) -> None:
    """Prometheus' own TLS and basic authentication, under a path prefix."""
    authority = Authority.create(tmp_path / "ca")
    pair = authority.issue("server", Who("server", addresses=("127.0.0.1",)))
    secure = {
        "tls_server_config": {"cert_file": str(pair.certificate), "key_file": str(pair.key)},
        "basic_auth_users": {"akeso": SESAME},
    }
    (tmp_path / "web.yaml").write_text(yaml.safe_dump(secure))
    (tmp_path / "prometheus.yaml").write_text("scrape_configs: []\n")
    (tmp_path / "password").write_text("open-sesame\n")
    url = f"https://127.0.0.1:{unused_tcp_port}/prometheus"
    process = await asyncio.create_subprocess_exec(
        str(build([PROMETHEUS], print)[PROMETHEUS.name]),
        f"--config.file={tmp_path / 'prometheus.yaml'}",
        f"--web.config.file={tmp_path / 'web.yaml'}",
        f"--web.external-url={url}",
        f"--web.listen-address=127.0.0.1:{unused_tcp_port}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        "--log.level=error",
    )
    settings = {
        "prometheus_url": url,
        "prometheus_ca_file": str(authority.certificate),
        "prometheus_username": "akeso",
        "prometheus_password_file": str(tmp_path / "password"),
    }
    source = PrometheusSource(Settings.model_validate(settings))

    async def answers() -> None:
        while True:
            try:
                assert len(await source.evaluate("vector(1)")) == 1
                return
            except TransientError as error:
                assert "nothing listens there" in str(error) or "HTTP 503" in str(error)
            await asyncio.sleep(0.1)

    try:
        await asyncio.wait_for(answers(), 20)
        now = SystemClock().now()
        assert await source.memory_history(now - 60, now) == []
        ranged = await source.evaluate_range("vector(1)", now - 60, now, 15)
        assert [r.value for r in ranged[0]] == [1.0] * 5
        (tmp_path / "password").write_text("something else")
        for wrong in (source.evaluate("vector(1)"), source.memory_history(now - 60, now)):
            with pytest.raises(TransientError, match="HTTP 401.*check prometheusUsername"):
                await wrong
    finally:
        await source.close()
        process.terminate()
        await process.wait()
