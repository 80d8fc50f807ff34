"""Label selectors mean here what they mean to the API server."""

from __future__ import annotations

from typing import Any

import pytest

from akeso.clients.kubernetes.selectors import Selector


@pytest.mark.parametrize(
    ("expression", "matching", "other", "text"),
    [
        ({"operator": "In", "values": ["a", "b"]}, {"k": "a"}, {"k": "c"}, "k in (a,b)"),
        ({"operator": "In", "values": ["a"]}, {"k": "a"}, {}, "k in (a)"),
        ({"operator": "NotIn", "values": ["a"]}, {}, {"k": "a"}, "k notin (a)"),
        ({"operator": "Exists"}, {"k": ""}, {}, "k"),
        ({"operator": "DoesNotExist"}, {}, {"k": "a"}, "!k"),
    ],
)
def test_an_expression(
    expression: dict[str, Any], matching: dict[str, str], other: dict[str, str], text: str
) -> None:
    selector = Selector.parse({"matchExpressions": [{"key": "k", **expression}]})
    assert selector.matches(matching)
    assert not selector.matches(other)
    assert str(selector) == text


def test_all_requirements_must_hold() -> None:
    selector = Selector.parse(
        {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "x", "operator": "Exists"}]}
    )
    assert selector.matches({"app": "web", "x": "1"})
    assert not selector.matches({"app": "web"})
    assert str(selector) == "app in (web),x"
