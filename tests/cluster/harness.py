"""One operator process in a world of its own: two namespaces, a fault proxy, settings for tests.

Many worlds live in one cluster at a time. What a test says of a world it reads from the API
server, from the record of the proxy that the operator goes through, or from the audit log.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import json
import os
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from akeso.api.meta import API_VERSION
from akeso.clients import shipped
from akeso.clients.kubernetes.connection import ApiServer, connect
from akeso.clients.kubernetes.rights import roles
from akeso.errors import GoneError, StaleError
from akeso.settings import Settings
from akeso_lab import Lab
from akeso_lab.proxy import FaultProxy
from cluster.effects import Effect, effects
from cluster.exporter import Exporter
from cluster.operators import Operator
from cluster.workloads import LIMIT, PLURALS, Json

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
AKESO = f"/apis/{API_VERSION}"
# One process per worker of pytest-xdist; worlds mostly wait, so two cores carry a dozen in all.
AT_A_TIME = 2 if "PYTEST_XDIST_WORKER" in os.environ else 6
RBAC = "rbac.authorization.k8s.io"
USERS = "akeso-tests"  # the group of the users that operators are
T = TypeVar("T")

# A minute of a real installation in a few seconds. The identity is that of a container that is
# restarted in its pod: it takes its own Lease again at once.
SETTINGS: Mapping[str, str] = {
    "AKESO_LISTEN_HOST": "127.0.0.1",
    "AKESO_LISTEN_PORT": "0",
    "AKESO_IDENTITY": "akeso-0",
    "AKESO_SCRAPE_INTERVAL_SECONDS": "1",
    "AKESO_CYCLE_SECONDS": "0.5",
    "AKESO_LEASE_SECONDS": "15",
    "AKESO_LEASE_RENEW_SECONDS": "2",
    "AKESO_ROLLOUT_UNREADY_SECONDS": "2",
    "AKESO_REVISION_HEALTHY_SECONDS": "3",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """What all worlds stand on."""

    lab: Lab
    exporter: Exporter
    kubeconfig: Path  # of the user that operators are
    user: str
    folder: Path


@dataclass(slots=True)
class World:
    """One operator with its namespaces. `api` is the administrator's way in, past the proxy."""

    stage: Stage
    name: str
    own: str
    api: ApiServer
    proxy: FaultProxy
    operator: Operator
    prometheus: FaultProxy | None = None
    alertmanager: FaultProxy | None = None
    tired: set[str] = field(default_factory=set[str])  # names of pods
    leaking: asyncio.Task[None] | None = None

    # -- what people do --------------------------------------------------------------------

    async def apply(self, *objects: Json, manager: str = "user") -> list[Json]:
        """As `kubectl apply --server-side`."""
        found = []
        for wanted in objects:
            meta = {"namespace": self.name, **wanted["metadata"]}
            path = path_of(wanted["apiVersion"], wanted["kind"], meta["namespace"], meta["name"])
            query = {"fieldManager": manager, "force": "true"}
            found.append(await self.api.patch(path, {**wanted, "metadata": meta}, query, APPLY))
        return found

    async def patch(self, kind: str, name: str, change: Json, sub: str = "") -> Json:
        """A merge patch on a workload, policy or pod."""
        return await self.api.patch(self.path(kind, name) + sub, change, {}, MERGE)

    async def control(self, **spec: Any) -> Json:
        """Sets fields of the HealingControl, creating it where there is none."""
        body: Json = {
            "apiVersion": API_VERSION,
            "kind": "HealingControl",
            "metadata": {"name": "akeso", "namespace": self.own},
            "spec": {key: value for key, value in spec.items() if value is not None},
        }
        return (await self.apply(body, manager="person"))[0]

    async def delete(self, kind: str, name: str) -> None:
        await self.api.delete(self.path(kind, name))

    # -- what is there ---------------------------------------------------------------------

    def path(self, kind: str, name: str) -> str:
        versions = {"Pod": "v1", "HealingPolicy": API_VERSION, "Healing": API_VERSION}
        return path_of(versions.get(kind, "apps/v1"), kind, self.name, name)

    async def get(self, kind: str, name: str) -> Json:
        return await self.api.get(self.path(kind, name))

    async def pods(self, name: str = "web") -> list[Json]:
        """The pods of a workload that are not on their way out."""
        found = await self.api.list_all(
            f"/api/v1/namespaces/{self.name}/pods", {"labelSelector": f"app={name}"}
        )
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    async def healings(self) -> list[Json]:
        found = await self.api.list_all(f"{AKESO}/namespaces/{self.name}/healings")
        return sorted(found, key=lambda h: str(h["metadata"]["creationTimestamp"]))

    async def policy(self, name: str = "care") -> Json:
        return await self.get("HealingPolicy", name)

    def audited(self, since: int = 0) -> list[Json]:
        """Writes of operators in this world as the API server recorded them, Leases left out.

        `since` is a position in the audit log (`audit_position`).
        """
        assert self.stage.lab.audit_log is not None
        with self.stage.lab.audit_log.open("rb") as log:
            log.seek(since)
            lines = [line for line in log if self.name.encode() in line and line.endswith(b"\n")]
        return [e for e in map(json.loads, lines) if self._is_own_write(e)]

    def audit_position(self) -> int:
        assert self.stage.lab.audit_log is not None
        return self.stage.lab.audit_log.stat().st_size

    def _is_own_write(self, event: Json) -> bool:
        about = event.get("objectRef", {})
        return (
            event["user"]["username"] == self.stage.user
            and event["verb"] not in ("get", "list", "watch")
            and about.get("namespace") in (self.name, self.own)
            and about.get("resource") != "leases"
        )

    def effects(self) -> list[Effect]:
        """What the operator did to users' objects."""
        return effects(self.proxy.requests, self.name)

    # -- waiting ---------------------------------------------------------------------------

    async def until(
        self,
        condition: Callable[[], Awaitable[T | None]],
        within: float = 60.0,
        every: float = 0.2,
        what: str = "",
    ) -> T:
        """The first true answer; when it does not come, the operator's last words."""
        end, last = time.monotonic() + within, None
        while time.monotonic() < end:
            try:
                found = await condition()
            except GoneError as error:
                found, last = None, error
            if found:
                return found
            if self.operator.died:
                break
            await asyncio.sleep(every)
        told = [_brief(h) for h in await self.healings()]
        name = what or getattr(condition, "__name__", "it")
        raise AssertionError(
            f"{self.name}: {name} did not come about in {within:.0f} s; last {last}; healings"
            f" {told}; effects {[str(e) for e in self.effects()]};"
            f" operator:\n{self.operator.tail()}"
        )

    async def rolled_out(self, kind: str, name: str = "web") -> Json:
        """Waits until all wanted pods are of the newest revision and ready."""

        async def done() -> Json | None:
            return raw if complete(raw := await self.get(kind, name)) else None

        return await self.until(done, what=f"{kind} {name} rolled out")

    async def healed(self, count: int = 1, within: float = 90.0) -> list[Json]:
        """Waits until so many Healings are there and all of them have their verdict."""

        async def done() -> list[Json] | None:
            found = await self.healings()
            ended = all(h.get("status", {}).get("completedAt") for h in found)
            return found if len(found) >= count and ended else None

        return await self.until(done, within, what=f"{count} finished healings")

    async def blocked(self, reason: str, within: float = 30.0) -> Json:
        """Waits for a Healing with the condition Blocked and this reason."""

        async def is_blocked() -> Json | None:
            for healing in await self.healings():
                stands = conditions(healing).get("Blocked")
                if stands and stands["status"] == "True" and stands["reason"] == reason:
                    return healing
            return None

        return await self.until(is_blocked, within, what=f"Blocked with {reason}")

    async def condition(
        self, type: str, status: str, name: str = "care", reason: str = "", within: float = 30.0
    ) -> Json:
        """Waits for a condition of a policy."""

        async def stands() -> Json | None:
            found = conditions(await self.policy(name)).get(type)
            right = found and found["status"] == status and reason in ("", found["reason"])
            return found if right else None

        return await self.until(stands, within, what=f"policy {name} {type}={status} {reason}")

    async def quiet(self, seconds: float = 1.5, within: float = 20.0) -> None:
        """Waits until the operator has written nothing for so long."""

        async def still() -> bool:
            last = max((r.started for r in self.proxy.writes), default=0.0)
            return time.time() - last > seconds

        await self.until(still, within, what=f"{seconds} s without a write")

    async def stays(self, condition: Callable[[], Awaitable[bool]], seconds: float) -> None:
        """Fails as soon as the condition does not hold, within so many seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert await condition(), f"{self.name}: not any more\n{self.operator.tail()}"
            await asyncio.sleep(0.2)

    async def untouched(self, seconds: float) -> None:
        """Nothing is written to users' objects for so long, with the operator running."""
        before = self.effects()

        async def still() -> bool:
            return self.effects() == before and not self.operator.died

        await self.stays(still, seconds)

    # -- states ----------------------------------------------------------------------------

    async def tire(self, name: str = "web") -> list[str]:
        """The signal fires for all pods that a workload has now; their uids."""
        pods = await self.pods(name)
        for pod in pods:
            self.tired.add(pod["metadata"]["name"])
            self.fatigue(pod["metadata"]["name"], 1.0)
        return [pod["metadata"]["uid"] for pod in pods]

    def fatigue(self, pod: str, value: float) -> None:
        self.stage.exporter.put("fatigue", value, namespace=self.name, pod=pod)

    async def leak(self, name: str = "web", share: float = 0.15, rate: float = 0.001) -> None:
        """From now on every container of a workload's pods uses a little more each second.

        `share` of the limit at first, and `rate` of it more each second.
        """
        names = [pod["metadata"]["name"] for pod in await self.pods(name)]

        async def grow() -> None:
            for step in itertools.count():
                for pod in names:
                    self.uses(pod, (share + rate * step) * LIMIT)
                await asyncio.sleep(1)

        self.leaking = asyncio.create_task(grow())

    async def measured(self, seconds: int) -> None:
        """Waits until the memory of the world's pods was measured for so long."""
        series = f'container_memory_working_set_bytes{{namespace="{self.name}"}}'
        query = f"min(count_over_time({series}[10m])) >= {seconds}"

        async def enough() -> bool:
            return bool(await asyncio.to_thread(self.stage.lab.query, query))

        await self.until(enough, within=seconds + 60, every=2, what=f"{seconds} s of measurements")

    async def calm(self, name: str, value: float) -> None:
        """The leak is over, and the workload's pods use so many bytes from now on."""
        if self.leaking is not None:
            await _cancelled(self.leaking)
        for pod in await self.pods(name):
            self.uses(pod["metadata"]["name"], value)

    def uses(self, pod: str, value: float) -> None:
        """The memory working set of the only container of a pod, in bytes."""
        labels = {"namespace": self.name, "pod": pod, "container": "app"}
        self.stage.exporter.put("container_memory_working_set_bytes", value, **labels)

    async def remember(self, kind: str, name: str, revisions: list[str]) -> None:
        """What the operator records of revisions it saw healthy, without the wait for it."""
        uid = (await self.get(kind, name))["metadata"]["uid"]
        record = {"kind": kind, "name": name, "uid": uid, "healthy": revisions}
        status = {"revisions": [{**record, "since": "2026-01-01T00:00:00Z"}]}
        await self.patch("HealingPolicy", "care", {"status": status}, "/status")

    async def revision(self, kind: str, name: str = "web") -> str:
        """The newest revision of a workload, by the name Akeso uses."""
        if kind == "StatefulSet":
            return str((await self.get(kind, name))["status"]["updateRevision"])
        pod = (await self.pods(name))[0]["metadata"]["labels"]
        if kind == "Deployment":
            return str(pod["pod-template-hash"])
        return f"{name}-{pod['controller-revision-hash']}"


