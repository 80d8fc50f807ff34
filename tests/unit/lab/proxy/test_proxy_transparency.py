"""With no fault armed, client and server cannot tell that the proxy is there."""

import asyncio
import gzip

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from akeso_lab.proxy import FaultProxy
from unit.lab.proxy.api import PODS, FakeApi, body_of, event, serving, status_of

BODY = b"\x00{}"


@settings(max_examples=25, deadline=None)
@given(
    sent=st.binary(max_size=5000),
    payload=st.binary(max_size=100_000),
    status=st.sampled_from([200, 201, 404, 409, 500]),
    chunked=st.booleans(),
    zipped=st.booleans(),
)
async def test_without_faults_bodies_pass_unchanged_byte_by_byte(
    sent: bytes, payload: bytes, status: int, chunked: bool, zipped: bool
) -> None:
    body = gzip.compress(payload) if zipped else payload
    headers = {"Content-Encoding": "gzip"} if zipped else {}
    api = FakeApi(payload=body, payload_status=status, chunked=chunked, payload_headers=headers)
    async with (
        serving(api) as url,
        FaultProxy(url) as proxy,
        aiohttp.ClientSession(proxy.url, auto_decompress=False) as client,
        client.get("/anything", data=sent or None) as answer,
    ):
        assert (answer.status, await answer.read()) == (status, body)
        assert answer.headers.get("Content-Encoding") == headers.get("Content-Encoding")
        assert ("Content-Length" in answer.headers) is not chunked
    assert api.bodies == [sent]


@settings(max_examples=25, deadline=None)
@given(pieces=st.lists(st.binary(min_size=1, max_size=60), max_size=8))
async def test_without_faults_a_watch_passes_unchanged_whatever_its_bytes(
    pieces: list[bytes],
) -> None:
    api = FakeApi()
    async with (
        serving(api) as url,
        FaultProxy(url) as proxy,
        aiohttp.ClientSession(proxy.url) as client,
        client.get(PODS + "?watch=true") as answer,
    ):
        api.emit(*pieces)
        api.end()
        assert await answer.read() == b"".join(pieces)


async def test_the_upstream_sees_target_headers_and_body_as_the_client_sent_them(
    api: FakeApi, client: aiohttp.ClientSession
) -> None:
    target = "/apis/x.io/v1/a%2Fb?labelSelector=a%3Db%2Cc&empty="
    headers = {"User-Agent": "akeso/1", "Content-Type": "application/merge-patch+json"}
    async with client.patch(URL(target, encoded=True), data=BODY, headers=headers) as answer:
        assert answer.status == 200
    seen = api.seen[0]
    assert seen.raw_path == target
    assert seen.headers["User-Agent"] == "akeso/1"
    assert seen.headers["Content-Type"] == "application/merge-patch+json"
    assert api.bodies == [BODY]


async def test_nothing_is_added_to_the_request_of_a_client_that_sends_no_headers(
    api: FakeApi, proxy: FaultProxy
) -> None:
    reader, writer = await asyncio.open_connection(*proxy.url.removeprefix("http://").split(":"))
    writer.write(b"GET /x HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\n\r\n")
    await reader.read()
    writer.close()
    await writer.wait_closed()
    assert set(api.seen[0].headers) == {"Host"}


async def test_a_head_request_keeps_the_length_of_the_body_it_does_not_get(
    api: FakeApi, client: aiohttp.ClientSession
) -> None:
    api.payload = b"twelve bytes"
    async with client.head("/anything") as answer:
        assert answer.headers["Content-Length"] == "12"


async def test_each_watch_event_arrives_before_the_next_one_is_sent(
    api: FakeApi, client: aiohttp.ClientSession
) -> None:
    async with client.get(PODS + "?watch=true") as answer:
        for version in range(3):
            line = event("MODIFIED", "web", version)
            api.emit(line)
            assert await answer.content.readline() == line


async def test_a_watch_whose_upstream_breaks_off_breaks_off_for_the_client(
    api: FakeApi, client: aiohttp.ClientSession
) -> None:
    async with client.get(PODS + "?watch=true") as answer:
        api.emit(event("ADDED", "web", 1), b'{"half', b"break off")
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_a_client_that_leaves_a_watch_ends_it_upstream(
    api: FakeApi, client: aiohttp.ClientSession
) -> None:
    async with client.get(PODS + "?watch=true"):
        await api.watched()
    while api.watchers:
        await asyncio.sleep(0.001)


async def test_an_upstream_that_is_gone_looks_like_a_closed_connection() -> None:
    async with (
        FaultProxy("http://127.0.0.1:9") as proxy,
        aiohttp.ClientSession(proxy.url) as client,
    ):
        with pytest.raises(aiohttp.ClientConnectionError):
            await status_of(client.get(PODS))
        assert not proxy.requests[0].forwarded


async def test_a_write_goes_on_when_its_client_dies_while_it_is_on_its_way(
    api: FakeApi, proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    api.commit_delay = 0.05
    asking = asyncio.create_task(status_of(client.post(PODS)))
    await api.asked()
    asking.cancel()
    while not proxy.committed:
        await asyncio.sleep(0.001)
    assert len(api.commits) == 1


async def test_every_request_is_on_record(proxy: FaultProxy, client: aiohttp.ClientSession) -> None:
    headers = {"User-Agent": "akeso/1"}
    await status_of(client.get(PODS + "?limit=5", headers=headers))
    await status_of(client.post(PODS, json={"a": 1}, headers=headers))
    await status_of(client.put("/apis/coordination.k8s.io/v1/namespaces/shop/leases/akeso"))
    await status_of(client.delete(PODS + "/web"))
    read, create, lease, delete = proxy.requests
    assert (read.method, read.path, read.query, read.verb) == ("GET", PODS, "limit=5", "list")
    assert read.user_agent == "akeso/1"
    assert (read.status, read.upstream_status, read.response_bytes > 0) == (200, 200, True)
    assert read.seconds is not None and 0 <= read.seconds < 1
    assert (create.json(), create.write_index) == ({"a": 1}, 1)
    assert (lease.verb, lease.write_index) == ("bookkeeping", None)
    assert (delete.write_index, proxy.writes) == (2, [create, delete])
    assert proxy.committed == proxy.writes


REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@pytest.mark.parametrize(("path", "connections"), [(REVIEW, 1), (PODS, 3)])
async def test_a_write_has_a_connection_of_its_own_and_reviews_share_one(
    api: FakeApi, client: aiohttp.ClientSession, path: str, connections: int
) -> None:
    for _ in range(3):
        await body_of(client.post(path, json={}))
    assert len(set(api.peers)) == connections
    assert [path for _, path in api.commits] == [path] * 3  # each is sent once
