"""When a breach began, also across restarts; and how far a query looks back."""

from __future__ import annotations

import pytest

from akeso.api.policy import Threshold
from akeso.engine.onsets import Onsets, labels_of, window_of
from akeso.errors import TransientError
from akeso.protocols import Reading
from unit.engine.sim import SimSource
from unit.engine.sim_cluster import Journal, SimCluster

NOW = 1_800_000_000.0
LABELS = {"namespace": "shop", "pod": "web-0"}


def source(answer: object = None) -> SimSource:
    made = SimSource(SimCluster(Journal(), NOW))
    if callable(answer):
        made.answers["q"] = answer
    return made


def at(time: float, value: float) -> list[Reading]:
    return [Reading(LABELS, time, value)]


def onsets() -> Onsets:
    return Onsets("q", Threshold(value=0.05), lookback=1_800, step=15)


async def since(watch: Onsets, found: SimSource, now: float, value: float) -> float | None:
    known = await watch.update(found, at(now, value), now)
    return known.get(labels_of(at(now, value)[0]))


async def test_a_breach_began_when_it_was_first_seen_after_having_been_fine() -> None:
    watch, found = onsets(), source(lambda now: at(now, 0.9))
    assert await since(watch, found, NOW, 0.0) is None
    assert await since(watch, found, NOW + 15, 0.5) == NOW + 15
    assert await since(watch, found, NOW + 30, 0.5) == NOW + 15


async def test_a_breach_that_ended_begins_anew() -> None:
    watch, found = onsets(), source()
    for now, value in ((NOW, 0.0), (NOW + 15, 0.5), (NOW + 30, 0.0)):
        await since(watch, found, now, value)
    assert await since(watch, found, NOW + 45, 0.5) == NOW + 45


async def test_a_new_process_looks_the_onset_up_in_the_history() -> None:
    began = NOW - 300
    found = source(lambda now: at(now, 0.5 if now >= began else 0.0))
    onset = await since(onsets(), found, NOW, 0.5)
    assert onset is not None and abs(onset - began) <= 15


async def test_without_history_the_onset_is_the_first_sight() -> None:
    found = source()
    found.down = TransientError("down")
    assert await since(onsets(), found, NOW, 0.5) == NOW


async def test_a_series_that_was_missing_was_not_fine() -> None:
    began = NOW - 300
    watch, found = onsets(), source(lambda now: at(now, 0.5 if now >= began else 0.0))
    await watch.update(found, [], NOW - 15)
    onset = await since(watch, found, NOW, 0.5)
    assert onset is not None and abs(onset - began) <= 15


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        ("up == 0", 0),
        ("rate(x[2m])", 120),
        ("sum(rate(x[30s])) / sum(rate(y[1h30m]))", 5_400),
        ("max_over_time(rate(x[5m])[1d:1m])", 86_400),
        ("x[500ms]", 0.5),
    ],
)
def test_a_query_looks_back_over_its_longest_range(query: str, seconds: float) -> None:
    assert window_of(query) == seconds
