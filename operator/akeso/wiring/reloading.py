"""The settings file, looked at between two cycles: what may change then does, the rest is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from akeso.errors import AkesoError
from akeso.protocols import Clock
from akeso.settings import Settings
from akeso.settings.changes import RELOADED, changes, take
from akeso.settings.names import key_of
from akeso.settings.reading import Value
from akeso.settings.sources import LARGEST
from akeso.simulation.header import RECORDED
from akeso.telemetry import logs
from akeso.wiring.parts import healers

log = logging.getLogger(__name__)

# Cycles may be shorter; a kubelet takes a minute to bring a ConfigMap's change into a pod.
EVERY_SECONDS = 3.0


class Reloader:
    """`look` belongs to the loop, between two cycles; everyone reads the settings it changes.

    `read` gives the settings as a start would find them now, and raises as a start would.
    """

    def __init__(self, live: Settings, read: Callable[[], Settings], clock: Clock) -> None:
        self.changed: list[Callable[[], None]] = []  # called after a change
        self._live = live
        self._read = read
        self._clock = clock
        self._file = Path(live.settings_file).expanduser() if live.settings_file else None
        self._looked_at = clock.now()
        self._content = self._now()
        self._problem: str | None = None

    def problems(self) -> Sequence[str]:
        """What a person should know; the same words for as long as it lasts."""
        return () if self._problem is None else (self._problem,)

    def look(self) -> None:
        """Never raises: what can't be taken leaves all as it was, and is said."""
        now = self._clock.now()
        if self._file is None or 0 <= now - self._looked_at < EVERY_SECONDS:
            return
        self._looked_at = now
        content = self._now()
        if content == self._content:
            return
        self._content = content
        try:
            fresh = self._read()
            healers(fresh)
        except AkesoError as error:
            self._problem = f"the settings before it hold: {error}"
            log.error("The settings file is not taken, %s", self._problem)
            return
        self._take(fresh)

    def _now(self) -> bytes | None:
        """What is in the file, however it came there: a ConfigMap's is swapped by a link."""
        try:
            with self._file.open("rb") as opened:  # type: ignore[union-attr]
                return opened.read(LARGEST + 1)
        except (OSError, AttributeError):
            return None

    def _take(self, fresh: Settings) -> None:
        found = changes(self._live, fresh)
        now = [change for change in found if self._may_change(change.name)]
        waiting = [key_of(change.name) for change in found if change not in now]
        take(self._live, fresh, [change.name for change in now])
        for change in now:
            after, before = _told(change.after), _told(change.before)
            log.info("Setting %s is %s now, it was %s.", key_of(change.name), after, before)
        if self._live.log_level != logging.getLevelName(logging.getLogger().level):
            logs.configure(self._live.log_level)
        self._problem = None
        if waiting:
            self._problem = (
                f"the settings file has changes that wait for a restart: {', '.join(waiting)}"
            )
            log.warning("%s", self._problem)
        for call in self.changed if now else ():
            call()

    def _may_change(self, name: str) -> bool:
        """A recording holds the settings it began with, and is played with them to its end."""
        return name in RELOADED and not (self._live.record_path and name in RECORDED)


def _told(value: Value) -> str:
    return "unset" if value is None else str(value) or "empty"
