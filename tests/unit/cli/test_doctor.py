"""`akeso doctor` as a command: what is printed, which exit code, and nothing hides the rest."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from akeso.cli import main
from akeso.cli.doctor.checks import Check, diagnosis, failure, not_told, ok, skipped, warning
from akeso.cli.doctor.command import render
from akeso.clients.kubernetes.rights import Subject
from akeso.errors import PermanentError, TransientError

ALL = (
    ok("API server", "It answers."),
    warning("Policies", "There is none.", "Begin with one."),
    failure("Rights", "alice may not list pods.", "Add a rule."),
    skipped("Prometheus", "No URL is set.", "Give one."),
)


def shown(*checks: Check, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    render(console, diagnosis(checks))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_each_check_has_its_mark_and_what_to_do_below_it():
    said = shown(*ALL)
    assert "✓ API server: It answers." in said
    assert "! Policies: There is none.\n  Begin with one." in said
    assert "✗ Rights: alice may not list pods.\n  Add a rule." in said
    assert "- Prometheus: No URL is set. Give one." in said
    assert said.rstrip().endswith("1 check failed, 1 warning.")


@pytest.mark.parametrize("width", [20, 40, 80, 250])
def test_any_width_shows_every_word(width: int):
    said = " ".join(shown(*ALL, width=width).split())
    assert "alice may not list pods." in said and "Begin with one." in said


def test_the_sum_says_whether_anything_failed():
    assert shown(ALL[0]).rstrip().endswith("Nothing failed.")
    assert "Nothing failed; 1 warning." in shown(*ALL[:2])


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    seen: dict[str, Any] = {"checks": ALL}

    async def examine(settings: Any, subject: Any, own_interval: bool) -> Any:
        seen.update(settings=settings, subject=subject, own_interval=own_interval)
        return seen["checks"]

    monkeypatch.setattr("akeso.cli.doctor.command.examine", examine)
    return seen


def test_only_a_failure_is_exit_code_1(
    examined: dict[str, Any], capsys: pytest.CaptureFixture[str]
):
    assert main(["doctor", "-o", "json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert [c["result"] for c in told["checks"]] == ["ok", "warning", "failure", "skipped"]
    examined["checks"] = (ALL[0], ALL[1], ALL[3])
    assert main(["doctor"]) == 0


@pytest.mark.parametrize(
    ("words", "subject"),
    [
        ([], None),
        (["--as-operator"], Subject("akeso", "akeso-operator")),
        (["--as-operator", "healer"], Subject("akeso", "healer")),
        (["--as-operator", "ops/healer"], Subject("ops", "healer")),
    ],
)
def test_whose_rights_are_examined(
    examined: dict[str, Any], words: list[str], subject: Subject | None
):
    main(["doctor", *words])
    assert examined["subject"] == subject


@pytest.mark.parametrize("name", ["/healer", "ops/", "a/b/c"])
def test_what_names_no_account_is_wrong_usage(examined: dict[str, Any], name: str):
    assert main(["doctor", "--as-operator", name]) == 2
    assert "settings" not in examined


def test_a_scrape_interval_that_was_chosen_holds(examined: dict[str, Any]):
    main(["doctor", "--scrape-interval-seconds", "5"])
    assert examined["own_interval"] is False
    main(["doctor"])
    assert examined["own_interval"] is True


def test_what_may_not_be_looked_at_is_no_fault_of_what_is_there():
    assert not_told("Policies", PermanentError("alice may not list")).result == "skipped"
    assert not_told("Policies", TransientError("no connection")).result == "failure"
    assert not_told("Policies", ValueError("x")).result == "failure"


def test_an_api_server_that_does_not_answer_hides_nothing_else(
    capsys: pytest.CaptureFixture[str], tmp_path: Any
):
    assert main(["doctor", "--kubeconfig", str(tmp_path / "none"), "-o", "json"]) == 1
    told = {c["name"]: c for c in json.loads(capsys.readouterr().out)["checks"]}
    assert told["API server"]["result"] == "failure"
    assert "--kubeconfig" in told["API server"]["remedy"]
    assert {"Rights", "Custom resources", "Metrics API"} <= set(told)


def test_an_alertmanager_is_asked_where_one_is_set(
    capsys: pytest.CaptureFixture[str], tmp_path: Any, unused_tcp_port: int
):
    url = f"http://127.0.0.1:{unused_tcp_port}"
    flags = ["--kubeconfig", str(tmp_path / "none"), "--alertmanager-url", url]
    assert main(["doctor", *flags, "-o", "json"]) == 1
    told = {c["name"]: c for c in json.loads(capsys.readouterr().out)["checks"]}
    assert told["Alertmanager"]["result"] == "failure"
    assert "nothing listens there" in told["Alertmanager"]["message"]
