"""A crash point leaves the upstream with an exact number of writes, whatever the client does."""

import asyncio
import signal
import sys

import aiohttp
import pytest

from akeso_lab.proxy import Crash, Delay, FaultProxy, Match, RequestRecord
from unit.lab.proxy.api import PODS, FakeApi, serving, status_of

LEASE = "/apis/coordination.k8s.io/v1/namespaces/shop/leases/akeso"
WRITES = 4
Client = aiohttp.ClientSession


async def act(client: Client) -> int:
    """An action of four writes that stops at the first failure; returns how many it saw succeed."""
    done = 0
    try:
        for number in range(WRITES):
            await status_of(client.get(PODS))
            await status_of(client.put(LEASE))
            await status_of(client.post(f"{PODS}/{number}/eviction"))
            done += 1
    except aiohttp.ClientError:
        pass
    return done


@pytest.mark.parametrize("k", range(1, WRITES + 1))
async def test_a_crash_before_write_k_leaves_one_less_upstream(
    api: FakeApi, proxy: FaultProxy, client: Client, k: int
) -> None:
    proxy.add(Crash(write=k))
    assert await act(client) == k - 1
    await proxy.crashed.wait()
    assert len(proxy.committed) == k - 1
    assert proxy.writes[-1].forwarded is False


@pytest.mark.parametrize("k", range(1, WRITES + 1))
async def test_a_crash_after_the_commit_of_write_k_hides_its_answer(
    api: FakeApi, proxy: FaultProxy, client: Client, k: int
) -> None:
    proxy.add(Crash(write=k, when="committed"))
    assert await act(client) == k - 1
    await proxy.crashed.wait()
    assert len(proxy.committed) == k
    assert (proxy.writes[-1].upstream_status, proxy.writes[-1].status) == (200, None)


@pytest.mark.parametrize("k", range(1, WRITES + 1))
async def test_a_crash_after_the_answer_to_write_k_lets_nothing_follow(
    api: FakeApi, proxy: FaultProxy, client: Client, k: int
) -> None:
    proxy.add(Crash(write=k, when="answered"))
    assert await act(client) == k
    await proxy.crashed.wait()
    assert len(proxy.committed) == k


@pytest.mark.parametrize(("when", "left"), [("before", 2), ("committed", 3), ("answered", 3)])
async def test_the_count_is_exact_among_writes_that_race(
    api: FakeApi, proxy: FaultProxy, client: Client, when: str, left: int
) -> None:
    api.commit_delay = 0.02
    assert when in {"before", "committed", "answered"}
    proxy.add(Crash(write=3, when=when))  # type: ignore[arg-type]
    racing = [status_of(client.post(f"{PODS}/{number}")) for number in range(10)]
    answers = await asyncio.gather(*racing, return_exceptions=True)
    await proxy.crashed.wait()
    assert len(api.commits) == left
    assert sum(not isinstance(answer, Exception) for answer in answers) <= left
    await asyncio.sleep(0.05)
    assert len(api.commits) == left


async def test_after_a_crash_everything_is_cut_and_refused_until_reset(
    api: FakeApi, proxy: FaultProxy, client: Client
) -> None:
    proxy.add(Crash(write=1))
    async with client.get(PODS + "?watch=true") as watch:
        with pytest.raises(aiohttp.ClientError):
            await status_of(client.post(PODS))
        with pytest.raises(aiohttp.ClientPayloadError):
            await watch.read()
    for attempt in (client.get(PODS), client.post(PODS), client.put(LEASE)):
        with pytest.raises(aiohttp.ClientError):
            await status_of(attempt)
    assert api.commits == []
    proxy.reset()
    assert not proxy.crashed.is_set()
    assert await status_of(client.post(PODS)) == 200


async def test_a_request_that_was_held_during_the_crash_is_not_sent_after_reset(
    api: FakeApi, proxy: FaultProxy, client: Client
) -> None:
    proxy.add(Crash(write=2))
    delay = proxy.add(Delay(seconds=0.2, match=Match(path="/slow$")))
    slow = asyncio.create_task(status_of(client.post(PODS + "/slow")))
    await delay.happened.wait()
    with pytest.raises(aiohttp.ClientError):
        await status_of(client.post(PODS))
    await proxy.crashed.wait()
    proxy.reset()
    with pytest.raises(aiohttp.ClientError):
        await slow
    await asyncio.sleep(0.25)
    assert api.commits == []


async def test_the_crash_comes_even_if_the_client_leaves_before_the_commit(
    api: FakeApi, proxy: FaultProxy, client: Client
) -> None:
    api.commit_delay = 0.05
    proxy.add(Crash(write=1, when="committed"))
    asking = asyncio.create_task(status_of(client.post(PODS)))
    await api.asked()
    asking.cancel()
    await proxy.crashed.wait()
    assert len(proxy.committed) == 1


async def test_writes_of_another_kind_are_counted_if_the_rule_says_so(
    api: FakeApi, proxy: FaultProxy, client: Client
) -> None:
    proxy.add(Crash(write=2, match=Match(methods="PUT", path="/leases/")))
    assert await act(client) == 1
    assert proxy.crashed.is_set()


async def test_a_process_killed_in_the_callback_dies_before_it_sees_the_cut(api: FakeApi) -> None:
    script = """
import sys, urllib.request
try:
    for number in range(3):
        urllib.request.urlopen(urllib.request.Request(sys.argv[1], b"{}", method="POST")).read()
except OSError:
    print("saw the cut", flush=True)
"""
    victim: asyncio.subprocess.Process

    def kill(record: RequestRecord) -> None:
        assert record.write_index == 2
        victim.kill()

    async with serving(api) as url, FaultProxy(url, on_crash=kill) as proxy:
        proxy.add(Crash(write=2, when="committed"))
        victim = await asyncio.create_subprocess_exec(
            sys.executable, "-S", "-c", script, proxy.url + PODS, stdout=asyncio.subprocess.PIPE
        )
        heard, _ = await victim.communicate()
        await proxy.crashed.wait()
    assert (victim.returncode, heard) == (-signal.SIGKILL, b"")
    assert len(api.commits) == 2


async def test_a_client_that_repeats_writes_by_itself_does_not_get_past_the_crash(
    api: FakeApi, proxy: FaultProxy
) -> None:
    proxy.add(Crash(write=2, when="committed"))
    async with aiohttp.ClientSession(proxy.url) as plain:
        await status_of(plain.put(PODS + "/web"))
        with pytest.raises(aiohttp.ClientConnectionError):
            await status_of(plain.put(PODS + "/web"))
    assert len(api.commits) == len(proxy.committed) == 2
