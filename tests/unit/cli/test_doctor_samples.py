"""What the metrics source's answers mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from akeso.cli.doctor import samples
from akeso.cli.doctor.checks import Result
from akeso.protocols import Reading, Usage
from akeso.settings import Settings

DEFAULTS = Settings.model_validate({})


def usages(*times: float, pod: str = "web-0") -> list[Usage]:
    return [Usage("shop", pod, "app", time, 1.0) for time in times]


@pytest.mark.parametrize(
    ("theirs", "result"),
    [
        (100.5, Result.OK),
        (97.9, Result.WARNING),
        (103.5, Result.WARNING),
        (54.0, Result.FAILURE),
        (150.0, Result.FAILURE),
    ],
)
def test_the_clock_of_prometheus_counts_because_samples_carry_it(theirs: float, result: Result):
    check = samples.clock(theirs, 100.0, 101.0, stale_after=45.0)
    assert check.result is result
    if result is not Result.OK:
        assert ("behind" in check.message) == (theirs < 100)


def test_no_series_because_of_the_matchers_is_told_from_no_series_at_all():
    chosen = DEFAULTS.model_copy(update={"metric_matchers": 'job="x"'})
    some = samples.no_series(chosen, 12)
    assert "has 12 series, but none fits" in some.message
    assert "--metric-matchers" in str(some.remedy)
    none = samples.no_series(chosen, 0)
    assert "no sample of container_memory_working_set_bytes" in none.message
    assert "/metrics/cadvisor" in str(none.remedy)


def test_the_labels_that_are_missing_and_those_there_are_named():
    labels = {"__name__": "m", "namespace": "shop", "pod_name": "web-0"}
    check = samples.no_labels(DEFAULTS, labels)
    assert check.result is Result.FAILURE
    assert "lacks pod, container and has namespace, pod_name." in check.message


def series(**labels: str) -> Reading:
    return Reading({"namespace": "shop", "pod": "web-0", "container": "app", **labels}, 0.0, 1.0)


def test_two_endpoints_with_the_same_containers_are_told_apart_by_what_differs():
    both = [
        series(metrics_path="/metrics/resource", job="kubelet"),
        series(metrics_path="/metrics/cadvisor", job="kubelet"),
    ]
    check = samples.duplicates(3, 9, both)
    assert check.result is Result.WARNING
    assert "3 of 9 containers" in check.message
    assert "--metric-matchers 'metrics_path=\"/metrics/cadvisor\"'" in str(check.remedy)


def test_two_jobs_with_one_path_are_told_apart_by_the_job():
    both = [series(job="scraper"), series(job="kubelet")]
    assert "'job=\"kubelet\"'" in str(samples.duplicates(1, 1, both).remedy)


def test_duplicates_that_are_gone_at_the_second_look_still_have_a_remedy():
    assert "--metric-matchers" in str(samples.duplicates(1, 9, ()).remedy)


def test_the_distance_of_samples_is_the_median_of_each_series():
    found = [*usages(0, 15, 30, 45, 120), *usages(7, 22, 37, pod="web-1")]
    assert samples.spacing(found) == 15.0


@pytest.mark.parametrize("times", [(), (1.0,), (1.0, 16.0)])
def test_too_few_samples_measure_nothing(times: tuple[float, ...]):
    assert samples.spacing(usages(*times)) is None


@pytest.mark.parametrize(
    ("measured", "result"),
    [
        (None, Result.SKIPPED),
        (15.0, Result.OK),
        (18.0, Result.OK),
        (30.0, Result.WARNING),
        (5.0, Result.WARNING),
        (60.0, Result.FAILURE),
    ],
)
def test_the_interval_is_compared_with_the_setting(measured: float | None, result: Result):
    check = samples.interval(measured, 15.0, 150.0)
    assert check.result is result
    if result in (Result.WARNING, Result.FAILURE):
        assert f"--scrape-interval-seconds {measured:.0f}" in str(check.remedy)


def test_every_check_that_is_not_well_says_what_to_do():
    labels: Mapping[str, Any] = {}
    checks = [
        samples.clock(0.0, 100.0, 101.0, 45.0),
        samples.no_series(DEFAULTS, 0),
        samples.no_labels(DEFAULTS, labels),
        samples.duplicates(1, 1, ()),
        samples.interval(60.0, 15.0, 150.0),
    ]
    assert all(check.remedy for check in checks)
