"""The wall clock of the machine."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """Implements `akeso.protocols.Clock`."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
