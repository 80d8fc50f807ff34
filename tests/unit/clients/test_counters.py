"""CPU seconds as cores, at the time they were measured."""

from __future__ import annotations

from typing import Any

import pytest

from akeso.clients.counters import rates
from akeso.protocols import Usage

WEB = {"namespace": "shop", "pod": "web-1", "container": "app"}


def series(*values: tuple[float, str], **labels: str) -> dict[str, Any]:
    return {"metric": {**WEB, **labels}, "values": values}


def test_a_rate_is_as_old_as_its_newest_sample() -> None:
    found = rates([series((1000.0, "10"), (1015.0, "13"), (1030.0, "25"))])
    assert list(found) == [Usage("shop", "web-1", "app", 1030.0, 0.5)]


def test_a_counter_that_began_anew_counts_from_zero() -> None:
    (found,) = rates([series((0.0, "100"), (10.0, "105"), (20.0, "3"), (30.0, "8"))])
    assert found.value == pytest.approx((5 + 3 + 5) / 30)


def test_one_sample_is_no_rate() -> None:
    assert list(rates([series((1000.0, "10"))])) == []


def test_what_is_no_measurement_is_left_out() -> None:
    (found,) = rates([series((0.0, "NaN"), (5.0, "-1"), (10.0, "1"), (10.0, "1"), (20.0, "6"))])
    assert found == Usage("shop", "web-1", "app", 20.0, 0.5)


def test_the_cores_of_one_container_add_up() -> None:
    (found,) = rates([series((0.0, "0"), (10.0, "5"), cpu=f"cpu{core}") for core in range(2)])
    assert found.value == 1.0


def test_of_a_container_and_the_one_before_it_the_newer_counts() -> None:
    before = series((0.0, "0"), (10.0, "50"), id="/old")
    after = series((20.0, "0"), (30.0, "1"), id="/new")
    assert list(rates([after, before])) == [Usage("shop", "web-1", "app", 30.0, 0.1)]


@pytest.mark.parametrize("missing", ["namespace", "pod", "container"])
def test_a_series_that_names_no_container_is_left_out(missing: str) -> None:
    assert list(rates([series((0.0, "0"), (10.0, "5"), **{missing: ""})])) == []
