"""Pausing and resuming: what is asked of the cluster, and what the person is told."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from akeso.api.scalars import format_time
from akeso.cli import main
from akeso.errors import PermanentError
from akeso.settings import Settings
from unit.cli.objects import control, policy


@dataclass
class FakeView:
    """Stands for `akeso.wiring.View`; remembers what it was asked to write."""

    asked: list[tuple[Any, ...]] = field(default_factory=list)
    settings: Settings | None = None

    async def set_paused(self, reason: str | None, until: datetime | None) -> Any:
        self.asked.append((reason, until))
        paused = {"reason": reason} | ({"until": format_time(until)} if until else {})
        return control(paused if reason else None)

    async def set_policy_pause(self, namespace: str, name: str, reason: str | None) -> Any:
        self.asked.append((namespace, name, reason))
        if name == "missing":
            raise PermanentError("There is no HealingPolicy shop/missing; there are: shop/backend.")
        reasons = [reason] if reason else []
        return policy(name, namespace, guardrails={"pauseReasons": reasons})


@pytest.fixture
def view(monkeypatch: pytest.MonkeyPatch) -> FakeView:
    made = FakeView()

    @asynccontextmanager
    async def open_view(settings: Settings) -> AsyncGenerator[FakeView]:
        made.settings = settings
        yield made

    monkeypatch.setattr("akeso.wiring.open_view", open_view)
    return made


def test_a_pause_without_end_says_how_it_ends(view: FakeView, capsys: pytest.CaptureFixture[str]):
    assert main(["pause", "--reason", "stocktaking"]) == 0
    assert view.asked == [("stocktaking", None)]
    said = capsys.readouterr().out
    assert said == "Akeso is paused until somebody runs `akeso resume`: stocktaking\n"


def test_a_pause_for_a_time_ends_then(view: FakeView, capsys: pytest.CaptureFixture[str]):
    before = datetime.now(UTC)
    assert main(["pause", "--reason", "stocktaking", "--for", "1h30m", "-o", "json"]) == 0
    ((_, until),) = view.asked
    assert before <= until - timedelta(minutes=90) <= datetime.now(UTC)
    answer = json.loads(capsys.readouterr().out)
    assert answer == {
        "paused": {"reason": "stocktaking", "until": format_time(until)},
        "policy": None,
    }


def test_a_policy_is_paused_alone(view: FakeView, capsys: pytest.CaptureFixture[str]):
    assert main(["pause", "--reason", "load test", "--policy", "shop/backend"]) == 0
    assert view.asked == [("shop", "backend", "load test")]
    assert "HealingPolicy shop/backend is paused: load test" in capsys.readouterr().out


def test_a_policys_pause_has_no_end_and_says_so(view: FakeView, capsys: pytest.CaptureFixture[str]):
    words = ["pause", "--reason", "x", "--policy", "shop/backend", "--for", "1h"]
    assert main(words) == 2
    assert view.asked == []
    assert "akeso resume --policy shop/backend" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--reason", " "], ["--reason", "x", "--for", "soon"]])
def test_nothing_is_written_for_a_wrong_command(view: FakeView, words: list[str]):
    assert main(["pause", *words]) == 2
    assert view.asked == []


def test_resume_ends_the_pause_of_all(view: FakeView, capsys: pytest.CaptureFixture[str]):
    assert main(["resume"]) == 0
    assert view.asked == [(None, None)]
    assert capsys.readouterr().out.startswith("Akeso is not paused any more;")


def test_resume_ends_the_pause_of_a_policy(view: FakeView, capsys: pytest.CaptureFixture[str]):
    assert main(["resume", "--policy", "shop/backend", "-o", "yaml"]) == 0
    assert view.asked == [("shop", "backend", None)]
    assert capsys.readouterr().out == "paused:\n  reasons: []\npolicy: shop/backend\n"


def test_a_policy_that_is_not_there_is_an_error_with_those_that_are(
    view: FakeView, capsys: pytest.CaptureFixture[str]
):
    assert main(["resume", "--policy", "shop/missing"]) == 1
    assert "there are: shop/backend" in capsys.readouterr().err


def test_akesos_own_namespace_can_be_named(view: FakeView):
    assert main(["resume", "--akeso-namespace", "healing"]) == 0
    assert view.settings is not None
    assert view.settings.namespace == "healing"
