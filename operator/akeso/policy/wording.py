"""How guards put numbers and times into sentences.

Times are absolute: a sentence that counts down would change, and be written, every cycle.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

_YEAR_9999 = 253_402_300_799  # the last second that datetime can name


def at(unix: float) -> str:
    """A moment with its zone; never raises, however odd the number."""
    if not math.isfinite(unix) or not 0 <= unix <= _YEAR_9999:
        return "an unknown time"
    return datetime.fromtimestamp(round(unix), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def seconds(amount: float) -> str:
    return f"{amount:.0f} s"


def many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
