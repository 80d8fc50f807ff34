"""What was learned of other rises: where it holds, where it does not, and that no last digit decides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akeso_predictors import replay
from akeso_predictors.checks import Floats, InputError
from akeso_predictors.odds import TRAITS
from akeso_predictors.settings import DecisionSettings
from akeso_predictors.trees import DEPTH, Trees, shipped
from unit.predictors.injected import cases

PLAIN = replace(DecisionSettings(), trees=None)


def forest(count: int = 3, width: float = 0.1) -> Trees:
    """Trees that say something else everywhere, and more where the first trait is higher."""
    random = np.random.default_rng(0)
    inner = 2**DEPTH - 1
    trait = np.broadcast_to(random.integers(1, 4, inner), (count, inner)).copy()
    trait[:, 0] = 0
    leaf = random.normal(0, 0.3, (count, inner + 1)).astype(np.float32)
    leaf[:, (inner + 1) // 2 :] += 2 - leaf.min()
    above = random.normal(0, 1, (count, inner)).astype(np.float32)
    return Trees(("a", "b", "c", "d"), trait, above, leaf, -1.0, np.full(4, width, np.float32))


def asked_one_by_one(trees: Trees, traits: Floats) -> Floats:
    """Log-odds of each tree's own decisions, as one would read them."""
    found = []
    for row in traits:
        total = trees.base
        for trait, above, leaf in zip(trees.trait, trees.above, trees.leaf, strict=True):
            node = 0
            for _ in range(DEPTH):
                node = 2 * node + (2 if row[trait[node]] > above[node] else 1)
            total += float(leaf[node - len(trait)])
        found.append(total)
    return np.array(found)


def test_trees_decide_as_one_reads_them_away_from_their_edges() -> None:
    trees = forest(width=1e-6)
    traits = np.random.default_rng(1).normal(0, 1, (200, 4)).astype(np.float32)
    said = trees.revised(np.ones(200, np.float32), traits)
    wanted = 1 / (1 + np.exp(-asked_one_by_one(trees, traits)))
    np.testing.assert_allclose(said, wanted, atol=1e-5)


def test_a_forest_is_the_same_after_it_was_written_and_read() -> None:
    trees = forest()
    again = Trees.from_json(trees.to_json())
    assert again.traits == trees.traits
    assert Trees.from_json(again.to_json()).to_json() == again.to_json()
    traits = np.random.default_rng(1).normal(0, 1, (50, 4)).astype(np.float32)
    likely = np.full(50, 0.5, np.float32)
    np.testing.assert_allclose(
        again.revised(likely, traits), trees.revised(likely, traits), atol=1e-3
    )


@pytest.mark.parametrize("text", ["", "{}", '{"traits": [], "trees": []}'])
def test_what_is_no_forest_is_an_error(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        Trees.from_json(text)


def test_what_ships_was_fitted_to_these_traits() -> None:
    assert shipped().traits == TRAITS
    assert len(shipped().width) == len(TRAITS)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1))
def test_more_odds_before_are_no_less_after(seed: int, one: float, other: float) -> None:
    low, high = sorted((one, other))
    random = np.random.default_rng(seed)
    traits = random.normal(0, 2, (2, len(TRAITS))).astype(np.float32)
    traits[1] = traits[0]
    likely = np.array([low, high], np.float32)
    known = likely.clip(1e-6, 1 - 1e-6)
    traits[:, TRAITS.index("odds")] = np.log(known / (1 - known))
    said = shipped().revised(likely, traits)
    assert said[1] >= said[0] - 1e-6
    assert ((said >= 0) & (said <= 1)).all()


def test_what_can_not_be_stays_so() -> None:
    traits = np.random.default_rng(0).normal(0, 2, (50, len(TRAITS))).astype(np.float32)
    assert not shipped().revised(np.zeros(50, np.float32), traits).any()


def leaks(step: float, seeds: int = 8) -> Floats:
    """A rest and a leak of ninety rows (T, S)."""
    found = []
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        level = np.concatenate([np.full(120, 0.3), np.linspace(0.3, 1.0, 90)])
        found.append(level + random.normal(0, 0.004, len(level)))
    return np.stack(found, axis=1)


