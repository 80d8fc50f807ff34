"""Which Healings are read where only the recent ones are wanted."""

from __future__ import annotations

from typing import Any

from akeso.clients.records import newest


def healing(name: str, ended: str | None = None) -> dict[str, Any]:
    status = {"completedAt": ended} if ended else {}
    return {"metadata": {"name": name}, "status": status}


def names(found: list[dict[str, Any]]) -> list[str]:
    return [raw["metadata"]["name"] for raw in found]


def test_all_that_are_open_and_those_that_ended_last_are_read():
    old = healing("old", "2026-12-01T09:00:00Z")
    middle = healing("middle", "2026-12-01T09:59:59Z")
    late = healing("late", "2026-12-01T10:00:00Z")
    bare: dict[str, Any] = {"metadata": {"name": "bare"}}
    assert names(newest([old, healing("open"), late, bare, middle], 2)) == [
        "open",
        "bare",
        "late",
        "middle",
    ]


def test_none_is_left_out_where_there_are_few():
    assert names(newest([healing("a", "2026-12-01T09:00:00Z"), healing("b")], 10)) == ["b", "a"]
