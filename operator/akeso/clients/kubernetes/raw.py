"""Reading raw JSON objects, where an absent field, null and an empty one mean the same."""

from __future__ import annotations

from typing import Any, cast

Json = dict[str, Any]


def part(raw: Json, *keys: str) -> Json:
    """The object under `keys`; empty where there is none."""
    for key in keys:
        found = raw.get(key)
        if not isinstance(found, dict):
            return {}
        raw = cast(Json, found)
    return raw


def parts(raw: Json, key: str) -> list[Json]:
    """The list of objects under `key`; empty where there is none."""
    return raw.get(key) or []


def text(raw: Json, key: str) -> str:
    found = raw.get(key)
    return "" if found is None else str(found)


def whole(raw: Json, key: str, default: int = 0) -> int:
    found = raw.get(key)
    return default if found is None else int(found)
