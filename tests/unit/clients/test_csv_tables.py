"""CSV as people have it is read; what is wrong is said with file, line, column and remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from akeso.clients.tables.columns import Columns
from akeso.clients.tables.csv_file import read_csv
from akeso.errors import PermanentError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "memory.csv"


def read(file: Path, text: str | bytes) -> Columns:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_csv(file)


def test_two_columns_are_one_series_named_after_the_file(file: Path):
    found = read(file, "timestamp,value\n1790000000,1.5\n1790000060,2\n")
    assert found.names == ("memory",)
    assert found.time.tolist() == [1790000000, 1790000060]
    assert found.value.tolist() == [1.5, 2]
    assert found.limit is None and found.restart is None and found.notes == ()


def test_columns_may_stand_in_any_order_and_case_and_others_are_told(file: Path):
    found = read(file, "\ufeffRestart, Value ,Limit,node,Series,TIMESTAMP\nyes,5,10,n1,a,60\n")
    assert (found.names, found.time[0], found.value[0]) == (("a",), 60, 5)
    assert found.limit is not None and found.limit[0] == 10
    assert found.restart is not None and found.restart[0] == 1
    assert found.notes == (f"{file}: not read: column node.",)


@pytest.mark.parametrize(
    "said",
    [
        "1790000000",
        "1790000000.0",
        "1790000000000",
        "1.79e9",
        "2026-09-21T14:13:20Z",
        "2026-09-21 14:13:20+00:00",
        "2026-09-21T16:13:20.000+02:00",
        " 2026-09-21T14:13:20 ",
    ],
)
def test_times_are_seconds_milliseconds_or_iso(file: Path, said: str):
    assert read(file, f"timestamp,value\n{said},1\n").time[0] == 1790000000


def test_a_time_without_a_zone_is_told(file: Path):
    assert "taken as UTC" in read(file, "timestamp,value\n2026-09-21 14:13,1\n").notes[0]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_are_seen(file: Path, delimiter: str):
    text = "timestamp,series,value\n60,a,1\n".replace(",", delimiter)
    assert read(file, text).names == ("a",)


def test_what_was_not_measured_is_missing(file: Path):
    rows = "".join(f"{60 * i},{said}\n" for i, said in enumerate(["", "NaN", "null", "NA", "-"]))
    assert np.isnan(read(file, f"timestamp,value\n{rows}").value).all()
    assert np.isinf(read(file, "timestamp,value\n60,+Inf\n").value).all()  # judged later


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no sample"),
        ("\n\n", "holds no sample"),
        ("timestamp,value\n", "holds no sample"),
        ("time,value\n1,2\n", "no column timestamp; those there are: 'time', 'value'"),
        ("1790000000,1\n1790000060,2\n", "the first line is a sample already"),
        ("timestamp,value,value\n1,2,3\n", "column value is there twice"),
        ("timestamp,value\n1,2\nx,3\n", "line 3, column timestamp: 'x' is no time"),
        ("timestamp,value\n1,2\n3,abc\n", "line 3, column value: 'abc' is no number"),
        ("timestamp,value\n-5,2\n", "line 2, column timestamp: '-5' is no time from 1970"),
        ("timestamp,value\n1790000000000000000,2\n", "give Unix seconds, milliseconds or ISO"),
        ("timestamp,value\nnan,2\n", "'nan' is no time"),
        ("timestamp,value\n1,2,3\n", "line 2: 3 cells where the header has 2"),
        ("timestamp;value\n1;2,5\n", "line 2, column value: '2,5' is no number"),
        ("timestamp,value,limit\n1,2,much\n", "column limit: 'much' is no number"),
        ("timestamp,value\n1," + "9" * 200_000 + "\n", "is no CSV: field larger"),
        (b"timestamp,value\n1,\xff\xfe\n", "is no UTF-8 text"),
        (b"\x00\x01\x02", "no column timestamp"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(file: Path, text: str | bytes, said: str):
    with pytest.raises(PermanentError) as e:
        read(file, text)
    assert said in str(e.value) and str(file) in str(e.value)
    assert len(str(e.value)) < 600


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(PermanentError, match="nowhere.csv can't be read: No such file"):
        read_csv(tmp_path / "nowhere.csv")
    with pytest.raises(PermanentError, match="can't be read: Is a directory"):
        read_csv(tmp_path)


numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(st.tuples(st.integers(0, 10**10), st.sampled_from("abc"), numbers), min_size=1))
def test_what_was_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str, float]]
):
    file = tmp_path_factory.getbasetemp() / "rows.csv"
    text = "".join(f'{t},"{s}",{v!r}\n' for t, s, v in rows)
    found = read(file, f"timestamp,series,value\n{text}")
    assert found.time.tolist() == [t for t, _, _ in rows]
    assert [found.names[i] for i in found.series] == [s for _, s, _ in rows]
    np.testing.assert_array_equal(found.value, [v for _, _, v in rows])


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, raw: bytes):
    file = tmp_path_factory.getbasetemp() / "any.csv"
    for content in (raw, b"timestamp,value\n" + raw):
        try:
            read(file, content)
        except PermanentError as error:
            assert str(file) in str(error)
