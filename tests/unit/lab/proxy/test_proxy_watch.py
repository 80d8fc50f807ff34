"""Each fault inside a watch does exactly what its name says, also to watches already open."""

import json
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from akeso_lab.proxy import (
    DelayEvent,
    DropEvent,
    DuplicateEvent,
    ErrorEvent,
    FaultProxy,
    GarbageEvent,
    Match,
    ReplayEvents,
    SwapEvents,
)
from unit.lab.proxy.api import PODS, FakeApi, event

A, B, C, D = (event("MODIFIED", name, i) for i, name in enumerate("abcd"))
WEB = [event("MODIFIED", "web", version) for version in range(1, 5)]
BOOKMARK = event("BOOKMARK", "", 9)
WATCH = PODS + "?watch=true"


@pytest.fixture
async def watch(
    api: FakeApi, client: aiohttp.ClientSession
) -> AsyncIterator[aiohttp.ClientResponse]:
    async with client.get(WATCH) as answer:
        await api.watched()
        yield answer


async def told(api: FakeApi, watch: aiohttp.ClientResponse, *lines: bytes) -> list[bytes]:
    """What the client hears of a stream that sends these lines and ends."""
    api.emit(*lines)
    api.end()
    return (await watch.read()).splitlines(keepends=True)


async def test_a_dropped_event_is_never_delivered(
    api: FakeApi, proxy: FaultProxy, watch: aiohttp.ClientResponse
) -> None:
    proxy.add(DropEvent(match=Match(nth=2)))
    assert await told(api, watch, A, B, C) == [A, C]


async def test_events_can_be_chosen_by_type_and_object(
    api: FakeApi, proxy: FaultProxy, watch: aiohttp.ClientResponse
) -> None:
    gone = event("DELETED", "web", 7)
    proxy.add(DropEvent(match=Match(events="DELETED", object_name="^shop/web$")))
    other = event("DELETED", "api", 8)
    assert await told(api, watch, WEB[0], gone, other) == [WEB[0], other]


async def test_bookmarks_pass_untouched_unless_they_are_named(
    api: FakeApi, proxy: FaultProxy, watch: aiohttp.ClientResponse
) -> None:
    proxy.add(DropEvent())
    assert await told(api, watch, A, BOOKMARK, B) == [BOOKMARK]


async def test_a_duplicated_event_comes_twice(
    api: FakeApi, proxy: FaultProxy, watch: aiohttp.ClientResponse
) -> None:
    proxy.add(DuplicateEvent(match=Match(first=1)))
    assert await told(api, watch, A, B) == [A, A, B]


async def test_swapped_events_change_places_pair_by_pair(
    api: FakeApi, proxy: FaultProxy, watch: aiohttp.ClientResponse
) -> None:
    fault = proxy.add(SwapEvents())
    assert await told(api, watch, A, B, C, D) == [B, A, D, C]
    assert fault.applied == 2


async def test_a_swapped_event_without_a_successor_comes_at_the_end(
    api: FakeApi, proxy: FaultProxy, watch: aiohttp.ClientResponse
) -> None:
    proxy.add(SwapEvents())
    assert await told(api, watch, A, B, C) == [B, A, C]


async def test_a_held_event_is_delivered_when_its_fault_is_removed(
    api: FakeApi, proxy: FaultProxy, watch: aiohttp.ClientResponse
) -> None:
    fault = proxy.add(SwapEvents(match=Match(first=1)))
    api.emit(A)
    await fault.happened.wait()
    proxy.remove(fault)
    assert await told(api, watch, B, C) == [B, A, C]


async def test_replayed_events_are_older_ones_of_the_same_object(
    api: FakeApi, proxy: FaultProxy, watch: aiohttp.ClientResponse
) -> None:
    proxy.add(ReplayEvents(count=2, match=Match(nth=4)))
    heard = await told(api, watch, WEB[0], A, WEB[1], WEB[2])
    assert heard == [WEB[0], A, WEB[1], WEB[2], WEB[0], WEB[1]]


async def test_replay_reaches_back_to_watches_before_this_one(
    api: FakeApi, proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    async with client.get(WATCH) as first:
        await told(api, first, WEB[0])
    proxy.add(ReplayEvents())
    async with client.get(WATCH) as second:
        assert await told(api, second, WEB[1]) == [WEB[1], WEB[0]]


async def test_a_delayed_event_holds_back_what_follows_it(
    api: FakeApi, proxy: FaultProxy, watch: aiohttp.ClientResponse
) -> None:
    proxy.add(DelayEvent(seconds=0.1, match=Match(nth=1)))
    started = time.monotonic()
    assert await told(api, watch, A, B) == [A, B]
    assert time.monotonic() - started >= 0.1


@pytest.mark.parametrize("code", [410, 500])
async def test_an_error_event_replaces_the_event_and_ends_the_watch(
    api: FakeApi, proxy: FaultProxy, watch: aiohttp.ClientResponse, code: int
) -> None:
    proxy.add(ErrorEvent(code=code, match=Match(nth=2)))
    api.emit(A, B, C)
    first, last = (await watch.read()).splitlines(keepends=True)
    assert first == A
    assert json.loads(last)["object"]["code"] == code


@pytest.mark.parametrize("style", ["truncated", "garbled"])
async def test_a_garbage_event_is_one_broken_line_and_the_stream_goes_on(
    api: FakeApi, proxy: FaultProxy, watch: aiohttp.ClientResponse, style: str
) -> None:
    proxy.add(
        GarbageEvent(style="garbled" if style == "garbled" else "truncated", match=Match(nth=2))
    )
    first, broken, last = await told(api, watch, A, B, C)
    assert (first, last) == (A, C)
    with pytest.raises(ValueError, match=r".+"):
        json.loads(broken)


async def test_a_severed_event_ends_in_the_middle_of_its_line_with_the_connection(
    api: FakeApi, proxy: FaultProxy, watch: aiohttp.ClientResponse
) -> None:
    proxy.add(GarbageEvent(style="severed", match=Match(nth=2)))
    api.emit(A, B, C)
    assert await watch.content.readline() == A
    with pytest.raises(aiohttp.ClientPayloadError):
        await watch.content.readline()


async def test_event_faults_compose_in_order(
    api: FakeApi, proxy: FaultProxy, watch: aiohttp.ClientResponse
) -> None:
    proxy.add(DuplicateEvent())
    proxy.add(DropEvent(match=Match(every=2)))
    assert await told(api, watch, A, B, C) == [A, B, C]


async def test_open_watches_can_be_cut_by_rule(
    api: FakeApi, proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    async with client.get(WATCH) as pods, client.get("/api/v1/nodes?watch=true") as nodes:
        await api.watched(2)
        assert proxy.cut_watches(Match(path="/pods$")) == 1
        with pytest.raises(aiohttp.ClientPayloadError):
            await pods.read()
        assert await told(api, nodes, A) == [A]


async def test_idle_watches_can_be_ended_with_an_error(
    proxy: FaultProxy, watch: aiohttp.ClientResponse
) -> None:
    assert await proxy.end_watches(code=410) == 1
    assert json.loads(await watch.read())["object"]["reason"] == "Expired"


async def test_event_faults_leave_other_streams_alone(
    api: FakeApi, proxy: FaultProxy, watch: aiohttp.ClientResponse
) -> None:
    proxy.add(DropEvent(match=Match(path="/nodes$")))
    assert await told(api, watch, A) == [A]
