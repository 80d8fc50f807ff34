"""`akeso crds`: the custom resources of this version, to be applied or compared."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from rich.console import Console

from akeso.api.meta import GROUP, Model
from akeso.cli.flags import CONNECTION, add_settings, settings_of
from akeso.cli.output import section, show
from akeso.cli.parser import Options
from akeso.clients import shipped
from akeso.settings import Settings

EXAMPLES = """\
examples:
  akeso crds | kubectl apply --server-side -f -    install or update them
  akeso crds --list                                which ones there are
  akeso crds --diff                                whether the cluster's are these; exit code 1: no
  akeso crds --diff -o json
"""

CRDS = "apis/apiextensions.k8s.io/v1/customresourcedefinitions"
Json = dict[str, Any]
# What decides how objects are read, kept and shown; the server adds much beside it.
_COMPARED = ("group", "scope", "names", "versions")


class CrdTold(Model):
    """One CRD of this version."""

    name: str
    kind: str
    version: str
    short_name: str


class CrdCompared(Model):
    """One CRD in the cluster; `differences` are places in it, with what stands there."""

    name: str
    installed: bool
    differences: tuple[str, ...]


def arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="only their names and versions")
    what.add_argument(
        "--diff", action="store_true", help="compare with the cluster; exit code 1: they differ"
    )
    parser.add_argument(
        "-o",
        "--output",
        choices=("table", "json", "yaml"),
        help="default: yaml, with --list or --diff a table",
    )
    add_settings(parser, CONNECTION)


def run(options: Options) -> int:
    if options.diff:
        return _diff(options)
    if not options.list:
        return _print(options)
    options.output = options.output or "table"
    found = [_told(crd) for crd in shipped.crds().values()]
    data = {"crds": [crd.model_dump(mode="json", by_alias=True) for crd in found]}
    rows = [(crd.name, crd.kind, crd.version, crd.short_name) for crd in found]
    heads = ("NAME", "KIND", "VERSION", "SHORT")
    return show(options, data, lambda console: section(console, "CRDs", heads, rows))


def _print(options: Options) -> int:
    """The files as they are, comments and all; as JSON one List, which kubectl takes too."""
    if options.output == "json":
        items = list(shipped.crds().values())
        return show(options, {"apiVersion": "v1", "kind": "List", "items": items}, _nothing)
    print("---\n".join(shipped.crd_files().values()), end="")
    return 0


def _nothing(_: Console) -> None:
    pass


def _told(crd: Mapping[str, Any]) -> CrdTold:
    spec = crd["spec"]
    return CrdTold(
        name=crd["metadata"]["name"],
        kind=spec["names"]["kind"],
        version=", ".join(version["name"] for version in spec["versions"]),
        short_name=", ".join(spec["names"].get("shortNames", ())),
    )


def _diff(options: Options) -> int:
    options.output = options.output or "table"
    found = asyncio.run(_compare(settings_of(options)))
    same = all(crd.installed and not crd.differences for crd in found)
    data = {"same": same, "crds": [crd.model_dump(mode="json", by_alias=True) for crd in found]}
    show(options, data, lambda console: _render(console, found))
    return 0 if same else 1


def _render(console: Console, found: list[CrdCompared]) -> None:
    for crd in found:
        if not crd.installed:
            console.print(f"{crd.name}: not installed", markup=False)
        elif not crd.differences:
            console.print(f"{crd.name}: as in this version", markup=False)
        for line in crd.differences:
            console.print(f"{crd.name}: {line}", markup=False)
    if not all(crd.installed and not crd.differences for crd in found):
        console.print("Make them so: akeso crds | kubectl apply --server-side -f -", markup=False)


async def _compare(settings: Settings) -> list[CrdCompared]:
    from akeso.clients.kubernetes.connection import connect
    from akeso.errors import GoneError

    api = await connect(settings)
    try:
        compared: list[CrdCompared] = []
        for plural, crd in shipped.crds().items():
            name = f"{plural}.{GROUP}"
            try:
                there = await api.get(f"/{CRDS}/{name}")
            except GoneError:
                compared.append(CrdCompared(name=name, installed=False, differences=()))
                continue
            lines = tuple(differences(crd, there))
            compared.append(CrdCompared(name=name, installed=True, differences=lines))
        return compared
    finally:
        await api.close()


def differences(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[str]:
    """Where a CRD in the cluster is not the one of this version: place, and both values."""
    for key in _COMPARED:
        yield from _unlike(wanted["spec"][key], there.get("spec", {}).get(key), f"spec.{key}")


def _unlike(wanted: Any, there: Any, place: str) -> Iterator[str]:
    if _is_object(wanted) and _is_object(there):
        for key in sorted({*wanted, *there}):
            yield from _unlike(wanted.get(key), there.get(key), f"{place}.{key}")
    elif _is_list(wanted) and _is_list(there) and len(wanted) == len(there):
        for index, item in enumerate(wanted):
            yield from _unlike(item, there[index], f"{place}[{index}]")
    elif wanted != there:
        yield f"{place} is {_brief(there)}, in this version {_brief(wanted)}"


def _is_object(value: Any) -> TypeGuard[Json]:
    return isinstance(value, dict)


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _brief(value: Any) -> str:
    if value is None:
        return "not there"
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
