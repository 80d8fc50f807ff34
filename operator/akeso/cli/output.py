"""How answers are printed: for people as tables, for programs as JSON or YAML."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from akeso.cli.parser import Options

FORMATS = ("table", "json", "yaml")
# A pipe has no width. Lines that are wrapped for 80 columns can't be searched.
PIPE_WIDTH = 200
# Below this a sentence in the last column would be a tower of words: it gets a line of its own.
NARROW = 120
# A terminal of a few columns wraps by itself; laid out for so few, words would be lost.
NARROWEST = 20


def add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o",
        "--output",
        choices=FORMATS,
        default="table",
        help="table for people, json or yaml for programs (default: table)",
    )


class Paper(Console):
    """A console that leaves it to `akeso.cli.main` what a reader that has gone means."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console_for(stream: Any = None) -> Console:
    """Colours and width as the terminal has them; NO_COLOR and COLUMNS are heard."""
    out = stream if stream is not None else sys.stdout
    wide = None if out.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    console = Paper(file=out, width=wide, highlight=False)
    console.width = max(console.width, NARROWEST)
    return console


def show(options: Options, data: Mapping[str, Any], table: Callable[[Console], None]) -> int:
    """Prints the answer in the format that was asked for; exit code 0."""
    if options.output == "json":
        print(json.dumps(data, indent=2, ensure_ascii=False))
    elif options.output == "yaml":
        import yaml

        print(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), end="")
    else:
        table(console_for())
    return 0


def section(
    console: Console,
    title: str,
    columns: Sequence[str],
    rows: Sequence[Row],
    narrow: int = NARROW,
) -> None:
    """A titled table, on a console below `narrow` as lines; nothing where there are no rows."""
    if not rows:
        return
    console.print(Text(title, style="bold"))
    if console.width < narrow:
        for row in rows:
            console.print(_SEPARATOR.join(_text(cell) for cell in row[:-1] if cell))
            console.print(indented(_text(row[-1])))
        console.print()
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for index, column in enumerate(columns):
        last = index == len(columns) - 1
        table.add_column(column, overflow="fold", ratio=1 if last else None)
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    console.print(table)
    console.print()


def indented(text: Text, by: int = 2) -> Padding:
    """Wrapped lines stay under the first."""
    return Padding(text, (0, 0, 0, by), expand=False)


def hanging(*columns: Text, by: int = 0) -> Padding:
    """Columns side by side, each wrapped within itself: what follows a mark stays beside it."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    for _ in columns[:-1]:
        grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(*columns)
    return Padding(grid, (0, 0, 0, by), expand=False)


def _text(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(cell)


_SEPARATOR = Text("  ")
Row = Sequence[str | Text]
