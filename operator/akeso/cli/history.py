"""`akeso history`: what was found, done and how it ended, from the Healings on record."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from akeso.cli import rows, usage, words
from akeso.cli.flags import CONNECTION, OWN_NAMESPACE, add_settings, looking_at, settings_of
from akeso.cli.output import Row, add_output, section, show
from akeso.cli.parser import Options
from akeso.cli.past import OPEN, Asked, History, Past, Tried, history
from akeso.domain.finding import Outcome
from akeso.settings import Settings

EXAMPLES = """\
examples:
  akeso history                               the newest in every namespace
  akeso history deployment/shop -n shop       of one workload
  akeso history --since 24h --verdict Failed  what did not work since yesterday
  akeso history --verdict open                what is under way
  akeso history --limit 0 -o json             everything, for programs

A Healing is kept for a day at least; the newest finished ones of a namespace are kept longer
(the operator's --keep-finished).
"""

VERDICTS = (*(outcome.value for outcome in Outcome), OPEN)
NARROW = 160  # its columns are many
SHOWN = 50  # on a terminal; programs get everything


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target", metavar="TARGET", nargs="?", help="deployment/NAME, sts/NAME or NAME"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-n", "--namespace", help="only this namespace")
    where.add_argument(
        "-A", "--all-namespaces", action="store_true", help="every namespace (the default)"
    )
    parser.add_argument(
        "--since",
        metavar="DURATION",
        help="only what was open within this time, such as 90m, 24h, 7d (default: all on record)",
    )
    parser.add_argument(
        "--limit",
        metavar="NUMBER",
        type=_limit,
        help=f"only so many, 0: all (default: {SHOWN} in a table, all as json or yaml)",
    )
    parser.add_argument(
        "--verdict", choices=VERDICTS, type=_verdict, help="only those that ended so"
    )
    add_output(parser)
    add_settings(parser, (*CONNECTION, "namespace"), OWN_NAMESPACE)


def _verdict(text: str) -> str:
    return next((v for v in VERDICTS if v.lower() == text.lower()), text)


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no count; give 0 for all, or a number")
    return int(text)


def run(options: Options) -> int:
    now = datetime.now(UTC)
    asked = _asked(options, now)
    settings = settings_of(options, **looking_at(options))
    found = asyncio.run(_look(asked, settings, now))
    data = found.model_dump(mode="json", by_alias=True)
    return show(options, data, lambda console: render(console, found, options.target))


def _asked(options: Options, now: datetime) -> Asked:
    kind, name = usage.workload(options.target) if options.target else (None, None)
    since = usage.before(now, options.since) if options.since else None
    limit = options.limit
    if limit is None:
        limit = SHOWN if options.output == "table" else 0
    return Asked(kind, name, options.namespace, since, options.verdict, limit)


async def _look(asked: Asked, settings: Settings, now: datetime) -> History:
    from akeso.wiring import open_view

    async with open_view(settings) as view:
        return history(view.records.healings(), view.records.broken(), asked, now)


def render(console: Console, found: History, target: str | None = None) -> None:
    """One row per Healing, and what is left out."""
    section(
        console,
        "Healings",
        (
            "OPENED",
            "HEALING",
            "TARGET",
            "SIGNAL",
            "HEALER",
            "VERDICT",
            "WHAT WAS DONE, AND HOW IT ENDED",
        ),
        [row(p, found.at) for p in found.healings],
        narrow=NARROW,
    )
    for line in _tail(found, target):
        console.print(line)


def row(past: Past, now: datetime) -> Row:
    verdict = Text(past.verdict or OPEN, style=rows.VERDICT_STYLES.get(past.verdict or OPEN, "red"))
    if past.undone:
        verdict.append(", undone", style="yellow")
    healers = " > ".join(tried.healer for tried in past.attempts)
    done = [_tried(tried) for tried in past.attempts] or ["nothing was done"]
    ended = past.message if past.message else past.problem
    said = rows.with_proposal(ended, past.needs_human, past.proposed)
    took = ""
    if past.completed_at is not None:
        took = f", took {words.span((past.completed_at - past.opened_at).total_seconds())}"
    return (
        f"{words.ago(past.opened_at, now)}{took}",
        past.healing,
        rows.target(past),
        past.signal,
        healers or "none",
        verdict,
        f"{'; '.join(done)}. {said}",
    )


def _tried(tried: Tried) -> str:
    """The writes in order; what was not written is said to be so."""
    left = {"Done": "", "Pending": " (to be done)", "Skipped": " (skipped)"}
    told = [f"{done.what}{left.get(done.state, '')}" for done in tried.actions]
    return ", ".join(told) or "nothing was written"


def _tail(found: History, target: str | None) -> Iterator[Text]:
    for error in found.unreadable:
        yield Text(f"Not readable: {error}", style="red")
    where = f"in namespace {found.namespace}" if found.namespace else "in any namespace"
    shown = len(found.healings)
    if shown < found.total:
        yield Text(f"The newest {shown} of {found.total}; --limit 0 shows them all.", style="dim")
    elif shown:
        yield Text(f"{words.many(shown, 'Healing')}.", style="dim")
    elif found.on_record:
        of = f" of {target}" if target else ""
        there = f"{words.many(found.on_record, 'Healing')} on record"
        yield Text(f"No Healing{of} {where} is what you asked for ({there} there).")
    else:
        yield Text(f"There is no Healing {where}: no problem was found yet.")
