"""What the chart tells people to type is what the command line takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from akeso.cli.parser import parser_of

NOTES = Path(__file__).parents[3] / "charts" / "akeso" / "templates" / "NOTES.txt"


def test_commands_in_the_notes_of_the_chart_are_understood() -> None:
    text = re.sub(r"{{.*?}}", "akeso", NOTES.read_text())
    commands = re.findall(r"^  akeso (\S+) (.*?)   ", text, re.MULTILINE)
    assert [name for name, _ in commands] == ["doctor"]
    for name, words in commands:
        found = parser_of(name).parse_args(shlex.split(words))
        assert found.as_operator == "akeso"
