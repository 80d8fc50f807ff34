"""Prometheus's answers as series: one per container whatever its runs, each with its own limit."""

from __future__ import annotations

import numpy as np
import pytest

from akeso.backtest.asked import memory, named, of_containers, of_query, told_runs
from akeso.clients.prometheus_archive import Found
from akeso.errors import PermanentError
from akeso.settings import Settings

APP = {"namespace": "shop", "pod": "web-0", "container": "app"}


def found(labels, start, values, step=60.0) -> Found:
    return Found(labels, start + step * np.arange(len(values)), np.array(values, float))


def test_the_runs_of_a_container_are_one_series_with_restarts():
    runs = [
        found({**APP, "id": "/b"}, 300, [1, 2, 3]),
        found({**APP, "id": "/a"}, 0, [7, 8, 9, 9, 9, 9]),  # one stale point beyond its end
    ]
    assert told_runs(runs)
    (made,) = of_containers(runs, [], [], 60, None)
    assert made.name == "shop/web-0/app"
    assert made.value.tolist() == [7, 8, 9, 9, 9, 1, 2, 3]
    assert np.flatnonzero(made.restart).tolist() == [5]


def test_another_view_of_the_same_run_is_no_restart():
    views = [
        found({**APP, "id": "/a", "instance": "old"}, 0, [7, 8, 9]),
        found({**APP, "id": "/a", "instance": "new"}, 180, [9, 9]),
    ]
    (made,) = of_containers(views, [], [], 60, None)
    assert made.value.tolist() == [7, 8, 9, 9, 9] and not made.restart.any()


def test_where_no_label_tells_runs_the_count_of_restarts_does():
    plain = [found(APP, 0, [1, 2, 3, 1, 2, 3])]
    assert not told_runs(plain)
    counts = [found(APP, 0, [4, 4, 4, 5, 5, 6])]
    (made,) = of_containers(plain, [], counts, 60, None)
    assert np.flatnonzero(made.restart).tolist() == [3, 5]


def test_limits_are_those_of_the_container_at_that_time():
    values = [found(APP, 0, [1, 2, 3]), found({**APP, "pod": "web-1"}, 0, [1, 2, 3])]
    limits = [found(APP, 60, [10, 20])]
    first, second = of_containers(values, limits, [], 60, None)
    np.testing.assert_array_equal(first.limit, [np.nan, 10, 20])
    assert np.isnan(second.limit).all()
    assert of_containers(values, limits, [], 60, 5.0)[1].limit.tolist() == [5, 5, 5]


def test_what_names_no_container_is_left_out():
    assert of_containers([found({"pod": "x"}, 0, [1, 2])], [], [], 60, None) == []


def test_series_of_a_query_find_the_limit_whose_labels_agree():
    values = [
        found({"__name__": "used", "pool": "a", "pod": "p"}, 0, [1, 2]),
        found({"__name__": "used", "pool": "b", "pod": "p"}, 0, [1, 2]),
    ]
    of_all = [found({}, 0, [9, 9])]
    assert [h.limit[0] for h in of_query(values, of_all, 60, None)] == [9, 9]
    each = [found({"pool": "a"}, 0, [5, 5]), found({"pool": "b"}, 0, [6, 6])]
    made = of_query(values, each, 60, None)
    assert [(h.name, h.limit[0]) for h in made] == [
        ('used{pod="p", pool="a"}', 5),
        ('used{pod="p", pool="b"}', 6),
    ]
    # The more labels agree, the nearer.
    assert [h.limit[0] for h in of_query(values, [*of_all, each[0]], 60, None)] == [5, 9]


def test_two_limits_for_one_series_are_refused():
    values = [found({"pool": "a"}, 0, [1, 2])]
    limits = [found({"pool": "a", "x": "1"}, 0, [5, 5]), found({"pool": "a", "x": "2"}, 0, [6, 6])]
    with pytest.raises(PermanentError, match=r"gives 2 limits for the series .*max by"):
        of_query(values, limits, 60, None)


def test_names_are_escaped_as_promql_has_it():
    assert named({"a": 'x"\n\\'}) == r'{a="x\"\n\\"}'
    assert named({"__name__": "up"}) == "up"


def test_the_memory_of_containers_is_asked_for_as_the_operator_does():
    settings = Settings(metric_matchers='job="kubelet"', memory_metric="working_set")
    asked = memory(settings, 60.0, 'sh"op')
    assert asked.values == (
        'last_over_time(working_set{container!="",container!="POD",namespace="sh\\"op",'
        'job="kubelet"}[60000ms])'
    )
    assert asked.limits is not None and 'namespace="sh\\"op"' in asked.limits
    assert memory(settings, 15.0, None).values.endswith("[22500ms])")
