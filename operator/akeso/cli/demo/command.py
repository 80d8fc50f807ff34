"""`akeso demo`: sets the stage, plays, proves, and clears up whatever happens."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from akeso.cli.parser import Options
from akeso.errors import PermanentError

EXAMPLES = """\
examples:
  make demo                                             starts a lab and runs the demo in it
  python -m akeso_lab up --name demo --tier node        the lab alone (root on Linux)
  akeso demo --lab demo
  akeso demo --lab demo -o json > summary.json          the story on stderr, the proof on stdout
  akeso demo --lab demo --reports demo-reports          its Healings as pages and pictures
  akeso demo --lab demo --keep                          leave everything there to look at

It needs a lab with a real node, and Akeso's source tree. Everything runs in the namespaces
akeso-demo and akeso-demo-system, which are deleted before and after. It takes about five minutes.
The exit code is 0 only if every claim of the summary holds.
"""

DEFAULT_SECONDS = 420.0
_NO_LAB = (
    "The demo needs the lab (package akeso_lab), which is in Akeso's source tree: run `make demo`"
    " there, or put its folder lab/ on PYTHONPATH."
)


def arguments(parser: argparse.ArgumentParser) -> None:
    from akeso.cli.output import FORMATS

    parser.add_argument(
        "--lab", default="demo", metavar="NAME", help="which lab to use (default: demo)"
    )
    parser.add_argument(
        "--keep", action="store_true", help="leave the services there at the end, to look at"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=DEFAULT_SECONDS,
        metavar="SECONDS",
        help="give up after this long and say what is missing (default: %(default)s)",
    )
    parser.add_argument(
        "--reports", metavar="FOLDER", help="write a page and a picture of every Healing there"
    )
    parser.add_argument(
        "-o", "--output", choices=FORMATS, default="table", help="the summary's form"
    )


def run(options: Options) -> int:
    try:
        from akeso_lab import LabError
    except ModuleNotFoundError:
        raise PermanentError(_NO_LAB) from None
    from akeso.cli.demo.checks import check_all
    from akeso.cli.demo.manifests import checkout_root
    from akeso.cli.demo.reports import Reports
    from akeso.cli.demo.show import Show
    from akeso.cli.demo.stage import Stage, open_lab
    from akeso.cli.demo.summary import as_data, passed, render
    from akeso.cli.output import console_for, show

    stage = Stage(open_lab(options.lab), checkout_root())
    reports = Reports(Path(options.reports)) if options.reports else None
    if reports is not None:
        reports.open()
    console = console_for(None if options.output == "table" else sys.stderr)
    try:
        with Show(stage, console, options.timeout, options.keep).played() as evidence:
            checks = check_all(evidence)
            show(options, as_data(evidence, checks), lambda _: render(console, evidence, checks))
            if reports is not None:
                first = reports.write(stage.lab, evidence, checks)
                console.print(f"Reports of its Healings: {first}", soft_wrap=True)
            return 0 if passed(checks) and evidence.gave_up is None else 1
    except LabError as error:
        raise PermanentError(str(error)) from None