def path_of(version: str, kind: str, namespace: str, name: str) -> str:
    plural = PLURALS.get(kind, f"{kind.lower()}s").replace("policys", "policies")
    group = "api" if version == "v1" else "apis"
    return f"/{group}/{version}/namespaces/{namespace}/{plural}/{name}"


def conditions(raw: Json) -> dict[str, Json]:
    return {c["type"]: c for c in raw.get("status", {}).get("conditions", [])}


def complete(raw: Json) -> bool:
    """Whether a workload's controller says that its rollout is complete."""
    meta, status = raw["metadata"], raw.get("status", {})
    if status.get("observedGeneration", 0) < meta["generation"]:
        return False
    if raw["kind"] == "DaemonSet":
        wanted = status.get("desiredNumberScheduled", 0)
        ready, updated = status.get("numberReady", 0), status.get("updatedNumberScheduled", 0)
        total = status.get("currentNumberScheduled", 0)
    else:
        wanted = raw["spec"]["replicas"]
        ready, updated = status.get("readyReplicas", 0), status.get("updatedReplicas", 0)
        total = status.get("replicas", 0)
    return bool(wanted and wanted == ready == updated == total)


def _brief(healing: Json) -> Json:
    status = healing.get("status", {})
    attempts = [
        (a["healer"], a.get("verdict"), [(x["type"], x["state"]) for x in a.get("actions", [])])
        for a in status.get("attempts", [])
    ]
    stands = [c["type"] + "/" + c["reason"] for c in status.get("conditions", [])]
    return {"verdict": status.get("verdict"), "attempts": attempts, "conditions": stands}


