"""What outcomes have taught outlives the process, and is learned only where nobody acts on alarms."""

from __future__ import annotations

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from akeso.api.control import HealingControl, HealingControlStatus
from akeso.domain.forecast import LoadKey, SeriesKey
from akeso.engine.acted import acted_on
from akeso.engine.experience import STORED_EVERY, Experience
from akeso.engine.selection import select
from akeso.telemetry.metrics import Metrics
from akeso_predictors import Calibration, Forecaster
from unit.engine.scenes import leaking
from unit.engine.sim import MEMORY, NOW, World

LEARNED = Calibration().learned("memory", np.array([[0.5, 1.0, 1.0]]), np.zeros((0, 6)))


def watching(mode: str) -> World:
    world = World()
    world.policy(dict(MEMORY), mode=mode)
    leaking(world, replicas=4)
    return world


def stored(world: World) -> str | None:
    control = world.records.control()
    assert control is not None
    return control.status.calibration


async def test_what_was_learned_is_stored_now_and_then_and_recalled_by_the_next_process():
    world = watching("Observe")
    await world.until(lambda: stored(world), within=3 * 3600)
    text = stored(world)
    assert text is not None
    assert Calibration.from_json(text).of("memory").weight > 1
    assert world.cluster.now - NOW >= STORED_EVERY
    world.restart()
    assert world.engine.predictor.learned == ""
    await world.cycle()
    assert world.engine.predictor.learned == text


async def test_where_alarms_are_answered_nothing_is_learned():
    world = watching("Heal")
    await world.run(STORED_EVERY + 900)
    assert stored(world) is None
    assert world.engine.predictor.learned == ""


def control(text: str | None) -> HealingControl:
    return HealingControl.model_validate(
        {"metadata": {"name": "akeso", "namespace": "akeso"}}
    ).model_copy(update={"status": HealingControlStatus(calibration=text)})


def experience(forecaster: Forecaster) -> Experience:
    return Experience(forecaster, Metrics(CollectorRegistry()))


def test_it_is_recalled_once_and_from_the_first_control_that_is_there():
    forecaster = Forecaster(15.0)
    known = experience(forecaster)
    known.recall(None)
    known.recall(control(LEARNED.to_json()))
    assert forecaster.calibration == LEARNED
    known.recall(control(Calibration().to_json()))
    assert forecaster.calibration == LEARNED


@pytest.mark.parametrize("text", ["", "{", '{"akeso":"calibration","version":99}'])
def test_what_can_not_be_read_is_said_and_left_until_there_is_better(text, caplog):
    forecaster = Forecaster(15.0)
    known = experience(forecaster)
    known.recall(control(text))
    assert "status.calibration" in caplog.text
    assert forecaster.learned == ""
    assert known.to_store(control(text), 0.0) is None
    assert known.to_store(control(text), STORED_EVERY) is None
    forecaster.calibration = LEARNED
    assert known.to_store(control(text), 2 * STORED_EVERY) == LEARNED.to_json()


def test_nothing_is_stored_twice_or_too_often():
    forecaster = Forecaster(15.0, LEARNED)
    known = experience(forecaster)
    before = control(None)
    assert known.to_store(before, 0.0) is None
    assert known.to_store(before, STORED_EVERY - 1) is None
    text = known.to_store(before, STORED_EVERY)
    assert text == LEARNED.to_json()
    assert known.to_store(control(text), 2 * STORED_EVERY) is None


def test_acted_on_are_the_series_of_signals_of_policies_that_heal():
    world = World()
    cpu = {
        "name": "cpu",
        "builtin": "CPUSaturation",
        "ladder": [{"healer": "ScaleOut", "maxReplicas": 4}],
    }
    heals = world.policy(dict(MEMORY), mode="Heal")
    watches = world.policy(cpu, mode="Observe")
    w = world.cluster.add()
    selection = select([heals, watches], world.cluster.snapshots())
    memory = SeriesKey(w.ref.namespace, w.pods[0].ref.name, "app")
    load = LoadKey(w.ref.namespace, "", "", "CPU 90", w.ref.uid)
    assert acted_on([memory, load], selection, [heals, watches]) == {memory}
    assert acted_on([memory, load], selection, [watches]) == frozenset()
