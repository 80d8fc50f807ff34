"""`akeso doctor`: the command."""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter

from rich.console import Console
from rich.text import Text

from akeso.cli import usage, words
from akeso.cli.doctor.checks import Diagnosis, Result, diagnosis
from akeso.cli.doctor.examination import examine
from akeso.cli.flags import (
    ALERTMANAGER,
    CONNECTION,
    OWN_NAMESPACE,
    PROMETHEUS,
    add_settings,
    given,
    settings_of,
)
from akeso.cli.output import add_output, hanging, show
from akeso.cli.parser import Options
from akeso.clients.kubernetes.rights import Subject
from akeso.settings import Settings

EXAMPLES = """\
examples:
  akeso doctor                                    with your own credentials, from where you are
  akeso doctor --as-operator                      the rights of the operator's service account
  akeso doctor --as-operator akeso/akeso-operator --prometheus-url http://localhost:9090
  akeso doctor -o json

It only asks and changes nothing. Exit code 0: nothing failed (there may be warnings), 1: something
failed. The rights are those of the chart, with the healers that the settings enable. The scrape interval is taken from the
HealingControl where none is given.
"""

ACCOUNT = "akeso-operator"  # as examples/rbac.yaml names it
_MARKS = {
    Result.OK: ("✓", "green"),
    Result.WARNING: ("!", "yellow"),
    Result.FAILURE: ("✗", "red"),
    Result.SKIPPED: ("-", "dim"),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--as-operator",
        metavar="SERVICEACCOUNT",
        nargs="?",
        const="",
        help="examine the rights of this service account (NAMESPACE/NAME, or a NAME in Akeso's own"
        f" namespace; without a value {ACCOUNT}) instead of your own",
    )
    add_output(parser)
    looking = (*PROMETHEUS, *ALERTMANAGER, "scrape_interval_seconds")
    reading = ("memory_metric", "metric_matchers", "watch_namespaces", "healers")
    add_settings(parser, (*CONNECTION, "namespace", *looking, *reading), OWN_NAMESPACE)


def run(options: Options) -> int:
    settings = settings_of(options)
    subject = _subject(options.as_operator, settings)
    own_interval = not given(options, "scrape_interval_seconds")
    found = diagnosis(asyncio.run(examine(settings, subject, own_interval)))
    data = found.model_dump(mode="json", by_alias=True)
    show(options, data, lambda console: render(console, found))
    return 0 if found.ok else 1


def _subject(text: str | None, settings: Settings) -> Subject | None:
    if text is None:
        return None
    namespace, slash, name = text.rpartition("/")
    if slash and not (namespace and name) or "/" in namespace:
        raise usage.UsageError(
            f"{text!r} names no service account; write NAMESPACE/NAME, or only NAME."
        )
    return Subject(namespace or settings.namespace, name or ACCOUNT)


def render(console: Console, found: Diagnosis) -> None:
    """One line per check, what to do under it, and the sum."""
    for check in found.checks:
        mark, style = _MARKS[check.result]
        told = Text(f"{check.name}: ", style="bold").append(check.message, style="not bold")
        if check.result in (Result.WARNING, Result.FAILURE):
            told.append(f"\n{check.remedy}", style="not bold italic")
        elif check.remedy:
            told.append(f" {check.remedy}", style="not bold")
        console.print(hanging(Text(mark, style=style), told))
    console.print(_sum(found))


def _sum(found: Diagnosis) -> Text:
    counts = Counter(check.result for check in found.checks)
    failed, warned = counts[Result.FAILURE], counts[Result.WARNING]
    if failed:
        also = f", {words.many(warned, 'warning')}" if warned else ""
        return Text(f"\n{words.many(failed, 'check')} failed{also}.", style="bold red")
    if warned:
        return Text(f"\nNothing failed; {words.many(warned, 'warning')}.", style="bold yellow")
    return Text("\nNothing failed.", style="bold green")
