"""Classes of metrics: which there are, and in what they differ."""

from __future__ import annotations

import numpy as np
import pytest

from akeso_predictors import DecisionSettings, InputError, replay
from akeso_predictors.classes import ALIASES, CLASSES, class_of, for_metric


@pytest.mark.parametrize("name", [*CLASSES, *ALIASES])
def test_every_class_has_settings_that_hold_together(name: str) -> None:
    chosen = for_metric(name, DecisionSettings())
    assert chosen.capacity_rows >= chosen.trend.window_rows
    assert class_of(name).horizon > 0
    replay(np.linspace(0.1, 0.5, 40), 1.0, 60.0, 3600.0, metric_class=name)


def test_an_alias_is_its_class() -> None:
    assert class_of("disk") is class_of("volume")
    assert class_of("pool") is class_of("connections")


def test_an_unknown_class_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"metric_class must be one of .*memory.*queue.*'mem'"):
        replay(np.ones(20), 2.0, 60.0, 3600.0, metric_class="mem")


def test_memory_is_judged_as_the_settings_say() -> None:
    mine = DecisionSettings(by_peaks=False, act_level=0.5)
    assert for_metric("memory", mine) == mine


def test_a_touch_of_the_bound_counts_for_memory_and_not_for_load() -> None:
    """Peaks that grow under a swing: the next peak passes the limit long before the mean does."""
    t = np.arange(300.0)
    saw = 0.25 * ((t % 30) / 30)
    values = 0.45 + 0.0008 * t + saw
    peaks = replay(values, 1.0, 60.0, 3600.0, metric_class="memory").probability[90:].max()
    mean = replay(values, 1.0, 60.0, 3600.0, metric_class="load").probability[90:].max()
    assert peaks > mean
