"""The probability from which Akeso acts: what acting costs against failing, unless a policy says."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from akeso.domain.forecast import SeriesKey
from akeso.engine.selection import select
from akeso.engine.series import horizons_of
from akeso.settings import Settings
from akeso_predictors import DecisionSettings, InputError
from unit.engine.scenes import leaking
from unit.engine.sim import MEMORY, World


def test_unset_it_is_what_it_was():
    assert Settings().bar == DecisionSettings().bar == 0.8


@pytest.mark.parametrize(("acting", "failing"), [(0.04, 1), (1, 1), (100, 1), (1, 1000)])
def test_a_ratio_that_would_act_on_noise_or_never_is_refused(acting, failing):
    with pytest.raises(ValidationError, match="cost_of_acting.*cost_of_failing"):
        Settings(cost_of_acting=acting, cost_of_failing=failing)
    with pytest.raises(InputError, match="cost_of_acting"):
        DecisionSettings(cost_of_acting=acting, cost_of_failing=failing)


@pytest.mark.parametrize(("forecast", "bar"), [({}, 0.5), ({"probabilityPercent": 70}, 0.7)])
def test_a_policy_that_names_a_probability_has_its_way(forecast, bar):
    world = World(cost_of_acting=10.0, cost_of_failing=20.0)
    policy = world.policy({**MEMORY, "forecast": forecast})
    w = world.cluster.add()
    found = horizons_of(select([policy], world.cluster.snapshots()), [policy], world.settings.bar)
    assert found[SeriesKey(w.ref.namespace, w.pods[0].ref.name, "app")] == (1800.0, bar)


async def test_where_failing_is_dear_a_leak_is_answered_earlier():
    opened: list[float] = []
    for acting in (0.8, 0.1):
        world = World(cost_of_acting=acting)
        world.policy(dict(MEMORY))
        leaking(world, replicas=2, leak=0.0)
        await world.until(world.opened())
        opened.append(world.cluster.now)
    assert opened[1] < opened[0]
