"""One series from Prometheus or a file, and its forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from akeso.backtest.asked import named
from akeso.backtest.outlook import Asked, Lines, Outlook, look
from akeso.backtest.regular import History, histories
from akeso.clients.access import Access
from akeso.clients.clock import SystemClock
from akeso.clients.prometheus import LARGEST_RESPONSE
from akeso.clients.prometheus_archive import Archive, Range
from akeso.clients.prometheus_history import Way
from akeso.clients.tables.columns import Columns
from akeso.clients.tables.csv_file import read_csv
from akeso.errors import PermanentError, TransientError
from akeso.report.words import plain
from akeso.settings import Settings

SHOWN = 5
LONGEST = 120  # letters of a series' name


@dataclass(frozen=True, slots=True)
class Source:
    """A query, or a file; which series of it, and how much and how fine in seconds."""

    query: str | None
    file: Path | None
    series: str | None
    last: float | None
    step: float | None


async def look_ahead(settings: Settings, source: Source, asked: Asked) -> tuple[Outlook, Lines]:
    """The outlook of the one series that is meant. PermanentError lists some where several are."""
    now = SystemClock().now()
    if source.file is not None:
        columns, origin = read_csv(source.file), str(source.file)
    else:
        columns, origin = await _asked(settings, source, now)
    name = _chosen(columns.names, source)
    own = columns.series == columns.names.index(name)
    if source.last is not None:
        own &= columns.time >= columns.time[own].max() - source.last
    one = Columns(
        columns.source, (name,), np.zeros(int(own.sum()), np.int64), columns.time[own],
        columns.value[own],
    )  # fmt: skip
    history: History = histories(one, None, source.step, signed=True)[0]
    return look(history, asked, origin, source.query, now)


async def _asked(settings: Settings, source: Source, now: float) -> tuple[Columns, str]:
    if settings.prometheus_url is None or source.query is None:
        raise PermanentError("No Prometheus is set: give --prometheus-url.")
    access = Access.of("Prometheus", settings.prometheus_url, settings)
    way = Way(access, settings.prometheus_timeout_seconds, LARGEST_RESPONSE)
    step, last = source.step or 60.0, source.last or 86_400.0
    try:
        found = await Archive(way, None, now).read(Range(source.query, now - last, now, step))
    except TransientError as error:  # which says all there is to say; it is no API server's
        raise PermanentError(str(error)) from error
    if not found:
        raise PermanentError(
            f"Prometheus at {access.host} has nothing for that time; correct the query, or give a"
            f" longer --last. Asked was: {source.query}"
        )
    counts = [len(series.time) for series in found]
    columns = Columns(
        access.host,
        tuple(named(series.labels) for series in found),
        np.repeat(np.arange(len(found)), counts),
        np.concatenate([series.time for series in found]),
        np.concatenate([series.value for series in found]),
    )
    return columns, access.host


def _chosen(names: Sequence[str], source: Source) -> str:
    wanted = source.series
    if wanted is not None and wanted in names:
        return wanted
    fitting = [n for n in names if wanted is None or wanted in n]
    if len(fitting) == 1:
        return fitting[0]
    some = "; ".join(plain(n, LONGEST) for n in (fitting or names)[:SHOWN])
    count = len(fitting or names)
    more = f" and {count - SHOWN} more" if count > SHOWN else ""
    narrow = "" if source.query is None else ", narrow the query with labels or sum it up"
    if not fitting:
        raise PermanentError(f"There is no series {wanted!r:.80}; there are: {some}{more}.")
    raise PermanentError(
        f"That is {count} series, and one is drawn: {some}{more}. Name one with --series{narrow}."
    )
