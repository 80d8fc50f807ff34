"""How nodes are, as API servers tell it; what can't be read is not "well"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from akeso.clients.kubernetes.nodes import ONE_BY_ONE, health, nodes_named
from akeso.domain.node import NodeHealth, Nodes
from akeso.errors import TransientError
from unit.clients.apiserver import connected, status

Json = dict[str, Any]


def raw(name: str, **conditions: str) -> Json:
    held = [{"type": t, "status": s, "reason": f"Because{t}"} for t, s in conditions.items()]
    return {"metadata": {"name": name}, "status": {"conditions": held}}


class Server:
    """A list of nodes, or an HTTP status instead of it."""

    def __init__(self, *nodes: Json, refused: int | None = None) -> None:
        self.nodes, self.refused = nodes, refused
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        assert request.path == "/api/v1/nodes"
        self.asked.append(wanted := request.query.get("fieldSelector", ""))
        if self.refused is not None:
            return web.json_response(status(self.refused), status=self.refused)
        found = [n for n in self.nodes if wanted in ("", f"metadata.name={n['metadata']['name']}")]
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": found})

    async def nodes_named(self, folder: Path, *names: str) -> Nodes:
        async with connected(self.answer, folder) as api:
            return await nodes_named(api, frozenset(names))


async def test_the_nodes_asked_for_are_read_one_by_one_and_those_that_are_gone_left_out(
    tmp_path: Path,
) -> None:
    server = Server(raw("one", Ready="True"), raw("two", Ready="False"), raw("three", Ready="True"))
    found = await server.nodes_named(tmp_path, "two", "gone")
    assert found == Nodes((NodeHealth("two", "False", "BecauseReady"),))
    assert sorted(server.asked) == ["metadata.name=gone", "metadata.name=two"]
    assert found.node("two") is not None and found.node("gone") is None


async def test_many_are_read_in_one_list_and_others_are_not_taken_for_them(tmp_path: Path) -> None:
    server = Server(*(raw(f"n-{i}", Ready="True") for i in range(50)))
    names = [f"n-{i}" for i in range(ONE_BY_ONE + 1)]
    found = await server.nodes_named(tmp_path, *names)
    assert [n.name for n in found.found or ()] == names and server.asked == [""]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"Ready": "True"}, NodeHealth("one", "True", "BecauseReady")),
        ({"Ready": "Unknown"}, NodeHealth("one", "Unknown", "BecauseReady")),
        ({}, NodeHealth("one", "Unknown")),
        (
            {"Ready": "True", "PIDPressure": "True", "DiskPressure": "False"},
            NodeHealth("one", "True", "BecauseReady", ("PIDPressure",)),
        ),
        (
            {"Ready": "True", "DiskPressure": "True", "MemoryPressure": "True"},
            NodeHealth("one", "True", "BecauseReady", ("MemoryPressure", "DiskPressure")),
        ),
        (
            {"Ready": "True", "MemoryPressure": "Unknown", "NetworkUnavailable": "True"},
            NodeHealth("one", "True", "BecauseReady"),
        ),
    ],
)
def test_what_a_node_says_of_itself(conditions: dict[str, str], expected: NodeHealth) -> None:
    assert health(raw("one", **conditions)) == expected


def test_a_node_without_a_status_is_not_ready() -> None:
    assert health({"metadata": {"name": "one"}}).ready == "Unknown"


@pytest.mark.parametrize("refused", [403, 404])
async def test_what_may_not_be_read_is_unknown_and_says_so(refused: int, tmp_path: Path) -> None:
    found = await Server(refused=refused).nodes_named(tmp_path, "one")
    assert found.found is None and "nodes" in found.unreadable


async def test_what_is_not_understood_is_unknown(tmp_path: Path) -> None:
    garbled = raw("one", Ready="True")
    garbled["status"]["conditions"] = "fine"
    found = await Server(garbled).nodes_named(tmp_path, "one")
    assert found.found is None and "not understood" in found.unreadable


async def test_an_outage_is_an_outage(tmp_path: Path) -> None:
    with pytest.raises(TransientError):
        await Server(refused=503).nodes_named(tmp_path, "one")
