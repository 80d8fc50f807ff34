"""`akeso forecast`: one series, and what is expected of it, in the terminal or as a picture."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from akeso.cli import usage
from akeso.cli.flags import PROMETHEUS, add_settings, settings_of
from akeso.cli.numbers import amount
from akeso.cli.output import add_output, hanging, show
from akeso.cli.parser import Options
from akeso.cli.usage import UsageError
from akeso.cli.writing import write
from akeso.engine.words import bytes_of, seconds_of
from akeso.report.words import plain

if TYPE_CHECKING:
    from akeso.backtest.outlook import Asked, Lines, Outlook
    from akeso.settings import Settings
    from akeso.wiring.outlook import Source

EXAMPLES = """\
examples:
  akeso forecast --prometheus-url http://localhost:9090 --horizon 6h \\
    'sum(container_memory_working_set_bytes{namespace="shop", container!=""})'
  akeso forecast --csv disk.csv --horizon 2d --limit 90 --png disk.png
  akeso forecast --csv pods.csv --series shop/web-0/app -o json

The band is where the values will be in 80 % (and 95 %) of the cases, as far as past forecasts of this
series missed. It says what a series does by itself, and not what the operator would do about it:
that is `akeso backtest`.
"""

LAST, STEP, HORIZON = "2d", "1m", "6h"
# From here on a value with no other unit in its query's name is taken for bytes.
_BYTES = 2**20


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "akeso forecast (--prometheus-url URL QUERY | --csv FILE) [OPTION ...]"
    parser.add_argument("query", metavar="QUERY", nargs="?", help="PromQL that gives one series")
    source = parser.add_argument_group("where the history comes from")
    source.add_argument(
        "--csv", metavar="FILE", help="columns timestamp,value or timestamp,series,value"
    )
    source.add_argument(
        "--series", metavar="NAME", help="which one, where there are several: its name, or a part"
    )
    source.add_argument(
        "--last",
        metavar="DURATION",
        help=f"how much of the history is looked at (default: {LAST}; all of a file)",
    )
    source.add_argument(
        "--step",
        metavar="DURATION",
        help=f"how far apart the samples are (default: {STEP}; the median of a file)",
    )
    asked = parser.add_argument_group("what is asked of it")
    asked.add_argument(
        "--horizon", metavar="DURATION", default=HORIZON, help=f"how far ahead (default: {HORIZON})"
    )
    asked.add_argument(
        "--season",
        metavar="DURATION",
        default="auto",
        help="the cycle, such as 1d; none: there is none; auto: found, where there is one (default)",
    )
    asked.add_argument(
        "--limit", metavar="NUMBER", help="a line to be drawn, and when it is reached"
    )
    asked.add_argument(
        "--method",
        choices=("ensemble", "ets", "stl"),
        default="ensemble",
        help="ensemble: many models, weighted by how they did before (default); ets, stl: those of"
        " statsmodels",
    )
    made = parser.add_argument_group("what comes of it")
    made.add_argument("--png", metavar="FILE", help="write a picture of 1200 by 600; -: stdout")
    made.add_argument("--svg", metavar="FILE", help="the same as SVG; -: stdout")
    add_output(parser)
    add_settings(parser, ("settings_file", *PROMETHEUS))


def run(options: Options) -> int:
    from akeso.wiring.outlook import look_ahead

    asked = _asked(options)
    if (options.csv is None) == (options.query is None):
        raise UsageError("give a QUERY, or --csv FILE.")
    if options.png == options.svg == "-":
        raise UsageError("--png and --svg can't both go to standard output.")
    settings = settings_of(options)
    told, lines = asyncio.run(look_ahead(settings, _source(options, settings), asked))
    for form, file in (("png", options.png), ("svg", options.svg)):
        if file is not None:
            _draw(told, lines, form, file)
    if "-" in (options.png, options.svg):
        return 0
    data = told.model_dump(mode="json", by_alias=True)
    return show(options, data, lambda console: tell(console, told, lines))


def _asked(options: Options) -> Asked:
    from akeso.backtest.outlook import Asked

    season = None
    if options.season == "none":
        season = 0.0
    elif options.season != "auto":
        season = usage.duration(options.season).total_seconds()
    limit = None if options.limit is None else amount("--limit", options.limit, signed=True)
    horizon = usage.duration(options.horizon).total_seconds()
    return Asked(horizon, season, limit, options.method)


def _source(options: Options, settings: Settings) -> Source:
    from akeso.wiring.outlook import Source

    if options.csv is None and settings.prometheus_url is None:
        raise UsageError("a QUERY needs --prometheus-url URL.")
    last, step = options.last, options.step
    if options.csv is None:
        last, step = last or LAST, step or STEP
    now = datetime.now(UTC)
    return Source(
        query=options.query,
        file=None if options.csv is None else Path(options.csv),
        series=options.series,
        last=None if last is None else (now - usage.before(now, last)).total_seconds(),
        step=None if step is None else usage.duration(step).total_seconds(),
    )


def _draw(told: Outlook, lines: Lines, form: str, file: str) -> None:
    from akeso.backtest.picture import picture

    drawn = picture(told, lines, form)
    if file == "-":
        sys.stdout.buffer.write(drawn)
        sys.stdout.buffer.flush()
    else:
        write(Path(file), drawn, f"Give another file with --{form}, or - for stdout.")


def tell(console: Console, told: Outlook, lines: Lines) -> None:
    """The chart, and what it shows in words."""
    from akeso.backtest.outlook import extent
    from akeso.cli import chart

    said = _said(told)
    signs = chart.UNICODE if "utf" in (console.encoding or "").lower() else chart.ASCII
    drawn = chart.Lines(
        lines.time.tolist(), lines.value.tolist(), lines.ahead.tolist(), lines.mean.tolist(),
        [(low.tolist(), high.tolist()) for low, high in zip(lines.lower, lines.upper, strict=True)],
        lines.limit, extent(lines),
    )  # fmt: skip
    name = told.query if told.query is not None and told.series == "{}" else told.series
    console.print(Text(plain(name, max(20, console.width - 2)), style="bold"))
    for line in chart.chart(drawn, min(console.width, 160), said, signs, said is bytes_of):
        console.print(Text(line), soft_wrap=True)
    console.print(Text(chart.legend(signs, told.levels, lines.limit is not None)))
    console.print()
    for line in _words(told, said):
        console.print(Text(line))
    for note in told.notes:
        console.print(hanging(Text("-"), Text(f"{note}.")))


def _said(told: Outlook) -> Callable[[float], str]:
    large = max(abs(told.value), *(abs(p.mean) for p in told.points)) >= _BYTES
    of = (told.query or f"{told.source} {told.series}").lower()
    if large and any(word in of for word in ("bytes", "memory")):
        return bytes_of
    return _short


def _short(value: float) -> str:
    """`43.5 M`; what is small stands as it is."""
    for size, name in ((1e12, " T"), (1e9, " G"), (1e6, " M")):
        if abs(value) >= size:
            return f"{value / size:.4g}{name}"
    return f"{value:.4g}"


def _words(told: Outlook, said: Callable[[float], str]) -> list[str]:
    last = told.points[-1]
    then = (
        f"Now {said(told.value)}; in {seconds_of(told.horizon_seconds)} {said(last.mean)}, and in"
        f" {told.levels[0]:g} % of the cases from {said(last.lower[0])} to {said(last.upper[0])}."
    )
    model = f"Model: {told.model}, of {told.samples} samples every {seconds_of(told.step_seconds)}."
    found = [then, model]
    reached = told.reached
    if reached is None:
        return found
    what = f"The limit {said(reached.limit)}"
    if reached.limit < told.value:
        what += ", which lies below what is measured now,"
    if reached.mean is not None:
        ahead = (reached.mean - told.end).total_seconds()
        line = f"{what} is reached in about {seconds_of(ahead)} ({_clock(reached.mean)})"
    else:
        line = (
            f"{what} is not reached within {seconds_of(told.horizon_seconds)} by what is expected"
        )
    if reached.earliest is not None and reached.earliest != reached.mean:
        early = (reached.earliest - told.end).total_seconds()
        line += f"; the {reached.probable_percent:g} % band touches it after {seconds_of(early)}"
    return [*found, f"{line}."]


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
