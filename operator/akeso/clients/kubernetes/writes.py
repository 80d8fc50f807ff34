"""One write per action, each with a precondition on exactly the object that was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from akeso.clients.kubernetes import ownership, paths
from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.kubernetes.raw import Json, part, parts
from akeso.clients.kubernetes.responses import JSON_PATCH, STRATEGIC_MERGE_PATCH
from akeso.clients.kubernetes.trim import number
from akeso.domain.action import (
    Action,
    DeletePod,
    EvictPod,
    LimitChange,
    ReleaseAutoscaler,
    ReleaseOwnership,
    Resize,
    Scale,
    SetAutoscalerBound,
    SetTemplate,
    SetTemplateMemory,
)
from akeso.domain.words import quantity_of
from akeso.domain.workload import Autoscaler, Kind, Pod, PodRef, Snapshot
from akeso.errors import GoneError, PermanentError, StaleError

# What Kubernetes 1.33 says, until a container's resizePolicy restarts it.
# https://github.com/kubernetes/kubernetes/blob/v1.33.0/pkg/apis/core/validation/validation.go
NOT_DECREASED = "memory limits cannot be decreased"
# A rollout's controllers write a Deployment's status two or three times within a moment.
RELEASES = 5


class Writes:
    """`manager` is the field manager of our writes.

    `fence` is asked right before each write: false means that somebody else leads.
    """

    def __init__(self, api: ApiServer, manager: str, fence: Callable[[], bool]) -> None:
        self._api = api
        self._query = {"fieldManager": manager}
        self._fence = fence

    async def perform(self, action: Action, seen: Snapshot) -> None:
        """Raises what `akeso.protocols.Cluster.perform` says."""
        match action:
            case EvictPod():
                await self._evict(action.pod, seen)
            case DeletePod():
                await self._delete(action.pod, seen)
            case Scale():
                await self._scale(action, seen)
            case SetTemplate():
                await self._set_template(action, seen)
            case SetTemplateMemory():
                await self._set_template_memory(action, seen)
            case ReleaseOwnership():
                await self._release(_workload(seen), action.manager)
            case Resize():
                await self._resize(action, seen)
            case SetAutoscalerBound():
                await self._set_bound(action, seen)
            case ReleaseAutoscaler():
                found = _autoscaler(action.name, action.uid, seen)
                await self._release(_autoscaling(found, seen), action.manager)

    async def _evict(self, pod: PodRef, seen: Snapshot) -> None:
        _seen(pod, seen)
        namespace = seen.ref.namespace
        eviction: Json = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod.name, "namespace": namespace},
            "deleteOptions": {"preconditions": {"uid": pod.uid}},
        }
        self._still_leading(seen.ref)
        await self._api.post(f"{paths.pod(namespace, pod.name)}/eviction", eviction)

    async def _delete(self, pod: PodRef, seen: Snapshot) -> None:
        version = _seen(pod, seen).resource_version
        options: Json = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": pod.uid, "resourceVersion": version},
        }
        self._still_leading(seen.ref)
        await self._api.delete(paths.pod(seen.ref.namespace, pod.name), options)

    async def _scale(self, action: Scale, seen: Snapshot) -> None:
        if seen.ref.kind is Kind.DAEMON_SET:
            raise PermanentError(f"{seen.ref} has no replicas: it runs one pod per node.")
        body: Json = {
            "metadata": {"uid": seen.ref.uid, "resourceVersion": seen.resource_version},
            "spec": {"replicas": action.to},
        }
        self._still_leading(seen.ref)
        await self._api.patch(f"{paths.workload(seen.ref)}/scale", body, self._query)

    async def _set_template(self, action: SetTemplate, seen: Snapshot) -> None:
        target = seen.revision(action.to_revision)
        if target is None:
            raise GoneError(f"{seen.ref} has no revision {action.to_revision} (any more).")
        if target.template is None:
            raise PermanentError(f"{seen.ref}: revision {target.name} was not read live.")
        change = _operation("replace", "/spec/template", target.template)
        await self._patch(_workload(seen), [change])

    async def _set_template_memory(self, action: SetTemplateMemory, seen: Snapshot) -> None:
        """The limits as they were seen are tested, however the template's text spells them."""
        if seen.template is None:
            raise PermanentError(f"{seen.ref}: its pod template was not read live.")
        changes = [op for c in action.limits for op in _limit_operations(c, seen)]
        await self._patch(_workload(seen), changes)

    async def _resize(self, action: Resize, seen: Snapshot) -> None:
        """A strategic merge, so that the other containers stay as they are.

        A Guaranteed pod's request goes with its limit: a resize may not change the QoS class.
        """
        pod = _seen(action.pod, seen)
        container = pod.container(action.container)
        if container is None:
            raise PermanentError(f"Pod {action.pod.name} has no container {action.container}.")
        memory = {"memory": quantity_of(action.to)}
        resources: Json = {"limits": memory}
        if pod.qos == "Guaranteed":
            resources["requests"] = memory
        group = "initContainers" if container.sidecar else "containers"
        body: Json = {
            "metadata": {"uid": pod.ref.uid, "resourceVersion": pod.resource_version},
            "spec": {group: [{"name": action.container, "resources": resources}]},
        }
        self._still_leading(seen.ref)
        path = f"{paths.pod(seen.ref.namespace, pod.ref.name)}/resize"
        try:
            await self._api.patch(path, body, self._query, STRATEGIC_MERGE_PATCH)
        except PermanentError as error:
            if NOT_DECREASED not in str(error):
                raise
            raise PermanentError(
                f"Before Kubernetes 1.34 the memory limit of a running pod can't be lowered: pod "
                f"{seen.ref.namespace}/{pod.ref.name} keeps {quantity_of(action.from_)} until "
                f"another takes its place. The API server said: {error}"
            ) from error

    async def _set_bound(self, action: SetAutoscalerBound, seen: Snapshot) -> None:
        found = _autoscaler(action.name, action.uid, seen)
        change = _operation("add", f"/spec/{action.bound}", action.to)  # also where it is left out
        await self._patch(_autoscaling(found, seen), [change])

    async def _release(self, of: _Object, manager: str) -> None:
        """At once, although controllers answer our last write with their own at the same moment.

        Each time what is owned now is looked at; a conflict left to the next cycle would have
        the user's releases refused for as long.
        """
        for _ in range(RELEASES - 1):
            try:
                return await self._release_once(of, manager)
            except GoneError:
                raise
            except StaleError:
                if not self._fence():
                    raise
        await self._release_once(of, manager)

    async def _release_once(self, of: _Object, manager: str) -> None:
        """Field ownership is not in a Snapshot: it is read now, and written on that version."""
        raw = await self._api.get(of.path)
        if raw["metadata"]["uid"] != of.uid:
            raise GoneError(f"{of} is gone; another one carries its name now.")
        entries = parts(raw["metadata"], "managedFields")
        left = ownership.released(entries, manager)
        if left == entries:
            return
        now = replace(of, resource_version=raw["metadata"]["resourceVersion"])
        await self._patch(now, [_operation("replace", "/metadata/managedFields", left)])

    async def _patch(self, of: _Object, changes: list[Json]) -> None:
        """A JSON patch on this very object and version.

        The version is not tested but set: then the API server itself compares it with what is
        stored and answers 409, while a failed `test` is a 422 without a reason.
        """
        same = [
            _operation("test", "/metadata/uid", of.uid),
            _operation("replace", "/metadata/resourceVersion", of.resource_version),
        ]
        self._still_leading(of)
        await self._api.patch(of.path, [*same, *changes], self._query, JSON_PATCH)

    def _still_leading(self, what: object) -> None:
        if not self._fence():
            raise StaleError(f"{what}: nothing was written, leadership is lost.")


