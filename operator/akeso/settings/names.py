"""A setting's names: a flag, a variable, and a key of the settings file and the chart's values."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping

from pydantic.alias_generators import to_camel

PREFIX = "AKESO_"
# The lab and the tests have variables of their own.
OTHERS = ("AKESO_LAB_", "AKESO_TEST_")


def flag_of(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def variable_of(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def key_of(name: str) -> str:
    return to_camel(name)


def by_key(names: Iterable[str]) -> Mapping[str, str]:
    """Settings by the key they have in a file."""
    return {key_of(name): name for name in names}


def near(wrong: str, known: Iterable[str]) -> str:
    """`; did you mean X?`, or only a full stop."""
    spelled = {name.lower(): name for name in known}
    found = difflib.get_close_matches(wrong.replace("_", "").lower(), spelled, 1)
    found = found or difflib.get_close_matches(wrong.lower(), spelled, 1)
    return f"; did you mean {spelled[found[0]]}?" if found else "."


def unknown_variables(names: Iterable[str], environment: Iterable[str]) -> Iterator[str]:
    """A sentence for each AKESO_* variable that is no setting. The case does not count."""
    known = {variable_of(name) for name in names}
    for given in sorted({name.upper() for name in environment} - known):
        if given.startswith(PREFIX) and not given.startswith(OTHERS):
            yield f"{given} is no setting{near(given, known)}"
