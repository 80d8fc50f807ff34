"""One leader at a time, whatever clocks, networks and processes do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.kubernetes.lease import Leadership
from akeso.errors import GoneError, PermanentError, StaleError, TransientError
from akeso.settings import Settings

Json = dict[str, Any]


class Time:
    """Virtual time that all share; each process sees its own wall clock, and may stand still."""

    def __init__(self) -> None:
        self.now = 0.0

    async def run(self, seconds: float) -> None:
        """In steps of a tenth of a second; others run in between."""
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            for _ in range(20):
                await asyncio.sleep(0)


class SkewedClock:
    def __init__(self, time: Time, ahead: float) -> None:
        self.time, self.ahead = time, ahead
        self.frozen = False

    def now(self) -> float:
        return self.time.now + self.ahead

    async def sleep(self, seconds: float) -> None:
        until = self.time.now + seconds
        while self.time.now < until or self.frozen:
            await asyncio.sleep(0)


class OneLease:
    """The API server's part: one Lease, optimistic locking, outages."""

    def __init__(self) -> None:
        self.lease: Json | None = None
        self.version = 0
        self.writes = 0
        self.down: Callable[[], Exception] | None = None
        self.answers_lost = False

    async def get(self, path: str, *_: Any, **__: Any) -> Json:
        await self._reached()
        if self.lease is None:
            raise GoneError(path)
        return self.lease

    async def post(self, path: str, body: Json, *_: Any, **__: Any) -> Json:
        await self._reached()
        if self.lease is not None:
            raise StaleError(path)
        return self._store(body["spec"])

    async def patch(self, path: str, body: Json, *_: Any, **__: Any) -> Json:
        await self._reached()
        if self.lease is None:
            raise GoneError(path)
        if body["metadata"]["resourceVersion"] != str(self.version):
            raise StaleError(path)
        return self._store({**self.lease["spec"], **body["spec"]})

    async def _reached(self) -> None:
        await asyncio.sleep(0)
        if self.down is not None:
            raise self.down()

    def _store(self, spec: Json) -> Json:
        self.version += 1
        self.writes += 1
        self.lease = {"metadata": {"resourceVersion": str(self.version)}, "spec": spec}
        if self.answers_lost:
            raise TransientError("the answer was lost")
        return self.lease

    @property
    def holder(self) -> str:
        return str(self.lease["spec"]["holderIdentity"]) if self.lease else ""


