"""The cache ends up as the API server has it, whatever happens to the watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from akeso.clients.backoff import Backoff
from akeso.clients.kubernetes.raw import Json
from akeso.clients.kubernetes.reflector import Reflector, Source
from unit.clients.apiserver import (
    CUT,
    GARBLED,
    HOLD,
    QuickClock,
    Refusal,
    Script,
    bookmark,
    error,
    event,
    serving,
    status,
    thing,
)

FORBIDDEN = Refusal(
    403, status(403, 'User "akeso" cannot list resource "things" in API group "apps"')
)


def size(raw: Json) -> int:
    return int(raw["spec"]["size"])


class Watched:
    """A reflector at work on a scripted server."""

    def __init__(self, script: Script, reflector: Reflector[int], clock: QuickClock) -> None:
        self.script, self.reflector, self.clock = script, reflector, clock

    @property
    def sizes(self) -> dict[str, int]:
        return {name: size for (_, name), size in self.reflector.items().items()}

    async def until(self, condition: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(
                10
            ):  # on a busy machine; it takes milliseconds on a free one
                while not condition():
                    await asyncio.sleep(0.005)
        except TimeoutError:
            pytest.fail(f"{self.sizes}, {self.reflector.error!r}, {self.script.watched_from}")

    async def shows(self, **sizes: int) -> None:
        await self.until(lambda: self.sizes == sizes)


@asynccontextmanager
async def watching(
    script: Script, folder: Path, silence: float = 60.0, standing: bool = False
) -> AsyncIterator[Watched]:
    """With `standing` the first pause lasts until the test lets the clock run."""
    clock = QuickClock()
    if standing:
        clock.runs.clear()
    async with serving(script, folder) as api:
        source = Source("things", "/apis/x/v1/things", size)
        reflector = Reflector(api, clock, source, silence)
        task = asyncio.create_task(reflector.run())
        try:
            yield Watched(script, reflector, clock)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled(), "a reflector ends only when it is cancelled"


async def test_what_is_listed_and_what_changes_is_seen(tmp_path: Path) -> None:
    script = Script([thing("a", 5, size=1), thing("b", 6, size=1)])
    changes: list[Json | bytes] = [
        event("ADDED", thing("c", 11, size=3)),
        event("MODIFIED", thing("a", 12, size=2)),
        event("DELETED", thing("b", 13, size=1)),
        HOLD,
    ]
    script.watches.append(changes)
    async with watching(script, tmp_path) as watched:
        await watched.shows(a=2, c=3)
        assert watched.reflector.synced.is_set()
        assert watched.reflector.error is None
        assert script.watched_from == ["10"]
        assert script.seen[-1].query["allowWatchBookmarks"] == "true"


async def test_a_list_comes_in_pages_of_one_version(tmp_path: Path) -> None:
    script = Script()
    pages = [
        {
            "metadata": {"resourceVersion": "10", "continue": "more=="},
            "items": [thing("a", 1, size=1)],
        },
        {"metadata": {"resourceVersion": "10"}, "items": [thing("b", 2, size=2)]},
    ]
    script.answers.extend(Refusal(200, page) for page in pages)
    async with watching(script, tmp_path) as watched:
        await watched.shows(a=1, b=2)
        assert [r.query.get("continue") for r in script.seen[:2]] == [None, "more=="]
        assert script.seen[0].query["limit"] == "500"


@pytest.mark.parametrize("where", ["event", "answer"])
async def test_a_version_that_is_too_old_is_listed_anew(tmp_path: Path, where: str) -> None:
    script = Script([thing("a", 5, size=1)])
    script.watches.append([error(410)] if where == "event" else Refusal(410, status(410)))
    async with watching(script, tmp_path, standing=True) as watched:
        await watched.until(lambda: len(watched.clock.waits) == 1)
        assert watched.sizes == {"a": 1}
        script.items, script.version = [thing("b", 20, size=2)], 20
        watched.clock.runs.set()
        await watched.shows(b=2)
        await watched.until(lambda: script.watched_from == ["10", "20"])


async def test_too_old_on_every_watch_lists_at_a_bounded_rate(tmp_path: Path) -> None:
    script = Script([thing("a", 5, size=1)])
    script.watches.extend([error(410)] for _ in range(12))
    async with watching(script, tmp_path) as watched:
        await watched.until(lambda: script.listings == 13)
        assert max(watched.clock.waits) <= 30
        assert min(watched.clock.waits[7:]) >= 15
        assert watched.sizes == {"a": 1}


async def test_another_error_in_the_watch_is_listed_anew_after_a_pause(tmp_path: Path) -> None:
    script = Script([thing("a", 5, size=1)])
    script.watches.append([error(500)])
    async with watching(script, tmp_path) as watched:
        await watched.until(lambda: script.listings == 2)
        assert len(watched.clock.waits) == 1
        await watched.until(lambda: watched.reflector.error is None)


@pytest.mark.parametrize("fault", [GARBLED, CUT, b"[1]\n", b'{"type": "ADDED"}\n'])
async def test_a_broken_stream_goes_on_where_it_was(tmp_path: Path, fault: bytes) -> None:
    script = Script([thing("a", 5, size=1)])
    script.watches.append([event("MODIFIED", thing("a", 11, size=2)), fault])
    script.watches.append([event("MODIFIED", thing("a", 12, size=3)), HOLD])
    async with watching(script, tmp_path) as watched:
        await watched.shows(a=3)
        assert script.listings == 1
        assert script.watched_from[0] == "10"


async def test_a_stream_that_breaks_again_and_again_is_listed_anew(tmp_path: Path) -> None:
    script = Script([thing("a", 5, size=1)])
    script.watches.extend([GARBLED] for _ in range(3))
    async with watching(script, tmp_path) as watched:
        await watched.until(lambda: script.listings == 2)
        assert script.watched_from[:3] == ["10", "10", "10"]
        assert watched.sizes == {"a": 1}


async def test_a_regular_end_is_no_error_and_costs_no_list(tmp_path: Path) -> None:
    script = Script([thing("a", 5, size=1)])
    script.watches.append([bookmark(15)])
    async with watching(script, tmp_path) as watched:
        await watched.until(lambda: script.watched_from == ["10", "15"])
        assert script.listings == 1
        assert watched.clock.waits == []
        assert watched.reflector.error is None


async def test_a_server_that_ends_each_watch_at_once_is_not_hammered(tmp_path: Path) -> None:
    script = Script([thing("a", 5, size=1)])
    script.watches.extend([] for _ in range(6))
    async with watching(script, tmp_path) as watched:
        await watched.until(lambda: len(script.watched_from) == 7)
        assert len(watched.clock.waits) == 6


async def test_a_silent_watch_is_noticed(tmp_path: Path) -> None:
    script = Script([thing("a", 5, size=1)])
    script.watches.append([HOLD])
    script.watches.append([event("MODIFIED", thing("a", 11, size=2)), HOLD])
    async with watching(script, tmp_path, silence=0.1) as watched:
        await watched.shows(a=2)
        assert script.watched_from[:2] == ["10", "10"]
        assert script.listings == 1


async def test_a_kind_to_which_nothing_happens_is_neither_listed_again_nor_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes = count(1_000_000, 60)
    monkeypatch.setattr(QuickClock, "now", lambda _: next(minutes))
    script = Script([thing("a", 5, size=1)])
    script.watches.extend([[HOLD] for _ in range(6)])
    async with watching(script, tmp_path, silence=0.05) as watched:
        await watched.until(lambda: len(script.watched_from) == 6)
        assert script.listings == 1
        assert watched.reflector.error is None
        assert not watched.clock.waits


async def test_replayed_older_events_change_nothing(tmp_path: Path) -> None:
    script = Script([thing("a", 5, size=5), thing("b", 6, size=6)])
    changes: list[Json | bytes] = [
        event("MODIFIED", thing("a", 11, size=11)),
        event("DELETED", thing("b", 12, size=6)),
        event("ADDED", thing("b", 6, size=6)),  # known since the list
        event("ADDED", thing("c", 13, size=13)),
        event("DELETED", thing("c", 14, size=13)),
        event("ADDED", thing("c", 13, size=13)),  # it was deleted meanwhile
        event("MODIFIED", thing("a", 7, size=7)),
        event("MODIFIED", thing("a", 11, size=11)),  # the same again
        event("ADDED", thing("d", 15, size=15)),
        HOLD,
    ]
    script.watches.append(changes)
    async with watching(script, tmp_path) as watched:
        await watched.shows(a=11, d=15)


async def test_events_that_changed_places_are_both_seen(tmp_path: Path) -> None:
    script = Script([thing("a", 5, size=5), thing("b", 6, size=6)])
    swapped = [event("MODIFIED", thing("a", 12, size=2)), event("MODIFIED", thing("b", 11, size=1))]
    script.watches.append([*swapped, CUT])
    async with watching(script, tmp_path) as watched:
        await watched.shows(a=2, b=1)
        await watched.until(lambda: script.watched_from == ["10", "12"])


async def test_the_late_deletion_of_a_predecessor_leaves_the_successor(tmp_path: Path) -> None:
    script = Script([thing("a", 5, uid="first", size=1)])
    changes: list[Json | bytes] = [
        event("ADDED", thing("a", 12, uid="second", size=2)),
        event("DELETED", thing("a", 11, uid="first", size=1)),
        event("ADDED", thing("end", 13, size=0)),
        HOLD,
    ]
    script.watches.append(changes)
    async with watching(script, tmp_path) as watched:
        await watched.shows(a=2, end=0)


async def test_a_forbidden_kind_stays_unsynced_and_recovers_when_it_is_granted(
    tmp_path: Path,
) -> None:
    script = Script([thing("a", 5, size=1)])
    script.lists.extend([FORBIDDEN, FORBIDDEN])
    async with watching(script, tmp_path, standing=True) as watched:
        await watched.until(lambda: watched.reflector.refused)
        assert not watched.reflector.synced.is_set()
        assert "may not list things" in str(watched.reflector.error)
        watched.clock.runs.set()
        await watched.shows(a=1)
        assert watched.clock.waits == [30.0, 30.0]
        assert not watched.reflector.refused
        assert watched.reflector.error is None


async def test_a_kind_that_is_withdrawn_is_forgotten(tmp_path: Path) -> None:
    script = Script()
    script.lists.append([thing("a", 5, size=1)])
    script.lists.extend(Refusal(404, status(404)) for _ in range(1000))
    script.watches.extend([[bookmark(11)], Refusal(404, status(404))])
    async with watching(script, tmp_path, standing=True) as watched:
        await watched.until(lambda: watched.reflector.refused)
        assert watched.sizes == {}
        assert not watched.reflector.synced.is_set()


async def test_a_throttled_list_waits_as_long_as_the_server_asks(tmp_path: Path) -> None:
    script = Script([thing("a", 5, size=1)])
    script.lists.append(Refusal(429, status(429, "slow down"), {"Retry-After": "7"}))
    async with watching(script, tmp_path) as watched:
        await watched.shows(a=1)
        assert watched.clock.waits == [7.0]


async def test_an_object_nobody_understands_does_not_hide_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = Script([thing("poison", 5, size="many"), thing("a", 6, size=1)])
    async with watching(script, tmp_path) as watched:
        await watched.shows(a=1)
        assert "poison" in caplog.text


async def test_pages_that_expire_again_and_again_are_asked_for_in_one_piece(tmp_path: Path) -> None:
    script = Script([thing("a", 5, size=1)])
    script.lists.extend(Refusal(410, status(410, "expired")) for _ in range(3))
    async with watching(script, tmp_path) as watched:
        await watched.shows(a=1)
        lists = [r for r in script.seen if "watch" not in r.query]
        assert [r.query.get("limit") for r in lists] == ["500", "500", "500", None]


async def test_hearing_from_the_server_is_remembered_by_the_clock(tmp_path: Path) -> None:
    script = Script()
    script.watches.append([bookmark(11), HOLD])
    async with watching(script, tmp_path) as watched:
        assert watched.reflector.heard_at == float("-inf")
        await watched.until(lambda: watched.reflector.synced.is_set())
        assert watched.reflector.heard_at == watched.clock.now()


def test_pauses_grow_with_jitter_up_to_half_a_minute() -> None:
    backoff = Backoff()
    pauses = [backoff.next() for _ in range(20)]
    assert 0.25 <= pauses[0] <= 0.5
    assert all(15 <= p <= 30 for p in pauses[8:])
    assert len(set(pauses[8:])) > 1
    backoff.reset()
    assert backoff.next() <= 0.5
