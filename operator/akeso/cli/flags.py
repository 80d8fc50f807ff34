"""Flags made from `akeso.settings`: every field is a flag, an AKESO_* variable and a default.

A flag wins over the variable, the variable over the default; the model itself validates.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from akeso.cli.parser import Options
from akeso.cli.usage import UsageError
from akeso.settings import Settings

FIELDS: Mapping[str, FieldInfo] = Settings.model_fields
CONNECTION = ("kubeconfig",)
# What `explain` must know of the operator's settings to come to the same answer.
JUDGING = (
    "prometheus_url",
    "prometheus_timeout_seconds",
    "alertmanager_url",
    "alertmanager_timeout_seconds",
    "alertmanager_watchdog",
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
    group = parser.add_argument_group("settings (a flag, an environment variable, or the default)")
    for name in names:
        flag = (renamed or {}).get(name, flag_of(name))
        group.add_argument(
            flag,
            dest=_dest(name),
            metavar=_metavar(name),
            help=_help(name),
            default=None,
        )


def settings_of(options: Options, **more: object) -> Settings:
    """The settings that hold, from flags, environment and defaults; UsageError names the wrong."""
    given = {
        name: value for name in FIELDS if (value := getattr(options, _dest(name), None)) is not None
    }
    try:
        return Settings.model_validate({**given, **more})
    except ValidationError as error:
        raise UsageError("; ".join(_sentence(d, given) for d in error.errors())) from None


def given(options: Options, name: str) -> bool:
    """Whether a flag or variable chose this setting."""
    return flag_given(options, name) or name in _chosen()


def flag_given(options: Options, name: str) -> bool:
    return getattr(options, _dest(name), None) is not None


def _chosen() -> set[str]:
    return Settings.model_validate({}).model_fields_set


def flag_of(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def variable_of(name: str) -> str:
    return f"AKESO_{name.upper()}"


def _dest(name: str) -> str:
    return f"setting_{name}"


def _metavar(name: str) -> str:
    if name.endswith("_seconds"):
        return "SECONDS"
    return "NUMBER" if isinstance(FIELDS[name].default, int | float) else "TEXT"


def _help(name: str) -> str:
    field = FIELDS[name]
    default = "unset" if field.default is None else f"{field.default}" or '""'
    told = f"{field.description} (default: {default}; {variable_of(name)})"
    return told.replace("%", "%%")


def _sentence(detail: ErrorDetails, given: Mapping[str, object]) -> str:
    name = str(detail["loc"][0])
    where = flag_of(name) if name in given else variable_of(name)
    return f"{where}: {detail['msg']}, but it is {detail['input']!r}"
