"""How nodes are, read live: only those that decide about a write, one list where they are many."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from akeso.clients.kubernetes import paths
from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.kubernetes.raw import Json, part, parts, text
from akeso.domain.node import NodeHealth, Nodes
from akeso.errors import BlockedError, GoneError, PermanentError

PRESSURE = ("MemoryPressure", "DiskPressure", "PIDPressure")
ONE_BY_ONE = 8  # the right to list nodes is all there is; more than so many are read with the rest


async def nodes_named(api: ApiServer, names: Collection[str]) -> Nodes:
    """TransientError where the API server does not answer."""
    try:
        found = await _listed(api, names)
        return Nodes(tuple(health(raw) for raw in found if raw["metadata"]["name"] in names))
    except (PermanentError, GoneError, BlockedError) as error:
        return Nodes(unreadable=str(error))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        return Nodes(unreadable=f"not understood: {error!r}")


async def _listed(api: ApiServer, names: Collection[str]) -> list[Json]:
    every = paths.collection(paths.CORE, "nodes")
    if len(names) > ONE_BY_ONE:
        return await api.list_all(every)
    each = (api.list_all(every, {"fieldSelector": f"metadata.name={name}"}) for name in names)
    return [raw for found in await asyncio.gather(*each) for raw in found]


def health(raw: Json) -> NodeHealth:
    """A node that says nothing of itself is not ready."""
    held = {text(c, "type"): c for c in parts(part(raw, "status"), "conditions")}
    ready = held.get("Ready", {})
    return NodeHealth(
        name=raw["metadata"]["name"],
        ready=text(ready, "status") or "Unknown",
        reason=text(ready, "reason"),
        pressure=tuple(n for n in PRESSURE if text(held.get(n, {}), "status") == "True"),
    )
