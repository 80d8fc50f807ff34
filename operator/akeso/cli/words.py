"""Moments and shares as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

from akeso.engine.words import seconds_of

_DAY = 86_400


def clock(moment: datetime, now: datetime) -> str:
    """`09:31:02 UTC`; with the date where that is not today's."""
    utc = moment.astimezone(UTC)
    shape = "%H:%M:%S UTC" if utc.date() == now.astimezone(UTC).date() else "%Y-%m-%d %H:%M UTC"
    return utc.strftime(shape)


def ago(moment: datetime, now: datetime) -> str:
    """`95 s ago (09:31:02 UTC)`; a clock that is ahead reads `just now`."""
    seconds = (now - moment).total_seconds()
    if seconds >= 2 * _DAY:
        distance = f"{seconds // _DAY:.0f} days ago"
    else:
        distance = "just now" if seconds < 1 else f"{seconds_of(seconds)} ago"
    return f"{distance} ({clock(moment, now)})"


def ahead(moment: datetime, now: datetime) -> str:
    """`in 12 min (09:43:02 UTC)`, or that the moment has passed."""
    seconds = (moment - now).total_seconds()
    if seconds <= 0:
        return f"was due at {clock(moment, now)}"
    return f"in {seconds_of(seconds)} ({clock(moment, now)})"


def span(seconds: float) -> str:
    """`47 s`, `2 min 47 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
