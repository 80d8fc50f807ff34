"""The operator's own rights: what is missing is named, what comes back is not named any more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from akeso.api.control import Capability
from akeso.clients.kubernetes.capabilities import ADMISSION
from akeso.errors import GoneError, PermanentError, TransientError
from akeso.settings import Settings
from akeso.settings.changes import take
from akeso.wiring.entitlement import AGAIN_SECONDS, EVERY_SECONDS, Entitlement


class Server:
    """Grants everything but these resources; knows these namespaces."""

    def __init__(self, *denied: str, namespaces: tuple[str, ...] | None = None) -> None:
        self.denied = set(denied)
        self.namespaces = namespaces
        self.asked = 0
        self.down = False

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        assert path.endswith("/selfsubjectaccessreviews")
        if self.down:
            raise TransientError("no connection")
        self.asked += 1
        found = body["spec"]["resourceAttributes"]
        name = "/".join(filter(None, (found["resource"], found.get("subresource"))))
        return {"status": {"allowed": name not in self.denied}}

    async def get(self, path: str) -> dict[str, Any]:
        if path == "/api/v1":
            return {"resources": [{"name": "pods/resize"}]}
        if path.startswith(ADMISSION):
            return {"spec": {"validationActions": ["Deny"]}}
        if self.namespaces is None:
            raise PermanentError("may not get namespaces")
        if path.rpartition("/")[2] not in self.namespaces:
            raise GoneError("not found")
        return {}


class Clock:
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Records:
    """Keeps what the installation can do."""

    def __init__(self) -> None:
        self.told: dict[str, str] = {}

    async def able(self, capabilities: tuple[Capability, ...]) -> None:
        self.told = {c.name.value: c.available for c in capabilities}


def entitled(server: Server, kept: Records | None = None, **settings: Any) -> Entitlement:
    api: Any = server
    records: Any = kept or Records()
    return Entitlement(api, records, Settings(**settings), Clock())


async def test_what_the_installation_can_do_is_looked_at_with_its_rights() -> None:
    kept = Records()
    await entitled(Server(), kept).look()
    assert kept.told == dict.fromkeys(("InPlaceResize", "Fencing", "Lending", "Origin"), "True")


async def test_what_is_missing_is_named_with_what_it_means_until_it_is_granted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server("pods/eviction", "poddisruptionbudgets")
    found = entitled(server)
    await found.look()
    evict, budgets = sorted(found.problems())
    assert evict == (
        "Akeso's account may not create pods/eviction in the whole cluster: RestartPods can't act"
        " there"
    )
    assert "may not list, watch poddisruptionbudgets" in budgets
    assert "no eviction that a budget forbids" in budgets
    assert evict in caplog.text
    caplog.clear()
    await found.look()
    assert not caplog.records, "what was said is not said again"
    server.denied.clear()
    await found.look()
    assert found.problems() == ()


async def test_a_healer_that_is_not_enabled_needs_no_rights() -> None:
    found = entitled(Server("pods/eviction"), healers=("Rollback",))
    await found.look()
    assert found.problems() == ()


async def test_a_namespace_that_is_not_there_is_named_where_that_can_be_told() -> None:
    watched: dict[str, Any] = {"watch_namespaces": ("shop", "typo")}
    found = entitled(Server(namespaces=("shop",)), **watched)
    await found.look()
    assert found.problems() == ("namespace typo is to be watched and is not there",)
    found = entitled(Server(), **watched)
    await found.look()
    assert found.problems() == ()


@pytest.mark.looptime
async def test_it_looks_every_ten_minutes_sooner_after_trouble_and_at_once_after_a_change() -> None:
    server = Server()
    found = entitled(server, healers=())
    task = asyncio.create_task(found.run())
    try:
        await asyncio.sleep(1)
        once = server.asked
        await asyncio.sleep(EVERY_SECONDS - 2)
        assert server.asked == once
        await asyncio.sleep(2)
        assert server.asked == 2 * once
        server.denied = {"pods/eviction"}
        take(found._settings, Settings(healers=("RestartPods",)), ["healers"])
        found.changed()
        await asyncio.sleep(1)
        assert "RestartPods" in found.problems()[0]
        server.denied.clear()
        await asyncio.sleep(AGAIN_SECONDS)
        assert found.problems() == ()
        server.down = True
        found.changed()
        await asyncio.sleep(1)
        server.down, before = False, server.asked
        await asyncio.sleep(AGAIN_SECONDS)
        assert server.asked > before
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
