"""`akeso report`: one Healing as a page or a picture that can be sent to anybody."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from akeso.cli.flags import CONNECTION, OWN_NAMESPACE, PROMETHEUS, add_settings, given, settings_of
from akeso.cli.kubeconfig import current_namespace
from akeso.cli.parser import Options
from akeso.cli.writing import write

if TYPE_CHECKING:
    from akeso.report.model import Report
    from akeso.settings import Settings

EXAMPLES = """\
examples:
  akeso report latest -n shop --prometheus-url http://localhost:9090
  akeso report web-memory-d81622d4a3 -n shop          writes web-memory-d81622d4a3.html
  akeso report latest -n shop --png leak.png          a picture of 1200 by 675 for a chat
  akeso report latest -n shop --html - | less         the page to stdout
  akeso report latest -n shop -o json                 what the page says, for programs

The page is one file that loads nothing from anywhere. The measured series come from Prometheus: give
the operator's with --prometheus-url (a port-forward will do). It must still have the samples of that
time; without them the page shows what the Healing itself records.
"""

# What decides which series belong to a Healing, and where they are.
_MEASURING = (
    *PROMETHEUS,
    "scrape_interval_seconds",
    "memory_metric",
    "metric_matchers",
    "error_ratio_query",
    "error_ratio",
)


_OTHER_FILE = "Give another file with --html or --png, or - for standard output."


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = (
        "akeso report [-n NAMESPACE] [--html FILE | --png FILE | -o json] [--SETTING VALUE ...]"
        " HEALING"
    )
    parser.add_argument("healing", metavar="HEALING", help="its name, or latest")
    parser.add_argument(
        "-n", "--namespace", help="its namespace (default: that of the kubeconfig's context)"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--html", metavar="FILE", help="write a page (default: HEALING.html); -: stdout"
    )
    form.add_argument("--png", metavar="FILE", help="write a picture; -: stdout")
    form.add_argument("-o", "--output", choices=("json",), help="print what the page says")
    add_settings(parser, (*CONNECTION, "namespace", *_MEASURING), OWN_NAMESPACE)


def run(options: Options) -> int:
    settings = settings_of(options)
    namespace = options.namespace or current_namespace(settings.kubeconfig)
    own_interval = not given(options, "scrape_interval_seconds")
    told = asyncio.run(_ask(settings, namespace, options.healing, own_interval))
    if options.output == "json":
        print(json.dumps(told.model_dump(mode="json", by_alias=True), ensure_ascii=False, indent=2))
        return 0
    file = options.png or options.html or f"{told.name}.html"
    drawn = _picture(told) if options.png else _page(told)
    if file == "-":
        sys.stdout.buffer.write(drawn)
        sys.stdout.buffer.flush()
    else:
        write(Path(file), drawn, _OTHER_FILE)
        print(file)
    for note in told.notes:
        print(note, file=sys.stderr)
    return 0


async def _ask(settings: Settings, namespace: str, name: str, own_interval: bool) -> Report:
    from akeso.wiring import open_view

    settings = settings.model_copy(update={"watch_namespaces": (namespace,)})
    async with open_view(settings) as view:
        return await view.report(namespace, name, own_interval=own_interval)


def _page(told: Report) -> bytes:
    from akeso.report.page import page

    return page(told).encode()


def _picture(told: Report) -> bytes:
    from akeso.report.figure import picture

    return picture(told)
