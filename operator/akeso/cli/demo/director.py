"""Makes things happen, in order, and waits for what Akeso makes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from akeso.api.healing import Healing
from akeso.cli.demo import names
from akeso.cli.demo.operator_process import Operator
from akeso.cli.demo.scene import SERVICES, Scene
from akeso.cli.demo.stage import Stage
from akeso.cli.demo.watcher import Watcher
from akeso.domain.finding import Outcome

LOOK_SECONDS = 0.2
AFTERMATH_SECONDS = 7.0  # more than one scrape, so that every counter has been read once more


class GaveUpError(Exception):
    """Something did not happen in time; the checks will show what."""


@dataclass(slots=True)
class Director:
    """Plays the demo once. `say` tells people what the demo itself does."""

    stage: Stage
    watcher: Watcher
    operator: Operator
    say: Callable[[str], None]
    waiting: set[str] = field(default_factory=lambda: set[str]())

    async def play(self) -> None:
        """Everything from opening to the last proof. GaveUpError names what did not happen."""
        await self._until("Akeso to be ready", lambda scene: scene.watching)
        self.say(
            f"opening: {names.LEAKY} and its twin leak from now on; only {names.LEAKY},"
            f" {names.CHECKOUT} and {names.HEALTHY} are protected"
        )
        await asyncio.to_thread(self.stage.open)
        await self._until("all services to be ready", _all_ready)
        await asyncio.to_thread(self.stage.let_users_in)
        self.say("all services are ready and have users")
        await asyncio.gather(self._rollout(), self._leak())
        self.say("the last numbers are being read")
        await asyncio.sleep(AFTERMATH_SECONDS)

    async def _rollout(self) -> None:
        await self._until(
            f"{names.CHECKOUT} to prove itself", lambda scene: names.CHECKOUT in scene.proven
        )
        self.say(f"releasing {names.CHECKOUT} {names.BAD}, which answers 4 of 5 requests with 500")
        await asyncio.to_thread(self.stage.release, names.BAD, names.BAD_ERROR_RATIO)
        await self._until(
            f"{names.CHECKOUT} {names.BAD} to come up",
            lambda scene: names.BAD in scene.versions(names.CHECKOUT),
        )
        await self._until(f"{names.CHECKOUT} to be back on {names.GOOD}", _rolled_back)

    async def _leak(self) -> None:
        await self._until(f"{names.TWIN} to be killed", _killed)
        await self._until(f"{names.LEAKY} to be healed", _healed)

    async def _until(self, what: str, true: Callable[[Scene], bool]) -> None:
        """Waits for something to be seen; the demo's own timeout bounds it."""
        self.waiting.add(what)
        while not true(self.watcher.scene):
            if self.operator.died is not None:
                raise GaveUpError(f"Akeso ended while we waited for {what}: {self.operator.died}")
            await asyncio.sleep(LOOK_SECONDS)
        self.waiting.discard(what)


def _all_ready(scene: Scene) -> bool:
    return all(scene.of(app) and all(p.ready for p in scene.of(app)) for app in SERVICES)


def _rolled_back(scene: Scene) -> bool:
    pods = scene.of(names.CHECKOUT)
    good = [p for p in pods if p.version == names.GOOD and p.ready and not p.deleting]
    return len(good) >= 3 and len(good) == len(pods) and _verified(scene, names.CHECKOUT)


def _killed(scene: Scene) -> bool:
    return any(p.killed_at is not None for p in scene.of(names.TWIN))


def _healed(scene: Scene) -> bool:
    return _verified(scene, names.LEAKY)


def _verified(scene: Scene, app: str) -> bool:
    return any(_ended_well(h) for h in scene.healings if h.spec.target.name == app)


def _ended_well(healing: Healing) -> bool:
    return healing.status.verdict is Outcome.VERIFIED
