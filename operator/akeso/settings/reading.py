"""Settings as they were given, and in words what is wrong with them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from akeso.settings.names import flag_of, key_of, variable_of
from akeso.settings.sources import SettingsError
from akeso.settings.tree import Settings

HIDDEN = "(set, not shown)"
_SECRET = re.compile(r"(token|password|secret|webhook|credential)")
_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")
# Rules over several settings name them like this; people read what they gave.
_NAMED = re.compile(r"<([a-z_]+)>")

Value = str | int | float | bool | None


def read(given: Mapping[str, Any] | None = None) -> Settings:
    """The settings that hold: `given` (flags) over variables over the file over the defaults."""
    given = dict(given or {})
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        where = Where(given)
        details = error.errors(include_url=False)
        said = "; ".join(_sentence(detail, where) for detail in details)
        raise SettingsError(said, any(where.in_file(detail) for detail in details)) from None


class Where:
    """Where each setting comes from, and what it is called there."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self._variables = {name.upper(): value for name, value in os.environ.items()}

    @property
    def file(self) -> str | None:
        """Path of the settings file; None: there is none."""
        found = self._given.get("settings_file", self._variables.get(variable_of("settings_file")))
        return str(found) if found else None

    def source(self, name: str) -> str:
        """flag, environment, file or default: for what has a value from one of them."""
        if name in self._given:
            return "flag"
        if variable_of(name) in self._variables:
            return "environment"
        return "file" if self.file is not None else "default"

    def told(self, name: str) -> str:
        """As whoever set it calls it."""
        match self.source(name):
            case "flag":
                return flag_of(name)
            case "file":
                return key_of(name)
            case _:
                return variable_of(name)

    def in_file(self, detail: ErrorDetails) -> bool:
        names = [str(n) for n in detail["loc"][:1]] or _NAMED.findall(detail["msg"])
        return any(self.source(name) == "file" for name in names)


def _sentence(detail: ErrorDetails, where: Where) -> str:
    said = detail["msg"].removeprefix("Value error, ")
    said = _NAMED.sub(lambda found: where.told(found[1]), said)
    file = f"{where.file}: " if where.in_file(detail) else ""
    if not detail["loc"]:
        return f"{file}{said}"
    name, *inside = detail["loc"]
    path = where.told(str(name)) + "".join(f"[{part}]" for part in inside)
    value: Any = detail["input"]
    return f"{file}{path}: {said}, but it is {shown(str(name), value)!r}"


def shown(name: str, value: Any) -> Value:
    """The value as it may be seen: no secret, and no login in a URL."""
    if value is None or value == "":
        return None
    if isinstance(value, bool | int | float):
        return value
    if _SECRET.search(name) and not name.endswith("_file"):
        return HIDDEN
    if isinstance(value, tuple | list):
        return ",".join(map(str, cast(Sequence[object], value)))
    return _LOGIN.sub("***@", str(value))
