"""Where the words of the moments stand above a plot, so that none covers another. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from akeso.report.model import Moment, Mood
from akeso.report.words import plain

# Marks nearer to each other than this share of the axis share their words.
SAME_MOMENT = 0.012
LANES = 5  # lines of words above each other
LETTER = 0.56  # width of an average letter in parts of its size, rather too wide
LONGEST = 56  # letters
_GAP = 6.0  # points between a line and words, and between words
_BEYOND = 8.0  # points that words may reach beyond the axis


@dataclass(frozen=True, slots=True)
class Room:
    """An axis: Unix seconds at its ends, its width and the size of its letters in points."""

    low: float
    high: float
    width: float
    letters: float

    def place(self, at: float) -> float:
        """Points from the left end."""
        return (at - self.low) / (self.high - self.low) * self.width


@dataclass(frozen=True, slots=True)
class Mark:
    """A line at a moment (Unix seconds); its words stand in a lane, right of it or left."""

    at: float
    mood: Mood
    expected: bool
    text: str
    lane: int
    leftward: bool


def placed(moments: Sequence[Moment], room: Room) -> list[Mark]:
    """From right to left, each into the lowest free lane: so no line crosses another's words.

    Where no lane is free the line stands without words; the table of the page has them.
    """
    marks: list[Mark] = []
    taken: list[list[tuple[float, float]]] = [[] for _ in range(LANES)]
    for moment, text in reversed(_grouped(moments, room.high - room.low)):
        at = moment.at.timestamp()
        wide = _GAP + LETTER * room.letters * len(text)
        leftward = room.place(at) + wide > room.width + _BEYOND
        begin = room.place(at) - (wide if leftward else 0.0)
        end = begin + wide
        free = (i for i, t in enumerate(taken) if all(end < a or b < begin for a, b in t))
        lane = next(free, None)
        if lane is not None:
            taken[lane].append((begin, end))
        said = text if lane is not None else ""
        marks.append(Mark(at, moment.mood, moment.expected, said, lane or 0, leftward))
    return marks


def _grouped(moments: Sequence[Moment], span: float) -> list[tuple[Moment, str]]:
    """Marks that would lie on each other become one, named after all of them."""
    groups: list[list[Moment]] = []
    for moment in moments:
        if not moment.mark:
            continue
        first = groups[-1][0] if groups else None
        if (
            first is not None
            and first.expected == moment.expected
            and (moment.at - first.at).total_seconds() < span * SAME_MOMENT
        ):
            groups[-1].append(moment)
        else:
            groups.append([moment])
    return [(group[-1], _joined([m.mark for m in group])) for group in groups]


def _joined(marks: Sequence[str]) -> str:
    told: list[str] = []
    for mark, run in groupby(marks):
        count = len(list(run))
        told.append(f"{mark} ×{count}" if count > 1 else mark)
    return plain(", ".join(told), LONGEST)
