"""The command line as a whole: help at once, one sentence for an error, an exit code for each."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import yaml

from akeso.cli import main, told
from akeso.cli.parser import COMMANDS, Options, parser_of
from akeso.errors import GoneError, PermanentError, StaleError, TransientError

# What takes long to import, and helps nobody who asks for help.
HEAVY = ("pydantic", "kubernetes", "kopf", "numpy", "rich", "aiohttp", "akeso.wiring")


def test_help_and_version_load_nothing_heavy():
    for words in (["--help"], ["--version"]):
        code = (
            "import sys\nfrom akeso.cli import main\n"
            f"try: main({words!r})\nexcept SystemExit: pass\n"
            f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr.strip() == "[]"


def test_only_drawing_loads_what_draws():
    """100 MB and a second, which the operator and the other commands must not pay."""
    code = (
        "import sys\nfrom importlib import import_module\n"
        "from akeso.cli.parser import COMMANDS, parser_of\n"
        "for c in COMMANDS: parser_of(c.name)\n"
        "import akeso.wiring.operator, akeso.wiring.explanation, akeso.wiring.reporting\n"
        "print([m for m in ('matplotlib', 'jinja2') if m in sys.modules])\n"
        "import akeso.report.page\n"
        "print([m for m in ('matplotlib', 'matplotlib.pyplot', 'jinja2') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n")[:2] == ["[]", "['matplotlib', 'jinja2']"]


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert all(command.name in text for command in COMMANDS)


@pytest.mark.parametrize("command", [c.name for c in COMMANDS])
def test_every_command_has_help_with_examples_of_itself(command: str):
    text = parser_of(command).format_help()
    assert f"akeso {command}" in text.partition("examples:")[2]


@pytest.mark.parametrize("words", [[], ["dance"], ["status", "-o", "xml"], ["explain"], ["pause"]])
def test_wrong_usage_is_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_wrong_values_are_exit_code_2_with_one_sentence(capsys: pytest.CaptureFixture[str]):
    assert main(["explain", "pod/web"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("akeso: 'pod/web' names no workload;")
    assert said[1] == "See: akeso explain --help"


def _failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    def run(_: Options) -> int:
        raise error

    monkeypatch.setattr("akeso.cli.version.run", run)
    return main(["version"])


def test_an_error_is_one_sentence_on_stderr_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert _failing(monkeypatch, PermanentError("There is no such thing; make one.")) == 1
    caught = capsys.readouterr()
    assert (caught.out, caught.err) == ("", "akeso: There is no such thing; make one.\n")


def test_ctrl_c_is_exit_code_130_without_a_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert _failing(monkeypatch, KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "akeso: interrupted\n"


def test_a_reader_that_has_seen_enough_is_no_error():
    done = subprocess.run(
        f"{sys.executable} -m akeso status --help | head -1; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (GoneError("GET /apis/akeso.dev/v1alpha1/healings: 404 page not found"), "-f crds/"),
        (StaleError("the object is not the one that was looked at"), "run the command again"),
        (TransientError("GET /api: no answer in time"), "kubectl get --raw /readyz"),
    ],
)
def test_what_went_wrong_outside_comes_with_what_to_do(error: Any, remedy: str):
    assert remedy in told(error)


def test_version_is_there_for_people_and_for_programs(capsys: pytest.CaptureFixture[str]):
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith("akeso ")
    assert main(["version", "-o", "json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"version", "python"}
    assert main(["version", "-o", "yaml"]) == 0
    assert set(yaml.safe_load(capsys.readouterr().out)) == {"version", "python"}
