"""Each fault around a request does exactly what its name says, and to no other request."""

import asyncio
import json
import time

import aiohttp
import pytest

from akeso_lab.proxy import (
    Cut,
    Delay,
    FaultProxy,
    GarbageBody,
    LoseResponse,
    Match,
    Reject,
    Swallow,
    WatchError,
)
from unit.lab.proxy.api import PODS, FakeApi, body_of, event, status_of

Client = aiohttp.ClientSession
LEASE = "/apis/coordination.k8s.io/v1/namespaces/shop/leases/akeso"


async def test_a_delay_before_the_request_holds_it_back_from_the_upstream(
    api: FakeApi, proxy: FaultProxy, client: Client
) -> None:
    fault = proxy.add(Delay(seconds=0.1))
    started = time.monotonic()
    asking = asyncio.create_task(status_of(client.get(PODS)))
    await fault.happened.wait()
    assert api.seen == []
    assert await asking == 200
    assert time.monotonic() - started >= 0.1


async def test_a_delay_before_the_response_holds_back_what_the_upstream_has_answered(
    api: FakeApi, proxy: FaultProxy, client: Client
) -> None:
    proxy.add(Delay(seconds=0.1, before="response"))
    assert await status_of(client.get(PODS)) == 200
    assert time.monotonic() - api.seen_at[0] >= 0.1


async def test_a_cut_before_forwarding_never_reaches_the_upstream(
    api: FakeApi, proxy: FaultProxy, client: Client
) -> None:
    proxy.add(Cut())
    with pytest.raises(aiohttp.ClientError):
        await status_of(client.post(PODS))
    assert api.seen == []
    assert (proxy.requests[0].forwarded, proxy.requests[0].status) == (False, None)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_cut_in_the_middle_delivers_exactly_the_bytes_before_it(
    api: FakeApi, proxy: FaultProxy, client: Client, chunked: bool
) -> None:
    api.payload, api.chunked = b"0123456789", chunked
    proxy.add(Cut(after_bytes=7))
    async with client.get("/anything") as answer:
        assert await answer.content.readexactly(7) == b"0123456"
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.content.read()
    assert proxy.requests[0].response_bytes == 7


async def test_a_watch_can_be_cut_after_some_bytes(
    api: FakeApi, proxy: FaultProxy, client: Client
) -> None:
    line = event("ADDED", "web", 1)
    proxy.add(Cut(after_bytes=len(line) + 3))
    async with client.get(PODS + "?watch=true") as answer:
        api.emit(line, line)
        assert await answer.content.readline() == line
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.content.readline()


async def test_a_swallowed_request_is_neither_forwarded_nor_answered(
    api: FakeApi, proxy: FaultProxy, client: Client
) -> None:
    proxy.add(Swallow())
    with pytest.raises(TimeoutError):
        await status_of(client.put(PODS + "/web", timeout=aiohttp.ClientTimeout(total=0.05)))
    assert api.commits == []


async def test_a_lost_response_was_committed_although_the_client_sees_a_closed_connection(
    api: FakeApi, proxy: FaultProxy, client: Client
) -> None:
    fault = proxy.add(LoseResponse(match=Match(verbs="write", nth=2)))
    await status_of(client.put(PODS + "/web"))
    with pytest.raises(aiohttp.ClientError):
        await status_of(client.put(PODS + "/web"))
    assert api.commits == [("PUT", PODS + "/web")] * 2
    assert [(one.upstream_status, one.status) for one in proxy.writes] == [(200, 200), (200, None)]
    assert (fault.seen, fault.applied) == (2, 1)


async def test_a_mutation_is_sent_upstream_once_even_if_the_upstream_hangs_up(
    api: FakeApi, proxy: FaultProxy, client: Client
) -> None:
    await status_of(client.put(PODS + "/web"))
    api.hang_up = True
    with pytest.raises(aiohttp.ClientError):
        await status_of(client.put(PODS + "/web"))
    assert len(api.commits) == 2
    assert (proxy.writes[1].forwarded, proxy.writes[1].upstream_status) == (True, None)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (409, "Conflict"),
        (410, "Expired"),
        (422, "Invalid"),
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (503, "ServiceUnavailable"),
    ],
)
async def test_a_rejection_looks_like_the_api_servers_own(
    api: FakeApi, proxy: FaultProxy, client: Client, status: int, reason: str
) -> None:
    proxy.add(Reject(status=status, retry_after=2 if status == 429 else None))
    async with client.patch(PODS + "/web") as answer:
        body = await answer.json()
        assert answer.status == status
        assert answer.headers.get("Retry-After") == ("2" if status == 429 else None)
    assert (body["kind"], body["status"]) == ("Status", "Failure")
    assert (body["reason"], body["code"]) == (reason, status)
    assert body.get("details") == ({"retryAfterSeconds": 2} if status == 429 else None)
    assert api.seen == []


