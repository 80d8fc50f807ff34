"""Whatever Alertmanager answers, what comes out is alerts, silences or a clear error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from akeso.clients.alertmanager import AlertmanagerSource
from akeso.domain.alert import Alert, Matcher, Operator, Silence
from akeso.errors import PermanentError, TransientError
from akeso.settings import Settings

Json = dict[str, Any]
NOON = 1_795_262_400.0  # 2026-11-21T12:00:00Z

# As a real Alertmanager v0.31 sent them.
ALERT: Json = {
    "annotations": {},
    "endsAt": "2026-11-21T12:04:00.125Z",
    "fingerprint": "e2b35ff77a2803b9",
    "receivers": [{"name": "nobody"}],
    "startsAt": "2026-11-21T12:00:00.125Z",
    "status": {"inhibitedBy": [], "mutedBy": [], "silencedBy": [], "state": "active"},
    "updatedAt": "2026-11-21T12:00:00.128Z",
    "generatorURL": "http://vm:21011/graph?g0.expr=vector%281%29&g0.tab=1",
    "labels": {"alertname": "Test", "severity": "x"},
}
SILENCE: Json = {
    "id": "8d5be40d-1f1c-4a0b-8b07-3a4e2a5e5c7e",
    "status": {"state": "active"},
    "updatedAt": "2026-11-21T11:59:00.000Z",
    "comment": "we are at it",
    "createdBy": "ana",
    "endsAt": "2026-11-21T12:00:00.000Z",
    "startsAt": "2026-11-21T11:59:00.000Z",
    "matchers": [{"isEqual": True, "isRegex": False, "name": "namespace", "value": "shop"}],
}


class Answers:
    """An Alertmanager that gives one answer."""

    def __init__(self, status: int, body: Any, delay: float) -> None:
        self.status, self.body, self.delay = status, body, delay
        self.asked: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path_qs}")
        await asyncio.sleep(self.delay)
        if self.status == 302:
            return web.Response(status=302, headers={"Location": str(self.body)})
        raw = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        return web.Response(status=self.status, body=raw)


@asynccontextmanager
async def alertmanager(
    body: Any, status: int = 200, delay: float = 0, prefix: str = "/", **settings: Any
) -> AsyncIterator[tuple[AlertmanagerSource, Answers]]:
    server = Answers(status, body, delay)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    async with TestServer(application, shutdown_timeout=0) as http:
        found = {"alertmanager_url": str(http.make_url(prefix)), **settings}
        source = AlertmanagerSource(Settings.model_validate(found), largest=10_000)
        try:
            yield source, server
        finally:
            await source.close()


async def test_alerts_are_one_read() -> None:
    async with alertmanager([ALERT], prefix="/alertmanager/") as (source, server):
        assert await source.alerts() == [Alert(ALERT["labels"], NOON)]
    assert server.asked == ["GET /alertmanager/api/v2/alerts"]


@pytest.mark.parametrize("state", ["suppressed", "unprocessed", "something new"])
async def test_only_an_active_alert_is_not_suppressed(state: str) -> None:
    raw = {**ALERT, "status": {**ALERT["status"], "state": state}}
    async with alertmanager([raw]) as (source, _):
        assert [a.suppressed for a in await source.alerts()] == [True]


async def test_silences_that_hold_are_one_read() -> None:
    others = [{**SILENCE, "status": {"state": state}} for state in ("expired", "pending")]
    async with alertmanager([*others, SILENCE]) as (source, server):
        [found] = await source.silences()
    matcher = Matcher("namespace", Operator.EQUAL, "shop")
    assert found == Silence(SILENCE["id"], (matcher,), NOON, "ana", "we are at it")
    assert server.asked == ["GET /api/v2/silences"]


@pytest.mark.parametrize(
    ("fields", "operator"),
    [
        ({"isRegex": False}, "="),  # isEqual is younger than the API
        ({"isRegex": False, "isEqual": True}, "="),
        ({"isRegex": False, "isEqual": False}, "!="),
        ({"isRegex": True, "isEqual": True}, "=~"),
        ({"isRegex": True, "isEqual": False}, "!~"),
    ],
)
async def test_the_four_operators(fields: Json, operator: str) -> None:
    raw = {**SILENCE, "matchers": [{"name": "pod", "value": "a", **fields}]}
    async with alertmanager([raw]) as (source, _):
        [found] = await source.silences()
    assert [str(m) for m in found.matchers] == [f'pod{operator}"a"']


async def test_what_people_wrote_becomes_one_short_line() -> None:
    raw = {**SILENCE, "comment": "\x1b[31mred\r\n  alert " + "x" * 500, "createdBy": "a\u202eb"}
    async with alertmanager([raw]) as (source, _):
        [found] = await source.silences()
    assert found.comment.startswith("[31mred alert xxx") and len(found.comment) == 200
    assert found.created_by == "a b"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[" * 9_000,
        b"\xff",
        {},
        None,
        [None],
        ["x"],
        [{}],
        [{**SILENCE, "matchers": None}],
        [{**SILENCE, "matchers": [{}]}],
        [{**SILENCE, "endsAt": "soon"}],
        [{**SILENCE, "status": {}}],
        [SILENCE, {**SILENCE, "id": None, "endsAt": None}],
    ],
)
async def test_what_can_not_be_read_is_an_outage_as_a_whole(body: Any) -> None:
    async with alertmanager(body) as (source, _):
        with pytest.raises(TransientError, match="what can't be read"):
            await source.silences()


@pytest.mark.parametrize("raw", [{**ALERT, "labels": None}, {**ALERT, "startsAt": 1}, {}])
async def test_an_alert_that_can_not_be_read_is_an_outage_too(raw: Json) -> None:
    async with alertmanager([raw]) as (source, _):
        with pytest.raises(TransientError, match="what can't be read"):
            await source.alerts()


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
async def test_any_other_status_is_an_outage_that_names_the_setting(status: int) -> None:
    async with alertmanager([], status) as (source, _):
        with pytest.raises(
            TransientError, match=f"HTTP {status}.*(alertmanagerUrl|ALERTMANAGER_URL|TokenFile)"
        ):
            await source.alerts()


async def test_a_redirect_is_not_followed() -> None:
    async with alertmanager("/elsewhere", 302) as (source, server):
        with pytest.raises(TransientError, match="HTTP 302"):
            await source.alerts()
    assert server.asked == ["GET /api/v2/alerts"]


async def test_an_answer_that_is_too_large_is_not_read_to_its_end() -> None:
    async with alertmanager(b" " * 20_000) as (source, _):
        with pytest.raises(TransientError, match="more than 10000 bytes"):
            await source.alerts()


async def test_an_answer_that_takes_too_long_is_an_outage() -> None:
    async with alertmanager([], delay=30, alertmanager_timeout_seconds=0.05) as (source, _):
        with pytest.raises(TransientError, match="no answer within"):
            await source.alerts()


async def test_an_alertmanager_that_is_not_there_is_an_outage() -> None:
    url = "http://127.0.0.1:1"
    source = AlertmanagerSource(Settings.model_validate({"alertmanager_url": url}))
    with pytest.raises(TransientError, match="cannot be reached"):
        await source.silences()
    await source.close()


def test_without_an_url_there_is_none() -> None:
    with pytest.raises(PermanentError, match="AKESO_ALERTMANAGER_URL"):
        AlertmanagerSource(Settings())