@settings(max_examples=10, deadline=None)
@given(st.floats(1e-3, 1e12))
def test_units_do_not_matter_where_trees_are_asked(unit: float) -> None:
    values = leaks(60.0)
    plain = replay(values, 1.0, 60.0, 3600.0).probability
    scaled = replay(values * unit, unit, 60.0, 3600.0).probability
    np.testing.assert_allclose(plain, scaled, atol=5e-3)


def test_a_longer_horizon_is_no_less_likely_where_trees_are_asked() -> None:
    near, middle, far = (
        replay(leaks(60.0), 1.0, 60.0, horizon).probability for horizon in (900.0, 1800.0, 3600.0)
    )
    assert (middle >= near - 1e-6).all()
    assert (far >= middle - 1e-6).all()


@pytest.mark.parametrize(
    ("step", "metric", "same"),
    [(60.0, "memory", False), (15.0, "connections", False), (60.0, "volume", False),
     (5.0, "memory", True), (60.0, "load", True), (60.0, "errors", True)],
)  # fmt: skip
def test_trees_are_asked_where_their_histories_were_from(
    step: float, metric: str, same: bool
) -> None:
    values = leaks(step)
    known, plain = (
        replay(values, 1.0, step, 60 * step, metric_class=metric, settings=chosen).probability
        for chosen in (DecisionSettings(), PLAIN)
    )
    assert np.array_equal(known, plain) == same


def test_a_life_that_only_rose_is_not_judged_by_others() -> None:
    values = leaks(60.0)[118:]
    known = replay(values, 1.0, 60.0, 3600.0).probability
    plain = replay(values, 1.0, 60.0, 3600.0, settings=PLAIN).probability
    # A fit may see a rest of a few rows, which counts for little.
    assert np.abs(known - plain).max() < 0.1


def test_what_was_learned_makes_claims_better() -> None:
    """On services of the development half; bench/odds.py tells it of authors that no tree has seen."""
    loss = {"known": 0.0, "plain": 0.0}
    for case in cases(80, seed=5):
        end = len(case.values) if case.crossing is None else case.crossing
        crossing = np.inf if case.crossing is None else case.crossing
        truth = (crossing - np.arange(end)) * case.step <= case.horizon
        for name, chosen in (("known", DecisionSettings()), ("plain", PLAIN)):
            said = replay(case.values, case.limit, case.step, case.horizon, settings=chosen)
            loss[name] += float(((said.probability[:end, 0] - truth) ** 2).sum())
    assert loss["known"] < loss["plain"]


def jobs(kept: float, seeds: int = 24) -> Floats:
    """A job that fills memory and ends, again and again; what it keeps grows by `kept` in four hours."""
    rows = np.arange(420.0)
    found = []
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        period, busy = random.uniform(45, 80), random.uniform(0.4, 0.8)
        rest, top = random.uniform(0.2, 0.35), random.uniform(0.7, 0.8)
        tops = top * random.uniform(0.98, 1.01, 50)[(rows // period).astype(int)]
        phase = rows % period / period
        level = np.where(phase < busy, rest + (tops - rest) * phase / busy, rest)
        grown = kept * np.maximum(rows - 90, 0) / 240
        found.append(level + grown + random.normal(0, 0.003, len(rows)))
    return np.stack(found, axis=1)


def test_jobs_that_keep_more_each_time_are_told_and_those_that_keep_nothing_seldom() -> None:
    # Fitted to rises below former peaks too, trees told a quarter of these leaks.
    told = []
    for values in (jobs(0.45), jobs(0.7)):
        assert (values >= 1).any(axis=0).all()
        alarm = replay(values, 1.0, 60.0, 3600.0).alarm
        for series, crossing in enumerate((values >= 1).argmax(axis=0)):
            told.append(alarm[max(crossing - 120, 0) : crossing - 4, series].any())
    assert np.mean(told) >= 0.5
    healthy = replay(jobs(0), 1.0, 60.0, 3600.0).alarm
    begun = np.diff(healthy.astype(int), axis=0) > 0
    assert begun.sum(axis=0).mean() <= 0.3


def test_a_scale_without_a_width_is_refused() -> None:
    trend = replace(DecisionSettings().trend, brisk=15.0)
    with pytest.raises(InputError, match=r"trend\.brisk \(15\).*usual \(15\)"):
        replace(DecisionSettings(), trend=trend)
