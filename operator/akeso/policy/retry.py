"""How long to wait before something outside is asked again. Pure."""

from __future__ import annotations

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 300.0  # an endpoint that is back is told within five minutes
LONGEST_ASKED_SECONDS = 3_600.0  # a wrong Retry-After may not silence for longer


def pause(failures: int, asked: float | None, chance: float) -> float:
    """Seconds until the next try, after `failures` (1 or more) in a row.

    Doubles with each failure; `chance` (0..1) takes away up to half, so that many senders do not
    come back together. `asked` is the other side's Retry-After in seconds.
    """
    doubled = FIRST_SECONDS * 2.0 ** min(failures - 1, 30)
    jittered = min(LONGEST_SECONDS, doubled) * (1 - chance / 2)
    return max(jittered, min(asked or 0.0, LONGEST_ASKED_SECONDS))
