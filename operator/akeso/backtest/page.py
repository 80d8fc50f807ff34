"""The page of a back-test: one HTML file that asks for nothing from anywhere.

The template escapes everything but the plots, whose texts matplotlib escapes. Only whoever draws
imports this.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from akeso.backtest import words
from akeso.backtest.figure import AFTER, BEFORE, around, svg, whole
from akeso.backtest.judge import Drawn
from akeso.backtest.model import BackTest, Method, Verdict, WorkloadResult
from akeso.engine.words import seconds_of
from akeso.report.model import Fact, Mood, Unit
from akeso.report.page import render
from akeso.report.words import many

# Plots cost 30 KB each and nobody looks at more.
MOST_SERIES = 12
# Of a series so many times as long as the way to a failure, that way is drawn, too.
LONG = 4.0
MOST_FAILURES = 2
# Rows of a table; JSON has all.
MOST_ROWS = 500


@dataclass(frozen=True, slots=True)
class Plot:
    title: str
    drawn: Markup


@dataclass(frozen=True, slots=True)
class Event:
    """One row of what happened."""

    at: object
    series: str
    what: str
    mood: Mood
    akeso: str
    linear: str


def page(told: BackTest, drawn: Sequence[Drawn]) -> str:
    """The back-test as a page."""
    unit = words.unit_of(told)
    events = list(_events(told, unit))
    shown = _ordered(told.workloads)[:MOST_ROWS]
    chosen = sorted((d for d in drawn if d.history.step is not None), key=_interesting)
    return render(
        "backtest.html.j2",
        "akeso.backtest",
        told=told,
        words=words,
        seconds=seconds_of,
        title=title(told),
        badge=badge(told),
        figures=tuple(_figures(told)),
        eventful=[w for w in shown if not _quiet(w)] + ([told.total] if len(shown) > 1 else []),
        quiet=[w for w in shown if _quiet(w)],
        left_out=max(0, len(told.workloads) - MOST_ROWS),
        plots=[p for d in chosen[:MOST_SERIES] for p in _plots(d, told, unit)],
        not_drawn=max(0, len(chosen) - MOST_SERIES),
        events=events[:MOST_ROWS],
        events_left_out=max(0, len(events) - MOST_ROWS),
        notes=[*told.notes, *words.of_series(told)],
    )


def title(told: BackTest) -> str:
    """What came of it, in one sentence."""
    total = told.total
    if not total.days:
        return "Nothing could be foreseen here: no series says enough."
    false = f"{many(total.akeso.false_alarms, 'false alarm')} in {total.days:.3g} series-days"
    if not total.failures:
        return f"Nothing reached its limit; Akeso would have raised {false}."
    return (
        f"Akeso would have foreseen {total.akeso.foreseen} of {many(total.failures, 'failure')}, with"
        f" {false}."
    )


def badge(told: BackTest) -> tuple[str, Mood]:
    total = told.total
    if not total.failures:
        return "No failure", Mood.QUIET
    every = total.akeso.foreseen == total.failures
    mood = Mood.GOOD if every else Mood.UNSURE if total.akeso.foreseen else Mood.BAD
    return f"{total.akeso.foreseen} of {total.failures} foreseen", mood


def _figures(told: BackTest) -> Iterator[Fact]:
    total = told.total
    yield Fact(name="watched", said=f"{total.days:.3g} series-days")
    if total.failures:
        yield Fact(name="median lead", said=words.median_lead(total.akeso))
    yield Fact(name="false alarms per series-day", said=words.rate(total.akeso))
    yield Fact(name="the same, predict_linear", said=words.rate(total.predict_linear))
    yield Fact(name="nothing claimed", said=f"{total.abstained_percent:.0f} % of the time")


def _ordered(found: Sequence[WorkloadResult]) -> list[WorkloadResult]:
    return sorted(found, key=lambda w: (-w.failures, -w.akeso.false_alarms, -w.days, w.name))


def _quiet(workload: WorkloadResult) -> bool:
    return not (
        workload.failures + workload.akeso.false_alarms + workload.predict_linear.false_alarms
    )


def _interesting(drawn: Drawn) -> tuple[float, ...]:
    result = drawn.result
    level = (result.highest or 0.0) / result.limit if result.limit else 0.0
    false = result.akeso.false_alarms
    return (-len(result.failures), -false, -result.predict_linear.false_alarms, -level)


def _plots(drawn: Drawn, told: BackTest, unit: Unit) -> Iterator[Plot]:
    result, span = drawn.result, whole(drawn)
    yield Plot(result.name, Markup(svg(drawn, span, unit, "all")))
    if span.high - span.low > LONG * (BEFORE + AFTER) * told.horizon_seconds:
        for i, failure in enumerate(result.failures[:MOST_FAILURES]):
            near = around(drawn, failure.at.timestamp(), told.horizon_seconds)
            title = f"{result.name}, the way to {failure.at:%Y-%m-%d %H:%M} UTC"
            yield Plot(title, Markup(svg(drawn, near, unit, f"failure {i}")))


def _events(told: BackTest, unit: Unit) -> Iterator[Event]:
    found: list[Event] = []
    for one in told.series:
        for failure in one.failures:
            ours, theirs = failure.akeso_lead_seconds, failure.predict_linear_lead_seconds
            good = ours is not None and ours >= told.lead_seconds
            found.append(
                Event(
                    failure.at,
                    one.name,
                    words.failed(failure, unit),
                    Mood.GOOD if good else Mood.BAD,
                    words.lead(ours, told.lead_seconds),
                    words.lead(theirs, told.lead_seconds),
                )
            )
        for alarm in one.alarms:
            if alarm.verdict is not Verdict.FALSE:
                continue
            what = f"at {words.number(alarm.value, unit)} of {words.number(alarm.limit, unit)}"
            ours = alarm.method is Method.AKESO
            said = "false alarm"
            if alarm.probability is not None:
                said += f", {100 * alarm.probability:.0f} % sure"
            found.append(
                Event(
                    alarm.at,
                    one.name,
                    what,
                    Mood.UNSURE,
                    said if ours else "",
                    "" if ours else said,
                )
            )
    yield from sorted(found, key=lambda e: (str(e.at), e.series))
