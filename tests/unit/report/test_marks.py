"""The words above a plot: none covers another, and what happened at once is said at once."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from akeso.report.marks import LANES, LETTER, Mark, Room, placed
from akeso.report.model import Moment
from unit.report.samples import OPENED

ROOM = Room(OPENED.timestamp(), OPENED.timestamp() + 600, 640, 8.5)


def moment(seconds: float, mark: str, expected: bool = False) -> Moment:
    at = OPENED + timedelta(seconds=seconds)
    return Moment(at=at, what="Done", said="", mark=mark, expected=expected)


def reach(mark: Mark) -> tuple[float, float]:
    wide = LETTER * ROOM.letters * len(mark.text)
    line = ROOM.place(mark.at)
    return (line - wide, line) if mark.leftward else (line, line + wide)


@given(
    st.lists(
        st.tuples(st.floats(0, 600), st.text(st.characters(codec="ascii"), max_size=60)),
        max_size=40,
    )
)
def test_no_words_cover_others_or_leave_the_plot(found: list[tuple[float, str]]):
    marks = placed(sorted((moment(*f) for f in found), key=lambda m: m.at), ROOM)
    for index, mark in enumerate(marks):
        assert 0 <= mark.lane < LANES
        begin, end = reach(mark)
        assert end <= ROOM.width + 8
        for other in marks[:index]:
            if mark.text and other.text and other.lane == mark.lane:
                a, b = reach(other)
                assert end <= a or b <= begin


def test_what_happened_at_once_is_one_mark_and_what_was_expected_another():
    marks = placed(
        [moment(100, "evict"), moment(101, "evict"), moment(102, "gone", expected=True)], ROOM
    )
    assert [(m.text, m.expected) for m in marks] == [("gone", True), ("evict ×2", False)]


def test_a_moment_without_words_has_no_line():
    assert placed([moment(5, "")], ROOM) == []
