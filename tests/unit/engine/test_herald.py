"""People's own systems are told of every verdict, once, whoever crashes or does not answer."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from akeso.api.conditions import Condition, get_condition
from akeso.api.healing import Healing
from akeso.api.scalars import format_time, from_unix
from akeso.domain.workload import Kind
from akeso.engine.notices import due
from akeso.errors import PermanentError, StaleError, TransientError
from akeso.protocols import Message
from unit.engine.scenes import leak
from unit.engine.sim import NOW, ROLLOUT, SCRAPE, SimChannel, World

WEBHOOK: dict[str, Any] = {"webhook": True}


def channel(world: World) -> SimChannel:
    assert world.channel is not None
    return world.channel


def data(message: Message) -> Mapping[str, Any]:
    """As a receiver reads it."""
    found: Mapping[str, Any] = json.loads(json.dumps(message.body))["data"]
    return found


def types(world: World) -> list[object]:
    return [m.body["type"] for m in channel(world).taken]


def notified(healing: Healing) -> Condition | None:
    return get_condition(healing.status.conditions, "Notified")


def ended(world: World, name: str, *, verdict: str = "Verified", **more: Any) -> Healing:
    """A Healing that is finished, `ago` seconds ago; `asks` is why it asks for a person."""
    at = format_time(from_unix(world.cluster.now - more.get("ago", 60.0)))
    said = {"lastTransitionTime": at, "message": "look", "reason": more.get("asks", "")}
    asks = [{"type": "NeedsHuman", "status": "True", **said}] if more.get("asks") else []
    status: dict[str, Any] = {"message": "it worked", "conditions": asks}
    if more.get("open") is None:
        status |= {"verdict": verdict, "completedAt": at}
    return world.records.put(
        Healing.parse(
            {
                "metadata": {"name": name, "namespace": more.get("namespace", "shop")},
                "spec": {
                    "policyRef": {"name": "shop", "uid": "policy-1"},
                    "target": {"kind": "Deployment", "name": name, "uid": f"uid-{name}"},
                    "signal": "memory",
                    "fingerprint": "f",
                    "origin": "Forecast",
                    "evidence": {"message": "it leaks", "sampledAt": at, "since": at},
                },
                "status": status,
            }
        )
    )


def many(world: World, count: int) -> None:
    for n in range(count):
        ended(world, f"web-{n:03}", ago=1_000.0 - n)


async def telling(world: World, time: float) -> None:
    """Cycles without the rest of the loop, which would end Healings that nobody asks for."""
    herald = world.engine.herald
    assert herald is not None
    until = world.cluster.now + time
    while world.cluster.now < until:
        await herald.record()
        await world.tell()
        world.clock.advance(SCRAPE)


async def seconds(world: World, count: float) -> None:
    """Time in which only the task that tells works, and the loop writes down what it told."""
    for _ in range(round(count)):
        await world.tell()
        world.clock.advance(1)


async def test_a_healing_is_told_once_with_everything_a_person_asks_for() -> None:
    world, _ = leak(replicas=1, settings=WEBHOOK)
    await world.until(world.completed())
    await world.run(60)
    [message] = channel(world).taken
    healing, said = world.healing(0), data(message)
    assert message.body["type"] == "healing.verified"
    assert said["verdict"] == "Verified" and said["needsHuman"] is None
    assert said["target"] == {"kind": "Deployment", "name": "web", "uid": healing.spec.target.uid}
    assert said["healing"]["name"] == healing.metadata.name
    assert (said["signal"], said["healer"], said["policy"]) == ("memory", "RestartPods", "shop")
    assert said["message"] == healing.status.message
    assert said["evidence"]["message"] == healing.spec.evidence.message
    [attempt] = said["attempts"]
    assert [a["what"] for a in attempt["actions"]] == [
        "scale from 1 to 2",
        "give up ownership of the fields it wrote",
        "evict pod web-v1-0",
        "scale from 2 to 1",
        "give up ownership of the fields it wrote",
    ]
    assert said["openedAt"] <= said["completedAt"] == message.body["timestamp"]
    stands = notified(healing)
    assert stands is not None and (stands.status, stands.reason) == ("True", "Verified")
    assert message.id in stands.message


async def test_nothing_is_written_and_nobody_told_where_no_webhook_is_set() -> None:
    world, _ = leak(replicas=1)
    await world.until(world.completed())
    await world.run(120)
    assert world.channel is None and notified(world.healing()) is None


async def test_once_told_nothing_is_written_however_long_it_lasts() -> None:
    world = World(webhook=True)
    many(world, 3)
    ended(world, "open", asks="NoLadder", open=True)
    await telling(world, 120)
    settled = len(world.journal.writes)
    await telling(world, 100 * SCRAPE)
    assert world.journal.writes[settled:] == [] and len(channel(world).taken) == 4


async def test_a_healing_that_waits_for_a_person_is_told_once_per_reason_then_its_end() -> None:
    world = World(webhook=True)
    policy = world.policy(dict(ROLLOUT))
    w = world.cluster.add(kind=Kind.DEPLOYMENT)
    world.cluster.roll_out(w, "v2", "crash")
    await world.until(lambda: channel(world).taken)
    await world.run(600)
    assert types(world) == ["healing.needs_human"]
    said = data(channel(world).taken[0])
    assert said["verdict"] is None and said["needsHuman"]["reason"] == "RevisionInferred"
    world.records.delete(policy)
    await world.until(world.completed())
    await world.run(60)
    assert types(world) == ["healing.needs_human", "healing.cleared"]
    stands = notified(world.healing())
    assert stands is not None and stands.reason == "RevisionInferred,Cleared"


@pytest.mark.parametrize(
    ("ago", "told"), [(60.0, True), (86_300.0, True), (86_500.0, False), (1e6, False)]
)
def test_what_ended_more_than_a_day_ago_is_not_told(ago: float, told: bool) -> None:
    world = World(webhook=True)
    ended(world, "web", ago=ago)
    assert bool(due(world.records.healings(), from_unix(NOW))) is told


@pytest.mark.parametrize(("when", "deliveries"), [("before", 2), ("after", 1)])
async def test_killed_between_delivery_and_record_it_tells_again_with_the_same_id(
    when: str, deliveries: int
) -> None:
    world = World(webhook=True)
    ended(world, "web")
    await world.cycle()
    assert len(channel(world).taken) == 1 and notified(world.healing()) is None
    world.journal.kill = (len(world.journal.writes), when)
    await world.run(60)
    taken = channel(world).taken
    assert world.crashes == 1 and len(taken) == deliveries and len({m.id for m in taken}) == 1
    assert len({json.dumps(m.body) for m in taken}) == 1
    assert notified(world.healing()) is not None


def test_ids_tell_healings_and_words_apart_and_hold_no_full_stop() -> None:
    world = World(webhook=True)
    ended(world, "one")
    ended(world, "two", asks="Recurring")
    ended(world, "three", asks="NoLadder", open=True)
    ids = [notice.id for notice in due(world.records.healings(), from_unix(NOW))]
    assert len(set(ids)) == 3 and not any("." in id for id in ids)


async def test_as_many_as_allowed_are_told_one_by_one_oldest_first() -> None:
    world = World(webhook=True)
    many(world, 5)
    await world.run(60)
    names = [data(m)["target"]["name"] for m in channel(world).taken]
    assert names == [f"web-{n:03}" for n in range(5)]


async def test_a_storm_is_one_digest_and_all_of_it_is_told() -> None:
    world = World(webhook=True)
    many(world, 120)
    for n in range(4):
        ended(world, f"bad-{n}", namespace="pay", verdict="Failed", asks="FailedAtTheEnd")
    ended(world, "open", namespace="pay", asks="NoLadder", open=True)
    await telling(world, 120)
    [digest] = channel(world).taken
    said = data(digest)
    assert digest.body["type"] == "healing.digest"
    assert said["total"] == 125 and said["notListed"] == 105
    assert said["counts"] == {"Failed": 4, "NeedsHuman": 1, "Verified": 120}
    assert said["namespaces"] == {
        "shop": {"Verified": 120},
        "pay": {"Failed": 4, "NeedsHuman": 1},
    }
    first = [line["healing"]["namespace"] for line in said["healings"]]
    assert first == ["pay"] * 5 + ["shop"] * 15  # who asks for a person comes first
    assert all(notified(h) for h in world.records.healings())
    assert len(json.dumps(digest.body)) < 20_000


async def test_a_digest_told_again_after_a_crash_has_the_same_id() -> None:
    world = World(webhook=True)
    many(world, 8)
    await world.cycle()
    world.journal.kill = (len(world.journal.writes), "before")
    await world.run(60)
    assert [m.body["type"] for m in channel(world).taken] == ["healing.digest"] * 2
    assert len({m.id for m in channel(world).taken}) == 1


async def test_a_storm_is_written_down_a_bounded_number_per_cycle() -> None:
    world = World(webhook=True)
    many(world, 120)
    written: list[int] = []
    for _ in range(5):
        before = len(world.journal.writes)
        await world.cycle()
        written.append(len([w for w in world.journal.writes[before:] if "web-" in w]))
    assert written == [0, 50, 50, 20, 0]


async def test_who_does_not_answer_is_tried_ever_more_rarely() -> None:
    world = World(webhook=True)
    ended(world, "web")
    channel(world).down = TransientError("it answers HTTP 503")
    await world.cycle()
    await seconds(world, 1_200)
    gaps = [b - a for a, b in zip(channel(world).tried, channel(world).tried[1:], strict=False)]
    assert gaps[1:] == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300][: len(gaps) - 1] and len(gaps) > 8


async def test_retry_after_is_waited_for() -> None:
    world = World(webhook=True)
    ended(world, "web")
    channel(world).faults = [TransientError("it answers HTTP 429", 90)]
    await world.cycle()
    first = channel(world).tried[0]
    await seconds(world, 200)
    assert channel(world).tried == [first, first + 90] and len(channel(world).taken) == 1


async def test_one_that_is_refused_for_good_says_so_and_is_not_tried_again() -> None:
    world = World(webhook=True)
    ended(world, "one", ago=100)
    ended(world, "two", ago=50)
    channel(world).faults = [PermanentError("the webhook at example.org answers HTTP 410")]
    await world.run(300)
    one, two = world.healings()
    refused, told = notified(one), notified(two)
    assert refused is not None and (refused.status, refused.reason) == ("False", "Verified:Refused")
    assert "HTTP 410" in refused.message
    assert told is not None and told.status == "True"
    assert len(channel(world).tried) == 2


async def test_a_verdict_is_told_even_where_asking_for_a_person_was_refused() -> None:
    world = World(webhook=True)
    asking = ended(world, "web", asks="NoLadder", open=True)
    channel(world).faults = [PermanentError("HTTP 422")]
    await telling(world, 60)
    wire = world.records.wire(asking)
    at = format_time(from_unix(world.cluster.now))
    world.records.overwrite(
        asking, {**wire, "status": {**wire["status"], "verdict": "Failed", "completedAt": at}}
    )
    await telling(world, 60)
    assert types(world) == ["healing.failed"]
    stands = notified(world.healing())
    assert stands is not None
    assert (stands.status, stands.reason) == ("True", "NoLadder:Refused,Failed")


async def test_one_message_that_always_fails_does_not_keep_the_others_back() -> None:
    world = World(webhook=True)
    ended(world, "poison", ago=100)
    ended(world, "good", ago=50)

    def deliver(self: SimChannel) -> Any:
        take = self.deliver

        async def picky(message: Message) -> None:
            if data(message)["target"]["name"] == "poison":
                raise TransientError("it answers HTTP 500")
            await take(message)

        return picky

    channel(world).deliver = deliver(channel(world))  # type: ignore[method-assign]
    await world.run(120)
    assert [data(m)["target"]["name"] for m in channel(world).taken] == ["good"]


async def test_an_endpoint_that_is_down_for_long_is_told_in_the_control_until_it_is_back() -> None:
    world = World(webhook=True)
    ended(world, "web")
    channel(world).down = TransientError("the webhook at example.org can't be reached")
    await world.run(45)
    assert "notifications" not in degraded(world)
    await world.run(120)
    assert "notifications wait: the webhook at example.org can't be reached" in degraded(world)
    settled = len(world.journal.writes)
    channel(world).down = TransientError("other words, same trouble")
    await world.run(300)
    assert world.journal.writes[settled:] == []
    channel(world).down = None
    await world.run(600)
    assert "notifications" not in degraded(world) and len(channel(world).taken) == 1


def degraded(world: World) -> str:
    control = world.records.control()
    assert control is not None
    found = get_condition(control.status.conditions, "Degraded")
    return found.message if found else ""


async def test_a_healing_under_way_goes_on_at_its_pace_while_the_endpoint_is_down() -> None:
    plain, _ = leak(replicas=2)
    await plain.until(plain.completed())
    world, _ = leak(replicas=2, settings=WEBHOOK)
    channel(world).down = TransientError("it can't be reached")
    for n in range(3):
        ended(world, f"old-{n}", namespace="other")
    await world.until(lambda: any(h.status.attempts and h.status.completed_at for h in own(world)))
    assert own(world)[0].status.completed_at == plain.healing().status.completed_at


def own(world: World) -> list[Healing]:
    return [h for h in world.healings() if h.metadata.namespace == "shop"]


async def test_a_record_that_could_not_be_written_is_written_later_and_not_told_twice() -> None:
    world = World(webhook=True)
    ended(world, "web")
    await world.cycle()
    for error in (StaleError("written by somebody else"), TransientError("an outage")):
        world.records.faults["save"] = error
        await world.run(30)
    world.records.faults.clear()
    await world.run(30)
    assert len(channel(world).taken) == 1 and notified(world.healing()) is not None


async def test_a_healing_deleted_before_it_is_told_is_forgotten() -> None:
    world = World(webhook=True)
    healing = ended(world, "web")
    channel(world).faults = [TransientError("later")]
    await world.cycle()
    world.records.delete(healing)
    await world.run(120)
    assert len(channel(world).taken) <= 1
    assert world.engine.herald is not None and not world.engine.herald.problems()


async def test_what_is_logged_names_the_healing_and_no_more(caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    world = World(webhook=True)
    ended(world, "web")
    channel(world).faults = [
        TransientError("the webhook at x.org is off"),
        PermanentError("the webhook at example.org answers HTTP 410"),
    ]
    await world.run(60)
    said = [r.getMessage() for r in caplog.records if r.name == "akeso.engine.herald"]
    assert said == [
        "Healing shop/web (Verified) is not told yet, next try in 1 s: the webhook at x.org is off",
        "Healing shop/web (Verified) is not told: the webhook at example.org answers HTTP 410",
    ]


async def test_results_are_counted() -> None:
    world = World(webhook=True)
    for n in range(3):
        ended(world, f"web-{n}")
    channel(world).faults = [TransientError("later"), PermanentError("never")]
    await world.run(60)
    assert counted(world, ("failed", "refused", "delivered")) == Counter(
        failed=1, refused=1, delivered=2
    )


def counted(world: World, results: Iterable[str]) -> Counter[str]:
    registry = world.metrics.registry
    name = "akeso_notifications_total"
    return Counter({r: int(registry.get_sample_value(name, {"result": r}) or 0) for r in results})