async def test_a_rejection_can_carry_another_reason(proxy: FaultProxy, client: Client) -> None:
    proxy.add(Reject(status=409, reason="AlreadyExists", message="pod exists"))
    async with client.post(PODS) as answer:
        body = await answer.json()
    assert (body["reason"], body["message"]) == ("AlreadyExists", "pod exists")


@pytest.mark.parametrize("code", [410, 500])
async def test_a_watch_error_answers_200_with_one_error_event_and_the_end(
    api: FakeApi, proxy: FaultProxy, client: Client, code: int
) -> None:
    proxy.add(WatchError(code=code))
    async with client.get(PODS + "?watch=true") as answer:
        assert answer.status == 200
        only = json.loads(await answer.read())
    assert (only["type"], only["object"]["code"]) == ("ERROR", code)
    assert api.seen == []
    async with client.get(PODS) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("style", ["truncated", "garbled"])
async def test_a_garbage_body_is_valid_http_but_no_json(
    proxy: FaultProxy, client: Client, style: str
) -> None:
    proxy.add(GarbageBody(style="garbled" if style == "garbled" else "truncated"))
    async with client.get(PODS) as answer:
        body = await answer.read()
        assert answer.status == 200
    with pytest.raises(ValueError, match=r".+"):
        json.loads(body)


async def test_faults_strike_in_the_order_in_which_they_were_added(
    api: FakeApi, proxy: FaultProxy, client: Client
) -> None:
    refusal = proxy.add(Reject(status=503, match=Match(first=1)))
    lost = proxy.add(LoseResponse(match=Match(first=1)))
    async with client.get(PODS) as answer:
        assert answer.status == 503
    assert (refusal.applied, lost.seen) == (1, 0)
    with pytest.raises(aiohttp.ClientError):
        await status_of(client.get(PODS))
    assert [one.faults for one in proxy.requests] == [["Reject"], ["LoseResponse"]]


async def test_a_removed_fault_strikes_no_more(proxy: FaultProxy, client: Client) -> None:
    fault = proxy.add(Reject(status=500))
    other = proxy.add(Reject(status=503))
    assert await status_of(client.get(PODS)) == 500
    assert fault.happened.is_set()
    proxy.remove(fault)
    assert await status_of(client.get(PODS)) == 503
    assert other.applied == 1
    proxy.reset()
    assert await status_of(client.get(PODS)) == 200


async def test_the_count_of_a_rule_counts_only_what_the_rule_matches(
    proxy: FaultProxy, client: Client
) -> None:
    proxy.add(Reject(status=500, match=Match(methods="PUT", path="/web$", every=2)))
    statuses: list[int] = []
    for name in ("web", "api", "web", "api", "web", "web"):
        statuses.append(await status_of(client.put(f"{PODS}/{name}")))
        await status_of(client.put(LEASE))
    assert statuses == [200, 200, 500, 200, 200, 500]


async def test_frozen_reads_stay_as_they_were_while_writes_and_other_reads_go_on(
    proxy: FaultProxy, client: Client
) -> None:
    async def version() -> str:
        async with client.get(PODS) as answer:
            return str((await answer.json())["metadata"]["resourceVersion"])

    assert await version() == "1"
    await status_of(client.post(PODS))
    frozen = await proxy.freeze(Match(verbs="list", path="/pods$"))
    await status_of(client.post(PODS))
    assert [await version(), await version()] == ["2", "2"]
    proxy.remove(frozen)
    assert await version() == "3"
    assert len(proxy.committed) == 2


async def test_a_read_that_was_never_seen_freezes_at_its_first_answer(
    proxy: FaultProxy, client: Client
) -> None:
    await proxy.freeze()
    first = await body_of(client.get(PODS))
    await status_of(client.post(PODS))
    assert await body_of(client.get(PODS)) == first


async def test_an_aiohttp_client_repeats_a_lost_put_by_itself_but_not_a_second_time(
    api: FakeApi, proxy: FaultProxy
) -> None:
    async with aiohttp.ClientSession(proxy.url) as plain:
        fault = proxy.add(LoseResponse(match=Match(nth=1)))
        assert await status_of(plain.put(PODS + "/web")) == 200
        assert len(proxy.committed) == 2
        proxy.remove(fault)
        proxy.add(LoseResponse(match=Match(first=2)))
        with pytest.raises(aiohttp.ClientConnectionError):
            await status_of(plain.put(PODS + "/web"))
