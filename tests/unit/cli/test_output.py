"""How answers look on a terminal, on a pipe, and where colours are not wanted."""

from __future__ import annotations

import io

import pytest
from rich.text import Text

from akeso.cli.output import PIPE_WIDTH, console_for, section


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_colours():
    out = Terminal()
    console_for(out).print(Text("no", style="red"))
    assert "\x1b[31m" in out.getvalue()


def test_no_color_means_no_colour(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    console_for(out).print(Text("no", style="red"))
    assert "31m" not in out.getvalue()


def test_a_pipe_has_no_colours_and_long_lines():
    out = io.StringIO()
    console = console_for(out)
    console.print(Text("x" * 150, style="red"))
    assert out.getvalue() == "x" * 150 + "\n"
    assert console.width == PIPE_WIDTH


def test_columns_is_heard_on_a_pipe_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "50")
    assert console_for(io.StringIO()).width == 50


def test_a_section_without_rows_is_not_there():
    out = io.StringIO()
    section(console_for(out), "At risk", ("A", "B"), [])
    assert out.getvalue() == ""


def test_on_a_narrow_terminal_the_sentence_gets_lines_of_its_own(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "60")
    out = io.StringIO()
    section(console_for(out), "At risk", ("A", "B", "C"), [("one", "", "a sentence")])
    assert out.getvalue() == "At risk\none\n  a sentence\n\n"
