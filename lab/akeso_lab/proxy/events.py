"""One line of a watch, read only as far as rules and faults need it."""

import json
from dataclasses import dataclass
from typing import Any, cast

OBJECT_EVENTS = frozenset({"ADDED", "MODIFIED", "DELETED"})


def _mapping(value: object) -> dict[str, Any]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """A line of a watch response; `type` is empty if the line is not an event."""

    raw: bytes
    """The line as it came, with its newline."""
    type: str = ""
    kind: str = ""
    object_name: str = ""
    """`namespace/name`, or `/name` for an object without a namespace."""

    @classmethod
    def parse(cls, raw: bytes) -> "WatchEvent":
        """Read a line; one that is not JSON becomes an event without a type."""
        try:
            event = _mapping(json.loads(raw))
        except ValueError:
            return cls(raw)
        about = _mapping(event.get("object"))
        metadata = _mapping(about.get("metadata"))
        name = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
        return cls(raw, str(event.get("type", "")), str(about.get("kind", "")), name)
