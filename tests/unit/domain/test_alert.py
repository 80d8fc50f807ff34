"""Matchers and silences mean what they mean in Alertmanager, and end in time."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akeso.domain.alert import Matcher, Operator, Silence
from akeso.domain.pattern import matches

steady = settings(deadline=None, max_examples=200)
texts = st.text(st.sampled_from("ab-.\n0$é"), max_size=8)
labels_of = st.dictionaries(st.sampled_from(["pod", "namespace"]), texts, max_size=2)

# A pattern, and all that it matches up to five characters, without any engine's help.
Language = frozenset[str]
LONGEST = 5


def either(a: tuple[str, Language], b: tuple[str, Language]) -> tuple[str, Language]:
    return f"(?:{a[0]}|{b[0]})", a[1] | b[1]


def both(a: tuple[str, Language], b: tuple[str, Language]) -> tuple[str, Language]:
    return a[0] + b[0], frozenset(x + y for x in a[1] for y in b[1] if len(x + y) <= LONGEST)


def repeated(character: str, how: str) -> tuple[str, Language]:
    least, most = {"*": (0, LONGEST), "+": (1, LONGEST), "?": (0, 1), "{2}": (2, 2)}[how]
    quoted = re.escape(character)
    return quoted + how, frozenset(character * n for n in range(least, most + 1))


letters = st.sampled_from("ab-.").map(lambda c: (re.escape(c), frozenset([c])))
classes = st.sampled_from([("[ab]", frozenset("ab")), ("[a-b.]", frozenset("ab."))])
loops = st.builds(repeated, st.sampled_from("ab."), st.sampled_from(["*", "+", "?", "{2}"]))
patterns = st.recursive(
    letters | classes | loops,
    lambda inner: st.builds(either, inner, inner) | st.builds(both, inner, inner),
    max_leaves=8,
)


@steady
@given(patterns, st.text(st.sampled_from("ab-."), max_size=LONGEST))
def test_a_pattern_matches_exactly_its_language(made: tuple[str, Language], text: str) -> None:
    pattern, language = made
    assert matches(pattern, text) in (text in language, None)
    if len(pattern) < 12:  # nothing so short has too many ways
        assert matches(pattern, text) is not None
        assert matches(f"^{pattern}$", text) is (text in language)


@steady
@given(st.text(max_size=30), texts)
def test_any_text_at_all_is_judged_or_not_and_nothing_is_raised(pattern: str, text: str) -> None:
    assert matches(pattern, text) in (True, False, None)


@pytest.mark.parametrize(
    ("pattern", "text", "answer"),
    [
        ("web", "web", True),
        ("web", "web-1", False),  # fully anchored
        ("web|api", "api-1", False),  # the anchors hold every alternative
        ("^web-.*$", "web-1", True),
        ("web-.*", "web-\n", False),  # a dot is no line feed
        ("web$", "web\n", False),
        (r"web\$", "web$", True),
        (r"web\\$", "web\\", True),
        ("", "", True),
        (".*", "", True),
        (".+", "", False),
        (r"\d+", "٣", False),  # digits are ASCII digits
        (r"[^a-z]+", "AB", True),
        ("(?i)WEB-.*", "web-1", True),
        ("(prod|test)-(web|api)(-.*)?", "prod-api-1", True),
        (".*(web|api).*", "my-api-7f9c", True),
    ],
)
def test_regular_expressions_that_people_write(pattern: str, text: str, answer: bool) -> None:
    assert matches(pattern, text) is answer


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+b",  # would run for ever
        "(a|a)*b",
        "(a|aa)" * 30 + "b",
        "a?" * 30 + "b",
        ".*" * 6 + "b",
        "(.*)*",
        "[[:alpha:]]+",  # no such classes in Python
        r"\pL+",
        r"\Qa.b\E",
        r"a\z",
        "a{,3}",  # literal there, a range here
        "a++",
        "(?s).*",
        "(?P<name>a)",
        "(?=a)a",
        r"(a)\1",
        "a$b",
        "(?i)straße",
        "[a--b]",
        "(a",
        "a)",
        "*a",
    ],
)
def test_what_can_not_be_judged_is_said_so(pattern: str) -> None:
    assert matches(pattern, "a" * 60) is None


def make(operator: Operator, value: str) -> Matcher:
    return Matcher("pod", operator, value)


@steady
@given(texts, labels_of)
def test_not_equal_is_the_opposite_of_equal(value: str, labels: dict[str, str]) -> None:
    assert make(Operator.NOT_EQUAL, value).holds(labels) is not make(Operator.EQUAL, value).holds(
        labels
    )


@steady
@given(st.text(st.sampled_from("ab.*+|()[]\\$"), max_size=8), labels_of)
def test_not_matching_is_the_opposite_of_matching_and_as_unsure(
    value: str, labels: dict[str, str]
) -> None:
    does, not_ = make(Operator.MATCHES, value), make(Operator.DOES_NOT_MATCH, value)
    found = does.holds(labels)
    assert not_.holds(labels) is (None if found is None else not found)


@steady
@given(st.sampled_from(Operator), texts, labels_of)
def test_a_label_that_is_missing_is_an_empty_one(
    operator: Operator, value: str, labels: dict[str, str]
) -> None:
    labels.pop("pod", None)
    matcher = make(operator, value)
    assert matcher.holds(labels) is matcher.holds({**labels, "pod": ""})


matchers = st.builds(
    Matcher,
    label=st.sampled_from(["pod", "namespace"]),
    operator=st.sampled_from(Operator),
    value=st.sampled_from(["", "a", "b", "a.*", ".*", "(a+)+"]),
)


@steady
@given(st.lists(matchers, min_size=1, max_size=4).map(tuple), labels_of)
def test_a_silence_covers_what_no_matcher_excludes(
    of: tuple[Matcher, ...], labels: dict[str, str]
) -> None:
    silence = Silence("1", of, 0.0)
    assert silence.covers(labels) is not any(m.holds(labels) is False for m in of)
    assert all(m.holds(labels) is None for m in silence.unjudged(labels))
    fewer = Silence("1", of[:-1], 0.0)
    assert fewer.covers(labels) or not silence.covers(labels)


def test_a_matcher_reads_as_people_write_it() -> None:
    assert str(make(Operator.DOES_NOT_MATCH, "web-.*")) == 'pod!~"web-.*"'
