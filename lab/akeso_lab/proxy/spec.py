"""Faults written as text: `delay:seconds=2,verb=watch`."""

import re
from dataclasses import MISSING, fields, replace
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from akeso_lab.errors import LabError
from akeso_lab.proxy import faults, prometheus, watch_faults
from akeso_lab.proxy.exchange import Fault
from akeso_lab.proxy.match import Match

FAULTS: tuple[type[Fault], ...] = (
    faults.Delay,
    faults.Cut,
    faults.Swallow,
    faults.LoseResponse,
    faults.Reject,
    faults.GarbageBody,
    faults.Crash,
    faults.WatchError,
    watch_faults.DropEvent,
    watch_faults.DelayEvent,
    watch_faults.DuplicateEvent,
    watch_faults.SwapEvents,
    watch_faults.ReplayEvents,
    watch_faults.ErrorEvent,
    watch_faults.GarbageEvent,
    prometheus.PrometheusEmpty,
    prometheus.PrometheusValues,
    prometheus.PrometheusLate,
    prometheus.PrometheusDuplicates,
    prometheus.PrometheusWarnings,
    prometheus.PrometheusRelabel,
    prometheus.PrometheusError,
)
"""Everything that can be asked for on a command line; `Stale` needs a moment to freeze."""

SINGULAR = {"method": "methods", "verb": "verbs", "event": "events"}


def kebab(kind: type[Fault]) -> str:
    """`PrometheusEmpty` is written `prometheus-empty`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower()


BY_NAME = {kebab(kind): kind for kind in FAULTS}


def parse_fault(text: str) -> Fault:
    """Read `name:key=value,key=value`; keys are the fields of the fault and of its `Match`.

    `|` separates several values of one key, a backslash keeps a comma: `path=a{1\\,2}`.
    Raises LabError that says what is wrong.
    """
    name, _, rest = text.partition(":")
    kind = BY_NAME.get(name)
    if kind is None:
        raise _wrong(text, f"there is no fault {name!r}", f"use one of: {', '.join(BY_NAME)}")
    own, rule = get_type_hints(kind), get_type_hints(Match)
    settings: dict[str, Any] = {}
    matching: dict[str, Any] = {}
    for key, value in _pairs(text, rest):
        if key in own and key != "match":
            settings[key] = _read(text, key, value, own[key])
        elif key in rule:
            matching[key] = _read(text, key, value, rule[key])
        else:
            keys = sorted((own.keys() | rule.keys()) - {"match"})
            raise _wrong(text, f"{name} has no {key!r}", f"use: {', '.join(keys)}")
    if missing := _required(kind) - settings.keys():
        needed = ", ".join(sorted(missing))
        raise _wrong(text, f"{name} needs {needed}", f"write {name}:{min(missing)}=...")
    try:
        return kind(match=replace(kind.match, **matching), **settings)
    except (ValueError, re.error) as error:
        raise _wrong(text, str(error), "correct the value") from error


def _pairs(text: str, rest: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for part in re.split(r"(?<!\\),", rest) if rest else []:
        key, equals, value = part.partition("=")
        if not equals:
            raise _wrong(text, f"{part!r} has no value", "write key=value")
        pairs.append((SINGULAR.get(key, key), value.replace("\\,", ",")))
    return pairs


def _required(kind: type[Fault]) -> set[str]:
    return {
        one.name
        for one in fields(kind)
        if one.default is MISSING and one.default_factory is MISSING
    }


def _read(text: str, key: str, value: str, hint: Any) -> Any:
    choices = get_args(hint)
    if get_origin(hint) is Literal:
        if value not in choices:
            raise _wrong(text, f"{key} cannot be {value!r}", f"use one of: {', '.join(choices)}")
        return value
    kinds = choices if isinstance(hint, UnionType) else (hint,)
    try:
        for number in (int, float):
            if number in kinds:
                return number(value)
    except ValueError as error:
        raise _wrong(text, f"{key} must be a number, not {value!r}", "write a number") from error
    return value if kinds == (str,) else tuple(value.split("|"))


def _wrong(text: str, what: str, remedy: str) -> LabError:
    return LabError("fault proxy", f"in --fault {text!r}: {what}", remedy)
