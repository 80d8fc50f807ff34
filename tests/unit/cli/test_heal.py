"""Asking for a healing and taking one back: what is asked, what is told, and how it ends."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from akeso.api.healing import Healing
from akeso.cli import main
from akeso.cli.follow import Line, story
from akeso.engine.request import Wish
from akeso.errors import AkesoError, GoneError, PermanentError, TransientError
from akeso.settings import Settings
from unit.cli.objects import action, ago, attempt, condition, guard, healing

NAME = "web-asked-0123456789"
UNDO = {"requestedBy": "alice", "reason": "a mistake"}
Seen = Healing | BaseException


def asked(undo: Any = None, **status: Any) -> Healing:
    """The request, as it is after a while."""
    raw = healing(NAME, **status).model_dump(mode="json", by_alias=True, exclude_none=True)
    raw["spec"] |= {"origin": "Request", "requestedBy": "alice"}
    if undo:
        raw["spec"]["undo"] = undo
    return Healing.parse(raw)


def blocked(reason: str = "Cooldown", message: str = "it was healed a minute ago") -> Healing:
    guards = [guard("cooldown", reason, message, retry=95)]
    return asked(conditions=[condition("Blocked", True, reason, message)], guards=guards)


def acting(good: int = 0, **more: Any) -> Healing:
    checks = {"good": good}
    done = [action("Done", at=ago(20)), action("Done" if good else "Pending", at=ago(10))]
    return asked(attempts=[attempt(actions=done, checks=checks, **more)])


def over(verdict: str = "Verified", undo: Any = None, **more: Any) -> Healing:
    tried = attempt(
        verdict=verdict,
        finishedAt=ago(1),
        actions=[action("Done", at=ago(20))],
    )
    return asked(
        undo,
        verdict=verdict,
        completedAt=ago(1),
        message="memory fell to 20 MiB",
        attempts=[tried] if verdict != "Cleared" else [],
        **more,
    )


@dataclass
class FakeView:
    """Stands for `akeso.wiring.View`: the operator's record, one look after the other."""

    looks: list[Seen] = field(default_factory=list[Seen])
    asked: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    refusal: AkesoError | None = None
    lease_error: AkesoError = field(default_factory=lambda: PermanentError("no right"))
    settings: Settings | None = None
    already: Any = None

    @property
    def records(self) -> Any:
        return SimpleNamespace(live_healing=self._look)

    async def lease(self) -> Any:
        raise self.lease_error

    async def ask(self, *words: Any) -> Healing:
        self.asked.append(words)
        if self.refusal:
            raise self.refusal
        return asked()

    async def take_back(self, *words: Any) -> Healing:
        self.asked.append(words)
        if self.refusal:
            raise self.refusal
        return over(undo=self.already or UNDO)

    async def _look(self, _: Healing) -> Healing:
        seen = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(seen, BaseException):
            raise seen
        return seen


@pytest.fixture
def view(monkeypatch: pytest.MonkeyPatch) -> FakeView:
    made = FakeView()

    @asynccontextmanager
    async def open_view(settings: Settings, load: bool = True) -> AsyncGenerator[FakeView]:
        assert not load, "asking needs no right to read Akeso's own namespace"
        made.settings = settings
        yield made

    monkeypatch.setattr("akeso.wiring.open_view", open_view)
    monkeypatch.setattr("akeso.cli.follow.EVERY", 0.0)
    return made


def heal(*words: str) -> int:
    return main(["heal", "deploy/web", "-n", "shop", *words])


Output = pytest.CaptureFixture[str]


def test_a_request_says_its_name_and_how_to_follow_it_and_take_it_back(
    view: FakeView, capsys: Output
):
    assert heal("--reason", " slow ", "--healer", "RestartPods") == 0
    wish = Wish("slow", healer="RestartPods")
    assert view.asked == [("Deployment", "shop", "web", wish)]
    caught = capsys.readouterr()
    assert f"Healing {NAME} of deployment/web, signal memory" in caught.out
    assert "akeso history deployment/web -n shop" in caught.out
    assert f"akeso undo {NAME} -n shop" in caught.out
    assert caught.err == ""


def test_a_request_is_there_for_programs(view: FakeView, capsys: Output):
    assert heal("-o", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["healing"], told["namespace"], told["verdict"]) == (NAME, "shop", None)


def test_only_the_targets_namespace_is_looked_at(view: FakeView):
    heal()
    assert view.settings is not None and view.settings.watch_namespaces == ("shop",)


def test_waiting_tells_each_step_once_and_ends_with_the_verdict(view: FakeView, capsys: Output):
    view.looks = [blocked(), blocked(), acting(), acting(), acting(good=1), over()]
    assert heal("--wait") == 0
    told = capsys.readouterr().out
    assert told.count("refused now (Cooldown): it was healed a minute ago") == 1
    assert "asked again in 1 min 35 s" in told
    assert told.count("RestartPods begins") == 1
    assert told.count("evict pod web-0") >= 1
    assert "1 good check in a row" in told
    assert told.rstrip().endswith("Verified: memory fell to 20 MiB")


@pytest.mark.parametrize("verdict", ["Failed", "Inconclusive", "Error", "Cleared"])
def test_any_verdict_but_verified_is_exit_code_1(view: FakeView, capsys: Output, verdict: str):
    view.looks = [over(verdict)]
    assert heal("--wait") == 1
    assert f"{verdict}: memory fell" in capsys.readouterr().out


