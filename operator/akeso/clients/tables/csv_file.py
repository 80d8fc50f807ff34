"""CSV: `timestamp,value` or `timestamp,series,value`, with a header."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from akeso.clients.tables.columns import (
    HOW,
    LATEST,
    LIMIT,
    MILLISECONDS,
    RESTART,
    SERIES,
    TIME,
    VALUE,
    Columns,
    empty,
    places,
)
from akeso.errors import PermanentError

# What a spreadsheet exports in countries with a decimal comma, and what programs paste.
DELIMITERS = (",", ";", "\t")
MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "-"})
TRUTH = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
_SHOWN = 40  # letters of a cell that is wrong


def read_csv(path: Path) -> Columns:
    """The whole file. PermanentError names the file, the line, the column and what to do."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as opened:
            return _read(str(path), opened)
    except UnicodeDecodeError as e:
        raise PermanentError(
            f"{path} is no UTF-8 text ({e.reason} at byte {e.start}); save it as CSV in UTF-8."
        ) from None
    except OSError as e:
        raise PermanentError(f"{path} can't be read: {e.strerror or e}.") from e


@dataclass(slots=True)
class _Rows:
    """What has been read so far."""

    names: dict[str, int] = field(default_factory=dict[str, int])
    series: array[int] = field(default_factory=lambda: array("q"))
    time: array[float] = field(default_factory=lambda: array("d"))
    value: array[float] = field(default_factory=lambda: array("d"))
    limit: array[float] = field(default_factory=lambda: array("d"))
    restart: array[float] = field(default_factory=lambda: array("d"))
    zoneless: int = 0


def _read(source: str, opened: Iterator[str]) -> Columns:
    first = next(opened, "")
    if not first.strip():
        raise empty(source)
    delimiter = max(DELIMITERS, key=first.count)
    lines = csv.reader(_with(first, opened), delimiter=delimiter, skipinitialspace=True)
    try:
        header: list[str] = next(lines, list[str]())
        if _is_data(header):
            raise PermanentError(f"{source}: the first line is a sample already. {HOW}")
        at, notes = places(source, header)
        rows = _Rows()
        for row in lines:
            if row:
                _add(rows, row, at, len(header), f"{source}, line {lines.line_num}")
    except csv.Error as e:
        raise PermanentError(f"{source} is no CSV: {e}. {HOW}") from e
    return _columns(source, rows, at, notes)


def _with(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _is_data(header: Sequence[str]) -> bool:
    """Whether a line without names stands first."""
    numbers = 0
    for cell in header:
        try:
            float(cell)
            numbers += 1
        except ValueError:
            continue
    return numbers > 0 and numbers >= len(header) - 1


def _add(rows: _Rows, row: Sequence[str], at: dict[str, int], width: int, where: str) -> None:
    if len(row) != width:
        raise PermanentError(
            f"{where}: {len(row)} cells where the header has {width}; a cell with the delimiter in"
            " it must be quoted, and numbers have a decimal point."
        )
    said = row[at[TIME]]
    try:
        time = float(said)
    except ValueError:
        time, zoneless = moment(said, where)
        rows.zoneless += zoneless
    if not 0 <= time < LATEST:
        raise PermanentError(
            f"{where}, column {TIME}: {said[:_SHOWN]!r} is no time from 1970 to 9999; give Unix"
            " seconds, milliseconds or ISO 8601."
        )
    rows.time.append(time / 1000 if time >= MILLISECONDS else time)
    rows.value.append(_number(row[at[VALUE]], where, VALUE))
    if SERIES in at:
        rows.series.append(rows.names.setdefault(row[at[SERIES]].strip(), len(rows.names)))
    if LIMIT in at:
        rows.limit.append(_number(row[at[LIMIT]], where, LIMIT))
    if RESTART in at:
        said = row[at[RESTART]].strip().lower()
        rows.restart.append(TRUTH[said] if said in TRUTH else _number(said, where, RESTART))


def moment(said: str, where: str) -> tuple[float, bool]:
    """Unix seconds of an ISO 8601 time, and whether it named no zone (UTC then)."""
    try:
        found = datetime.fromisoformat(said.strip())
        zoneless = found.tzinfo is None
        return (found.replace(tzinfo=UTC) if zoneless else found).timestamp(), zoneless
    except (ValueError, OverflowError):
        raise PermanentError(
            f"{where}, column {TIME}: {said[:_SHOWN]!r} is no time; give Unix seconds,"
            " milliseconds or ISO 8601 such as 2026-12-01T09:00:00Z."
        ) from None


def _number(said: str, where: str, column: str) -> float:
    try:
        return float(said)
    except ValueError:
        if said.strip().lower() in MISSING:
            return float("nan")
        raise PermanentError(
            f"{where}, column {column}: {said[:_SHOWN]!r} is no number; write 12.5 or 1e9, and"
            " leave it empty (or NaN) where nothing was measured."
        ) from None


def _columns(source: str, rows: _Rows, at: dict[str, int], notes: tuple[str, ...]) -> Columns:
    if not rows.time:
        raise empty(source)
    if rows.zoneless:
        notes += (f"{source}: times without a zone are taken as UTC.",)
    count = len(rows.time)
    return Columns(
        source=source,
        names=tuple(rows.names) if SERIES in at else (Path(source).stem,),
        series=np.array(rows.series, np.int64) if SERIES in at else np.zeros(count, np.int64),
        time=np.array(rows.time),
        value=np.array(rows.value),
        limit=np.array(rows.limit) if LIMIT in at else None,
        restart=np.array(rows.restart) if RESTART in at else None,
        notes=notes,
    )
