"""Each Prometheus fault makes of a good answer one that nothing may be started on."""

import json
from typing import Any

import aiohttp
import pytest

from akeso_lab.proxy import (
    FaultProxy,
    Match,
    PrometheusDuplicates,
    PrometheusEmpty,
    PrometheusError,
    PrometheusLate,
    PrometheusRelabel,
    PrometheusValues,
    PrometheusWarnings,
)
from unit.lab.proxy.api import FakeApi

SERIES = {"__name__": "up", "pod": "web-1"}


def answer_of(kind: str, result: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": kind, "result": result}}


@pytest.fixture
def api() -> FakeApi:
    result = [{"metric": dict(SERIES), "values": [[1000.5, "1"], [1015.5, "2"]]}]
    return FakeApi(prometheus=answer_of("matrix", result))


async def asked(client: aiohttp.ClientSession, path: str = "/api/v1/query_range") -> Any:
    async with client.post(path, data={"query": "up"}) as answer:
        assert answer.status == 200
        return json.loads(await answer.read())


async def test_empty_is_success_without_series(
    proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    proxy.add(PrometheusEmpty())
    assert await asked(client) == answer_of("matrix", [])


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
async def test_every_sample_has_the_value_and_keeps_its_time(
    proxy: FaultProxy, client: aiohttp.ClientSession, value: str
) -> None:
    proxy.add(PrometheusValues(value=value))
    samples = [[1000.5, value], [1015.5, value]]
    assert (await asked(client))["data"]["result"][0]["values"] == samples


async def test_late_samples_are_older_by_exactly_the_seconds(
    proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    proxy.add(PrometheusLate(seconds=600))
    samples = [[400.5, "1"], [415.5, "2"]]
    assert (await asked(client))["data"]["result"][0]["values"] == samples


async def test_duplicates_double_series_and_samples(
    proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    proxy.add(PrometheusDuplicates())
    series = {"metric": SERIES, "values": [[1000.5, "1"]] * 2 + [[1015.5, "2"]] * 2}
    assert (await asked(client))["data"]["result"] == [series, series]


async def test_warnings_come_with_the_right_answer(
    api: FakeApi, proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    proxy.add(PrometheusWarnings(warnings=("partial",)))
    assert await asked(client) == {**api.prometheus, "warnings": ["partial"]}


async def test_relabelled_series_look_like_those_of_another_pod(
    proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    proxy.add(PrometheusRelabel(value="web-2"))
    assert (await asked(client))["data"]["result"][0]["metric"]["pod"] == "web-2"


async def test_an_error_has_prometheus_own_format(
    api: FakeApi, proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    proxy.add(PrometheusError(status=503, error_type="timeout"))
    async with client.get("/api/v1/query") as answer:
        body = await answer.json()
    assert (answer.status, body["status"], body["errorType"]) == (503, "error", "timeout")
    assert api.seen == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (answer_of("scalar", [5.0, "1"]), answer_of("scalar", [5.0, "NaN"])),
        (answer_of("string", [5.0, "x"]), answer_of("string", [5.0, "x"])),
        (
            answer_of("vector", [{"metric": {}, "value": [5.0, "1"]}]),
            answer_of("vector", [{"metric": {}, "value": [5.0, "NaN"]}]),
        ),
    ],
)
async def test_every_result_type_survives_a_rewrite(
    api: FakeApi,
    proxy: FaultProxy,
    client: aiohttp.ClientSession,
    before: dict[str, Any],
    after: dict[str, Any],
) -> None:
    api.prometheus = before
    proxy.add(PrometheusValues())
    for fault in (PrometheusLate(seconds=0), PrometheusRelabel()):
        proxy.add(fault)
    assert await asked(client) == after


async def test_a_rewrite_can_be_scoped_to_one_query(
    api: FakeApi, proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    proxy.add(PrometheusEmpty(match=Match(query="query=down")))
    assert await asked(client) == api.prometheus
