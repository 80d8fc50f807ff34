"""What of the settings may change while Akeso runs. Everyone reads the one object at use."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from akeso.settings.reading import Value, shown
from akeso.settings.tree import RELOADABLE, Settings


def _reloadable(name: str) -> bool:
    extra: Any = Settings.model_fields[name].json_schema_extra
    return bool(extra == RELOADABLE)


RELOADED = frozenset(filter(_reloadable, Settings.model_fields))


@dataclass(frozen=True, slots=True)
class Change:
    """One setting that has another value now; the values as they may be seen."""

    name: str
    before: Value
    after: Value


def changes(live: Settings, fresh: Settings) -> list[Change]:
    """What differs, in the order of the fields."""
    return [
        Change(name, shown(name, getattr(live, name)), shown(name, getattr(fresh, name)))
        for name in Settings.model_fields
        if getattr(live, name) != getattr(fresh, name)
    ]


def take(live: Settings, fresh: Settings, names: Collection[str]) -> None:
    """Gives `live` the values of `fresh`, between two cycles: the only place where it changes."""
    refused = set(names) - RELOADED
    if refused:
        raise ValueError(f"not reloadable: {', '.join(sorted(refused))}")
    for name in names:
        object.__setattr__(live, name, getattr(fresh, name))  # frozen for everyone else