@dataclass(frozen=True, slots=True)
class _Object:
    """What a patch is for: the very version that was seen."""

    said: str
    path: str
    uid: str
    resource_version: str

    def __str__(self) -> str:
        return self.said


def _workload(seen: Snapshot) -> _Object:
    return _Object(str(seen.ref), paths.workload(seen.ref), seen.ref.uid, seen.resource_version)


def _autoscaling(found: Autoscaler, seen: Snapshot) -> _Object:
    path = paths.autoscaler(seen.ref.namespace, found.name)
    said = f"{found} of {seen.ref}"
    return _Object(said, path, found.uid, found.resource_version)


def _autoscaler(name: str, uid: str, seen: Snapshot) -> Autoscaler:
    found = seen.autoscaler
    if found is None or found.uid != uid:
        raise GoneError(f"HorizontalPodAutoscaler {name} of {seen.ref} is gone, or another one.")
    return found


def _operation(kind: str, path: str, value: Any) -> Json:
    return {"op": kind, "path": path, "value": value}


def _limit_operations(change: LimitChange, seen: Snapshot) -> Iterator[Json]:
    """The request goes with the limit where it equals it; one left out does so by itself."""
    path, raw = _container_of(change, seen)
    resources = part(raw, "resources")
    limit, request = (part(resources, k).get("memory") for k in ("limits", "requests"))
    if limit is None or number(limit) != change.from_:
        raise StaleError(f"{seen.ref}: the limit of container {change.container} has changed.")
    to = quantity_of(change.to)
    yield _operation("test", f"{path}/name", change.container)
    yield _operation("test", f"{path}/resources/limits/memory", limit)
    yield _operation("replace", f"{path}/resources/limits/memory", to)
    if request is not None and number(request) == change.from_:
        yield _operation("replace", f"{path}/resources/requests/memory", to)


def _container_of(change: LimitChange, seen: Snapshot) -> tuple[str, Json]:
    """Path and text of a container of the pod template."""
    spec = part({"template": dict(seen.template or {})}, "template", "spec")
    for group in ("containers", "initContainers"):
        for index, raw in enumerate(parts(spec, group)):
            if raw.get("name") == change.container:
                return f"/spec/template/spec/{group}/{index}", raw
    raise PermanentError(f"{seen.ref} has no container {change.container} in its pod template.")


def _seen(pod: PodRef, seen: Snapshot) -> Pod:
    found = seen.pod(pod.uid)
    if found is None:
        raise GoneError(f"Pod {seen.ref.namespace}/{pod.name} of {seen.ref} is gone.")
    return found
