"""Alerts in, silences respected: whole stories with an Alertmanager, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from akeso.api.conditions import Condition
from akeso.api.policy import Signal
from akeso.domain.action import Action
from akeso.domain.alert import Alert
from akeso.domain.finding import Outcome
from akeso.domain.workload import Kind
from akeso.engine.alerts import Firing, find_alert
from akeso.errors import TransientError
from unit.engine.scenes import leaking
from unit.engine.sim import MEMORY, NOW, World
from unit.engine.sim_workload import SimPod, SimWorkload
from unit.world import deployment, pod, stateful_set

URL: Mapping[str, Any] = {"alertmanager_url": "http://alertmanager:9093"}
DOWN = TransientError("Alertmanager cannot be reached: refused")
SLOW: Mapping[str, Any] = {
    "name": "slow",
    "alert": {"matchLabels": {"alertname": "Slow"}, "quietSeconds": 60},
    "ladder": [{"healer": "RestartPods", "timeoutSeconds": 400}],
}

BLOCKED = ("Blocked", "Silenced")


def slow(name: str, since: float = NOW, **labels: str) -> Alert:
    return Alert({"alertname": "Slow", "namespace": "shop", "pod": name, **labels}, since)


def tired(
    signal: Mapping[str, Any] = SLOW, replicas: int = 2, lingers: float = 0, **settings: Any
) -> tuple[World, SimWorkload]:
    """Pods that an alert fires for, until they are replaced and `lingers` seconds longer."""
    world = World(**{**URL, **settings})
    world.policy(dict(signal))
    w = world.cluster.add(replicas=replicas)
    old = list(w.pods)
    last = [NOW]

    def firing() -> list[Alert]:
        present = [p for p in old if p in w.present]
        if present:
            last[0] = world.cluster.now
        if world.cluster.now - last[0] > lingers:
            return []
        return [slow(p.ref.name) for p in present] or [slow("gone", deployment="web")]

    world.alerts.firing = firing
    return world, w


def reason(world: World, type: str) -> Condition:
    [policy] = world.records.policies()
    return next(c for c in policy.status.conditions if c.type == type)


async def test_pods_that_an_alert_names_are_restarted_and_verified_once_it_stays_away() -> None:
    world, w = tired()
    await world.until(world.completed())
    assert sorted(world.journal.of_users()) == ["evict web-v1-0", "evict web-v1-1"]
    assert world.outcomes() == [Outcome.VERIFIED] and w.fewest_ready == 1
    evidence = world.healing().spec.evidence
    assert evidence.message == "alert Slow fires since 2027-01-15T08:00:00Z"
    assert evidence.since.timestamp() == NOW
    attempt = world.healing().status.attempts[0]
    ready = max(p.ready_since or 0 for p in w.present)
    assert attempt.finished_at is not None
    assert attempt.finished_at.timestamp() - ready >= 60  # quietSeconds


async def test_an_alert_that_lingers_is_waited_for_as_long_as_the_rung_may_take() -> None:
    world, _ = tired(lingers=200)
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED]


async def test_an_alert_that_does_not_end_is_a_failure_when_the_rungs_time_is_over() -> None:
    world, _ = tired(lingers=10_000)
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.FAILED]
    assert "the problem is still there: alert Slow fires" in str(world.healing().status.message)


async def test_an_alert_that_begins_anew_on_the_new_pods_is_a_failure_at_once() -> None:
    world, w = tired()
    old = {p.ref.uid for p in w.pods}

    def always() -> list[Alert]:
        began = max(p.ready_since or world.cluster.now for p in w.present) + 15
        if any(p.ref.uid in old for p in w.present):
            began = NOW
        return [slow(p.ref.name, began) for p in w.present if began <= world.cluster.now]

    world.alerts.firing = always
    await world.until(world.completed())
    assert world.outcomes()[0] is Outcome.FAILED
    [attempt] = world.healing(0).status.attempts
    assert attempt.finished_at is not None and attempt.finished_at < attempt.deadline


async def test_an_alert_shown_as_suppressed_opens_nothing() -> None:
    world, _ = tired()
    world.alerts.silence(600, alertname="Slow")
    await world.run(590)
    assert world.healings() == []
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED]


async def test_a_silence_under_way_holds_the_healing_and_is_no_sign_of_health() -> None:
    world, _ = tired(replicas=3)
    world.cluster.before_write = lambda _: world.alerts.silence(300, alertname="Slow")
    await world.until(world.wrote())
    world.cluster.before_write = None
    await world.run(280)
    assert world.journal.of_users() == ["evict web-v1-0"]
    assert world.condition("Blocked") == "Silenced"
    assert "by ana until" in str(world.healing().status.message)
    told = [d.message for d in world.notifier.heard if (d.what, d.reason) == BLOCKED]
    assert len(told) == 1 and "expire silence s-0" in told[0]  # the Event
    await world.until(world.completed())
    assert len(world.journal.of_users()) == 3 and world.outcomes() == [Outcome.VERIFIED]


async def test_a_silence_that_is_extended_says_its_new_end_once() -> None:
    world, _ = tired()
    world.pause("not yet")
    await world.until(world.opened())
    world.pause(None)
    world.alerts.silence(300, alertname="Slow")
    await world.run(60)
    first = str(world.healing().status.message)
    world.alerts.silence(900, alertname="Slow")
    await world.run(60)
    second = str(world.healing().status.message)
    assert "expire silence s-0" in first and "expire silence s-1" in second
    before = len(world.journal.writes)
    await world.run(600)
    assert len(world.journal.writes) == before
    assert world.condition("Blocked") == "Silenced"


async def test_an_alert_silenced_after_the_last_write_is_neither_verified_nor_cleared() -> None:
    world, _ = tired(lingers=10_000)
    await world.until(world.wrote(2))
    world.alerts.silence(10_000, alertname="Slow")
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.FAILED]


async def test_an_alert_silenced_before_the_first_write_keeps_its_healing_open_and_says_why() -> (
    None
):
    world, _ = tired()
    world.pause("not yet")
    await world.until(world.opened())
    world.pause(None)
    world.alerts.silence(10_000, alertname="Slow")
    await world.run(600)
    assert world.outcomes() == [None] and world.journal.of_users() == []
    assert world.condition("Blocked") == "Silenced"


async def test_an_inhibited_alert_is_left_alone_with_a_reason_of_its_own() -> None:
    world, w = tired()
    world.pause("not yet")
    await world.until(world.opened())
    world.pause(None)
    names = [p.ref.name for p in w.pods]
    world.alerts.firing = lambda: [Alert(slow(n).labels, NOW, suppressed=True) for n in names]
    await world.run(60)
    assert world.condition("Blocked") == "Suppressed" and world.journal.of_users() == []


async def test_a_silence_blocks_other_signals_of_its_target_too_until_it_ends() -> None:
    world = World(**URL)
    world.policy(dict(MEMORY))
    leaking(world, replicas=1)
    world.alerts.silence(300, namespace="shop", workload="web")
    await world.run(290)
    assert world.condition("Blocked") == "Silenced" and world.journal.of_users() == []
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED]


async def test_a_silence_made_since_the_cycle_began_holds_before_the_next_write() -> None:
    world = World(**URL)
    world.policy(dict(MEMORY))
    leaking(world, replicas=1)
    world.cluster.before_write = lambda action: silence_the_second(world, action)
    await world.until(world.wrote())
    await world.run(60)
    # Silenced in the middle of a surge: no eviction.
    assert world.journal.of_users() == ["scale 1->2", "release"]
    assert world.condition("Blocked") == "Silenced"


def silence_the_second(world: World, _: Action) -> None:
    """While the first write is under way."""
    world.alerts.silence(10_000, deployment="web")


async def test_what_was_begun_is_taken_back_in_spite_of_a_silence() -> None:
    world = World(**URL)
    signal = {**MEMORY, "ladder": [{"healer": "RestartPods", "timeoutSeconds": 120}]}
    world.policy(signal)
    _ = leaking(world, replicas=1)
    world.cluster.before_write = lambda action: silence_the_second(world, action)
    await world.until(world.completed(), within=1_200)
    assert world.journal.of_users() == ["scale 1->2", "release", "scale 2->1", "release"]


async def test_while_alertmanager_is_down_nothing_is_healed_and_policies_and_akeso_say_so() -> None:
    world, _ = tired()
    leaking(world, name="leaky", replicas=1)
    world.policy(dict(SLOW), dict(MEMORY))
    world.alerts.down = DOWN
    await world.run(600)
    assert world.journal.of_users() == []
    assert world.condition("Blocked") == "SilencesUnknown"
    assert reason(world, "SignalsReady").reason == "AlertmanagerDown"
    assert "spec.signals[slow].alert: Alertmanager cannot" in reason(world, "Ready").message
    control = world.records.control()
    assert control is not None
    [degraded] = [c for c in control.status.conditions if c.type == "Degraded"]
    assert "nothing is healed while silences can't be read" in degraded.message
    world.alerts.down = None
    await world.until(world.wrote())


async def test_an_alertmanager_that_dies_after_the_write_verifies_nothing() -> None:
    world, _ = tired()
    await world.until(world.wrote(2))
    world.alerts.down = DOWN
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.INCONCLUSIVE]
    assert "no fresh data" in str(world.healing().status.attempts[0].message)


async def test_an_alertmanager_that_dies_before_the_first_write_clears_nothing() -> None:
    world, _ = tired()
    world.pause("not yet")
    await world.until(world.opened())
    world.alerts.down = DOWN
    await world.run(900)
    assert world.outcomes() == [None]


async def test_a_hanging_alertmanager_is_asked_once_a_cycle_not_once_a_healing() -> None:
    world = World(**URL)
    world.policy(dict(MEMORY))
    for number in range(5):
        leaking(world, name=f"web-{number}", replicas=1)
    world.alerts.down = DOWN
    await world.until(world.opened(5))
    before = world.alerts.asked
    await world.cycle()
    assert world.alerts.asked == before + 1


async def test_a_problem_that_is_gone_before_anything_was_done_is_cleared() -> None:
    world, _ = tired()
    world.pause("not yet")
    await world.until(world.opened())
    world.alerts.firing = list
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.CLEARED]


async def test_without_the_watchdog_alerts_that_are_missing_prove_nothing() -> None:
    world, _ = tired(alertmanager_watchdog="Watchdog")
    await world.run(120)
    assert world.healings() == []
    assert "alert Watchdog does not fire" in reason(world, "SignalsReady").message
    firing = world.alerts.firing
    world.alerts.firing = lambda: [Alert({"alertname": "Watchdog"}, NOW), *firing()]
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED]


async def test_without_an_alertmanager_the_policy_says_which_setting_is_missing() -> None:
    world, _ = tired(alertmanager_url=None)
    await world.run(60)
    assert world.healings() == []
    found = reason(world, "SignalsReady")
    assert found.reason == "NoAlertmanager" and "set AKESO_ALERTMANAGER_URL" in found.message


async def test_an_alert_without_a_ladder_asks_a_person() -> None:
    world, _ = tired({key: SLOW[key] for key in ("name", "alert")})
    await world.run(60)
    assert world.condition("NeedsHuman") == "NoLadder" and world.journal.of_users() == []


async def test_an_alert_that_began_with_a_release_takes_it_back() -> None:
    world = World(**URL)
    policy = world.policy({**SLOW, "ladder": [{"healer": "Rollback"}]})
    w = world.cluster.add()
    world.remember(policy, w, "v1")
    world.cluster.roll_out(w, "v2")
    new = alerts_of(w, lambda p: p.revision == "v2", NOW + 60)
    world.alerts.firing = lambda: new() if world.cluster.now >= NOW + 60 else []
    await world.until(world.completed())
    assert world.journal.of_users() == ["template v1", "release"]
    assert world.outcomes() == [Outcome.VERIFIED]


def alerts_of(
    w: SimWorkload, which: Callable[[SimPod], bool], since: float
) -> Callable[[], Sequence[Alert]]:
    return lambda: [slow(p.ref.name, since) for p in w.present if which(p)]


async def test_two_policies_with_the_same_alert_heal_it_once() -> None:
    world, _ = tired()
    world.policy({**SLOW, "name": "also"}, name="second")
    await world.until(world.completed())
    assert len(world.healings()) == 1


async def test_at_rest_with_an_alertmanager_nothing_is_written() -> None:
    world, _ = tired()
    world.alerts.firing = lambda: [slow("elsewhere"), slow("web-v1-0", namespace="other")]
    world.alerts.silence(10_000, namespace="other")
    await world.run(60)
    before = len(world.journal.writes)
    await world.run(900)
    assert len(world.journal.writes) == before


# -- whom an alert means ----------------------------------------------------------------------

WEB = deployment(3, pods=[pod("web-0"), pod("web-1"), pod("web-2", deleting=True)])


def meant(alert: Mapping[str, str], seen: Any = WEB, **signal: str) -> list[str] | None:
    """Names of the pods that an alert with these labels means; None: it means nobody here."""
    wire = {"name": "s", "alert": {"matchLabels": {"alertname": "A"}}, **signal}
    labels = {"alertname": "A", "namespace": "shop", **alert}
    firing = Firing([Alert({k: v for k, v in labels.items() if v}, NOW)])
    found = find_alert(seen, Signal.model_validate(wire), firing, NOW)
    return None if found is None else [p.name for p in found[1]]


@pytest.mark.parametrize(
    ("alert", "signal", "pods"),
    [
        ({"pod": "web-1"}, {}, ["web-1"]),
        ({"deployment": "web"}, {}, ["web-0", "web-1"]),
        ({"deployment": "web", "pod": "web-1"}, {}, ["web-1"]),
        # The pod is that of whoever measured it.
        ({"deployment": "web", "pod": "kube-state-metrics-0"}, {}, ["web-0", "web-1"]),
        ({"deployment": "api", "pod": "web-1"}, {}, None),
        ({"statefulset": "web"}, {}, None),
        ({"pod": "web-2"}, {}, None),  # on its way out
        ({"pod": "other"}, {}, None),
        ({}, {}, None),
        ({"pod": "web-1", "namespace": "other"}, {}, None),
        ({"pod": "web-1", "namespace": ""}, {}, None),
        ({"pod": "web-1", "alertname": "B"}, {}, None),
        ({"app": "web"}, {"workloadLabel": "app"}, ["web-0", "web-1"]),
        ({"app": "web", "pod": "web-1"}, {"workloadLabel": "app"}, ["web-0", "web-1"]),
        ({"deployment": "web"}, {"workloadLabel": "app"}, None),
        ({"instance": "web-0"}, {"podLabel": "instance"}, ["web-0"]),
        ({"instance": "web-0", "deployment": "x"}, {"podLabel": "instance"}, ["web-0"]),
        ({"pod": "web-0"}, {"podLabel": "instance"}, None),
    ],
)
def test_whom_an_alert_means(
    alert: dict[str, str], signal: dict[str, str], pods: list[str] | None
) -> None:
    assert meant(alert, **signal) == pods


def test_a_label_of_another_kind_names_another_workload() -> None:
    assert meant({"statefulset": "web"}, stateful_set(1)) == ["web-0"]
    assert meant({"deployment": "web"}, stateful_set(1)) is None
    assert stateful_set(1).ref.kind is Kind.STATEFUL_SET


def test_all_labels_must_be_as_the_policy_says_and_a_missing_one_is_empty() -> None:
    signal = Signal.model_validate(
        {"name": "s", "alert": {"matchLabels": {"severity": "page", "env": ""}}}
    )
    for labels, hit in (
        ({"severity": "page"}, True),
        ({"severity": "page", "env": "test"}, False),
        ({"severity": "info"}, False),
    ):
        alert = Alert({"namespace": "shop", "pod": "web-0", **labels}, NOW)
        assert (find_alert(WEB, signal, Firing([alert]), NOW) is not None) is hit


def test_the_earliest_of_several_alerts_counts_and_few_are_named() -> None:
    signal = Signal.model_validate({"name": "s", "alert": {"matchLabels": {"env": ""}}})
    base = {"namespace": "shop", "pod": "web-0"}
    alerts = [Alert({**base, "alertname": f"A{n}"}, NOW - n) for n in range(5)]
    found = find_alert(WEB, signal, Firing(alerts), NOW)
    assert found is not None
    evidence, pods, labels, suppressed = found
    assert evidence.since == NOW - 4 and not suppressed
    assert evidence.message == "alerts A4, A3, A2, ... fire since 2027-01-15T07:59:56Z"
    assert [p.name for p in pods] == ["web-0"] and len(labels) == 5


def test_a_rude_name_of_an_alert_becomes_one_short_line() -> None:
    signal = Signal.model_validate({"name": "s", "alert": {"matchLabels": {"env": ""}}})
    rude = Alert({"namespace": "shop", "pod": "web-0", "alertname": "\x1b[2J\n" + "x" * 999}, NOW)
    found = find_alert(WEB, signal, Firing([rude]), NOW)
    assert found is not None
    message = found[0].message
    assert message.isprintable() and message.startswith("alert [2J xxx") and len(message) < 300


def test_where_one_alert_is_loud_the_suppressed_ones_are_left_out() -> None:
    signal = Signal.model_validate({"name": "s", "alert": {"matchLabels": {"alertname": "Slow"}}})
    quiet = Alert(slow("web-0").labels, NOW - 60, suppressed=True)
    found = find_alert(WEB, signal, Firing([quiet, slow("web-1")]), NOW)
    assert found is not None
    assert [p.name for p in found[1]] == ["web-1"] and found[3] is False