class Scene:
    """Some processes that want to lead."""

    def __init__(self) -> None:
        self.time = Time()
        self.server = OneLease()
        self.clocks: dict[str, SkewedClock] = {}
        self.tasks: list[asyncio.Task[None]] = []

    def enter(self, identity: str, ahead: float = 0.0) -> Leadership:
        clock = self.clocks[identity] = SkewedClock(self.time, ahead)
        settings = Settings.model_validate({"identity": identity})
        api = cast(ApiServer, self.server)
        leadership = Leadership(api, settings, clock, monotonic=lambda: self.time.now)

        async def lead() -> None:
            await leadership.acquire()
            await leadership.keep()

        self.tasks.append(asyncio.create_task(lead()))
        return leadership

    async def leave(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@pytest.fixture
async def scene() -> Any:
    made = Scene()
    yield made
    await made.leave()


async def test_of_two_contenders_one_leads_and_goes_on_leading(scene: Scene) -> None:
    one, two = scene.enter("one"), scene.enter("two")
    for _ in range(60):
        await scene.time.run(1)
        assert one.holds is not two.holds
    assert scene.server.holder == ("one" if one.holds else "two")
    assert not one.lost.is_set()
    assert not two.lost.is_set()


async def test_a_leader_writes_its_lease_and_nothing_more(scene: Scene) -> None:
    scene.enter("one")
    await scene.time.run(60)
    assert 29 <= scene.server.writes <= 31


@pytest.mark.parametrize("ahead", [-86_400.0, 0.0, 86_400.0])
async def test_when_the_leader_dies_another_takes_over_whatever_its_clock_says(
    scene: Scene, ahead: float
) -> None:
    scene.enter("one")
    await scene.time.run(2)
    two = scene.enter("two", ahead)
    await scene.time.run(20)
    assert not two.holds
    scene.tasks[0].cancel()
    await scene.time.run(12)
    assert not two.holds
    await scene.time.run(14)
    assert two.holds
    assert scene.server.lease is not None
    assert scene.server.lease["spec"]["leaseTransitions"] == 1
    assert two.transitions == 1
    assert 0 < two.left <= 15


async def test_a_standby_takes_over_as_soon_as_it_may(scene: Scene) -> None:
    scene.enter("one")
    await scene.time.run(2)
    two = scene.enter("two")
    await scene.time.run(7)
    scene.tasks[0].cancel()
    await scene.time.run(17.5)  # the lease, and at most one look before it was seen renewed
    assert two.holds


async def test_a_leader_that_cannot_renew_gives_up_before_another_may_take_over(
    scene: Scene,
) -> None:
    one = scene.enter("one")
    await scene.time.run(7)
    scene.server.down = lambda: TransientError("gone")
    two = scene.enter("two")
    await scene.time.run(16)
    assert one.lost.is_set()
    assert scene.tasks[0].done()
    assert not one.holds
    scene.server.down = None
    await scene.time.run(40)
    assert two.holds
    assert not one.holds


async def test_an_outage_shorter_than_the_lease_costs_nothing(scene: Scene) -> None:
    one = scene.enter("one")
    await scene.time.run(7)
    scene.server.down = lambda: TransientError("gone")
    await scene.time.run(7)
    assert one.holds
    scene.server.down = None
    await scene.time.run(30)
    assert one.holds
    assert not one.lost.is_set()


async def test_a_leader_that_was_frozen_past_its_lease_writes_nothing_when_it_wakes(
    scene: Scene,
) -> None:
    one = scene.enter("one")
    await scene.time.run(2)
    two = scene.enter("two")
    scene.clocks["one"].frozen = True
    await scene.time.run(15.5)
    assert not one.holds, "the fence needs no request and no running task"
    assert one.left == 0
    await scene.time.run(20)
    assert two.holds
    scene.clocks["one"].frozen = False
    await scene.time.run(1)
    assert one.lost.is_set()
    assert scene.server.holder == "two"


async def test_a_leader_that_sees_another_holder_stops_at_once(scene: Scene) -> None:
    one = scene.enter("one")
    await scene.time.run(2)
    assert scene.server.lease is not None
    scene.server._store({**scene.server.lease["spec"], "holderIdentity": "usurper"})
    await scene.time.run(6)
    assert one.lost.is_set()


async def test_a_renewal_whose_answer_was_lost_is_no_loss(scene: Scene) -> None:
    one = scene.enter("one")
    await scene.time.run(2)
    scene.server.answers_lost = True
    await scene.time.run(7)
    scene.server.answers_lost = False
    await scene.time.run(30)
    assert one.holds


async def test_a_lease_given_back_is_taken_without_waiting(scene: Scene) -> None:
    one = scene.enter("one")
    await scene.time.run(2)
    two = scene.enter("two")
    await scene.time.run(2)
    scene.tasks[0].cancel()
    await one.release()
    assert not one.holds
    await scene.time.run(6)
    assert two.holds


async def test_who_does_not_lead_gives_nothing_back(scene: Scene) -> None:
    scene.enter("one")
    await scene.time.run(2)
    two = scene.enter("two")
    await scene.time.run(2)
    await two.release()
    assert scene.server.holder == "one"


async def test_a_deleted_lease_is_made_again_by_its_leader_and_nobody_else(scene: Scene) -> None:
    one = scene.enter("one")
    await scene.time.run(2)
    two = scene.enter("two")
    await scene.time.run(10)
    scene.server.lease = None
    for _ in range(40):
        await scene.time.run(1)
        assert one.holds
        assert not two.holds


async def test_a_process_that_is_started_again_under_its_name_leads_at_once(scene: Scene) -> None:
    scene.enter("one")
    await scene.time.run(2)
    scene.tasks[0].cancel()
    again = scene.enter("one")
    await scene.time.run(0.5)
    assert again.holds
    assert scene.server.lease is not None
    assert scene.server.lease["spec"]["leaseTransitions"] == 0


async def test_a_longer_lease_of_the_holder_is_respected(scene: Scene) -> None:
    spec = {"holderIdentity": "old version", "leaseDurationSeconds": 60}
    scene.server._store(spec)
    two = scene.enter("two")
    await scene.time.run(55)
    assert not two.holds
    await scene.time.run(12)
    assert two.holds


async def test_missing_rights_are_said_and_tried_again(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.server.down = lambda: PermanentError("may not create leases")
    one = scene.enter("one")
    await scene.time.run(2)
    assert "may not create leases" in caplog.text
    scene.server.down = None
    await scene.time.run(6)
    assert one.holds
