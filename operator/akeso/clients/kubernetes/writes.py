"""One write per action, each with a precondition on exactly the object that was seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from akeso.clients.kubernetes import ownership, paths
from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.kubernetes.raw import Json, parts
from akeso.clients.kubernetes.responses import JSON_PATCH, STRATEGIC_MERGE_PATCH
from akeso.domain.action import (
    Action,
    DeletePod,
    EvictPod,
    ReleaseOwnership,
    Resize,
    Scale,
    SetTemplate,
)
from akeso.domain.words import quantity_of
from akeso.domain.workload import Kind, Pod, PodRef, Snapshot
from akeso.errors import GoneError, PermanentError, StaleError

# What Kubernetes 1.33 says, until a container's resizePolicy restarts it.
# https://github.com/kubernetes/kubernetes/blob/v1.33.0/pkg/apis/core/validation/validation.go
NOT_DECREASED = "memory limits cannot be decreased"


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
            case ReleaseOwnership():
                await self._release(action, seen)
            case Resize():
                await self._resize(action, seen)

    async def _evict(self, pod: PodRef, seen: Snapshot) -> None:
        _seen(pod, seen)
        namespace = seen.ref.namespace
        eviction: Json = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod.name, "namespace": namespace},
            "deleteOptions": {"preconditions": {"uid": pod.uid}},
        }
        self._still_leading(seen)
        await self._api.post(f"{paths.pod(namespace, pod.name)}/eviction", eviction)

    async def _delete(self, pod: PodRef, seen: Snapshot) -> None:
        version = _seen(pod, seen).resource_version
        options: Json = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": pod.uid, "resourceVersion": version},
        }
        self._still_leading(seen)
        await self._api.delete(paths.pod(seen.ref.namespace, pod.name), options)

    async def _scale(self, action: Scale, seen: Snapshot) -> None:
        if seen.ref.kind is Kind.DAEMON_SET:
            raise PermanentError(f"{seen.ref} has no replicas: it runs one pod per node.")
        body: Json = {
            "metadata": {"uid": seen.ref.uid, "resourceVersion": seen.resource_version},
            "spec": {"replicas": action.to},
        }
        self._still_leading(seen)
        await self._api.patch(f"{paths.workload(seen.ref)}/scale", body, self._query)

    async def _set_template(self, action: SetTemplate, seen: Snapshot) -> None:
        target = seen.revision(action.to_revision)
        if target is None:
            raise GoneError(f"{seen.ref} has no revision {action.to_revision} (any more).")
        if target.template is None:
            raise PermanentError(f"{seen.ref}: revision {target.name} was not read live.")
        await self._patch(seen, [_operation("replace", "/spec/template", target.template)])

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
        self._still_leading(seen)
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

    async def _release(self, action: ReleaseOwnership, seen: Snapshot) -> None:
        """Field ownership is not in a Snapshot: it is read now, and written on that version."""
        raw = await self._api.get(paths.workload(seen.ref))
        if raw["metadata"]["uid"] != seen.ref.uid:
            raise GoneError(f"{seen.ref} is gone; another one carries its name now.")
        entries = parts(raw["metadata"], "managedFields")
        left = ownership.released(entries, action.manager)
        if left == entries:
            return
        version = raw["metadata"]["resourceVersion"]
        change = _operation("replace", "/metadata/managedFields", left)
        await self._patch(seen, [change], version)

    async def _patch(self, seen: Snapshot, changes: list[Json], version: str | None = None) -> None:
        """A JSON patch on this very object and version.

        The version is not tested but set: then the API server itself compares it with what is
        stored and answers 409, while a failed `test` is a 422 without a reason.
        """
        same = [
            _operation("test", "/metadata/uid", seen.ref.uid),
            _operation("replace", "/metadata/resourceVersion", version or seen.resource_version),
        ]
        self._still_leading(seen)
        path = paths.workload(seen.ref)
        await self._api.patch(path, [*same, *changes], self._query, JSON_PATCH)

    def _still_leading(self, seen: Snapshot) -> None:
        if not self._fence():
            raise StaleError(f"{seen.ref}: nothing was written, leadership is lost.")


def _operation(kind: str, path: str, value: Any) -> Json:
    return {"op": kind, "path": path, "value": value}


def _seen(pod: PodRef, seen: Snapshot) -> Pod:
    found = seen.pod(pod.uid)
    if found is None:
        raise GoneError(f"Pod {seen.ref.namespace}/{pod.name} of {seen.ref} is gone.")
    return found
