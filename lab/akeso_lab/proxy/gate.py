"""The gate in front of the upstream, which a crash point shuts after an exact write."""

import asyncio
from collections.abc import Callable

from akeso_lab.proxy.traffic import MUTATING_METHODS, RequestRecord

SETTLE_SECONDS = 10.0
"""How long a crash waits for mutations already sent upstream; a healthy one takes milliseconds."""

CrashCallback = Callable[[RequestRecord], None]


class Gate:
    """Open, then held (mutations wait), then shut (nothing passes).

    Guarantee: when `crashed` is set, no mutation is on its way upstream and none will pass
    until `open()`. The callback runs before any connection is cut, so a process killed in it
    dies without having seen a thing.
    """

    def __init__(self, cut_everything: Callable[[], None], on_crash: CrashCallback | None) -> None:
        self.crashed = asyncio.Event()
        self.crash_record: RequestRecord | None = None
        self._cut_everything = cut_everything
        self._on_crash = on_crash
        self._in_flight: set[asyncio.Task[object]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._shut = asyncio.Event()
        self._holder: RequestRecord | None = None

    @property
    def is_shut(self) -> bool:
        """Whether everything is refused."""
        return self._shut.is_set()

    def open(self) -> None:
        """Let requests pass again; those that waited at the gate are cut."""
        self._shut.set()
        self._shut = asyncio.Event()
        self._holder = None
        if self._closing is not None:
            self._closing.cancel()
        self._closing = None
        self.crash_record = None
        self.crashed.clear()

    async def admits(self, record: RequestRecord) -> bool:
        """Whether the request may go upstream; a mutation waits out a crash in progress."""
        if self._holder is None or self._holder is record:
            return not self.is_shut
        if record.method in MUTATING_METHODS:
            await self._shut.wait()
            return False
        return not self.is_shut

    def watch_over(self, task: asyncio.Task[object]) -> None:
        """Remember a mutation that is being sent, so that a crash can wait for it."""
        self._in_flight.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[object]) -> None:
        self._in_flight.discard(task)
        if not task.cancelled():
            task.exception()  # Whoever waited for it was told, or is gone.

    def hold(self, record: RequestRecord) -> bool:
        """Let `record` be the last mutation to pass; False if another one already is."""
        if self._holder is not None:
            return False
        self._holder = record
        return True

    def shut(self, record: RequestRecord) -> asyncio.Task[None]:
        """Refuse everything from now on; the task ends when `crashed` has been announced."""
        if self._closing is None:
            self._holder = self._holder or record
            self._shut.set()
            self._closing = asyncio.create_task(self._announce(record))
        return self._closing

    async def settle(self) -> None:
        """Wait until the mutations that were sent upstream are answered."""
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=SETTLE_SECONDS)

    async def _announce(self, record: RequestRecord) -> None:
        await self.settle()
        self.crash_record = record
        if self._on_crash is not None:
            self._on_crash(record)
        self.crashed.set()
        self._cut_everything()
