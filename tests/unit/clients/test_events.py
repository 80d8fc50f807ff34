"""An Event tells a decision once, fits the API's limits, and never stops a healing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from akeso.clients.kubernetes.events import EventNotifier, event
from akeso.domain.finding import Decision
from akeso.domain.workload import Kind, WorkloadRef
from unit.clients.apiserver import Refusal, Script, serving, status

DECISION = Decision(
    what="Wrote",
    reason="RestartedPod",
    message="Evicted web-1.",
    at=1_800_000_000.25,
    target=WorkloadRef(Kind.DEPLOYMENT, "shop", "web", "uid-web"),
    signal="memory",
    healing="shop/web-memory-1",
    healing_uid="uid-healing",
)


async def test_an_event_is_about_the_workload_and_names_the_healing(tmp_path: Path) -> None:
    script = Script()
    async with serving(script, tmp_path) as api:
        await EventNotifier(api, "akeso-0").notify(DECISION)
    assert script.seen[0].path == "/apis/events.k8s.io/v1/namespaces/shop/events"
    [body] = script.bodies
    assert body["regarding"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "namespace": "shop",
        "name": "web",
        "uid": "uid-web",
    }
    assert body["related"]["kind"] == "Healing"
    assert (body["related"]["namespace"], body["related"]["name"]) == ("shop", "web-memory-1")
    assert body["eventTime"] == "2027-01-15T08:00:00.250000Z"
    assert (body["type"], body["reason"], body["action"]) == ("Normal", "RestartedPod", "Wrote")


def test_the_same_said_twice_is_one_event() -> None:
    again = replace(DECISION, at=DECISION.at + 60)
    assert event(again, "other")["metadata"] == event(DECISION, "one")["metadata"]
    for changed in (
        replace(DECISION, message="Evicted web-2."),
        replace(DECISION, healing_uid="another"),
        replace(DECISION, target=replace(DECISION.target, uid="another")),
    ):
        assert (
            event(changed, "one")["metadata"]["name"] != event(DECISION, "one")["metadata"]["name"]
        )


def test_the_limits_of_the_api_are_kept() -> None:
    long = replace(
        DECISION,
        message="ü" * 2000,
        reason="R" * 300,
        target=replace(DECISION.target, name="w" * 253),
    )
    body = event(long, "i")
    assert len(body["note"].encode()) <= 1024
    assert len(body["reason"]) == 128
    assert len(body["metadata"]["name"]) <= 253


@pytest.mark.parametrize("what", ["Blocked", "Failed", "NeedsHuman"])
def test_what_people_should_look_at_is_a_warning(what: str) -> None:
    assert event(replace(DECISION, what=what), "i")["type"] == "Warning"


def test_a_decision_before_there_is_a_healing_names_none() -> None:
    assert "related" not in event(replace(DECISION, healing=""), "i")


@pytest.mark.parametrize("code", [403, 404, 409, 422, 429, 500])
async def test_an_event_that_cannot_be_written_stops_nothing(tmp_path: Path, code: int) -> None:
    script = Script()
    script.answers.append(Refusal(code, status(code)))
    async with serving(script, tmp_path) as api:
        await EventNotifier(api).notify(DECISION)
    assert len(script.bodies) == 1
