"""`akeso version`."""

from __future__ import annotations

import argparse
import platform
from importlib import metadata

from akeso.cli.parser import Options

EXAMPLES = """\
examples:
  akeso version
  akeso version -o json
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    from akeso.cli.output import add_output

    add_output(parser)


def run(options: Options) -> int:
    from akeso.cli.output import show

    data = {"version": version(), "python": platform.python_version()}
    return show(options, data, lambda console: console.print(f"akeso {version()}"))


def version() -> str:
    try:
        return metadata.version("akeso")
    except metadata.PackageNotFoundError:
        return "0.1.0.dev0 (source tree)"
