"""Numbers of a back-test as people read them. Pure."""

from __future__ import annotations

from akeso.backtest.model import BackTest, Failure, Kind, Score
from akeso.engine.words import seconds_of
from akeso.report.model import Unit
from akeso.report.words import amount, plain

# Memory from here on is bytes and no per cent.
BYTES = 2**20


def unit_of(found: BackTest) -> Unit:
    """What the values mean, as far as can be told."""
    large = any((s.limit or 0.0) >= BYTES for s in found.series)
    return Unit.BYTES if found.metric_class == "memory" and large else Unit.PLAIN


def number(value: float | None, unit: Unit) -> str:
    if value is None:
        return "?"
    return amount(value, unit) if unit is Unit.BYTES else f"{value:.4g}"


def lead(seconds: float | None, enough: float) -> str:
    """How early a failure was told; `enough`: seconds that somebody needs."""
    if seconds is None:
        return "said nothing"
    return f"{seconds_of(seconds)} ahead{' (too late)' if seconds < enough else ''}"


def failed(failure: Failure, unit: Unit) -> str:
    """What happened, without when."""
    if failure.kind is Kind.KILLED:
        return f"restarted at {number(failure.value, unit)} of {number(failure.limit, unit)}"
    return f"reached its limit {number(failure.limit, unit)}"


def share(score: Score, failures: int) -> str:
    return f"{score.foreseen} of {failures}" if failures else "-"


def rate(score: Score) -> str:
    found = score.false_alarms_per_series_day
    return "-" if found is None else f"{found:.2f}"


def median_lead(score: Score) -> str:
    found = score.median_lead_seconds
    return "-" if found is None else seconds_of(found)


def of_series(told: BackTest) -> list[str]:
    """What was done to series, once for all that it was done to."""
    by_note: dict[str, list[str]] = {}
    for one in told.series:
        for note in one.notes:
            by_note.setdefault(note, []).append(one.name)
    return [
        f"{plain(names[0], 80)}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {note}."
        for note, names in by_note.items()
    ]
