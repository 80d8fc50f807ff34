"""Alerts in, silences respected: with a real Alertmanager, and Prometheus in front of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from akeso.clients.alertmanager import AlertmanagerSource
from akeso.settings import Settings
from akeso_lab.proxy import Cut, Delay, Match
from cluster.effects import in_words
from cluster.harness import Stage, World, brief, conditions, world
from cluster.operators import SOURCES
from cluster.workloads import Json, policy, query_signal, workload

SLOW: Json = {
    "name": "slow",
    "alert": {"matchLabels": {"alertname": "Slow"}, "quietSeconds": 2},
    "ladder": [{"healer": "RestartPods", "timeoutSeconds": 120}],
}


@pytest.fixture
async def here(stage: Stage) -> AsyncIterator[World]:
    async with world(stage, alertmanager=True) as made:
        yield made


class People:
    """What people, and whatever raises alerts, do to Alertmanager."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = f"{url}/api/v2"
        self._session = session

    async def alert(self, *alerts: Mapping[str, str], minutes: int = 10) -> None:
        ends = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
        await self._post("alerts", [{"labels": dict(a), "endsAt": ends} for a in alerts])

    async def silence(self, *matchers: Json) -> str:
        now = datetime.now(UTC)
        body = {
            "matchers": [{"isRegex": False, "isEqual": True, **m} for m in matchers],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(hours=1)).isoformat(),
            "createdBy": "ana",
            "comment": "we are at it",
        }
        return str((await self._post("silences", body))["silenceID"])

    async def expire(self, silence: str) -> None:
        async with self._session.delete(f"{self._url}/silence/{silence}") as answer:
            assert answer.status == 200, await answer.text()

    async def suppressed(self, namespace: str) -> set[str]:
        """The pods whose alerts Alertmanager suppresses."""
        query = {"filter": f'namespace="{namespace}"'}
        async with self._session.get(f"{self._url}/alerts", params=query) as answer:
            found = await answer.json()
        return {a["labels"].get("pod", "") for a in found if a["status"]["state"] == "suppressed"}

    async def _post(self, what: str, body: Any) -> Json:
        async with self._session.post(f"{self._url}/{what}", json=body) as answer:
            text = await answer.text()
            assert answer.status == 200, text
        found: Json = json.loads(text) if text else {}
        return found


@pytest.fixture
async def people(stage: Stage) -> AsyncIterator[People]:
    async with aiohttp.ClientSession() as session:
        yield People(str(stage.lab.alertmanager), session)


async def started(here: World, signal: Json = SLOW, replicas: int = 2) -> list[str]:
    """A Deployment under a policy; the names of its pods."""
    await here.apply(workload(replicas=replicas))
    await here.rolled_out("Deployment")
    await here.apply(policy(signal))
    here.operator.start()
    return [pod["metadata"]["name"] for pod in await here.pods()]


def slow(here: World, pods: Sequence[str]) -> list[dict[str, str]]:
    return [{"alertname": "Slow", "namespace": here.name, "pod": pod} for pod in pods]


async def test_a_posted_alert_restarts_the_pods_it_names(here: World, people: People) -> None:
    pods = await started(here)
    await people.alert(*slow(here, pods[:1]), {"alertname": "Slow", "namespace": "elsewhere"})
    [healed] = await here.healed()
    assert brief(healed)["verdict"] == "Verified"
    assert healed["spec"]["origin"] == "Event"
    assert healed["spec"]["evidence"]["message"].startswith("alert Slow fires since 20")
    assert [p["name"] for p in healed["spec"]["evidence"]["pods"]] == pods[:1]
    assert in_words(here.effects()) == ["evict"]


async def test_a_silence_on_the_target_blocks_until_it_is_expired(
    here: World, people: People
) -> None:
    pods = await started(here)
    # No label of the alert itself: it goes on firing.
    silence = await people.silence(
        {"name": "namespace", "value": here.name}, {"name": "workload", "value": "web"}
    )
    await people.alert(*slow(here, pods))
    blocked = await here.blocked("Silenced")
    said = blocked["status"]["message"]
    assert f"Deployment {here.name}/web is silenced in Alertmanager by ana until 20" in said
    assert f"we are at it; expire silence {silence}" in said
    [guard] = [g for g in blocked["status"]["guards"] if g["guard"] == "silence"]
    assert guard["reason"] == "Silenced" and 3_000 < guard["retryAfterSeconds"] <= 3_600
    for command in (["status", "-n", here.name], ["explain", "deployment/web", "-n", here.name]):
        shown = await akeso(here, *command)
        assert "is silenced in Alertmanager by ana until 20" in shown
        assert f"expire silence {silence} to have it healed" in shown
    await here.untouched(2)
    await people.expire(silence)
    [healed] = await here.healed()
    assert brief(healed)["verdict"] == "Verified"
    assert in_words(here.effects()) == ["evict"] * 2


