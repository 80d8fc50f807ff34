"""Which Healings are read where only the recent ones are wanted."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

from akeso.api.healing import Healing
from akeso.clients.records import KubernetesRecords, newest
from akeso.settings import Settings
from unit.cli import objects
from unit.clients.apiserver import Refusal, Script, serving, status


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


def stored(name: str, **fields: Any) -> dict[str, Any]:
    raw = objects.healing(name, **fields).to_wire()
    raw["metadata"] |= {"uid": name, "resourceVersion": "1"}
    return raw


async def test_a_crd_that_can_not_select_by_the_verdict_costs_time_and_nothing_else(tmp_path: Path):
    def ended(hour: str) -> dict[str, Any]:
        return {"verdict": "Verified", "completedAt": f"2026-12-01T{hour}:00:00Z"}

    old = Refusal(400, status(400, "field label not supported: status.verdict"))
    items = [stored("a", **ended("09")), stored("b"), stored("c", **ended("10"))]
    async with serving(Script(items=items, answers=deque([old])), tmp_path) as api:
        records = KubernetesRecords(api, Settings())
        await records.load((Healing.PLURAL,), recent=1)
    assert {h.metadata.name for h in records.healings()} == {"b", "c"}
    assert not records.broken()
