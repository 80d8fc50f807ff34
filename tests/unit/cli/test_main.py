"""The command line as a whole: help at once, one sentence for an error, an exit code for each."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
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


def test_a_reader_that_has_seen_enough_ends_it_without_a_trace():
    for words in ("status --help", "config"):
        done = subprocess.run(
            f"{sys.executable} -m akeso {words} | true; exit ${{PIPESTATUS[0]}}",
            shell=True,
            executable="/bin/bash",
            env={"PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        assert done.returncode in (0, 141), "141 where the reader left first"


def _in_terminal(columns: int, words: list[str], **environment: str) -> str:
    """What a terminal of that width gets from a real process."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    done = subprocess.Popen(
        [sys.executable, "-m", "akeso", *words],
        env={"PYTHONPATH": ":".join(sys.path), "TERM": "xterm-256color", **environment},
        stdin=child,
        stdout=child,
        stderr=child,
    )
    os.close(child)
    said = b""
    with contextlib.suppress(OSError):  # Linux ends a terminal with EIO
        while part := os.read(parent, 4096):
            said += part
    os.close(parent)
    done.wait()
    return said.decode()


UNREACHABLE = ["doctor", "--kubeconfig", "/nowhere", "--akeso-namespace", "akeso"]
COLOUR = re.compile(r"\x1b\[[0-9;]*?3[0-9]m")


def test_a_terminal_gets_colours_and_no_color_takes_them_away():
    assert COLOUR.search(_in_terminal(100, UNREACHABLE))
    assert not COLOUR.search(_in_terminal(100, UNREACHABLE, NO_COLOR="1"))
    assert "\x1b[" not in _in_terminal(100, UNREACHABLE, TERM="dumb")


@pytest.mark.parametrize("columns", [0, 1, 40])
def test_a_terminal_of_any_width_gets_every_word(columns: int):
    said = _in_terminal(columns, UNREACHABLE, NO_COLOR="1")
    plain = re.sub(r"\x1b\[[0-9;]*m|\s", "", said)
    assert "thereisno/nowhere" in plain
    assert "Traceback" not in said


def test_a_pipe_gets_neither_colours_nor_a_width_to_wrap_at():
    command = [sys.executable, "-m", "akeso", *UNREACHABLE]
    environment = {"PYTHONPATH": ":".join(sys.path), "TERM": "xterm-256color"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert any(len(line) > 100 for line in done.stdout.splitlines())


def test_a_terminal_without_unicode_gets_plain_signs():
    environment = {"PYTHONIOENCODING": "ascii", "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-m", "akeso", *UNREACHABLE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "? API server:" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["status", "-n", ".."],
        ["status", "-n", "a/b"],
        ["history", "-n", ""],
        ["heal", ""],
        ["heal", "deploy/.."],
        ["heal", "Web"],
        ["undo", "../x"],
        ["explain", "web", "-n", "UPPER"],
    ],
)
def test_what_can_be_no_name_reaches_no_server(words: list[str], capsys: Any):
    assert main([*words, "--kubeconfig", "/nowhere"]) == 2
    assert "can't be a name" in capsys.readouterr().err


def test_who_may_not_look_everywhere_is_told_how_to_look_at_one_namespace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def run(_: Options) -> int:
        raise PermanentError("alice may not list healings in the whole cluster.")

    monkeypatch.setattr("akeso.cli.status.run", run)
    assert main(["status"]) == 1
    assert "-n NAMESPACE" in capsys.readouterr().err
    assert main(["status", "-n", "shop"]) == 1
    assert "-n NAMESPACE" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (
            GoneError("GET /apis/akeso.dev/v1alpha1/healings: 404 page not found"),
            "akeso crds | kubectl apply",
        ),
        (StaleError("the object is not the one that was looked at"), "run the command again"),
        (TransientError("GET /api: Unauthorized"), "log in again"),
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
