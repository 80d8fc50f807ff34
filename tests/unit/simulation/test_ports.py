"""Whoever gives the engine a new port, or a new setting, says whether it is recorded."""

from __future__ import annotations

from typing import get_type_hints

import akeso.engine.records
import akeso.engine.report
import akeso.protocols
from akeso.settings import Settings
from akeso.simulation import codec
from akeso.simulation.header import LEFT_OUT, RECORDED
from akeso.simulation.methods import Form, by_name, methods, public
from akeso.simulation.ports import NO_PORTS, protocols
from akeso.telemetry.metrics import Metrics
from akeso.wiring.engine import engine
from akeso_predictors.outlook import Fitter
from unit.engine.scenes import leak

WHERE = (akeso.protocols, akeso.engine.records, akeso.engine.report)


def test_every_protocol_is_a_port_or_is_said_to_be_none():
    there = {
        found
        for module in WHERE
        for found in vars(module).values()
        if getattr(found, "_is_protocol", False) and found.__module__ == module.__name__
    }
    ports = set(protocols().values())
    assert there - ports - set(NO_PORTS) == set()
    assert ports & set(NO_PORTS) == set()


def test_the_engine_is_given_nothing_but_ports_settings_and_metrics():
    hints = get_type_hints(engine)
    hints.pop("return")
    # What a fitter says depends on its jobs alone, so that a replay has another one.
    assert hints.pop("fitter") == Fitter | None
    assert [hint.__name__ for hint in hints.values()] == ["Ports", "Settings", Metrics.__name__]


def test_every_method_of_a_port_has_a_form():
    for port, protocol in protocols().items():
        assert {m.attribute for m in methods()[port]} == set(public(protocol))


def test_every_setting_is_recorded_or_said_to_be_left_out():
    assert set(Settings.model_fields) == RECORDED | LEFT_OUT
    assert set() == RECORDED & LEFT_OUT


def test_readings_views_and_calls_are_told_apart():
    found = {name: method.form for name, method in by_name().items()}
    assert found["clock.now"] is Form.READING
    assert found["metrics.kind"] is Form.VIEW
    assert found["cluster.snapshots"] is Form.VIEW
    assert found["cluster.perform"] is Form.CALL


def test_a_call_has_the_same_key_whatever_the_order_of_a_set():
    world, _ = leak(replicas=1)
    [seen] = world.cluster.snapshots()
    names = [f"node-{n}" for n in range(50)]

    def key(nodes: frozenset[str] | None) -> str:
        return codec.key_of(by_name()["cluster.capacity"], (seen, nodes))

    assert key(frozenset(names)) == key(frozenset(reversed(names)))
    assert len({key(frozenset(names)), key(frozenset(names[1:])), key(None)}) == 3
