"""`akeso config`: the settings that hold, and where each comes from. Asks no cluster."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from akeso.api.meta import Model
from akeso.cli import flags
from akeso.cli.output import add_output, section, show
from akeso.cli.parser import Options
from akeso.settings import Settings
from akeso.settings.names import key_of, unknown_variables
from akeso.settings.reading import Value, Where, shown

EXAMPLES = """\
examples:
  akeso config                                 every setting, its value, and where it comes from
  akeso config -o json
  akeso config --scrape-interval-seconds 5     whether a flag would be taken
  kubectl -n akeso exec deploy/akeso-operator -- akeso config    what the operator was given

Secrets are never shown. Variables that begin with AKESO_ but are no setting are named.
"""


class SettingTold(Model):
    """One setting; `source` is flag, environment, file or default."""

    name: str
    value: Value
    source: str
    flag: str
    variable: str
    key: str
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
    by_flag = flags.flags_given(options)
    found = told(flags.settings_of(options), by_flag, os.environ)
    data = found.model_dump(mode="json", by_alias=True)
    return show(options, data, lambda console: render(console, found))


def told(
    settings: Settings, by_flag: Mapping[str, Any], environment: Mapping[str, str]
) -> ConfigTold:
    """What holds; `by_flag` is what the command line gave."""
    where = Where(by_flag)
    return ConfigTold(
        settings=tuple(
            SettingTold(
                name=name,
                value=shown(name, getattr(settings, name)),
                source=where.source(name) if name in settings.model_fields_set else "default",
                flag=flags.flag_of(name),
                variable=flags.variable_of(name),
                key=key_of(name),
                description=field.description or "",
            )
            for name, field in flags.FIELDS.items()
        ),
        unknown=tuple(unknown_variables(flags.FIELDS, environment)),
    )


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
    names = {"flag": setting.flag, "environment": setting.variable, "file": f"file: {setting.key}"}
    name = names.get(setting.source)
    return Text("default", style="dim") if name is None else Text(name, style="bold")
