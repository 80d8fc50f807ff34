"""The room around a workload, read live: what its namespace allows and what nodes have left."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Collection
from typing import TypeVar

from akeso.clients.kubernetes import paths
from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.kubernetes.nodes import health
from akeso.clients.kubernetes.raw import Json, part, parts, text
from akeso.clients.kubernetes.trim import asks, number
from akeso.domain.capacity import Amount, Bound, Capacity, Node, Quota, requested
from akeso.errors import GoneError, PermanentError

T = TypeVar("T")

# Pods of workloads have no deadline, and those with a memory limit are not BestEffort.
# https://kubernetes.io/docs/concepts/policy/resource-quotas/#quota-scopes
OF_OTHERS = frozenset({"Terminating", "BestEffort"})
ENDED = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}


async def room_around(
    api: ApiServer, namespace: str, nodes: Collection[str] | None = None
) -> Capacity:
    """Everything that bounds more pods, or larger ones, of a namespace; on `nodes` or on all.

    What may not be read is None. TransientError where the API server does not answer.
    """
    unreadable: list[str] = []

    async def readable(found: Awaitable[T]) -> T | None:
        try:
            return await found
        except (PermanentError, GoneError) as error:
            unreadable.append(str(error))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            unreadable.append(f"not understood: {error!r}")
        return None

    bounds, quotas, rooms = await asyncio.gather(
        readable(_bounds(api, namespace)),
        readable(_quotas(api, namespace)),
        readable(_nodes(api, nodes)),
    )
    return Capacity(bounds, quotas, rooms, tuple(unreadable))


async def _bounds(api: ApiServer, namespace: str) -> tuple[Bound, ...]:
    found = await api.list_all(paths.collection(paths.CORE, "limitranges", namespace))
    return tuple(
        bound
        for raw in found
        for limit in parts(part(raw, "spec"), "limits")
        if (bound := _bound(raw["metadata"]["name"], limit)) is not None
    )


def _bound(name: str, limit: Json) -> Bound | None:
    most, ratio = (
        part(limit, "max").get("memory"),
        part(limit, "maxLimitRequestRatio").get("memory"),
    )
    if limit.get("type") not in ("Container", "Pod") or (most is None and ratio is None):
        return None
    return Bound(
        name=name,
        per_pod=limit["type"] == "Pod",
        memory=None if most is None else number(most),
        ratio=None if ratio is None else number(ratio),
    )


async def _quotas(api: ApiServer, namespace: str) -> tuple[Quota, ...]:
    found = await api.list_all(paths.collection(paths.CORE, "resourcequotas", namespace))
    return tuple(
        Quota(raw["metadata"]["name"], resource, number(hard), number(_used(raw, resource)))
        for raw in found
        if not OF_OTHERS.intersection(_scopes(part(raw, "spec")))
        for resource, hard in part(raw, "spec", "hard").items()
    )


def _used(raw: Json, resource: str) -> str:
    return text(part(raw, "status", "used"), resource) or "0"


def _scopes(spec: Json) -> set[str]:
    selected = parts(part(spec, "scopeSelector"), "matchExpressions")
    named = {text(e, "scopeName") for e in selected if e.get("operator") in ("In", "Exists")}
    return named.union(spec.get("scopes") or ())


async def _nodes(api: ApiServer, names: Collection[str] | None) -> tuple[Node, ...]:
    if names is not None:
        return tuple(n for n in await asyncio.gather(*(_one(api, name) for name in names)) if n)
    found = await api.list_all(paths.collection(paths.CORE, "nodes"))
    used: defaultdict[str, list[Amount]] = defaultdict(list)
    async for page in api.pages(paths.collection(paths.CORE, "pods"), ENDED):
        for raw in page.items:
            used[text(part(raw, "spec"), "nodeName")].append(_requested(raw))
    return tuple(_node(raw, used[raw["metadata"]["name"]]) for raw in found)


async def _one(api: ApiServer, name: str) -> Node | None:
    """One node with the pods on it; None: it is gone."""
    there = {"fieldSelector": f"spec.nodeName={name},{ENDED['fieldSelector']}"}
    found, pods = await asyncio.gather(
        api.list_all(
            paths.collection(paths.CORE, "nodes"), {"fieldSelector": f"metadata.name={name}"}
        ),
        api.list_all(paths.collection(paths.CORE, "pods"), there),
    )
    return _node(found[0], [_requested(raw) for raw in pods]) if found else None


def _requested(raw: Json) -> Amount:
    """What a pod reserves, with what its runtime takes beside its containers."""
    spec = part(raw, "spec")
    whole, extra = part(spec, "resources", "requests"), part(spec, "overhead")
    found = requested(asks(spec))
    return Amount(
        (number(whole["cpu"]) if "cpu" in whole else found.cpu) + number(extra.get("cpu", 0)),
        (number(whole["memory"]) if "memory" in whole else found.memory)
        + number(extra.get("memory", 0)),
    )


def _node(raw: Json, used: list[Amount]) -> Node:
    free = part(raw, "status", "allocatable")
    spec = part(raw, "spec")
    taints = {text(t, "effect") for t in parts(spec, "taints")}
    return Node(
        name=raw["metadata"]["name"],
        allocatable=Amount(number(free["cpu"]), number(free["memory"])),
        requested=sum(used, Amount()),
        pods=len(used),
        most_pods=int(number(free.get("pods", 110))),
        closed=_closed(raw),
        tainted=bool(taints & {"NoSchedule", "NoExecute"}),
    )


def _closed(raw: Json) -> str | None:
    """Why a node takes nothing more; what ails it before what somebody decided."""
    node = health(raw)
    if node.ready != "True":
        return "not ready"
    if node.pressure:
        return node.pressure[0]
    return "cordoned" if part(raw, "spec").get("unschedulable") else None
