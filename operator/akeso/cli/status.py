"""`akeso status`: all there is to know at a glance, from the custom resources only."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from akeso.cli import words
from akeso.cli.flags import CONNECTION, OWN_NAMESPACE, add_settings, settings_of
from akeso.cli.output import Row, add_output, section, show
from akeso.cli.overview import (
    Akeso,
    Ended,
    Of,
    Overview,
    PolicyLine,
    Refusal,
    Risk,
    UnderWay,
    overview,
)
from akeso.cli.parser import Options
from akeso.engine.words import seconds_of
from akeso.settings import Settings

EXAMPLES = """\
examples:
  akeso status                 everything in every namespace
  akeso status -n shop         only what concerns namespace shop
  akeso status -o json         the same for programs
  watch akeso status           keep looking
"""

_YES_NO: Mapping[bool | None, Text] = {
    True: Text("yes", style="green"),
    False: Text("no", style="red"),
    None: Text("?", style="yellow"),
}
_VERDICT_STYLES = {"Verified": "green", "Cleared": "dim", "Inconclusive": "yellow"}


def arguments(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-n", "--namespace", help="only this namespace")
    where.add_argument(
        "-A", "--all-namespaces", action="store_true", help="every namespace (the default)"
    )
    add_output(parser)
    add_settings(parser, (*CONNECTION, "namespace"), OWN_NAMESPACE)


def run(options: Options) -> int:
    settings = settings_of(options, watch_namespace=options.namespace)
    found = asyncio.run(_look(options.namespace, settings))
    data = found.model_dump(mode="json", by_alias=True)
    return show(options, data, lambda console: render(console, found, settings.namespace))


async def _look(namespace: str | None, settings: Settings) -> Overview:
    from akeso.wiring import open_view

    async with open_view(settings) as view:
        records = view.records
        return overview(
            records.control(),
            records.policies(),
            records.healings(),
            records.broken(),
            namespace,
            datetime.now(UTC),
        )


def render(console: Console, found: Overview, own_namespace: str) -> None:
    """The overview as tables, and a sentence with the next step where there is nothing."""
    for line in _head(found, own_namespace):
        console.print(line)
    console.print()
    now = found.at
    section(
        console,
        "Policies",
        ("NAMESPACE", "POLICY", "MODE", "TARGETS", "READY", "WHY"),
        [_policy_row(p) for p in found.policies],
    )
    section(
        console,
        "At risk",
        ("TARGET", "SIGNAL", "LIMIT REACHED", "LIKELY", "WHAT WAS SEEN"),
        [_risk_row(r, now) for r in found.at_risk],
    )
    section(
        console,
        "Healing now",
        ("TARGET", "SIGNAL", "HEALER", "BEGAN", "HOW FAR"),
        [_under_way_row(h, now) for h in found.healing],
    )
    section(
        console,
        "Refused, and why",
        ("TARGET", "SIGNAL", "REASON", "RETRY", "IN A SENTENCE"),
        [_refusal_row(r) for r in found.refused],
    )
    section(
        console,
        "Finished lately",
        ("TARGET", "SIGNAL", "HEALER", "VERDICT", "WHEN", "HOW IT ENDED"),
        [_ended_row(e, now) for e in found.finished],
    )
    for line in _tail(found):
        console.print(line)


def _head(found: Overview, own_namespace: str) -> Iterator[Text]:
    akeso = found.akeso
    if akeso is None:
        yield Text("Akeso has not reported yet. ", style="bold yellow").append(
            f"There is no HealingControl in namespace {own_namespace}; start the operator"
            " (akeso operator), or name its namespace with --akeso-namespace.",
            style="not bold default",
        )
        return
    if akeso.paused is not None:
        until = akeso.paused.until
        end = f"until {words.clock(until, found.at)}" if until else "until somebody resumes it"
        yield Text(f"Akeso is paused {end}: {akeso.paused.reason}", style="bold yellow").append(
            "  (akeso resume)", style="not bold default"
        )
    yield _condition_line(akeso)
    yield Text(_measures(akeso), style="dim")
    if akeso.degraded is not None:
        yield Text(f"Degraded: {akeso.degraded}", style="yellow")


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


def _policy_row(policy: PolicyLine) -> Row:
    ready = _YES_NO[policy.ready]
    why = policy.message
    if policy.pause_reasons:
        why = f"paused: {'; '.join(policy.pause_reasons)}. {why}"
    targets = "?" if policy.targets is None else str(policy.targets)
    return policy.namespace, policy.name, policy.mode, targets, ready, why


def _target(of: Of) -> str:
    """As `akeso explain` takes it."""
    return f"{of.kind.lower()}/{of.name} -n {of.namespace}"


def _risk_row(risk: Risk, now: datetime) -> Row:
    limit = words.ahead(risk.likely, now) if risk.likely else words.ago(risk.since, now)
    likely = "" if risk.probability_percent is None else f"{risk.probability_percent} %"
    said = f"{risk.message} (needs a person)" if risk.needs_human else risk.message
    return _target(risk), risk.signal, limit, likely, said


def _under_way_row(healing: UnderWay, now: datetime) -> Row:
    far = f"{healing.written} of {words.many(healing.writes, 'step')} done"
    if healing.undoing:
        far = f"taking it back: {far}"
    elif healing.written == healing.writes:
        far = f"verifying, {words.many(healing.good_checks, 'good check')} so far"
    attempt = f" (attempt {healing.attempt})" if healing.attempt > 1 else ""
    return (
        _target(healing),
        healing.signal,
        f"{healing.healer}{attempt}",
        words.ago(healing.started_at, now),
        f"{far}; {healing.message}",
    )


def _refusal_row(refusal: Refusal) -> Row:
    retry = "by itself" if refusal.passes else Text("needs you", style="yellow")
    more = len(refusal.other_reasons)
    also = f" (and {words.many(more, 'other reason')}: akeso explain)" if more else ""
    return _target(refusal), refusal.signal, refusal.reason, retry, f"{refusal.message}{also}"


def _ended_row(ended: Ended, now: datetime) -> Row:
    style = _VERDICT_STYLES.get(ended.verdict, "red")
    said = f"needs a person: {ended.message}" if ended.needs_human else ended.message
    return (
        _target(ended),
        ended.signal,
        ended.healer or "none",
        Text(ended.verdict, style=style),
        words.ago(ended.completed_at, now),
        said,
    )


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
