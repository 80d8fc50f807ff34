"""Which routine is next for a problem: up the ladder, and at its end a person."""

from __future__ import annotations

from collections.abc import Sequence

from akeso.domain.finding import Outcome

# FAILED: it did not help. ERROR: it could not be done or not be measured; the guards, freshness
# among them, are asked again before the next rung. An INCONCLUSIVE healing may well have helped:
# a stronger routine on top of it would be a guess, so a person looks first.
CLIMB_AFTER = frozenset({Outcome.FAILED, Outcome.ERROR})


def next_rung(ladder: Sequence[str], attempts: Sequence[tuple[int, Outcome]]) -> int | None:
    """The index of the rung to try now; None: nothing left for a machine to do.

    `attempts` are the rungs tried in this healing with their outcomes, oldest first. No rung is
    tried twice within one healing.
    """
    if attempts and attempts[-1][1] not in CLIMB_AFTER:
        return None
    following = max((index for index, _ in attempts), default=-1) + 1
    return following if following < len(ladder) else None
