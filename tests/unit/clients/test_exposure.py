"""What the metrics show of watches, the Lease and requests, as it is when they are read."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from akeso.clients.kubernetes.connection import connect
from akeso.clients.kubernetes.lease import Leadership
from akeso.clients.kubernetes.reflector import Reflector, Source
from akeso.errors import TransientError
from akeso.settings import Settings
from akeso.telemetry.metrics import Metrics
from akeso.wiring.exposure import expose, watch_age
from unit.clients.apiserver import QuickClock, Refusal, Script, kubeconfig, serving, status, thing


def reflector(api: object, clock: QuickClock) -> Reflector[str]:
    return Reflector(api, clock, Source("things", "things", str))  # type: ignore[arg-type]


def test_a_watch_is_as_old_as_its_last_word_and_before_the_first_as_the_process() -> None:
    made = reflector(None, QuickClock())
    assert watch_age(made, 1_000.0, lambda: 1_040.0) == 40.0
    made.heard_at = 1_030.0
    assert watch_age(made, 1_000.0, lambda: 1_040.0) == 10.0


def test_a_watch_that_may_not_be_read_has_no_age_that_could_alarm() -> None:
    made = reflector(None, QuickClock())
    made.refused = True
    assert math.isnan(watch_age(made, 1_000.0, lambda: 9_999.0))


async def test_requests_are_counted_by_verb_and_status_those_without_an_answer_too(
    tmp_path: Path,
) -> None:
    script = Script([thing("a", 1)])
    metrics = Metrics(CollectorRegistry())
    async with serving(script, tmp_path) as api:
        api.tally = metrics.answered
        await api.get("/things")
        script.answers.append(Refusal(503, status(503, "not now")))
        with pytest.raises(TransientError):
            await api.get("/things")
        async with api.watch("/things", {}, silence=1.0):
            pass
    nowhere = kubeconfig(tmp_path, "http://127.0.0.1:1", "secret")
    api = await connect(Settings.model_validate({"kubeconfig": str(nowhere)}))
    api.tally = metrics.answered
    with pytest.raises(TransientError):
        await api.get("/things")
    await api.close()

    def count(verb: str, code: str) -> float | None:
        labels = {"verb": verb, "code": code}
        return metrics.registry.get_sample_value("akeso_api_requests_total", labels)

    assert (count("GET", "200"), count("GET", "503"), count("GET", "none")) == (1, 1, 1)
    assert count("WATCH", "200") == 1


async def test_a_standby_shows_no_lease_time_left_and_how_often_the_lease_changed_hands(
    tmp_path: Path,
) -> None:
    metrics, clock = Metrics(CollectorRegistry()), QuickClock()
    async with serving(Script(), tmp_path) as api:
        leadership = Leadership(api, Settings(), clock)
        expose(metrics, leadership, [reflector(api, clock)], clock)
        value = metrics.registry.get_sample_value
        assert value("akeso_lease_left_seconds") == 0
        assert value("akeso_lease_transitions") == 0
        assert value("akeso_watch_age_seconds", {"resource": "things"}) == 0
        leadership.transitions = 4
        assert value("akeso_lease_transitions") == 4
