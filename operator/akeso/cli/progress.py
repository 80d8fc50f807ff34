"""How far a command has come, on a terminal; nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def progress(said: str, total: float, unit: str) -> Generator[Callable[[float], None]]:
    """A bar on standard error that is gone at the end; the function it gives moves it on."""
    if not sys.stderr.isatty() or not total:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(f"{said} {{task.completed:,.0f}} of {{task.total:,.0f}} {unit}"),
        BarColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(said, total=total)
        yield lambda more: bar.advance(task, more)
