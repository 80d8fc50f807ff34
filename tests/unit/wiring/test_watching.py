"""Each namespace is watched by itself: what can't be is named and begun again, the others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from akeso.errors import AkesoError, GoneError, PermanentError, TransientError
from akeso.settings import Settings
from akeso.wiring import watching
from akeso.wiring.watching import LONGEST_PAUSE, Watching


class Clock:
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class World:
    """What lists and watches answer, by namespace (None: everywhere)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
        self.refused: dict[str | None, AkesoError] = {}
        self.ends: dict[str | None, asyncio.Event] = {}
        self.reloaded: list[tuple[tuple[str, ...], str | None]] = []
        self.watched: list[str | None] = []
        monkeypatch.setattr(watching, "watch", self.watch)
        untyped: Any = self
        self.watching = Watching(untyped, untyped, Clock(), Settings(namespace="own", **settings))

    def seen(self, *_: object) -> None: ...

    async def reload(self, plurals: Sequence[str], namespace: str | None) -> None:
        if namespace in self.refused:
            raise self.refused[namespace]
        self.reloaded.append((tuple(plurals), namespace))

    async def watch(
        self,
        _seen: object,
        _login: object,
        _plurals: Sequence[str],
        namespaces: tuple[str, ...],
        ready: asyncio.Event,
    ) -> None:
        name = namespaces[0] if namespaces else None
        self.watched.append(name)
        ready.set()
        await self.ends.setdefault(name, asyncio.Event()).wait()
        raise TransientError("the watch ended")

    async def __aenter__(self) -> Watching:
        self._task = asyncio.create_task(self.watching.run())
        return self.watching

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.mark.looptime
async def test_policies_are_watched_everywhere_and_the_kill_switch_at_home(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch)
    async with world as found:
        await found.settled()
        assert found.ready and found.problems() == ()
    assert world.reloaded == [
        (("healingcontrols",), "own"),
        (("healingpolicies", "healings"), None),
    ]
    assert sorted(map(str, world.watched)) == ["None", "own"]


@pytest.mark.looptime
async def test_a_namespace_that_may_not_be_read_is_named_and_the_others_are_watched(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(monkeypatch, watch_namespaces=("shop", "bank"))
    world.refused["bank"] = PermanentError("Akeso may not list healings")
    async with world as found:
        await found.settled()
        assert found.ready
        (said,) = found.problems()
        assert said.startswith("healingpolicies and healings in namespace bank can't be watched: ")
        await asyncio.sleep(5 * LONGEST_PAUSE)
        assert caplog.text.count("may not list healings") == 1, "said once, tried often"
        del world.refused["bank"]
        await asyncio.sleep(LONGEST_PAUSE + 1)
        assert found.problems() == ()
        assert world.watched.count("bank") == 1 and world.watched.count("shop") == 1


@pytest.mark.looptime
async def test_without_custom_resources_it_is_not_ready_and_says_how_to_install_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch)
    world.refused = {None: GoneError("404 page not found"), "own": GoneError("404 page not found")}
    async with world as found:
        await found.settled()
        assert not found.ready
        assert all("akeso crds | kubectl" in said for said in found.problems())
        world.refused.clear()
        await asyncio.sleep(LONGEST_PAUSE)
        assert found.ready and found.problems() == ()


@pytest.mark.looptime
async def test_a_watch_that_ends_is_begun_again_with_what_is_there_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch)
    async with world as found:
        await found.settled()
        world.ends[None].set()
        await asyncio.sleep(0.1)
        assert not found.ready and "the watch ended" in found.problems()[0]
        world.ends[None].clear()
        await asyncio.sleep(LONGEST_PAUSE)
        assert found.ready and found.problems() == ()
        assert world.reloaded.count((("healingpolicies", "healings"), None)) == 2


async def test_a_new_leader_reads_everything_and_waits_for_an_outage_to_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, watch_namespaces=("shop", "bank"))
    world.refused["bank"] = PermanentError("Akeso may not list healings")
    await world.watching.refresh()
    assert [name for _, name in world.reloaded] == ["own", "shop"]
    world.refused["shop"] = TransientError("no connection")
    with pytest.raises(TransientError):
        await world.watching.refresh()
