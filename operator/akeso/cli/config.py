"""`akeso config`: the settings that hold, and where each comes from. Asks no cluster."""

from __future__ import annotations

import argparse
import difflib
import os
import re
from collections.abc import Iterable, Mapping

from pydantic import SecretStr
from rich.console import Console
from rich.text import Text

from akeso.api.meta import Model
from akeso.cli import flags
from akeso.cli.output import add_output, section, show
from akeso.cli.parser import Options
from akeso.settings import Settings

EXAMPLES = """\
examples:
  akeso config                                 every setting, its value, and where it comes from
  akeso config -o json
  akeso config --scrape-interval-seconds 5     whether a flag would be taken
  kubectl -n akeso exec deploy/akeso-operator -- akeso config    what the operator was given

Secrets are never shown. Variables that begin with AKESO_ but are no setting are named.
"""

HIDDEN = "(set, not shown)"
# The lab and the tests have variables of their own.
OTHERS = ("AKESO_LAB_", "AKESO_TEST_")
_SECRET = re.compile(r"(token|password|secret|webhook|credential)")
_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")


class SettingTold(Model):
    """One setting; `source` is flag, environment or default."""

    name: str
    value: str | int | float | bool | None
    source: str
    flag: str
    variable: str
    description: str


class ConfigTold(Model):
    """All settings, and the AKESO_* variables that are none."""

    settings: tuple[SettingTold, ...]
    unknown: tuple[str, ...]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "akeso config [-o FORMAT] [--SETTING VALUE ...]"
    add_output(parser)
    flags.add_settings(parser)


def run(options: Options) -> int:
    chosen = {name for name in flags.FIELDS if flags.flag_given(options, name)}
    found = told(flags.settings_of(options), chosen, os.environ)
    data = found.model_dump(mode="json", by_alias=True)
    return show(options, data, lambda console: render(console, found))


def told(settings: Settings, by_flag: Iterable[str], environment: Mapping[str, str]) -> ConfigTold:
    """What holds; `by_flag` are the names that the command line gave."""
    # As pydantic-settings reads them: the case of a variable does not count.
    given = {name.upper() for name in environment}
    by_flag = set(by_flag)
    return ConfigTold(
        settings=tuple(
            SettingTold(
                name=name,
                value=shown(name, getattr(settings, name)),
                source=_source(name, by_flag, given),
                flag=flags.flag_of(name),
                variable=flags.variable_of(name),
                description=field.description or "",
            )
            for name, field in flags.FIELDS.items()
        ),
        unknown=tuple(_unknown(given)),
    )


def _source(name: str, by_flag: set[str], environment: set[str]) -> str:
    if name in by_flag:
        return "flag"
    return "environment" if flags.variable_of(name) in environment else "default"


def shown(name: str, value: object) -> str | int | float | bool | None:
    """The value as it may be seen: no secret, and no login in an URL."""
    if value is None or value == "":
        return None
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, SecretStr) or (_SECRET.search(name) and not name.endswith("_file")):
        return HIDDEN
    return _LOGIN.sub("***@", str(value))


def _unknown(given: Iterable[str]) -> Iterable[str]:
    known = {flags.variable_of(name) for name in flags.FIELDS}
    for name in sorted(n for n in given if n.startswith("AKESO_") and n not in known):
        if not name.startswith(OTHERS):
            near = difflib.get_close_matches(name, known, 1)
            yield f"{name} is no setting" + (f"; did you mean {near[0]}?" if near else ".")


def render(console: Console, found: ConfigTold) -> None:
    """Settings that somebody chose stand out."""
    section(
        console,
        "Settings",
        ("SETTING", "FROM", "VALUE"),
        [
            (
                setting.name,
                _from(setting),
                "unset" if setting.value is None else str(setting.value),
            )
            for setting in found.settings
        ],
    )
    for line in found.unknown:
        console.print(Text(line, style="yellow"))


def _from(setting: SettingTold) -> Text:
    if setting.source == "default":
        return Text("default", style="dim")
    name = setting.flag if setting.source == "flag" else setting.variable
    return Text(name, style="bold")
