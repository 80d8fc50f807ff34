"""`akeso backtest`: what Akeso would have foreseen in a history, and what predict_linear would."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from akeso.cli import usage
from akeso.cli.flags import PROMETHEUS, add_settings, settings_of
from akeso.cli.numbers import amount, percent
from akeso.cli.output import add_output, show
from akeso.cli.parser import Options
from akeso.cli.progress import progress
from akeso.cli.usage import UsageError
from akeso.cli.writing import write
from akeso.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from akeso.backtest.judge import Question
    from akeso.settings import Settings
    from akeso.wiring.backtesting import Recorded, Wanted
    from akeso_predictors import Calibration

EXAMPLES = """\
examples:
  akeso backtest --csv memory.csv --limit 90              columns timestamp,value
  akeso backtest --csv pods.csv --html pods.html          a page with plots, to be sent to anybody
  akeso backtest --csv pods.csv -o json                   columns timestamp,series,value,limit
  akeso backtest --prometheus-url http://localhost:9090 --last 14d -n shop
  akeso backtest --prometheus-url http://localhost:9090 --class connections --limit 100 \
    --query 'max by (namespace, pod) (pg_stat_activity_count)'

It replays the history through the operator's own engine, row by row and never ahead of itself, and
compares that with the alert that people write with predict_linear. It needs neither a cluster nor
an operator, and reads Prometheus in unhurried pieces. These are kept in ~/.cache/akeso/backtest (or
--cache): killed, it goes on where it was, and tomorrow it asks for the last day only.
"""


# What the class's own queries are made of.
_MEASURING = ("scrape_interval_seconds", "memory_metric", "metric_matchers")
_OF_PROMETHEUS = ("query", "limit_query", "namespace", "last", "start", "end", "cache")
LAST, STEP = "14d", 60.0


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = (
        "akeso backtest (--csv FILE | --parquet FILE | --prometheus-url URL [--query QUERY]) [--limit NUMBER]"
        " [OPTION ...]"
    )
    _sources(parser)
    _questions(parser)
    _results(parser)
    add_output(parser)
    add_settings(parser, ("settings_file", *PROMETHEUS, *_MEASURING))


def _sources(parser: argparse.ArgumentParser) -> None:
    source = parser.add_argument_group("where the history comes from")
    source.add_argument(
        "--csv",
        metavar="FILE",
        help="columns timestamp,value or timestamp,series,value, and as you have them limit and"
        " restart; times as Unix seconds, milliseconds or ISO 8601",
    )
    source.add_argument(
        "--parquet",
        metavar="FILE",
        help="the same columns with types of their own; needs pyarrow: pip install 'akeso[parquet]'",
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
        help="how far apart the samples are (default: the median of each series of a file; 1m of"
        " Prometheus)",
    )
    source.add_argument(
        "--query",
        metavar="PROMQL",
        help="a query of your own: each of its label sets is a series (default: that of the class;"
        " memory: the working set of every container and its limit)",
    )
    source.add_argument(
        "--limit-query",
        metavar="PROMQL",
        help="the limits of --query's series, by the labels that both have",
    )
    source.add_argument("-n", "--namespace", help="series of this namespace only")
    source.add_argument(
        "--last", metavar="DURATION", help="how much of the history until now (default: 14d)"
    )
    source.add_argument(
        "--start", metavar="TIME", help="from when on, such as 2026-11-01 or 2026-11-01T09:00:00Z"
    )
    source.add_argument("--end", metavar="TIME", help="until when (default: now)")
    kept = source.add_mutually_exclusive_group()
    kept.add_argument(
        "--cache",
        metavar="FOLDER",
        help="where pieces that were read are kept (default: akeso/backtest in your cache folder)",
    )
    kept.add_argument("--no-cache", action="store_true", help="keep nothing")


def _questions(parser: argparse.ArgumentParser) -> None:
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
    asked.add_argument(
        "--calibration",
        metavar="FILE",
        help="what outcomes have taught, as --save-calibration wrote it (default: nothing)",
    )


def _results(parser: argparse.ArgumentParser) -> None:
    made = parser.add_argument_group("what comes of it")
    made.add_argument(
        "--html",
        metavar="FILE",
        help="write a page with plots, too, that loads nothing from anywhere; -: stdout, instead",
    )
    made.add_argument(
        "--save-policy",
        metavar="FILE",
        help="write the policy that it ends with, for kubectl apply",
    )
    made.add_argument(
        "--save-calibration",
        metavar="FILE",
        help="write what this history teaches, for another one: judged by its own lesson, a history"
        " looks too good",
    )


def run(options: Options) -> int:
    from akeso.backtest.judge import learned
    from akeso.cli import judgement
    from akeso.wiring.backtesting import judge

    question = _question(options)
    recorded = _recorded(options)
    with progress("replayed", recorded.rows, "rows") as told:
        found = judge(recorded, question, told)
    if options.save_calibration is not None:
        lesson = learned(recorded.histories, question).to_json()
        write(Path(options.save_calibration), f"{lesson}\n".encode(), "Give another file.")
    if options.save_policy is not None:
        if found.told.policy is None:
            raise PermanentError(found.told.advice[0])
        write(Path(options.save_policy), found.told.policy.encode(), "Give another file.")
    if options.html is not None:
        from akeso.backtest.page import page

        drawn = page(found.told, found.drawn).encode()
        if options.html == "-":
            sys.stdout.buffer.write(drawn)
            return 0
        write(Path(options.html), drawn, "Give another file with --html, or - for stdout.")
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
    known = None if options.calibration is None else _calibration(Path(options.calibration))
    return Question(
        horizon, percent("--probability", options.probability) / 100, chosen.name, known
    )


def _calibration(file: Path) -> Calibration:
    from akeso_predictors import Calibration, InputError

    try:
        return Calibration.from_json(file.read_text("utf-8"))
    except (InputError, UnicodeDecodeError) as error:
        raise PermanentError(
            f"{file} is no calibration: {error}. Give a file that --save-calibration wrote."
        ) from None
    except OSError as error:
        raise PermanentError(f"{file} can't be read: {error.strerror or error}.") from error


def _recorded(options: Options) -> Recorded:
    limit = None if options.limit is None else amount("--limit", options.limit)
    step = None if options.step is None else usage.duration(options.step).total_seconds()
    if options.csv is not None and options.parquet is not None:
        raise UsageError("--csv and --parquet exclude each other; give one.")
    if options.csv is not None or options.parquet is not None:
        _only_a_file(options)
        return _read_file(options, limit, step)
    settings = settings_of(options)
    if settings.prometheus_url is None:
        raise UsageError(
            "say where the history is: --csv FILE, --parquet FILE or --prometheus-url URL."
        )
    if options.query is None and options.limit_query is not None:
        raise UsageError("--limit-query needs --query beside it.")
    if options.query is not None and (options.namespace is not None):
        raise UsageError("-n is for the class's own query; put the namespace into --query.")
    return _read_prometheus(settings, _wanted(options, limit, step or STEP))


def _only_a_file(options: Options) -> None:
    for name in _OF_PROMETHEUS:
        if getattr(options, name) is not None:
            flag = "-n" if name == "namespace" else f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag} is for Prometheus; leave it out, or the file.")


def _read_file(options: Options, limit: float | None, step: float | None) -> Recorded:
    import numpy as np

    from akeso.wiring.backtesting import from_csv, from_parquet

    file = options.csv or options.parquet
    found = (from_csv if options.csv else from_parquet)(Path(file), limit, step)
    if limit is None and not any(np.isfinite(h.limit).any() for h in found.histories):
        raise UsageError(
            f"{file} has no limits: give the one that holds with --limit NUMBER, or a column limit."
        )
    return found


def _read_prometheus(settings: Settings, wanted: Wanted) -> Recorded:
    from akeso.errors import PermanentError
    from akeso.wiring.backtesting import from_prometheus

    pieces = sum(len(asked.pieces()) for asked in wanted.ranges(settings))
    try:
        with progress("read", pieces, "pieces") as told:
            return asyncio.run(from_prometheus(settings, wanted, told))
    except TransientError as error:  # which says all there is to say; it is no API server's
        raise PermanentError(str(error)) from error


def _wanted(options: Options, limit: float | None, step: float) -> Wanted:
    from akeso.wiring.backtesting import Wanted

    now = datetime.now(UTC)
    if options.last is not None and options.start is not None:
        raise UsageError("--last and --start exclude each other; give one.")
    end = now if options.end is None else usage.time("--end", options.end)
    if options.start is not None:
        start = usage.time("--start", options.start)
    else:
        start = usage.before(end, options.last or LAST)
    if start >= end or start > now:
        raise UsageError(f"from {start:%Y-%m-%d %H:%M} UTC to {end:%Y-%m-%d %H:%M} is no time.")
    return Wanted(
        start=max(0.0, start.timestamp()),
        end=min(now, end).timestamp(),
        step=step,
        metric_class=options.metric_class,
        namespace=options.namespace,
        query=options.query,
        limit_query=options.limit_query,
        limit=limit,
        folder=None if options.no_cache else Path(options.cache or _cache_folder()),
    )


def _cache_folder() -> Path:
    """https://specifications.freedesktop.org/basedir/latest/"""
    base = os.environ.get("XDG_CACHE_HOME") or ""
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "akeso/backtest"
