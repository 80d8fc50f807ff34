"""Breaches are found by whom they speak of, and by nobody else."""

from __future__ import annotations

from akeso.engine.breaches import Breaches
from akeso.protocols import Reading


def _reading(value: float, **labels: str) -> Reading:
    return Reading(labels, 100.0, value)


def test_a_breach_is_found_by_its_namespace_and_label() -> None:
    web = _reading(0.5, namespace="shop", pod="web-1")
    other = _reading(0.7, namespace="bank", pod="web-1")
    found = Breaches([(web, 90.0), (other, 95.0)]).about("shop", "pod", "web-1")
    assert [(b.value, b.since) for b in found] == [(0.5, 90.0)]


def test_several_series_of_one_pod_are_all_found() -> None:
    series = [(_reading(0.5, namespace="shop", pod="web-1", path=p), 90.0) for p in "ab"]
    assert len(Breaches(series).about("shop", "pod", "web-1")) == 2


def test_a_series_without_the_label_or_the_namespace_is_about_nobody() -> None:
    series = [(_reading(0.5, namespace="shop"), 90.0), (_reading(0.5, pod=""), 90.0)]
    breaches = Breaches(series)
    assert not breaches.about("shop", "pod", "")
    assert not breaches.about("", "pod", "")
