"""Parquet: the columns of the CSV, with types of their own. Needs pyarrow (the extra `parquet`)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akeso.clients.tables.columns import (
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
from akeso.clients.tables.csv_file import moment
from akeso.errors import PermanentError

_REMEDY = "Give the same columns as --csv, or write them with other types."


def read_parquet(path: Path) -> Columns:
    """The whole file. PermanentError names the file, the column and what to do."""
    try:
        arrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError:
        raise PermanentError(
            f"{path} can't be read: Parquet needs pyarrow. Install it with"
            " pip install 'akeso[parquet]', or give the same columns as --csv."
        ) from None
    source = str(path)
    try:
        with path.open("rb") as opened:
            file = parquet.ParquetFile(opened)
            at, notes = places(source, list(file.schema_arrow.names))
            names = {name: file.schema_arrow.names[index] for name, index in at.items()}
            table = file.read(columns=list(names.values()))
            columns = {name: table[there] for name, there in names.items()}
    except OSError as e:
        raise PermanentError(f"{path} can't be read: {e.strerror or str(e)[:200]}.") from e
    except arrow.ArrowException as e:
        raise PermanentError(
            f"{path} is no Parquet file: {str(e).splitlines()[0][:200].rstrip('.')}."
        ) from e
    if not table.num_rows:
        raise empty(source)
    return _columns(arrow, source, columns, notes)


def _columns(
    arrow: Any, source: str, columns: Mapping[str, Any], notes: tuple[str, ...]
) -> Columns:
    time, zoneless = _times(arrow, columns[TIME], f"{source}, column {TIME}")
    if zoneless:
        notes += (f"{source}: times without a zone are taken as UTC.",)
    names: tuple[str, ...] = (Path(source).stem,)
    series = np.zeros(len(time), np.int64)
    if SERIES in columns:
        names, series = _series(arrow, columns[SERIES], f"{source}, column {SERIES}")

    def numbers(name: str) -> NDArray[np.float64] | None:
        where = f"{source}, column {name}"
        return _numbers(arrow, columns[name], where) if name in columns else None

    value = numbers(VALUE)
    assert value is not None
    return Columns(source, names, series, time, value, numbers(LIMIT), numbers(RESTART), notes)


def _numbers(arrow: Any, column: Any, where: str) -> NDArray[np.float64]:
    kind, types = column.type, arrow.types
    fine = (
        types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
        or types.is_boolean(kind) or types.is_null(kind)
    )  # fmt: skip
    if not fine:
        raise PermanentError(f"{where}: its type is {kind}, and must be a number. {_REMEDY}")
    if types.is_boolean(kind):
        column = column.cast(arrow.int8())
    found = column.cast(arrow.float64(), safe=False).to_numpy()
    return np.array(found, dtype=np.float64)


def _times(arrow: Any, column: Any, where: str) -> tuple[NDArray[np.float64], bool]:
    """Unix seconds, and whether some moment named no zone."""
    kind, types = column.type, arrow.types
    if column.null_count:
        row = next(i for i, known in enumerate(column.is_valid().to_pylist()) if not known)
        raise PermanentError(f"{where}: row {row + 1} has no time; leave such rows out.")
    if types.is_timestamp(kind):
        whole = column.cast(arrow.timestamp("us", tz=kind.tz), safe=False)
        return np.array(whole.cast(arrow.int64()).to_numpy(), np.float64) / 1e6, kind.tz is None
    if types.is_string(kind) or types.is_large_string(kind):
        rows = enumerate(column.to_pylist(), start=1)
        found = [moment(said, f"{where.rpartition(',')[0]}, row {i}") for i, said in rows]
        return np.array([t for t, _ in found]), any(zoneless for _, zoneless in found)
    if not (types.is_integer(kind) or types.is_floating(kind)):
        raise PermanentError(
            f"{where}: its type is {kind}, and must be a timestamp, a number or text. {_REMEDY}"
        )
    time = _numbers(arrow, column, where)
    wrong = ~((time >= 0) & (time < LATEST))
    if wrong.any():
        row = int(wrong.argmax())
        raise PermanentError(
            f"{where}: row {row + 1}, {time[row]:g}, is no time from 1970 to 9999; give Unix"
            " seconds, milliseconds or timestamps."
        )
    return np.where(time >= MILLISECONDS, time / 1000, time), False


def _series(arrow: Any, column: Any, where: str) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    try:
        text = column.cast(arrow.string()).combine_chunks().fill_null("")
        coded = text.dictionary_encode()
    except arrow.ArrowException:
        raise PermanentError(f"{where}: its type is {column.type}, and must be text.") from None
    names = tuple(str(name).strip() for name in coded.dictionary.to_pylist())
    merged = {name: i for i, name in enumerate(dict.fromkeys(names))}
    codes = np.array([merged[name] for name in names], np.int64)
    return tuple(merged), codes[np.array(coded.indices.to_numpy(zero_copy_only=False), np.int64)]
