"""Numbers and moments as reports write them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from akeso.engine.words import bytes_of
from akeso.report.model import Unit


def amount(value: float, unit: Unit) -> str:
    """A number with its unit."""
    match unit:
        case Unit.BYTES:
            return bytes_of(value)
        case Unit.SHARE:
            return f"{100 * value:.3g} %"
        case Unit.COUNT | Unit.PLAIN:
            return f"{value:g}"


def moment(at: datetime) -> str:
    """`2026-12-01 09:31:02 UTC`."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock(at: datetime | float) -> str:
    """`09:31:02`, in UTC; a number is Unix seconds."""
    when = at if isinstance(at, datetime) else datetime.fromtimestamp(at, UTC)
    return when.astimezone(UTC).strftime("%H:%M:%S")


def many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def plain(text: str, most: int) -> str:
    """One line of printable letters, with its middle left out where it is too long."""
    line = "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
    if len(line) <= most:
        return line
    head = (2 * most) // 3
    return f"{line[:head]}…{line[-(most - head - 1) :]}"
