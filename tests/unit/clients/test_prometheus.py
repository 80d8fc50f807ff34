"""Whatever Prometheus answers, what comes out is measurements or a clear error."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from akeso.clients.prometheus import PrometheusSource
from akeso.errors import PermanentError, TransientError
from akeso.protocols import Usage
from akeso.settings import Settings

Json = dict[str, Any]
WEB = {"namespace": "shop", "pod": "web-1", "container": "app"}


def success(kind: str, result: Any, **more: Any) -> Json:
    return {"status": "success", "data": {"resultType": kind, "result": result}, **more}


def matrix(*values: tuple[float, str], **labels: str) -> Json:
    return success("matrix", [{"metric": {**WEB, **labels}, "values": values}])


def failure(kind: str, error: str) -> Json:
    return {"status": "error", "errorType": kind, "error": error}


class Answers:
    """A Prometheus that gives these answers, each a status and a body, the last one for ever."""

    def __init__(self, *answers: tuple[int, Any], delay: float = 0) -> None:
        self.answers = list(answers)
        self.delay = delay
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    async def handle(self, request: web.Request) -> web.Response:
        form = {**request.query, **{k: str(v) for k, v in (await request.post()).items()}}
        self.asked.append((request.path, form))
        await asyncio.sleep(self.delay)
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if status == 302:
            return web.Response(status=302, headers={"Location": body})
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(
                status=status, body=gzip.compress(raw), headers={"Content-Encoding": "gzip"}
            )
        return web.Response(status=status, body=raw)


@asynccontextmanager
async def prometheus(
    *answers: tuple[int, Any], delay: float = 0, largest: int = 10_000, **settings: Any
) -> AsyncIterator[tuple[PrometheusSource, Answers]]:
    server = Answers(*answers, delay=delay)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    async with TestServer(application, shutdown_timeout=0) as http:
        url = {"prometheus_url": str(http.make_url("/")), "prometheus_timeout_seconds": 10}
        source = PrometheusSource(Settings.model_validate({**url, **settings}), largest)
        try:
            yield source, server
        finally:
            await source.close()


async def test_memory_is_one_query_of_real_samples() -> None:
    body = matrix((1000.1, "10"), (1015.2, "12.5"))
    async with prometheus((200, body), metric_matchers='job="kubelet"') as (source, server):
        assert await source.memory() == [
            Usage("shop", "web-1", "app", 1000.1, 10.0),
            Usage("shop", "web-1", "app", 1015.2, 12.5),
        ]
    [(path, form)] = server.asked
    assert path == "/api/v1/query"
    assert form["query"] == (
        'container_memory_working_set_bytes{container!="",container!="POD",job="kubelet"}[45000ms]'
    )
    assert "time" not in form


async def test_cpu_is_one_query_of_real_samples() -> None:
    body = matrix((1000.0, "10"), (1015.0, "25"))
    async with prometheus((200, body), metric_matchers='job="kubelet"') as (source, server):
        assert await source.cpu() == [Usage("shop", "web-1", "app", 1015.0, 1.0)]
    assert server.asked[0][1]["query"] == (
        'container_cpu_usage_seconds_total{container!="",container!="POD",job="kubelet"}[60000ms]'
    )


async def test_earlier_cpu_is_a_rate_per_step() -> None:
    body = matrix((1000.0, "0.5"), (1015.0, "0.75"))
    async with prometheus((200, body)) as (source, server):
        assert [u.value for u in await source.cpu_history(1000.0, 1015.0, 15.0)] == [0.5, 0.75]
    [(path, form)] = server.asked
    assert path == "/api/v1/query_range"
    assert form["query"].startswith("sum by (namespace, pod, container) (rate(container_cpu_")
    assert (form["start"], form["end"], form["step"]) == ("1000", "1015", "15")


async def test_what_is_no_measurement_is_left_out() -> None:
    values = [(1.0, "NaN"), (2.0, "+Inf"), (3.0, "-Inf"), (4.0, "-1"), (5.0, "7"), (5.0, "7")]
    async with prometheus((200, matrix(*values))) as (source, _):
        assert [u.value for u in await source.memory()] == [7.0, 7.0]


@pytest.mark.parametrize("missing", ["namespace", "pod", "container"])
async def test_a_series_that_names_no_container_is_left_out(missing: str) -> None:
    async with prometheus((200, matrix((1.0, "1"), **{missing: ""}))) as (source, _):
        assert await source.memory() == []


async def test_no_series_is_an_empty_result_and_no_error() -> None:
    async with prometheus((200, success("matrix", []))) as (source, _):
        assert await source.memory() == []


async def test_a_query_looks_back_three_scrapes_and_no_further() -> None:
    body = success("vector", [{"metric": {"pod": "web-1"}, "value": [1000.5, "0.25"]}])
    async with prometheus((200, body), scrape_interval_seconds=5) as (source, server):
        [reading] = await source.evaluate("up")
    assert (reading.labels, reading.time, reading.value) == ({"pod": "web-1"}, 1000.5, 0.25)
    assert server.asked[0][1]["lookback_delta"] == "15000ms"


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
async def test_a_value_that_is_no_number_says_nothing(value: str) -> None:
    body = success("vector", [{"metric": {}, "value": [1.0, value]}])
    async with prometheus((200, body)) as (source, _):
        assert await source.evaluate("x") == []


@pytest.mark.parametrize(
    "body", [success("scalar", [1.0, "1"]), success("string", [1.0, "a"]), matrix((1.0, "1"))]
)
async def test_a_query_must_give_a_vector(body: Json) -> None:
    async with prometheus((200, body)) as (source, _):
        with pytest.raises(PermanentError, match="not a vector: use one whose result has labels"):
            await source.evaluate("1")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, failure("bad_data", "parse error: unexpected end of input")),
        (422, failure("execution", "parse error: many-to-many matching not allowed")),
    ],
)
async def test_a_wrong_query_is_permanent_and_says_why(status: int, body: Json) -> None:
    async with prometheus((status, body)) as (source, _):
        for ask in (source.evaluate("x"), source.evaluate_range("x", 0, 10, 5)):
            with pytest.raises(PermanentError, match="parse error"):
                await ask


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, failure("timeout", "query timed out")),
        (500, b"oops"),
        (401, b"who are you?"),
        (404, b"404 page not found"),
        (429, b""),
        (200, b""),
        (200, b"<html>"),
        (200, b'{"status": "succ'),
        (200, b"[]"),
        (200, failure("internal", "half")),
        (200, success("matrix", [{"metric": WEB, "values": [["a"]]}])),
        (200, success("matrix", [{"metric": WEB, "values": [[1.0, "many"]]}])),
        (302, "http://169.254.169.254/latest"),
    ],
)
async def test_an_outage_or_garbage_is_transient_and_nothing_is_repeated(
    status: int, body: Any
) -> None:
    async with prometheus((status, body)) as (source, server):
        source.gate.clock = count(step=60).__next__  # whenever it is looked at, a minute has passed
        for ask in (source.memory(), source.memory_history(0, 10)):
            with pytest.raises(TransientError):
                await ask
        assert len(server.asked) == 2


@pytest.mark.parametrize("result", [[{"metric": WEB}], [{"value": [1]}], [{"value": [1.0, "x"]}]])
async def test_a_vector_of_garbage_is_transient(result: Any) -> None:
    async with prometheus((200, success("vector", result))) as (source, _):
        with pytest.raises(TransientError, match="no result"):
            await source.evaluate("x")


async def test_a_slow_prometheus_counts_as_down() -> None:
    async with prometheus((200, matrix()), delay=5, prometheus_timeout_seconds=0.1) as (source, _):
        with pytest.raises(TransientError, match="no answer within"):
            await source.memory()
        with pytest.raises(TransientError):
            await source.memory_history(0, 10)


async def test_nobody_there_is_transient(unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    source = PrometheusSource(Settings.model_validate({"prometheus_url": url}))
    try:
        with pytest.raises(TransientError, match="cannot be reached"):
            await source.memory()
        with pytest.raises(TransientError, match="cannot be reached"):
            await source.memory_history(0, 10)
    finally:
        await source.close()


async def test_an_answer_is_read_up_to_its_limit_and_no_further() -> None:
    body = matrix(*[(float(t), "1") for t in range(5000)])
    async with prometheus((200, body), largest=10_000) as (source, _):
        with pytest.raises(TransientError, match="more than 10000 bytes"):
            await source.memory()
        with pytest.raises(TransientError, match="more than 10000 bytes"):
            await source.memory_history(0, 10)


async def test_warnings_are_logged_and_the_result_is_used(caplog: pytest.LogCaptureFixture) -> None:
    body = {**matrix((1.0, "1")), "warnings": ["one of two stores did not answer"]}
    async with prometheus((200, body)) as (source, _):
        with caplog.at_level(logging.WARNING):
            assert len(await source.memory()) == 1
    assert "one of two stores did not answer" in caplog.text


async def test_older_samples_come_in_windows_with_their_own_times() -> None:
    answers = [(200, matrix((float(t), str(t)))) for t in (500, 1100, 1300)]
    async with prometheus(*answers) as (source, server):
        assert [u.time for u in await source.memory_history(0, 1500)] == [500, 1100, 1300]
    assert [form["time"] for _, form in server.asked] == ["600.000", "1200.000", "1500.000"]
    assert [form["query"].rpartition("[")[2] for _, form in server.asked] == [
        "600000ms]",
        "600000ms]",
        "300000ms]",
    ]


async def test_a_long_range_is_asked_for_in_parts_and_joined_without_doubles() -> None:
    answers = [
        (200, matrix((0.0, "1"), (10_999.0, "2"))),
        (200, matrix((10_999.0, "2"), (20_000.0, "NaN"), (20_001.0, "3"))),
    ]
    async with prometheus(*answers) as (source, server):
        [series] = await source.evaluate_range("x", 0, 21_000, 1)
    assert [(r.time, r.value) for r in series] == [(0, 1), (10_999, 2), (20_001, 3)]
    assert [(f["start"], f["end"]) for _, f in server.asked] == [("0", "10999"), ("10999", "21000")]


async def test_a_range_needs_a_step() -> None:
    async with prometheus((200, matrix())) as (source, _):
        with pytest.raises(PermanentError, match="step above 0"):
            await source.evaluate_range("x", 0, 10, 0)


async def test_without_a_url_the_message_says_what_to_set() -> None:
    with pytest.raises(PermanentError, match="AKESO_PROMETHEUS_URL"):
        PrometheusSource(Settings.model_validate({}))


def test_the_idle_operator_does_not_carry_what_only_back_fill_needs() -> None:
    program = (
        "import sys, akeso.clients.prometheus;"
        "print([m for m in ('pandas', 'matplotlib', 'requests', 'prometheus_api_client')"
        " if m in sys.modules])"
    )
    path = {"PYTHONPATH": ":".join(sys.path), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=path
    )
    assert done.stdout == "[]\n"


async def test_while_it_can_not_be_reached_it_is_asked_again_after_longer_and_longer_pauses() -> (
    None
):
    now = [0.0]
    async with prometheus((401, b""), (401, b""), (200, matrix())) as (source, server):
        source.gate.clock = lambda: now[0]
        with pytest.raises(TransientError, match="credentials") as first:
            await source.memory()
        ways: list[Callable[[], Awaitable[object]]] = [
            source.memory,
            source.cpu,
            lambda: source.evaluate("x"),
            lambda: source.memory_history(0, 10),
            lambda: source.cpu_history(0, 10, 1),
            lambda: source.evaluate_range("x", 0, 10, 1),
        ]
        for ask in ways:
            with pytest.raises(TransientError) as said:
                await ask()
            assert str(said.value) == str(first.value)
        assert len(server.asked) == 1
        now[0] = 1.0  # the first pause is over
        with pytest.raises(TransientError):
            await source.memory()
        assert len(server.asked) == 2
        now[0] += 0.9  # the second one lasts longer
        with pytest.raises(TransientError):
            await source.memory()
        assert len(server.asked) == 2
        now[0] += 1.1
        assert await source.memory() == []
        assert await source.cpu() == []
    assert len(server.asked) == 4