def brief(healing: Json) -> Json:
    """A finished Healing without what differs from run to run."""
    short = _brief(healing)
    return {key: short[key] for key in ("verdict", "attempts")}


@asynccontextmanager
async def world(
    stage: Stage, *, prometheus_faults: bool = False, alertmanager: bool = False
) -> AsyncIterator[World]:
    """A new world, and its end: process, proxies, series and namespaces."""
    name = f"w-{uuid.uuid4().hex[:10]}"
    own = f"{name}-akeso"
    async with AsyncExitStack() as stack:
        api = await _administrator(stage.lab)
        stack.push_async_callback(api.close)
        for namespace in (name, own):
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            await api.post("/api/v1/namespaces", body)
            stack.push_async_callback(_remove, api, namespace)
        await _own_rights(api, own)
        stack.callback(stage.exporter.drop, namespace=name)
        proxy = await stack.enter_async_context(
            FaultProxy.for_kubeconfig(stage.kubeconfig, on_crash=lambda _: operator.kill())
        )
        url, faults = str(stage.lab.prometheus), None
        if prometheus_faults:
            faults = await stack.enter_async_context(FaultProxy(url))
            url = faults.url
        environment = {
            **SETTINGS,
            "AKESO_NAMESPACE": own,
            "AKESO_WATCH_NAMESPACES": name,
            "AKESO_KUBECONFIG": str(proxy.kubeconfig(stage.folder / f"{name}.kubeconfig")),
            "AKESO_PROMETHEUS_URL": url,
        }
        alerting = None
        if alertmanager:
            alerting = await stack.enter_async_context(FaultProxy(str(stage.lab.alertmanager)))
            environment["AKESO_ALERTMANAGER_URL"] = alerting.url
        operator = Operator(environment, stage.folder / f"{name}.log")
        stack.push_async_callback(operator.stop)
        here = World(stage, name, own, api, proxy, operator, faults, alerting)
        measuring = asyncio.create_task(_measure(here))
        stack.push_async_callback(_cancelled, measuring)
        yield here
        if here.leaking is not None:
            await _cancelled(here.leaking)


