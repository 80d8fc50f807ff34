"""Akeso's own resources, as the engine reads and writes them: the only memory it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from akeso.api.control import HealingControl
from akeso.api.healing import Healing
from akeso.api.policy import HealingPolicy


@dataclass(frozen=True, slots=True)
class BrokenObject:
    """An object of ours that can't be read, and what is wrong with it."""

    kind: str
    namespace: str
    name: str
    error: str


class Records(Protocol):
    """Reads come from a cache that never goes back to an older version of an object; writes go
    to the API server with the version that was read as precondition, and into the cache.
    """

    def policies(self) -> Sequence[HealingPolicy]: ...

    def healings(self) -> Sequence[Healing]: ...

    def control(self) -> HealingControl | None: ...

    def broken(self) -> Sequence[BrokenObject]: ...

    async def live_control(self) -> HealingControl | None:
        """Read now: the kill switch must be seen even when the watch is late."""
        ...

    async def live_policy(self, policy: HealingPolicy) -> HealingPolicy:
        """Read now. GoneError when it is gone or another carries its name."""
        ...

    async def live_healing(self, healing: Healing) -> Healing:
        """Read now. GoneError when it is gone or another carries its name."""
        ...

    async def create(self, healing: Healing) -> Healing:
        """Creates it; where one of that name exists, returns that one."""
        ...

    async def save(self, healing: Healing) -> Healing:
        """Writes its status. StaleError when somebody else wrote it meanwhile."""
        ...

    async def save_policy(self, policy: HealingPolicy) -> HealingPolicy: ...

    async def save_control(self, control: HealingControl) -> HealingControl: ...

    async def prune(self, healing: Healing) -> None:
        """Deletes a finished one."""
        ...
