"""A back-test in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from akeso.api.scalars import format_time
from akeso.backtest import words
from akeso.backtest.model import BackTest, Method, Score, Verdict, WorkloadResult
from akeso.cli.output import hanging
from akeso.cli.words import many
from akeso.engine.words import seconds_of
from akeso.report.words import plain

# On a terminal; the page and JSON have everything.
SHOWN_WORKLOADS = 20
SHOWN_EVENTS = 10
FEW = 3  # workloads without anything to tell that are listed nevertheless
LONGEST_NAME = 44
NARROW = 110  # columns of a terminal below which the table would fold names


def tell(console: Console, found: BackTest) -> None:
    """Who foresaw what, in how many words a terminal has room for."""
    for line in _head(found):
        console.print(line)
    console.print()
    _scores(console, found)
    _events(console, found)
    notes = [*found.notes, *words.of_series(found)]
    if notes:
        console.print(Text("Of the data", style="bold"))
        for note in notes[:SHOWN_EVENTS]:
            console.print(hanging(Text("-"), Text(note)))
        if len(notes) > SHOWN_EVENTS:
            console.print(Text(f"- and {len(notes) - SHOWN_EVENTS} more; -o json has all"))
        console.print()
    if found.advice:
        console.print(Text("What to make of it", style="bold"))
        for said in found.advice:
            console.print(hanging(Text("-"), Text(said)))
        console.print()
    if found.policy is not None:
        console.print(Text("A policy that only watches", style="bold"))
        console.print(Text(found.policy.rstrip()), soft_wrap=True)


def _head(found: BackTest) -> Iterator[Text]:
    when = ""
    if found.start is not None and found.end is not None:
        when = f", {_time(found.start)} to {_time(found.end)} UTC"
    days = f"{found.total.days:.3g} series-days"
    yield Text(f"{found.source}: {found.total.series} series, {days}{when}.")
    yield Text(
        f"Class {found.metric_class}, {seconds_of(found.horizon_seconds)} ahead, alarm from"
        f" {found.probability_percent} %. Beside it: {found.rule}."
    )


def _time(at: datetime) -> str:
    return format_time(at).replace("T", " ")[:16]


def _scores(console: Console, found: BackTest) -> None:
    eventful = [w for w in found.workloads if not _quiet(w)]
    quiet = [w for w in found.workloads if _quiet(w)]
    if not eventful or len(quiet) <= FEW:
        eventful, quiet = [*eventful, *quiet], []
    shown = sorted(eventful, key=_interesting)[:SHOWN_WORKLOADS]
    rows = [(plain(w.name, LONGEST_NAME), w) for w in shown]
    if len(found.workloads) > 1:
        rows.append((f"all {len(found.workloads)}", found.total))
    if console.width < NARROW:
        for name, workload in rows:
            _lines(console, workload, name)
    else:
        console.print(_table(rows))
    left = len(eventful) - len(shown)
    if quiet:
        told = f"{many(len(quiet), 'more workload')} without a failure or a false alarm of either."
        console.print(Text(told, style="dim"))
    if left:
        told = f"{many(left, 'more workload')} with less to tell; -o json and --html have all."
        console.print(Text(told, style="dim"))
    console.print()


def _table(rows: Sequence[tuple[str, WorkloadResult]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("WORKLOAD", overflow="fold", min_width=16)
    for name in ("DAYS", "FAILED"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("BY", no_wrap=True)
    for name in ("FORESEEN", "LEAD", "FALSE ALARMS", "PER DAY", "SILENT"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, workload in rows:
        _rows(table, workload, name)
    return table


def _lines(console: Console, workload: WorkloadResult, name: str) -> None:
    """A workload where there is no room for a table."""
    failed = workload.failures
    console.print(Text(name, style="bold"))
    console.print(
        f"  {workload.days:.3g} series-days, {many(failed, 'failure')}, nothing claimed in"
        f" {workload.abstained_percent:.0f} %"
    )
    for method, score in (("Akeso", workload.akeso), ("predict_linear", workload.predict_linear)):
        foreseen, lead, false, rate = _score(score, failed)
        told = f"{foreseen} foreseen" if failed else "nothing to foresee"
        ahead = f", {lead} ahead" if lead != "-" else ""
        alarms = f"{many(int(false), 'false alarm')}, {rate} per day"
        console.print(hanging(Text(f"{method:14}"), Text(f"{told}{ahead}; {alarms}"), by=2))


def _quiet(workload: WorkloadResult) -> bool:
    false = workload.akeso.false_alarms + workload.predict_linear.false_alarms
    return not workload.failures + false


def _interesting(workload: WorkloadResult) -> tuple[float, ...]:
    false = workload.akeso.false_alarms + workload.predict_linear.false_alarms
    return (-workload.failures, -workload.akeso.false_alarms, -false, -workload.days)


def _rows(table: Table, workload: WorkloadResult, name: str) -> None:
    failed = workload.failures
    table.add_row(
        Text(name),
        f"{workload.days:.3g}",
        str(failed),
        "Akeso",
        *_score(workload.akeso, failed),
        f"{workload.abstained_percent:.0f} %",
    )
    table.add_row("", "", "", "predict_linear", *_score(workload.predict_linear, failed), "")


def _score(score: Score, failed: int) -> tuple[str, str, str, str]:
    false = str(score.false_alarms)
    return words.share(score, failed), words.median_lead(score), false, words.rate(score)


@dataclass(frozen=True, slots=True)
class _Event:
    at: datetime
    series: str
    said: str


def _events(console: Console, found: BackTest) -> None:
    events = sorted(_all(found), key=lambda e: (e.at, e.series))
    if not events:
        return
    console.print(Text("What happened, and what was said before", style="bold"))
    for event in events[:SHOWN_EVENTS]:
        head = Text(f"{_time(event.at)}")
        console.print(hanging(head, Text(f"{plain(event.series, 80)}: {event.said}")))
    if len(events) > SHOWN_EVENTS:
        left = len(events) - SHOWN_EVENTS
        console.print(Text(f"and {left} more; -o json and --html have all", style="dim"))
    console.print()


def _all(found: BackTest) -> Iterator[_Event]:
    unit = words.unit_of(found)
    for one in found.series:
        for failure in one.failures:
            what = words.failed(failure, unit)
            ours = words.lead(failure.akeso_lead_seconds, found.lead_seconds)
            theirs = words.lead(failure.predict_linear_lead_seconds, found.lead_seconds)
            yield _Event(failure.at, one.name, f"{what}; Akeso {ours}, predict_linear {theirs}")
        for alarm in one.alarms:
            if alarm.verdict is Verdict.FALSE and alarm.method is Method.AKESO:
                sure = f" ({100 * alarm.probability:.0f} % sure)" if alarm.probability else ""
                at = f"at {words.number(alarm.value, unit)} of {words.number(alarm.limit, unit)}"
                yield _Event(alarm.at, one.name, f"false alarm of Akeso {at}{sure}")