def role_of(rules: list[Json], metadata: Json) -> Json:
    """A Role, or without a namespace a ClusterRole."""
    kind = "Role" if "namespace" in metadata else "ClusterRole"
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata, "rules": rules}


def binding(role: Json, metadata: Json) -> Json:
    """Gives a Role or ClusterRole to the operators under test."""
    kind = role["kind"]
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role["metadata"]["name"]},
        "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": USERS}],
    }


async def _own_rights(api: ApiServer, own: str) -> None:
    """What an installation allows an operator in its own namespace, and its Lease."""
    rules = roles(shipped.rights(), Settings(namespace=own), ())[own]
    role = role_of(rules, {"name": "akeso-operator", "namespace": own})
    path = f"/apis/{RBAC}/v1/namespaces/{own}"
    await api.post(f"{path}/roles", role)
    await api.post(f"{path}/rolebindings", binding(role, role["metadata"]))
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": role["metadata"]}
    await api.post(f"/apis/coordination.k8s.io/v1/namespaces/{own}/leases", lease)


async def _measure(here: World) -> None:
    """Every pod measures its fatigue, as pods that export metrics do: none, until it is tired.

    More memory is a rest.
    """
    known: set[str] = set()
    path = f"/api/v1/namespaces/{here.name}/pods"
    while True:
        async with here.api.watch(path, {}, silence=3600) as events:
            async for event in events:
                pod = event["object"]
                name = pod["metadata"]["name"]
                limits = [c["resources"].get("limits", {}) for c in pod["spec"]["containers"]]
                rested = any(limit.get("memory", "256Mi") != "256Mi" for limit in limits)
                if event["type"] != "DELETED":
                    if (name not in known and name not in here.tired) or rested:
                        here.fatigue(name, 0.0)
                    known.add(name)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def second(here: World, identity: str) -> AsyncIterator[World]:
    """The same world with another operator, which goes through a proxy of its own."""
    file = here.stage.folder / f"{here.name}-{identity}.kubeconfig"
    async with FaultProxy.for_kubeconfig(here.stage.kubeconfig) as proxy:
        environment = {
            **here.operator.environment,
            "AKESO_IDENTITY": identity,
            "AKESO_KUBECONFIG": str(proxy.kubeconfig(file)),
        }
        operator = Operator(environment, here.stage.folder / f"{here.name}-{identity}.log")
        try:
            yield replace(here, proxy=proxy, operator=operator)
        finally:
            await operator.stop()


async def _administrator(lab: Lab) -> ApiServer:
    return await connect(Settings.model_validate({"kubeconfig": str(lab.kubeconfig)}))


async def _remove(api: ApiServer, namespace: str) -> None:
    try:
        await api.delete(f"/api/v1/namespaces/{namespace}", {"propagationPolicy": "Background"})
    except (GoneError, StaleError):
        pass


async def state_of(world: World, kind: str, name: str = "web") -> Json:
    """Everything about a workload that a healing may not leave different from run to run."""
    raw = await world.rolled_out(kind, name)
    meta = raw["metadata"]
    return copy.deepcopy(
        {
            "labels": meta.get("labels"),
            "annotations": meta.get("annotations"),
            "generation": meta["generation"],
            "managers": sorted({f["manager"] for f in meta["managedFields"]}),
            "spec": raw["spec"],
            "pods": len(await world.pods(name)),
        }
    )
