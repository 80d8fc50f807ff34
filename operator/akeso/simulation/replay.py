"""What a replay came to, and in what it differs from what was recorded. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from akeso.domain.finding import Decision
from akeso.simulation.player import Departure
from akeso.simulation.tape import Ending


@dataclass(frozen=True, slots=True)
class Difference:
    """Decisions that were recorded (numbers from 0) against those of the replay in their place."""

    recorded: tuple[int, ...]
    replayed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """One replay. `began` and `ended` in Unix seconds; `missing` counts, per method, what the
    replay asked for and the recording does not hold; `headless` are parts without those before.
    """

    began: float
    ended: float
    cycles: int
    runs: int
    versions: tuple[str, ...]
    recorded: tuple[Decision, ...]
    told: tuple[Decision, ...]
    departure: Departure | None
    endings: tuple[Ending, ...]
    missing: Counter[str]
    headless: tuple[int, ...]

    @property
    def same(self) -> bool:
        return not self.differences

    @property
    def differences(self) -> tuple[Difference, ...]:
        return tuple(compare(self.recorded, self.told))

    def beyond(self, index: int) -> bool:
        """Whether a decision is about a world that the recording does not tell of."""
        return self.departure is not None and index >= self.departure.after


def compare(recorded: Sequence[Decision], told: Sequence[Decision]) -> Iterator[Difference]:
    """Aligns two stories; the uid of a Healing, which an API server makes up, does not count."""
    ours, theirs = [_key(d) for d in told], [_key(d) for d in recorded]
    matcher = SequenceMatcher(None, theirs, ours, autojunk=False)
    for kind, i, i_end, j, j_end in matcher.get_opcodes():
        if kind != "equal":
            yield Difference(tuple(range(i, i_end)), tuple(range(j, j_end)))


def _key(decision: Decision) -> tuple[object, ...]:
    return (
        decision.what,
        decision.reason,
        decision.message,
        decision.at,
        decision.target,
        decision.signal,
        decision.healing,
        decision.healer,
        decision.policy,
    )
