"""Flags made from `akeso.settings`: every field is a flag, a variable, a key of the settings file
and a default, and they win in that order; the model itself validates.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.fields import FieldInfo

from akeso.cli.parser import Options
from akeso.cli.usage import UsageError
from akeso.settings import Settings
from akeso.settings.names import flag_of, key_of, variable_of
from akeso.settings.reading import read
from akeso.settings.sources import SettingsError

__all__ = ["FIELDS", "add_settings", "flag_given", "flag_of", "given", "settings_of", "variable_of"]

FIELDS: Mapping[str, FieldInfo] = Settings.model_fields
CONNECTION = ("settings_file", "kubeconfig")
LISTS = frozenset(
    name for name, field in FIELDS.items() if isinstance(field.default, tuple) or name == "healers"
)
# How servers are reached; what is beside the URL is there for whoever needs it.
PROMETHEUS = tuple(n for n in FIELDS if n.startswith("prometheus_"))
ALERTMANAGER = tuple(n for n in FIELDS if n.startswith("alertmanager_"))
# What `explain` must know of the operator's settings to come to the same answer.
JUDGING = (
    *PROMETHEUS,
    *ALERTMANAGER,
    "scrape_interval_seconds",
    "memory_metric",
    "metric_matchers",
    "error_ratio_query",
    "error_ratio",
    "rollout_unready_seconds",
    "rollout_blame_seconds",
    "pod_blame_seconds",
    "revision_healthy_seconds",
    "action_seconds",
    "cost_of_acting",
    "cost_of_failing",
    "healers",
    "failures_per_day",
    "recurrences_per_day",
)
# Where -n already means the namespace one asks about.
OWN_NAMESPACE = {"namespace": "--akeso-namespace"}


def add_settings(
    parser: argparse.ArgumentParser,
    names: Iterable[str] = tuple(FIELDS),
    renamed: Mapping[str, str] | None = None,
) -> None:
    """Adds one flag per field; what is not given stays with the variable or the default."""
    group = parser.add_argument_group(
        "settings (a flag, an environment variable, a key of the settings file, or the default)"
    )
    for name in names:
        flag = (renamed or {}).get(name, flag_of(name))
        group.add_argument(
            flag,
            dest=_dest(name),
            metavar=_metavar(name),
            help=_help(name),
            action="append" if name in LISTS else "store",
            default=None,
        )


def settings_of(options: Options, **more: object) -> Settings:
    """The settings that hold, from flags, environment, file and defaults.

    UsageError names the wrong flags or variables, SettingsError what is wrong in the file.
    """
    try:
        return read({**flags_given(options), **more})
    except SettingsError as error:
        if error.in_file:
            raise
        raise UsageError(str(error)) from None


def looking_at(options: Options) -> dict[str, object]:
    """Where a command with -n and -A looks: neither leaves it to the settings."""
    if options.namespace is not None:
        return {"watch_namespaces": (options.namespace,)}
    return {"watch_namespaces": ()} if getattr(options, "all_namespaces", False) else {}


def flags_given(options: Options) -> dict[str, object]:
    """The settings that the command line gave."""
    found: dict[str, object] = {}
    for name in FIELDS:
        value: Any = getattr(options, _dest(name), None)
        if value is not None:
            found[name] = ",".join(value) if name in LISTS else value
    return found


def given(options: Options, name: str) -> bool:
    """Whether a flag, a variable or the settings file chose this setting."""
    return flag_given(options, name) or name in settings_of(options).model_fields_set


def flag_given(options: Options, name: str) -> bool:
    return getattr(options, _dest(name), None) is not None


def _dest(name: str) -> str:
    return f"setting_{name}"


def _metavar(name: str) -> str:
    if name in LISTS:
        return "NAMES"
    if name.endswith("_seconds"):
        return "SECONDS"
    return "NUMBER" if isinstance(FIELDS[name].default, int | float) else "TEXT"


def _help(name: str) -> str:
    field = FIELDS[name]
    default = "unset" if field.default in (None, ()) else f"{field.default}" or '""'
    key = "" if name == "settings_file" else f", {key_of(name)}"
    told = f"{field.description} (default: {default}; {variable_of(name)}{key})"
    return told.replace("%", "%%")
