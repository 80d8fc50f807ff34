"""`akeso backtest`: what Akeso would have foreseen in a history, and what predict_linear would."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from akeso.api.scalars import parse_memory
from akeso.cli import usage
from akeso.cli.output import add_output, show
from akeso.cli.parser import Options
from akeso.cli.progress import progress
from akeso.cli.usage import UsageError

if TYPE_CHECKING:
    from akeso.backtest.judge import Question
    from akeso.wiring.backtesting import Recorded

EXAMPLES = """\
examples:
  akeso backtest --csv memory.csv --limit 90              columns timestamp,value
  akeso backtest --csv pods.csv -o json                   columns timestamp,series,value,limit

It replays the history through the operator's own engine, row by row and never ahead of itself, and
compares that with the alert that people write with predict_linear. It writes nothing anywhere but
what you ask for, and needs neither a cluster nor an operator.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "akeso backtest --csv FILE [--limit NUMBER] [OPTION ...]"
    source = parser.add_argument_group("where the history comes from")
    source.add_argument(
        "--csv",
        metavar="FILE",
        help="columns timestamp,value or timestamp,series,value, and as you have them limit and"
        " restart; times as Unix seconds, milliseconds or ISO 8601",
    )
    source.add_argument(
        "--limit",
        metavar="NUMBER",
        help="what must not be reached, in the unit of the values (or 512Mi); instead of any limit"
        " recorded",
    )
    source.add_argument(
        "--step",
        metavar="DURATION",
        help="how far apart the samples are (default: the median of each series)",
    )
    asked = parser.add_argument_group("what is asked of it")
    asked.add_argument(
        "--class",
        dest="metric_class",
        metavar="NAME",
        default="memory",
        help="class of metric, which says how it is decided (default: memory)",
    )
    asked.add_argument(
        "--horizon",
        metavar="DURATION",
        help="how far ahead a failure is to be foreseen (default: that of the class; memory: 30m)",
    )
    asked.add_argument(
        "--probability",
        metavar="PERCENT",
        default="80",
        help="from which an alarm is raised (default: 80)",
    )
    add_output(parser)


def run(options: Options) -> int:
    from akeso.cli import judgement
    from akeso.wiring.backtesting import judge

    question = _question(options)
    recorded = _recorded(options)
    with progress("replayed", recorded.rows, "rows") as told:
        found = judge(recorded, question, told)
    data = found.told.model_dump(mode="json", by_alias=True)
    return show(options, data, lambda console: judgement.tell(console, found.told))


def _question(options: Options) -> Question:
    from akeso.backtest.judge import Question
    from akeso_predictors.checks import InputError
    from akeso_predictors.classes import class_of

    try:
        chosen = class_of(options.metric_class)
    except InputError as error:
        raise UsageError(f"--class: {error}") from None
    if chosen.falls:
        raise UsageError(
            f"--class {chosen.name}: its limit is approached from above, which a back-test does not"
            " replay; use another class."
        )
    horizon = chosen.horizon
    if options.horizon is not None:
        horizon = usage.duration(options.horizon).total_seconds()
    return Question(horizon, percent(options.probability) / 100, chosen.name)


def percent(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:4]) <= 99:
        raise UsageError(f"--probability {text!r} is no whole number of per cent from 1 to 99.")
    return int(text)


def amount(text: str) -> float:
    """A plain number, or an amount of memory such as 512Mi."""
    try:
        value = float(text)
    except ValueError:
        try:
            value = float(parse_memory(text))
        except ValueError:
            raise UsageError(f"--limit {text!r} is no number such as 90 or 512Mi.") from None
    if not 0 < value < 1e18:
        raise UsageError(
            f"--limit {text!r} bounds nothing: give a number above 0, in the unit of the values."
        )
    return value


def _recorded(options: Options) -> Recorded:
    from akeso.wiring.backtesting import from_csv

    limit = None if options.limit is None else amount(options.limit)
    step = None if options.step is None else usage.duration(options.step).total_seconds()
    if options.csv is None:
        raise UsageError("say where the history is: --csv FILE.")
    found = from_csv(Path(options.csv), limit, step)
    import numpy as np

    if limit is None and not any(np.isfinite(h.limit).any() for h in found.histories):
        raise UsageError(
            f"{options.csv} has no limits: give the one that holds with --limit NUMBER, or a column"
            " limit."
        )
    return found
