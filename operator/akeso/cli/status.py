"""`akeso status`: all there is to know at a glance, from the custom resources only."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from akeso.cli import rows, words
from akeso.cli.flags import CONNECTION, OWN_NAMESPACE, add_settings, looking_at, settings_of
from akeso.cli.leader import Leader, find_leader
from akeso.cli.output import add_output, section, show
from akeso.cli.overview import SHOWN_FINISHED, overview
from akeso.cli.parser import Options
from akeso.cli.sections import Akeso, Overview
from akeso.engine.words import seconds_of
from akeso.settings import Settings

EXAMPLES = """\
examples:
  akeso status                 everything in every namespace
  akeso status -n shop         only what concerns namespace shop
  akeso status -o json         the same for programs
  watch akeso status           keep looking
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-n", "--namespace", help="only this namespace")
    where.add_argument(
        "-A", "--all-namespaces", action="store_true", help="every namespace (the default)"
    )
    add_output(parser)
    add_settings(parser, (*CONNECTION, "namespace"), OWN_NAMESPACE)


def run(options: Options) -> int:
    settings = settings_of(options, **looking_at(options))
    found = asyncio.run(_look(options.namespace, settings))
    data = found.model_dump(mode="json", by_alias=True)
    return show(options, data, lambda console: render(console, found, settings.namespace))


async def _look(namespace: str | None, settings: Settings) -> Overview:
    from akeso.wiring import open_view

    now = datetime.now(UTC)
    async with open_view(settings, load=False) as view:
        lease = find_leader(view.lease(), settings.lease_seconds, now)
        leader, _ = await asyncio.gather(lease, view.load(recent=SHOWN_FINISHED))
        records = view.records
        return overview(
            records.control(),
            records.policies(),
            records.healings(),
            records.broken(),
            namespace,
            now,
            leader,
        )


def render(console: Console, found: Overview, own_namespace: str) -> None:
    """The overview as tables, and a sentence with the next step where there is nothing."""
    for line in _head(found, own_namespace):
        console.print(line)
    console.print()
    _sections(console, found)
    for line in _tail(found):
        console.print(line)


def _sections(console: Console, found: Overview) -> None:
    now = found.at
    section(
        console,
        "Policies",
        ("NAMESPACE", "POLICY", "MODE", "TARGETS", "READY", "WHY"),
        [rows.of_policy(p) for p in found.policies],
    )
    section(
        console,
        "At risk",
        ("TARGET", "SIGNAL", "LIMIT REACHED", "LIKELY", "WHAT WAS SEEN"),
        [rows.of_risk(r, now) for r in found.at_risk],
    )
    section(
        console,
        "Healing now",
        ("TARGET", "SIGNAL", "HEALER", "BEGAN", "HOW FAR"),
        [rows.of_under_way(h, now) for h in found.healing],
    )
    section(
        console,
        "Refused, and why",
        ("TARGET", "SIGNAL", "REASON", "RETRY", "IN A SENTENCE"),
        [rows.of_refusal(r) for r in found.refused],
    )
    section(
        console,
        "Finished lately",
        ("TARGET", "SIGNAL", "HEALER", "VERDICT", "WHEN", "HOW IT ENDED"),
        [rows.of_ended(e, now) for e in found.finished],
    )


def _head(found: Overview, own_namespace: str) -> Iterator[Text]:
    akeso = found.akeso
    if akeso is None:
        yield Text("Akeso has not reported yet. ", style="bold yellow").append(
            f"There is no HealingControl in namespace {own_namespace}; start the operator"
            " (akeso operator), or name its namespace with --akeso-namespace.",
            style="not bold default",
        )
        return
    if found.leader.running is False:
        yield _nobody(found.leader, found.at)
    if akeso.paused is not None:
        until = akeso.paused.until
        end = f"until {words.clock(until, found.at)}" if until else "until somebody resumes it"
        yield Text(f"Akeso is paused {end}: {akeso.paused.reason}", style="bold yellow").append(
            "  (akeso resume)", style="not bold default"
        )
    if found.leader.running is not False:
        yield _condition_line(akeso)
    yield Text(_measures(akeso), style="dim")
    if akeso.degraded is not None:
        yield Text(f"Degraded: {akeso.degraded}", style="yellow")


def _nobody(leader: Leader, now: datetime) -> Text:
    """What the resources say is then as the last operator left it."""
    heard = (
        f", the last sign of one was {words.ago(leader.heard_at, now)}" if leader.heard_at else ""
    )
    return Text(f"No operator is running{heard}.", style="bold red").append(
        " Nothing is watched or healed; start it (akeso operator), or see why it ended. What"
        " follows is as it was left.",
        style="not bold default",
    )


def _condition_line(akeso: Akeso) -> Text:
    if akeso.ready is None:
        return Text(f"Akeso: {akeso.message}; is the operator running?", style="bold yellow")
    style = "bold green" if akeso.ready else "bold red"
    return Text(f"Akeso: {akeso.message}", style=style)


def _measures(akeso: Akeso) -> str:
    parts = [f"metrics: {akeso.metrics_source or 'unknown'}"]
    if akeso.scrape_interval_seconds is not None:
        parts.append(f"a sample every {seconds_of(akeso.scrape_interval_seconds)}")
    if akeso.shortest_failure_seconds is not None:
        parts.append(
            "a failure that takes less than "
            f"{seconds_of(akeso.shortest_failure_seconds)} comes too fast to be caught"
        )
    if akeso.watched is not None:
        watched = akeso.watched
        parts.append(
            f"watching {words.many(watched.workloads, 'workload')}"
            f" with {words.many(watched.containers, 'container')}"
        )
    return "; ".join(parts)


def _tail(found: Overview) -> Iterator[Text]:
    where = f"in namespace {found.namespace}" if found.namespace else "in any namespace"
    for error in found.unreadable:
        yield Text(f"Not readable: {error}", style="red")
    if not found.policies:
        yield Text(
            f"There is no HealingPolicy {where}, so nothing is watched there. Begin with one that"
            " only observes: kubectl apply -f examples/observe.yaml"
        )
    elif not (found.at_risk or found.healing or found.refused):
        yield Text(
            f"Nothing is at risk, being healed or refused {where} now."
            " Why Akeso sees a workload so: akeso explain KIND/NAME -n NAMESPACE"
        )