def test_waiting_for_a_program_prints_only_the_end(view: FakeView, capsys: Output):
    view.looks = [acting(), over()]
    assert heal("--wait", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "Verified"


def test_waiting_ends_in_time_and_the_request_stands(
    view: FakeView, capsys: Output, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("akeso.cli.heal.patience", lambda _: 0.05)
    view.looks = [blocked()]
    assert heal("--wait", "--timeout", "1s") == 1
    assert f"the request stands: Healing {NAME}" in " ".join(capsys.readouterr().out.split())


def test_ctrl_c_leaves_the_request_and_says_how_to_take_it_back(view: FakeView, capsys: Output):
    view.looks = [acting(), KeyboardInterrupt()]
    assert heal("--wait") == 130
    said = capsys.readouterr().err
    assert f"the request stands: Healing {NAME} in namespace shop" in said
    assert f"akeso undo {NAME} -n shop" in said


def test_an_api_server_that_is_away_for_a_while_ends_no_waiting(view: FakeView, capsys: Output):
    away = TransientError("GET /healings: no connection")
    view.looks = [away, away, over()]
    assert heal("--wait") == 0
    assert capsys.readouterr().out.count("no connection; still trying") == 1


def test_a_healing_that_is_deleted_meanwhile_is_an_error(view: FakeView, capsys: Output):
    view.looks = [GoneError("404")]
    assert heal("--wait") == 1
    assert "was deleted while it was waited for" in capsys.readouterr().err


def test_nobody_to_answer_is_said_at_once(view: FakeView, capsys: Output):
    view.lease_error = GoneError("no Lease")
    assert heal() == 0
    assert "no operator is running in namespace akeso" in capsys.readouterr().err


def test_what_can_not_be_asked_is_exit_code_1_and_nothing_stands(view: FakeView, capsys: Output):
    view.refusal = PermanentError("There is no deployment/web in namespace shop; there are: x.")
    assert heal("--wait") == 1
    said = capsys.readouterr().err
    assert said == "akeso: There is no deployment/web in namespace shop; there are: x.\n"


@pytest.mark.parametrize(
    "words",
    [["--reason", " "], ["--reason", "x" * 257], ["--timeout", "5m"], ["--wait", "--timeout", "x"]],
)
def test_nothing_is_asked_by_a_wrong_command(view: FakeView, words: list[str]):
    assert heal(*words) == 2
    assert main(["undo", NAME, *words]) == 2
    assert view.asked == []


def undone(status: bool, reason: str, message: str = "so it is") -> Healing:
    return over("Inconclusive", UNDO, conditions=[condition("Undone", status, reason, message)])


def undo(*words: str) -> int:
    return main(["undo", NAME, "-n", "shop", *words])


def test_an_undo_says_who_asked_and_where_to_look(view: FakeView, capsys: Output):
    assert undo("--reason", "a mistake") == 0
    assert view.asked == [("shop", NAME, "a mistake")]
    told = capsys.readouterr().out
    assert f"the undo of Healing {NAME} is asked for by alice: a mistake" in told
    assert f"kubectl -n shop get heal {NAME}" in told


def test_an_undo_that_was_asked_for_before_keeps_its_first_reason(view: FakeView, capsys: Output):
    view.already = {"requestedBy": "bob", "reason": "load test"}
    assert undo() == 0
    assert "is asked for by bob: load test" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (undone(True, "Requested"), 0),
        (undone(False, "NothingToUndo"), 0),
        (undone(False, "NotUndone"), 1),
        (undone(False, "TargetGone"), 1),
    ],
)
def test_an_undo_is_waited_for_until_it_is_done_or_can_not_be(
    view: FakeView, capsys: Output, end: Healing, code: int
):
    view.looks = [undone(False, "Waiting", "scale back waits: pods"), end]
    assert undo("--wait") == code
    told = capsys.readouterr().out
    assert "undo: scale back waits: pods" in told and "undo: so it is" in told


def test_ctrl_c_leaves_the_undo_standing(view: FakeView, capsys: Output):
    view.looks = [KeyboardInterrupt()]
    assert undo("--wait") == 130
    assert "the undo is asked for all the same" in capsys.readouterr().err


def lines(found: Healing) -> list[Line]:
    return list(story(found))


def test_the_story_of_a_failed_rung_goes_on_with_the_next():
    first = attempt(verdict="Failed", finishedAt=ago(9), undoing=True, message="no better")
    second = attempt(healer="Rollback", rung=1)
    told = [line.text for line in lines(asked(attempts=[first, second]))]
    assert told.index("RestartPods ended Failed") < told.index("Rollback begins")
    assert "to be taken back: no better" in told


def test_skipped_writes_are_said_to_be():
    told = lines(asked(attempts=[attempt(actions=[action("Skipped", at=ago(1))])]))
    assert any(line.text.endswith("(skipped)") for line in told)


def test_a_person_who_is_needed_is_told_so():
    found = asked(conditions=[condition("NeedsHuman", True, "NoLadder", "look at it")])
    assert [line.text for line in lines(found)] == ["needs a person: look at it"]


def test_what_is_left_to_a_person_is_said_once():
    left = condition("Proposed", True, "RaiseMemoryTemplate", "akeso heal web")
    assert [line.text for line in lines(asked(conditions=[left]))] == [
        "left to you: akeso heal web"
    ]
    person = condition("NeedsHuman", True, "Proposed", "akeso heal web")
    assert len(lines(asked(conditions=[left, person]))) == 1
