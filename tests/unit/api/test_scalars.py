from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akeso.api.scalars import (
    NUMBER_LENGTH,
    format_decimal,
    format_time,
    from_unix,
    parse_decimal,
    parse_memory,
    parse_time,
)
from akeso.domain.words import quantity_of

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite)
def test_a_finite_number_survives_the_way_to_the_wire_and_back(value):
    text = format_decimal(value)
    assert parse_decimal(text) == value
    assert len(text) <= NUMBER_LENGTH


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.05, "0.05"),
        (1.0, "1"),
        (-0.0, "0"),
        (100, "100"),
        (536870912.0, "536870912"),
        (1e16, "10000000000000000"),
        (0.00001, "0.00001"),
        (1e300, "1e+300"),
    ],
)
def test_a_number_is_written_as_short_as_a_person_would(value, text):
    assert format_decimal(value) == text


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "1\n", "+1", ".5", "1.", "1,5", "0x1", "NaN", "inf", "1_000", "1e999", "٣"],
)
def test_what_is_no_decimal_number_is_refused(text):
    with pytest.raises(ValueError, match="is not a decimal number"):
        parse_decimal(text)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_never_written(value):
    with pytest.raises(ValueError, match="leave the field out"):
        format_decimal(value)


@given(st.datetimes(timezones=st.timezones(), min_value=datetime(1, 1, 3)))  # noqa: DTZ001
def test_a_time_survives_the_way_to_the_wire_and_back_as_utc_with_whole_seconds(time):
    read = parse_time(format_time(time))
    assert read.tzinfo is UTC
    assert timedelta(0) <= time - read < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-12-01T09:00:00Z", datetime(2026, 12, 1, 9, tzinfo=UTC)),
        ("2026-12-01t09:00:00z", datetime(2026, 12, 1, 9, tzinfo=UTC)),
        ("2026-12-01T10:00:00.999999+01:00", datetime(2026, 12, 1, 9, tzinfo=UTC)),
    ],
)
def test_every_form_of_a_kubernetes_time_is_read(text, time):
    assert parse_time(text) == time


@pytest.mark.parametrize(
    "text", ["", "2026-12-01", "2026-12-01T09:00:00", "2026-12-01 09:00:00Z", "20261201T090000Z"]
)
def test_a_time_without_zone_or_seconds_is_refused(text):
    with pytest.raises(ValueError, match="is not a time"):
        parse_time(text)


def test_a_time_beyond_the_calendar_is_refused_like_any_other_nonsense():
    with pytest.raises(ValueError, match="outside the years"):
        parse_time("0001-01-01T00:00:00+14:00")


def test_a_time_without_zone_is_never_written():
    with pytest.raises(ValueError, match="no time zone"):
        format_time(datetime(2026, 12, 1))  # noqa: DTZ001


def test_a_time_is_written_in_utc():
    paris = timezone(timedelta(hours=1))
    assert format_time(datetime(2026, 12, 1, 10, tzinfo=paris)) == "2026-12-01T09:00:00Z"


@given(st.floats(min_value=0, max_value=4e9))
def test_unix_seconds_become_a_time_that_is_not_in_the_future(seconds):
    assert seconds - 1 < from_unix(seconds).timestamp() <= seconds


@pytest.mark.parametrize(
    ("text", "value"),
    [("1Gi", 2**30), ("512Mi", 2**29), ("3Ki", 3072), ("2Ti", 2**41), ("64M", 64 * 10**6)]
    + [("5k", 5000), ("2G", 2 * 10**9), ("1T", 10**12), ("268435456", 2**28)],
)
def test_an_amount_of_memory_is_read_as_kubernetes_reads_it(text, value):
    assert parse_memory(text) == value


@given(st.integers(1, 2**49))
def test_an_amount_of_memory_survives_the_way_to_the_wire_and_back(value):
    assert parse_memory(quantity_of(value)) == value


@pytest.mark.parametrize(
    "text", ["", "0", "-1Gi", "1.5Gi", "1e9", "Gi", "1gi", "1 Gi", "10m", "1Gi\n"]
)
def test_what_is_no_amount_of_memory_is_refused(text):
    with pytest.raises(ValueError, match="is not an amount of memory such as 512Mi"):
        parse_memory(text)
