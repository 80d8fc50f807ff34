"""`akeso version`."""

from __future__ import annotations

import argparse
import platform

from akeso.cli.parser import Options
from akeso.version import version

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
