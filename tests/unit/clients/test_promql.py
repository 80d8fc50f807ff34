"""No value can change what a query means."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akeso.clients.promql import duration, matcher, selector

STRING = re.compile(r'^label="(?:[^"\\\n]|\\["\\nrt])*"$')


@given(st.text())
def test_any_value_stays_one_string_literal(value: str) -> None:
    assert STRING.match(matcher("label", value))


@given(st.text())
def test_no_two_values_become_the_same_matcher(value: str) -> None:
    literal = matcher("label", value)[len('label="') : -1]
    meanings = {r"\\": "\\", r"\"": '"', r"\n": "\n", r"\r": "\r", r"\t": "\t"}
    assert re.sub(r"\\.", lambda m: meanings[m[0]], literal) == value


def test_an_attempt_to_leave_the_string_stays_inside() -> None:
    assert matcher("pod", '"} or up{x="') == r'pod="\"} or up{x=\""'


@pytest.mark.parametrize("label", ["", "a-b", 'a="b",c', "1a", "a\n", "ü"])
def test_what_is_no_label_name_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="not a label matcher"):
        matcher(label, "value")


def test_an_operator_is_one_of_four() -> None:
    assert matcher("a", "b|c", "!~") == 'a!~"b|c"'
    with pytest.raises(ValueError, match="not a label matcher"):
        matcher("a", "b", "+")


def test_a_selector_is_made_of_its_parts() -> None:
    assert selector("up") == "up{}"
    wanted = selector("up", matcher("a", "b"), "", 'c="d"', seconds=45)
    assert wanted == 'up{a="b",c="d"}[45000ms]'
    with pytest.raises(ValueError, match="not a metric name"):
        selector("up{} or down")


def test_fractions_of_a_second_survive() -> None:
    assert duration(0.25) == "250ms"
    assert duration(0.0001) == "1ms"
