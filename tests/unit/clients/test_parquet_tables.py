"""Parquet is read like the CSV of the same columns; what is wrong is said with column and remedy."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from akeso.clients.tables.columns import Columns
from akeso.clients.tables.parquet_file import read_parquet
from akeso.errors import PermanentError

AT = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "memory.parquet"


def read(file: Path, **columns: Any) -> Columns:
    pq.write_table(pa.table(columns), file)
    return read_parquet(file)


@pytest.mark.parametrize(
    "times",
    [
        [1790000000],
        [1790000000.0],
        [1790000000000],
        pa.array([AT], pa.timestamp("ns", tz="Europe/Berlin")),
        pa.array([AT], pa.timestamp("s", tz="UTC")),
        [AT.replace(tzinfo=None)],
        ["2026-09-21T14:13:20Z"],
    ],
)
def test_times_of_any_type_are_unix_seconds(file: Path, times: Any):
    found = read(file, timestamp=times, value=[1.0])
    assert found.time.tolist() == [1790000000]
    assert (found.notes != ()) == (times == [AT.replace(tzinfo=None)])


def test_all_columns_are_read(file: Path):
    found = read(
        file,
        Timestamp=[60, 60, 120],
        series=pa.array(["a", "b", "a"]).dictionary_encode(),
        value=pa.array([1, None, 3], pa.int32()),
        limit=pa.array([5, 5, 5], pa.decimal128(5, 2)),
        restart=[False, False, True],
        node=["n"] * 3,
    )
    assert [found.names[i] for i in found.series] == ["a", "b", "a"]
    np.testing.assert_array_equal(found.value, [1, np.nan, 3])
    assert found.limit is not None and found.limit.tolist() == [5, 5, 5]
    assert found.restart is not None and found.restart.tolist() == [0, 0, 1]
    assert found.notes == (f"{file}: not read: column node.",)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"time": [1], "value": [1.0]}, "there is no column timestamp; those there are: 'time'"),
        ({"timestamp": [1], "value": ["x"]}, "column value: its type is string, and must be"),
        ({"timestamp": [[1]], "value": [1.0]}, "column timestamp: its type is list"),
        ({"timestamp": [1, None], "value": [1.0, 2.0]}, "row 2 has no time"),
        ({"timestamp": [-1], "value": [1.0]}, "row 1, -1, is no time from 1970"),
        ({"timestamp": ["soon"], "value": [1.0]}, "row 1, column timestamp: 'soon' is no time"),
        ({"timestamp": [1], "series": [[1]], "value": [1.0]}, "column series: its type is list"),
        ({"timestamp": pa.array([], pa.int64()), "value": pa.array([], pa.float64())}, "no sample"),
    ],
)
def test_what_is_wrong_is_named(file: Path, columns: dict[str, Any], said: str):
    with pytest.raises(PermanentError) as e:
        read(file, **columns)
    assert said in str(e.value) and str(file) in str(e.value)


def test_a_file_that_is_none_is_named(file: Path, tmp_path: Path):
    with pytest.raises(PermanentError, match="can't be read: No such file"):
        read_parquet(file)
    for content in (b"", b"timestamp,value\n1,2\n", b"PAR1" * 20):
        file.write_bytes(content)
        with pytest.raises(PermanentError, match="no Parquet file|can't be read"):
            read_parquet(file)
    with pytest.raises(PermanentError, match="Is a directory"):
        read_parquet(tmp_path)


def test_without_pyarrow_the_remedy_is_told(file: Path, monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("akeso.clients.tables.parquet_file.import_module", missing)
    with pytest.raises(PermanentError, match=r"pip install 'akeso\[parquet\]', or give .* --csv"):
        read_parquet(file)
