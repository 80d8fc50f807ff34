"""A fault proxy in front of a fake API server, and a client of it."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from akeso_lab.proxy import FaultProxy
from akeso_lab.proxy.forwarder import send_once
from unit.lab.proxy.api import FakeApi, serving


@pytest.fixture(autouse=True, scope="session")
def no_loop_outside_a_test() -> None:
    """Keep pytest-asyncio on Python 3.11 from making a loop of its own that nobody closes."""
    asyncio.set_event_loop(None)


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
async def upstream(api: FakeApi) -> AsyncIterator[str]:
    async with serving(api) as url:
        yield url


@pytest.fixture
async def proxy(upstream: str) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(upstream) as running:
        yield running


@pytest.fixture
async def client(proxy: FaultProxy) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=1.5)
    async with aiohttp.ClientSession(
        proxy.url, timeout=timeout, middlewares=(send_once,)
    ) as session:
        yield session