async def akeso(here: World, *command: str) -> str:
    """What a person reads who runs `akeso` with the operator's settings, as one line."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("AKESO_")}
    path = os.pathsep.join(SOURCES)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "akeso", *command),
        env={**others, **here.operator.environment, "PYTHONPATH": path, "COLUMNS": "400"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
    return " ".join(told.decode().split())


async def test_an_alert_that_is_silenced_itself_opens_nothing_until_it_is_heard(
    here: World, people: People
) -> None:
    silence = await people.silence({"name": "namespace", "value": here.name})
    pods = await started(here)
    await people.alert(*slow(here, pods[:1]))
    await here.condition("Ready", "True")
    await here.untouched(2)
    assert await here.healings() == []
    await people.expire(silence)
    [healed] = await here.healed()
    assert brief(healed)["verdict"] == "Verified"


async def test_a_silence_holds_a_query_signal_between_two_writes(
    here: World, people: People
) -> None:
    first = here.proxy.add(Delay(seconds=1, match=Match(path="/eviction$", nth=1)))
    await here.apply(workload(replicas=3))
    await here.rolled_out("Deployment")
    await here.tire()
    await here.apply(policy(query_signal(here.name)))
    here.operator.start()
    await first.happened.wait()
    silence = await people.silence(
        {"name": "namespace", "value": here.name},
        {"name": "deployment", "value": "web|api", "isRegex": True},
    )
    await here.blocked("Silenced")
    await here.untouched(2)
    assert in_words(here.effects()) == ["evict"]
    [event] = await told(here, "Silenced")
    assert event["regarding"]["name"] == "web" and silence in event["note"]
    await people.expire(silence)
    [healed] = await here.healed()
    assert brief(healed)["verdict"] == "Verified"
    assert in_words(here.effects()) == ["evict"] * 3


async def told(here: World, reason: str) -> list[Json]:
    """The Events with this reason."""
    found = await here.api.list_all(f"/apis/events.k8s.io/v1/namespaces/{here.name}/events", {})
    return [event for event in found if event["reason"] == reason]


async def test_while_alertmanager_is_down_nothing_is_healed_and_afterwards_it_is(
    here: World,
) -> None:
    assert here.alertmanager is not None
    cut = here.alertmanager.add(Cut())
    await here.apply(workload(replicas=2))
    await here.rolled_out("Deployment")
    await here.tire()
    await here.apply(policy(query_signal(here.name), SLOW))
    here.operator.start()
    await here.blocked("SilencesUnknown")
    stands = await here.condition("SignalsReady", "False", reason="AlertmanagerDown")
    assert "spec.signals[slow].alert: Alertmanager at " in stands["message"]
    assert "cannot be reached" in stands["message"]
    await here.untouched(2)
    control = await here.api.get(
        f"/apis/akeso.dev/v1alpha1/namespaces/{here.own}/healingcontrols/akeso"
    )
    assert "silences can't be read" in conditions(control)["Degraded"]["message"]
    here.alertmanager.remove(cut)
    [healed] = await here.healed()
    assert brief(healed)["verdict"] == "Verified"
    assert in_words(here.effects()) == ["evict"] * 2


@pytest.fixture
def rule(stage: Stage, here: World) -> Iterator[str]:
    """An alerting rule of Prometheus for the pods of this world."""
    name = f"Tired{re.sub('[^a-z0-9]', '', here.name)}"
    stage.lab.add_alert_rule(name, f'fatigue{{namespace="{here.name}"}} > 0.5')
    yield name
    stage.lab.remove_alert_rule(name)


async def test_from_a_metric_over_a_rule_and_alertmanager_to_a_healing_and_back(
    here: World, rule: str
) -> None:
    alert = {"matchLabels": {"alertname": rule}, "quietSeconds": 6}
    await started(here, {**SLOW, "alert": alert}, replicas=2)
    await here.tire()
    [healed] = await here.healed()
    assert brief(healed)["verdict"] == "Verified"
    assert in_words(here.effects()) == ["evict"] * 2
    assert len(healed["spec"]["evidence"]["pods"]) == 2


# -- matchers mean what Alertmanager means ------------------------------------------------------

PODS = ("", "web", "web-1", "WEB-1", "api-1", "prod-web-7f9c", "web.1", "a$", "é", "web-\n")
MATCHERS = (
    *(("=", v) for v in ("", "web", "é", "web-\n")),
    *(("!=", v) for v in ("", "web", "api-1")),
    *(("=~", v) for v in ("web", "web.*", "web|api-1", ".+", ".*", "", "^web-.*$", "web.1")),
    *(("=~", v) for v in (r"web\.1", "(?i)web-1", "(prod|test)-(web|api)(-.*)?", "[^a-z]+.*")),
    *(("=~", v) for v in (r"a\$", r"\w+", "web-[0-9]{1,2}", "web?-?1?", ".")),
    *(("!~", v) for v in ("web.*", ".+", "", "(web|api)-1", ".*1")),
)


async def test_matchers_hold_exactly_where_alertmanagers_do(stage: Stage, people: People) -> None:
    namespace = f"matchers-{datetime.now(UTC).timestamp()}"
    alerts = [{"alertname": "A", "namespace": namespace, **({"pod": p} if p else {})} for p in PODS]
    await people.alert(*alerts)
    settings = Settings.model_validate({"alertmanager_url": stage.lab.alertmanager})
    source = AlertmanagerSource(settings)
    try:
        for operator, value in MATCHERS:
            matcher = {
                "name": "pod",
                "value": value,
                "isRegex": "~" in operator,
                "isEqual": operator.startswith("="),
            }
            silence = await people.silence({"name": "namespace", "value": namespace}, matcher)
            [ours] = [s for s in await source.silences() if s.id == silence]
            theirs = await people.suppressed(namespace)
            unjudged = {alert.get("pod", "") for alert in alerts if ours.unjudged(alert)}
            assert unjudged == ({"é"} if value.startswith("(?i)") else set())
            covered = {alert.get("pod", "") for alert in alerts if ours.covers(alert)}
            assert covered == theirs | unjudged, f"pod{operator}{value!r}"
            await people.expire(silence)
    finally:
        await source.close()
        await people.alert(*alerts, minutes=-1)
