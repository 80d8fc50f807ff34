"""What a person sees of `akeso history`: newest first, what was done, and what is left out."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from akeso.api.healing import Healing
from akeso.cli import main
from akeso.cli.history import render
from akeso.cli.past import Asked, History, history
from akeso.domain.workload import Kind
from akeso.engine.records import BrokenObject
from akeso.settings import Settings
from unit.cli.objects import NOW, action, ago, attempt, condition, guard, healing


def ended(name: str = "old", verdict: str = "Verified", seconds: float = 60, **fields: Any):
    done = attempt(
        verdict=verdict, finishedAt=ago(seconds), actions=[action("Done", at=ago(seconds + 5))]
    )
    return healing(
        name,
        created=fields.pop("created", seconds + 120),
        **{
            "verdict": verdict,
            "completedAt": ago(seconds),
            "message": "memory fell to 20 MiB",
            "attempts": [done],
            **fields,
        },
    )


def found(*healings: Healing, asked: Asked = Asked(), broken: Any = ()) -> History:  # noqa: B008
    return history(healings, broken, asked, NOW)


def shown(told: History, width: int = 200, target: str | None = None) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    render(console, told, target)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def names(told: History) -> list[str]:
    return [past.healing for past in told.healings]


def test_the_newest_comes_first_whether_open_or_not():
    told = found(ended("old", seconds=900), healing("new", created=10), ended("middle"))
    assert names(told) == ["new", "middle", "old"]


def test_a_row_says_when_what_was_done_and_how_it_ended():
    text = shown(found(ended()))
    assert "3 min ago (09:27:00 UTC), took 2 min 0 s" in text
    assert "deployment/web -n shop" in text
    assert "RestartPods" in text and "Verified" in text
    assert "evict pod web-0. memory fell to 20 MiB" in text
    assert text.rstrip().endswith("1 Healing.")


def test_every_attempt_is_told_and_what_was_skipped_or_waits_is_said_to_be():
    tried = [
        attempt(verdict="Failed", finishedAt=ago(20), actions=[action("Skipped")]),
        attempt(healer="Rollback", actions=[action("Done", at=ago(9)), action("Pending")]),
    ]
    text = shown(found(healing(attempts=tried)))
    assert "RestartPods > Rollback" in text
    assert "evict pod web-0 (skipped); evict pod web-0, evict pod web-0 (to be done)" in text
    assert "Open" in text


def test_where_nothing_was_done_the_problem_and_the_reason_are_told():
    refused = healing(guards=[guard("mode", "ModeObserve", "no")], message="only observes")
    assert "nothing was done. only observes" in shown(found(refused))
    assert "nothing was done. container app of pod web-0 uses" in shown(found(healing()))


def test_what_was_undone_and_what_needs_a_person_is_said():
    text = shown(
        found(
            ended(
                verdict="Failed",
                conditions=[condition("Undone", True), condition("NeedsHuman", True)],
            )
        )
    )
    assert "Failed, undone" in text
    assert "needs a person: memory fell" in text


def test_what_is_left_to_a_person_is_said_once():
    left = condition("Proposed", True, "RaiseMemoryTemplate", "more memory: akeso heal web")
    assert "fell to 20 MiB. Left to you: more memory: akeso heal web" in shown(
        found(ended(conditions=[left])), width=400
    )
    both = ended(conditions=[left], message="NotGrowing. more memory: akeso heal web")
    assert "Left to you" not in shown(found(both), width=400)


def test_a_record_that_lacks_something_is_told_all_the_same():
    broken = {"type": "Scale", "name": "web", "state": "Done"}
    assert "Scale of web" in shown(found(healing(attempts=[attempt(actions=[broken])])))


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (Asked(name="api"), ["api"]),
        (Asked(kind=Kind.STATEFUL_SET), []),
        (Asked(namespace="other"), ["far"]),
        (Asked(verdict="Failed"), ["failed"]),
        (Asked(verdict="Open"), ["api"]),
        (Asked(since=NOW - timedelta(seconds=100)), ["api", "failed"]),
        (Asked(limit=2), ["api", "failed"]),
    ],
)
def test_only_what_was_asked_for_is_told(asked: Asked, kept: list[str]):
    everything = (
        healing("api", target="api", created=10),
        ended("failed", "Failed", seconds=60),
        ended("far", seconds=5_000, created=5_000),
    )
    far = everything[2].model_copy(
        update={"metadata": everything[2].metadata.model_copy(update={"namespace": "other"})}
    )
    assert names(found(*everything[:2], far, asked=asked)) == kept


def test_what_is_left_out_is_said():
    many = [ended(f"h-{number}", seconds=number) for number in range(1, 1_001)]
    told = found(*many, asked=Asked(limit=50))
    assert (len(told.healings), told.total) == (50, 1_000)
    assert "The newest 50 of 1000; --limit 0 shows them all." in shown(told)
    assert len(found(*many).healings) == 1_000


def test_without_any_healing_it_is_said_that_no_problem_was_found():
    assert shown(found()) == "There is no Healing in any namespace: no problem was found yet.\n"
    text = shown(found(ended(), asked=Asked(name="api", namespace="shop")), target="api")
    assert "No Healing of api in namespace shop is what you asked for (1 Healing on record" in text


def test_an_unreadable_healing_is_named():
    unreadable = BrokenObject("Healing", "shop", "odd", "Healing shop/odd can't be read: why")
    assert "Not readable: Healing shop/odd can't be read" in shown(found(broken=[unreadable]))


def test_old_ones_have_their_date_and_count_in_days():
    text = shown(found(ended(seconds=300_000, created=300_060)))
    assert "3 days ago (2026-11-27 22:" in text


@pytest.mark.parametrize("width", [30, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int):
    text = shown(found(ended(), healing()), width)
    assert all(len(line) <= width for line in text.splitlines())


def test_the_json_has_these_keys():
    told = found(ended()).model_dump(mode="json", by_alias=True)
    json.dumps(told, allow_nan=False)
    assert set(told) == {"at", "namespace", "total", "onRecord", "healings", "unreadable"}
    past = told["healings"][0]
    assert set(past) == {
        *("namespace", "healing", "kind", "name", "signal", "policy", "openedAt", "completedAt"),
        *("verdict", "message", "problem", "undone", "needsHuman", "proposed", "attempts"),
    }
    assert past["attempts"][0]["actions"] == [
        {"what": "evict pod web-0", "state": "Done", "restore": False, "at": ago(65)}
    ]


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """60 Healings on record; the settings they were asked for with."""
    asked: list[Settings] = []
    healings = tuple(ended(f"h-{number}", seconds=number) for number in range(1, 61))
    records = SimpleNamespace(healings=lambda: healings, broken=lambda: ())

    @asynccontextmanager
    async def open_view(settings: Settings) -> AsyncGenerator[Any]:
        asked.append(settings)
        yield SimpleNamespace(records=records)

    monkeypatch.setattr("akeso.wiring.open_view", open_view)
    return asked


def test_programs_get_everything_and_people_the_newest(
    record: list[Settings], capsys: pytest.CaptureFixture[str]
):
    assert main(["history", "-n", "shop", "-o", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["healings"]) == 60
    assert record[0].watch_namespaces == ("shop",)
    assert main(["history"]) == 0
    assert "The newest 50 of 60" in capsys.readouterr().out
    assert main(["history", "--limit", "3", "--verdict", "verified", "-o", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["healings"]) == 3
    assert main(["history", "deploy/api", "--since", "9d"]) == 0
    assert "No Healing of deploy/api in any namespace" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [["--limit", "-1"], ["--limit", "x"], ["--verdict", "fine"], ["-n", "a", "-A"]]
)
def test_wrong_options_are_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["history", *words])
    assert ended.value.code == 2
    assert "usage: akeso history" in capsys.readouterr().err
