"""Load that comes back every day: foreseen before it begins, and no news while it is as ever."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from akeso.domain.forecast import Forecast, LoadKey, Readiness, Sample, SeriesKey
from akeso_predictors import Forecaster, outlook
from akeso_predictors.ets import Fit, Job
from akeso_predictors.outlook import ROWS, STEP, Outlook

FINE, DAY = 30.0, 86_400.0
MIDNIGHT = 20_000 * DAY
KEY = LoadKey("shop", "", "", "CPU 90", "uid-web")
HORIZON = 1_800.0
BARS: dict[SeriesKey, float] = {KEY: 0.8}
Load = Callable[[float], float]  # by seconds since midnight of day 0


def wobble(t: float) -> float:
    """Noise that is the same whoever asks."""
    return 0.01 * float(np.sin(t / 61.0) + np.sin(t / 613.0 + t * t / 1e9))


def morning(t: float) -> float:
    """Quiet nights; from 08:00 on within twenty minutes to 95 % of the limit."""
    hour = t % DAY / 3_600
    if 8 <= hour < 18:
        return 0.3 + 0.65 * min(1.0, (hour - 8) * 3) + wobble(t)
    return 0.3 + wobble(t)


def nightly(t: float) -> float:
    """A job from 02:00 to 03:00 that grows to 85 % and is done."""
    hour = t % DAY / 3_600
    return (0.25 + 0.6 * (hour - 2) if 2 <= hour < 3 else 0.25) + wobble(t)


def told(load: Load, limit: float, since: float, until: float, days: float) -> list[Forecast]:
    """Forecasts from `since` to `until`, an hour of rings and some days of rows before."""
    forecaster = Forecaster(FINE)
    at = MIDNIGHT + since
    forecaster.remember(
        Sample(KEY, t, load(t - MIDNIGHT), limit, "a") for t in np.arange(at - days * DAY, at, STEP)
    )
    forecaster.ingest(
        Sample(KEY, t, load(t - MIDNIGHT), limit, "a") for t in np.arange(at - 3_600, at, FINE)
    )
    found: list[Forecast] = []
    for t in np.arange(at, MIDNIGHT + until, FINE):
        forecaster.ingest([Sample(KEY, float(t), load(float(t) - MIDNIGHT), limit, "a")])
        found.append(forecaster.evaluate(float(t), HORIZON)[KEY])
    return found


def hours(h: float) -> float:
    return 14 * DAY + 3_600 * h


def test_the_morning_is_foreseen_before_it_begins_where_days_are_known() -> None:
    before = told(morning, 0.9, hours(7.4), hours(8.0), 10)
    first = next(f for f in before if f.alarm)
    assert first.probability is not None
    assert first.probability >= 0.8
    assert first.value is not None
    assert first.value < 0.4
    assert first.ttf is not None
    left = MIDNIGHT + hours(8) + 1_200 - (first.sampled_at or 0.0)
    assert first.ttf[0] <= left <= first.ttf[2] + STEP
    assert not any(f.alarm for f in told(morning, 0.9, hours(7.4), hours(8.0), 1))


def test_a_nightly_job_that_ends_below_the_limit_is_no_news_where_days_are_known() -> None:
    assert any(f.alarm for f in told(nightly, 0.9, hours(1.9), hours(3.0), 1))
    assert not any(f.alarm for f in told(nightly, 0.9, hours(1.9), hours(3.0), 10))


def test_growth_beyond_what_the_night_explains_is_news_still() -> None:
    def leaking(t: float) -> float:
        return nightly(t) + max(0.0, t - hours(1.5)) * 0.25 / 3_600

    found = told(leaking, 0.9, hours(1.9), hours(3.5), 10)
    crossed = next(i for i, f in enumerate(found) if (f.value or 0.0) >= 0.9)
    assert any(f.alarm for f in found[: crossed - 10])


def test_without_a_cycle_nothing_is_corrected() -> None:
    rng = np.random.default_rng(3)

    def restless(t: float) -> float:
        return float(0.4 + 0.05 * rng.random())

    forecaster = Forecaster(FINE)
    end = MIDNIGHT + 10 * DAY
    forecaster.remember(
        Sample(KEY, t, restless(t), 1.0, "a") for t in np.arange(MIDNIGHT, end, STEP)
    )
    kept = Outlook()
    kept.ingest(Sample(KEY, t, restless(t), 1.0, "a") for t in np.arange(MIDNIGHT, end, STEP))
    said = Forecast(KEY, Readiness.READY, HORIZON, 0.5, (1.0, 2.0, 3.0), True, 0.4, 1.0, end)
    assert kept.corrected({KEY: said}, end, BARS) == {KEY: said}
    assert kept.path(KEY) is None


@pytest.mark.parametrize("readiness", [r for r in Readiness if r is not Readiness.READY])
def test_what_the_trend_abstains_from_stays_so(readiness: Readiness) -> None:
    kept = Outlook()
    end = MIDNIGHT + hours(7.9)
    kept.ingest(
        Sample(KEY, t, morning(t - MIDNIGHT), 0.9, "a")
        for t in np.arange(end - 10 * DAY, end, STEP)
    )
    silent = Forecast(KEY, readiness, HORIZON, value=0.3, limit=0.9, sampled_at=end)
    assert kept.corrected({KEY: silent}, end, BARS) == {KEY: silent}


def test_a_path_knows_complete_rows_only_and_the_same_past_gives_the_same_path() -> None:
    end = MIDNIGHT + hours(7.5)

    def path(last: float, order: int) -> outlook.Path:
        kept = Outlook()
        times = [*np.arange(end - 10 * DAY, end, STEP)][::order]
        kept.ingest(Sample(KEY, t, morning(t - MIDNIGHT), 0.9, "a") for t in times)
        kept.ingest([Sample(KEY, end, last, 0.9, "a")])
        quiet = Forecast(KEY, Readiness.READY, HORIZON, 0.0, None, False, 0.3, 0.9, end)
        kept.corrected({KEY: quiet}, end, BARS)
        found = kept.path(KEY)
        assert found is not None
        return found

    one, other, backwards = path(0.3, 1), path(0.8, 1), path(0.3, -1)
    assert np.array_equal(one.mean, other.mean)
    assert np.array_equal(one.mean, backwards.mean)


def test_what_is_kept_and_done_at_once_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlook, "MOST_SERIES", 3)
    monkeypatch.setattr(outlook, "AT_ONCE", 2)
    kept = Outlook()
    keys: list[SeriesKey] = [LoadKey("shop", "", "", "CPU 90", f"uid-{i}") for i in range(5)]
    end = MIDNIGHT + hours(7.5)
    for key in keys:
        kept.ingest(
            Sample(key, t, morning(t - MIDNIGHT), 0.9, "a")
            for t in np.arange(end - 4 * DAY, end, STEP)
        )
    said: dict[SeriesKey, Forecast] = {
        key: Forecast(key, Readiness.READY, HORIZON, 0.0, None, False, 0.3, 0.9, end)
        for key in keys
    }
    fitted: list[int] = []
    for _ in range(3):
        kept.corrected(said, end, dict.fromkeys(said, 0.8))
        fitted.append(sum(kept.path(key) is not None for key in keys))
    assert fitted == [2, 3, 3]
    kept.forget(keys)
    assert kept.path(keys[0]) is None


def test_garbage_and_gaps_longer_than_all_rows_are_survived() -> None:
    kept = Outlook()
    for value in (float("nan"), float("inf"), 1e300, -1.0, 0.5):
        kept.ingest([Sample(KEY, MIDNIGHT, value, 1.0, "a")])
    kept.ingest([Sample(KEY, float("inf"), 0.5, 1.0, "a"), Sample(KEY, -5.0, 0.5, 1.0, "a")])
    kept.ingest([Sample(KEY, MIDNIGHT + 2 * ROWS * STEP, 0.5, 1.0, "a")])
    said = Forecast(KEY, Readiness.READY, HORIZON, 0.1, None, False, 0.5, 1.0, MIDNIGHT)
    assert kept.corrected({KEY: said}, MIDNIGHT + 2 * ROWS * STEP, BARS) == {KEY: said}


class Asked:
    """Answers every job with one value, and remembers what it was asked."""

    def __init__(self, value: float | None) -> None:
        self.value = value
        self.jobs: list[Job] = []
        self.waiting: Sequence[Job] = ()

    def submit(self, jobs: Sequence[Job]) -> None:
        self.jobs += jobs
        self.waiting = jobs

    async def settled(self) -> None:
        return

    def collect(self) -> Sequence[Fit | None]:
        if self.value is None:
            return [None for _ in self.waiting]
        line = np.full(outlook.AHEAD, self.value)
        return [Fit(line, np.ones(outlook.AHEAD), "STL") for _ in self.waiting]


@pytest.mark.parametrize(("limit", "asked"), [(0.96, True), (0.6, False), (2.0, False)])
def test_a_path_that_leaves_it_open_is_fitted_and_moved_half_of_the_way(
    limit: float, asked: bool
) -> None:
    end = MIDNIGHT + hours(9.5)
    fitter = Asked(2.0)
    kept = Outlook(fitter)
    kept.ingest(
        Sample(KEY, t, morning(t - MIDNIGHT), limit, "a")
        for t in np.arange(end - 10 * DAY, end, STEP)
    )
    said: dict[SeriesKey, Forecast] = {
        KEY: Forecast(KEY, Readiness.READY, HORIZON, 0.0, None, False, 0.95, limit, end)
    }
    kept.corrected(said, end, BARS)
    before = kept.path(KEY)
    assert before is not None
    assert [job.season for job in fitter.jobs] == ([96] if asked else [])
    kept.corrected(said, end + FINE, BARS)
    after = kept.path(KEY)
    assert after is not None
    expected = (before.mean + 2.0) / 2 if asked else before.mean
    assert after.mean == pytest.approx(expected)
    assert after.near[1] - after.mean == pytest.approx(before.near[1] - before.mean)
    assert len(fitter.jobs) == asked


def test_an_answer_that_is_late_changes_nothing() -> None:
    end = MIDNIGHT + hours(9.5)
    kept = Outlook(Asked(None))
    kept.ingest(
        Sample(KEY, t, morning(t - MIDNIGHT), 0.96, "a")
        for t in np.arange(end - 10 * DAY, end, STEP)
    )
    said: dict[SeriesKey, Forecast] = {
        KEY: Forecast(KEY, Readiness.READY, HORIZON, 0.0, None, False, 0.95, 0.96, end)
    }
    kept.corrected(said, end, BARS)
    before = kept.path(KEY)
    kept.corrected(said, end + FINE, BARS)
    assert kept.path(KEY) is before
