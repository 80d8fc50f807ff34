"""How the demo is watched: a live picture on a terminal, plain lines on a pipe."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from akeso.cli.demo import names
from akeso.cli.demo.scene import Scene
from akeso.cli.demo.story import HEARTBEAT_SECONDS, Line, heartbeat
from akeso.cli.output import hanging
from akeso.cli.words import span
from akeso.engine.words import bytes_of, seconds_of

REFRESH_PER_SECOND = 4
BAR_WIDTH = 28
FULL = 0.8  # from here on the bar is red
_WHO = {"Akeso": "bold cyan", "demo": "bold", "cluster": "dim"}


class Screen(Protocol):
    """Told every line and every scene."""

    def line(self, line: Line) -> None: ...

    def scene(self, scene: Scene) -> None: ...


class Lines:
    """One timestamped line per event, and a heartbeat in between."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._at: datetime | None = None  # of the last scene
        self._spoken: datetime | None = None

    def line(self, line: Line) -> None:
        self._spoken = self._at
        self._console.print(*told(line), soft_wrap=True)

    def scene(self, scene: Scene) -> None:
        self._at = scene.at
        silence = timedelta(seconds=HEARTBEAT_SECONDS)
        if scene.pods and (self._spoken is None or scene.at - self._spoken >= silence):
            self.line(heartbeat(scene))


class Picture:
    """The story scrolls by; below it stand bars and counters, redrawn in place."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._began: datetime | None = None

    def line(self, line: Line) -> None:
        stamp, who, text = told(line)
        self._live.console.print(hanging(stamp, who, text))

    def scene(self, scene: Scene) -> None:
        self._began = self._began or scene.at
        self._live.update(draw(scene, self._began))


@contextmanager
def opened(console: Console) -> Generator[Screen]:
    """The screen that fits: a picture where somebody looks, lines where somebody reads."""
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines(console)
        return
    with Live(console=console, refresh_per_second=REFRESH_PER_SECOND, transient=True) as live:
        yield Picture(live)


def draw(scene: Scene, began: datetime) -> RenderableType:
    """The picture below the story."""
    elapsed = span((scene.at - began).total_seconds())
    title = Text("Akeso demo", "bold").append(f"  {elapsed}  Ctrl-C ends it and clears up", "dim")
    return Group(Text(), title, _services(scene))


def _services(scene: Scene) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("SERVICE", "MEMORY", "", "PODS", "REQUESTS", "AKESO"):
        table.add_column(column, no_wrap=column != "AKESO")
    rows = (
        (names.LEAKY, "protected"),
        (names.TWIN, "nobody protects it"),
        (names.CHECKOUT, "protected"),
        (names.HEALTHY, "protected"),
    )
    for app, about in rows:
        table.add_row(
            app, _bar(scene, app), _usage(scene, app), _pods(scene, app), _requests(scene, app),
            _akeso(scene, app, about),
        )  # fmt: skip
    return table


def _bar(scene: Scene, app: str) -> RenderableType:
    found = scene.memory.get(app)
    if found is None:
        return Text("waiting for samples", "dim")
    style = "red" if found.used > FULL * found.limit else "green"
    return ProgressBar(
        total=found.limit, completed=found.used, width=BAR_WIDTH, complete_style=style,
        finished_style="red",
    )  # fmt: skip


def _usage(scene: Scene, app: str) -> Text:
    found = scene.memory.get(app)
    if found is None:
        return Text()
    said = f"{bytes_of(found.used)} of {bytes_of(found.limit)}"
    if found.full_in is not None:
        said += f", full in {seconds_of(found.full_in)}"
    return Text(said)


def _pods(scene: Scene, app: str) -> Text:
    said = Text()
    for pod in scene.of(app):
        mark, style = ("●", "green") if pod.ready and not pod.deleting else ("○", "yellow")
        bad = pod.version == names.BAD
        said.append(mark, "red" if bad else style)
    killed = [p for p in scene.of(app) if p.killed_at is not None]
    if killed:
        said.append(" OOM-killed", "bold red")
    versions = [v for v in scene.versions(app) if v]
    if versions:
        said.append(f" {'+'.join(sorted(versions))}", "red" if names.BAD in versions else "dim")
    return said


def _requests(scene: Scene, app: str) -> Text:
    found = scene.requests.get(app)
    if found is None:
        return Text()
    style = "red" if found.failed else "dim"
    return Text(f"{found.ok} ok, ").append(f"{found.failed} failed", style)


def _akeso(scene: Scene, app: str, about: str) -> Text:
    healing = scene.open_healing(app)
    if healing is None:
        done = [h for h in scene.healings if h.spec.target.name == app and h.status.verdict]
        ends = ", ".join(h.status.verdict.value for h in done if h.status.verdict)
        return Text(f"{about}; healed: {ends}" if ends else about, "green" if ends else "dim")
    return Text(healing.status.message or healing.spec.evidence.message, "cyan")


def told(line: Line) -> tuple[Text, Text, Text]:
    """One line of the story: when, who, what."""
    stamp = line.at.astimezone(UTC).strftime("%H:%M:%S UTC ")
    who = Text(f"{line.who:<7} ", _WHO.get(line.who, ""))
    return Text(stamp, "dim"), who, Text(line.text, line.mood)
