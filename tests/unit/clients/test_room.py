"""The room around a workload, as API servers tell it; what can't be read is not "nothing"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from akeso.clients.kubernetes.room import room_around
from akeso.domain.capacity import Amount, Bound, Capacity, Node, Quota
from akeso.errors import TransientError
from unit.clients.apiserver import connected, status

Json = dict[str, Any]
MIB = 2**20


def node(name: str, ready: str = "True", **spec: Any) -> Json:
    return {
        "metadata": {"name": name},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": "1500m", "memory": "1Gi", "pods": "20"},
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def pod(where: str, memory: str = "100Mi", **spec: Any) -> Json:
    resources = {"requests": {"cpu": "100m"}, "limits": {"memory": memory}}
    return {
        "spec": {"nodeName": where, "containers": [{"name": "a", "resources": resources}], **spec}
    }


class Servers:
    """Answers lists by the last part of their path; `refused` maps parts to HTTP statuses."""

    def __init__(self) -> None:
        self.lists: dict[str, list[Json]] = {}
        self.refused: dict[str, int] = {}
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        plural = request.path.rpartition("/")[2]
        self.asked.append(request.path_qs)
        if plural in self.refused:
            code = self.refused[plural]
            return web.json_response(status(code), status=code)
        found = self.lists.get(plural, [])
        name = request.query.get("fieldSelector", "")
        if plural == "nodes" and name:
            found = [n for n in found if name == f"metadata.name={n['metadata']['name']}"]
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": found})

    async def room(self, folder: Path, nodes: tuple[str, ...] | None = None) -> Capacity:
        async with connected(self.answer, folder) as api:
            return await room_around(api, "shop", nodes)


async def test_nodes_have_left_what_their_pods_do_not_reserve(tmp_path: Path) -> None:
    servers = Servers()
    servers.lists["nodes"] = [node("one"), node("two", taints=[{"effect": "NoSchedule"}])]
    servers.lists["pods"] = [
        pod("one"),
        pod("one", overhead={"memory": "10Mi"}),
        pod("two", resources={"requests": {"memory": "300Mi"}}),
    ]
    found = await servers.room(tmp_path)
    whole = Amount(1.5, 1024.0 * MIB)
    assert found.nodes == (
        Node("one", whole, Amount(0.2, 210.0 * MIB), 2, 20),
        Node("two", whole, Amount(0.1, 300.0 * MIB), 1, 20, tainted=True),
    )
    assert any("status.phase" in asked for asked in servers.asked)


async def test_only_the_nodes_asked_for_are_read_with_the_pods_on_them(tmp_path: Path) -> None:
    servers = Servers()
    servers.lists["nodes"] = [node("one"), node("two")]
    servers.lists["pods"] = [pod("one")]
    found = await servers.room(tmp_path, ("one", "gone"))
    assert [n.name for n in found.nodes or ()] == ["one"]
    assert any("spec.nodeName%3Done" in a or "spec.nodeName=one" in a for a in servers.asked)


@pytest.mark.parametrize(
    ("raw", "closed"),
    [
        (node("one"), None),
        (node("one", ready="Unknown"), "not ready"),
        (node("one", unschedulable=True), "cordoned"),
        (node("one", ready="False", unschedulable=True), "not ready"),
    ],
)
async def test_a_node_that_takes_no_more_says_why(
    tmp_path: Path, raw: Json, closed: str | None
) -> None:
    servers = Servers()
    servers.lists["nodes"] = [raw]
    found = await servers.room(tmp_path)
    assert [n.closed for n in found.nodes or ()] == [closed]


async def test_a_node_under_pressure_is_closed(tmp_path: Path) -> None:
    servers = Servers()
    raw = node("one")
    raw["status"]["conditions"].append({"type": "MemoryPressure", "status": "True"})
    servers.lists["nodes"] = [raw]
    assert [n.closed for n in (await servers.room(tmp_path)).nodes or ()] == ["MemoryPressure"]


async def test_limits_and_quotas_of_the_namespace(tmp_path: Path) -> None:
    servers = Servers()
    servers.lists["limitranges"] = [
        {
            "metadata": {"name": "bounds"},
            "spec": {
                "limits": [
                    {"type": "Container", "max": {"memory": "1Gi", "cpu": "1"}},
                    {"type": "Pod", "maxLimitRequestRatio": {"memory": "4"}},
                    {"type": "Container", "max": {"cpu": "1"}},
                    {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}},
                ]
            },
        }
    ]
    servers.lists["resourcequotas"] = [
        {
            "metadata": {"name": "team"},
            "spec": {"hard": {"limits.memory": "2Gi", "pods": "5"}},
            "status": {"hard": {"limits.memory": "2Gi"}, "used": {"limits.memory": "512Mi"}},
        },
        {"metadata": {"name": "jobs"}, "spec": {"hard": {"pods": "1"}, "scopes": ["Terminating"]}},
    ]
    found = await servers.room(tmp_path)
    assert found.bounds == (
        Bound("bounds", per_pod=False, memory=1024.0 * MIB),
        Bound("bounds", per_pod=True, ratio=4.0),
    )
    assert found.quotas == (
        Quota("team", "limits.memory", 2048.0 * MIB, 512.0 * MIB),
        Quota("team", "pods", 5.0, 0.0),
    )


@pytest.mark.parametrize(
    ("refused", "field"),
    [
        ("limitranges", "bounds"),
        ("resourcequotas", "quotas"),
        ("nodes", "nodes"),
        ("pods", "nodes"),
    ],
)
async def test_what_may_not_be_read_is_unknown(tmp_path: Path, refused: str, field: str) -> None:
    servers = Servers()
    servers.refused[refused] = 404
    found = await servers.room(tmp_path)
    assert getattr(found, field) is None
    assert len(found.unreadable) == 1 and refused in found.unreadable[0]


async def test_what_is_not_understood_is_unknown(tmp_path: Path) -> None:
    servers = Servers()
    raw = node("one")
    raw["status"]["allocatable"]["memory"] = "much"
    servers.lists["nodes"] = [raw]
    found = await servers.room(tmp_path)
    assert found.nodes is None and "not understood" in found.unreadable[0]


async def test_an_outage_is_an_outage(tmp_path: Path) -> None:
    servers = Servers()
    servers.refused["nodes"] = 503
    with pytest.raises(TransientError):
        await servers.room(tmp_path)
