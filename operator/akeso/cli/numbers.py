"""Numbers as people give them to commands."""

from __future__ import annotations

from akeso.api.scalars import parse_memory
from akeso.cli.usage import UsageError

LARGEST = 1e18


def amount(flag: str, text: str, signed: bool = False) -> float:
    """A plain number, or an amount of memory such as 512Mi; `signed`: it may be 0 or below."""
    try:
        value = float(text)
    except ValueError:
        try:
            value = float(parse_memory(text))
        except ValueError:
            raise UsageError(f"{flag} {text!r} is no number such as 90 or 512Mi.") from None
    if not (-LARGEST if signed else 0) < value < LARGEST:
        raise UsageError(
            f"{flag} {text!r} bounds nothing: give a number"
            f"{'' if signed else ' above 0'}, in the unit of the values."
        )
    return value


def percent(flag: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:4]) <= 99:
        raise UsageError(f"{flag} {text!r} is no whole number of per cent from 1 to 99.")
    return int(text)
