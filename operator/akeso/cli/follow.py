"""Following one Healing to its end: what is new is said once, as the operator records it."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from rich.text import Text

from akeso.api.conditions import get_condition
from akeso.api.healing import Attempt, Healing
from akeso.cli import usage, words
from akeso.cli.output import console_for, hanging
from akeso.cli.parser import Options
from akeso.cli.past import Tried, past_of
from akeso.cli.rows import VERDICT_STYLES
from akeso.engine.intent import finished
from akeso.engine.record import PROPOSED
from akeso.errors import GoneError, PermanentError, TransientError

EVERY = 1.0  # seconds between two looks
# How an undo ends; with any other reason it is waited for.
UNDO_ENDS = ("NothingToUndo", "TargetGone", "NotUndone")


class Line(NamedTuple):
    """One thing that happened; `key` says which, so that it is told once."""

    key: str
    mark: str
    style: str
    text: str


class Reads(Protocol):
    """The part of `akeso.engine.records.Records` that is needed here."""

    async def live_healing(self, healing: Healing) -> Healing: ...


def story(healing: Healing) -> Iterator[Line]:
    """All that has happened so far, oldest first. Pure."""
    tried = past_of(healing).attempts
    for number, attempt in enumerate(healing.status.attempts):
        yield from _of_attempt(number, attempt, tried[number])
    blocked = get_condition(healing.status.conditions, "Blocked")
    if blocked is not None and blocked.status == "True":
        yield Line(
            f"blocked/{blocked.reason}",
            "-",
            "yellow",
            f"refused now ({blocked.reason}): {blocked.message}{_again(healing)}",
        )
    person = get_condition(healing.status.conditions, "NeedsHuman")
    if person is not None and person.status == "True":
        yield Line(f"person/{person.reason}", "!", "yellow", f"needs a person: {person.message}")
    proposed = get_condition(healing.status.conditions, PROPOSED)
    told = person is not None and proposed is not None and proposed.message in person.message
    if proposed is not None and proposed.status == "True" and not told:
        left = f"left to you: {proposed.message}"
        yield Line(f"proposed/{proposed.reason}", "!", "yellow", left)
    undone = get_condition(healing.status.conditions, "Undone")
    if undone is not None and healing.spec.undo is not None:
        mark, style = ("✓", "green") if undone.status == "True" else ("-", "yellow")
        yield Line(
            f"undone/{undone.status}/{undone.reason}", mark, style, f"undo: {undone.message}"
        )
    if finished(healing) and healing.status.verdict is not None:
        verdict = healing.status.verdict.value
        style = VERDICT_STYLES.get(verdict, "red")
        yield Line("end", "=", style, f"{verdict}: {healing.status.message or ''}")


def _again(healing: Healing) -> str:
    denied = next((g for g in healing.status.guards if not g.allowed), None)
    if denied is None or denied.retry_after_seconds is None:
        return ""
    return f" (asked again in {words.span(denied.retry_after_seconds)})"


def _of_attempt(number: int, attempt: Attempt, tried: Tried) -> Iterator[Line]:
    yield Line(f"{number}", ">", "bold", f"{tried.healer} begins")
    for index, done in enumerate(tried.actions):
        if done.state != "Pending":
            skipped = " (skipped)" if done.state == "Skipped" else ""
            yield Line(f"{number}/{index}", "✓", "green", f"{done.what}{skipped}")
    good = attempt.checks.good if attempt.checks else 0
    if good:
        said = f"{words.many(good, 'good check')} in a row"
        yield Line(f"{number}/good/{good}", "✓", "green", said)
    if attempt.undoing:
        yield Line(f"{number}/undoing", "-", "yellow", f"to be taken back: {tried.message}")
    if tried.verdict is not None and tried.finished_at is not None:
        style = VERDICT_STYLES.get(tried.verdict, "red")
        yield Line(f"{number}/end", "=", style, f"{tried.healer} ended {tried.verdict}")


class Follower:
    """Looks at one Healing until it is over. `healing` is as it was seen last."""

    def __init__(self, reads: Reads, healing: Healing, tell: Callable[[Line], None]) -> None:
        self.healing = healing
        self._reads = reads
        self._tell = tell
        self._told: set[str] = set()

    async def until(self, over: Callable[[Healing], bool], patience: float | None) -> bool:
        """Whether it was over within so many seconds (None: however long it takes)."""
        try:
            async with asyncio.timeout(patience):
                while True:
                    self._say()
                    if over(self.healing):
                        return True
                    await asyncio.sleep(EVERY)
                    await self._look()
        except TimeoutError:
            return False

    async def _look(self) -> None:
        meta = self.healing.metadata
        try:
            self.healing = await self._reads.live_healing(self.healing)
        except TransientError as error:
            self._once(Line("silence", "-", "yellow", f"{error}; still trying"))
        except GoneError as error:
            raise PermanentError(
                f"Healing {meta.namespace}/{meta.name} was deleted while it was waited for. What"
                " was begun for it is neither finished nor taken back."
            ) from error

    def _say(self) -> None:
        for line in story(self.healing):
            self._once(line)

    def _once(self, line: Line) -> None:
        if line.key not in self._told:
            self._told.add(line.key)
            self._tell(line)


def verdict_known(healing: Healing) -> bool:
    return finished(healing)


def undo_over(healing: Healing) -> bool:
    """Whether it is taken back as far as it can be."""
    undone = get_condition(healing.status.conditions, "Undone")
    if not finished(healing) or undone is None:
        return False
    return undone.status == "True" or undone.reason in UNDO_ENDS


def teller(output: str) -> Callable[[Line], None]:
    """Progress is for people: programs that asked for JSON or YAML get only the end."""
    if output != "table":
        return lambda _: None
    console = console_for()

    def tell(line: Line) -> None:
        at = datetime.now(UTC).strftime("%H:%M:%S")
        console.print(
            hanging(Text(at, style="dim"), Text(line.mark, style=line.style), Text(line.text))
        )
        console.file.flush()

    return tell


def patience(options: Options) -> float | None:
    """The seconds of --timeout; it means nothing without --wait."""
    if options.timeout is None:
        return None
    if not options.wait:
        raise usage.UsageError("--timeout says how long to wait, so it needs --wait.")
    return usage.duration(options.timeout).total_seconds()


def add_waiting(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--wait", action="store_true", help=f"tell how it goes, until {what}")
    parser.add_argument(
        "--timeout",
        metavar="DURATION",
        help="with --wait: leave after this time, such as 90s, 10m (default: wait to the end)",
    )
