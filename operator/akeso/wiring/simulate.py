"""A recorded incident, played through the engine that the operator runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from akeso.api.policy import HealingPolicy
from akeso.errors import PermanentError
from akeso.simulation.header import HOW
from akeso.simulation.lines import parts_of
from akeso.simulation.player import Player
from akeso.simulation.replay import Replay
from akeso.simulation.tape import RunEnded, Tape
from akeso.telemetry.metrics import Metrics
from akeso.wiring.engine import engine
from akeso.wiring.fitting import fitter

log = logging.getLogger(__name__)


async def simulate(
    paths: Sequence[Path], change: Callable[[HealingPolicy], HealingPolicy] = lambda p: p
) -> Replay:
    """Plays files in the order in which they were written. PermanentError names a bad line."""
    tape = Tape(parts_of(paths))
    player = Player(tape, change)
    versions: list[str] = []
    while (header := tape.next_run()) is not None:
        versions.append(header.version)
        ports = player.ports(header.absent)
        settings = header.settings_again()
        loop = engine(ports, settings, Metrics(CollectorRegistry()), fitter(settings, live=False))
        try:
            await loop.run()
        except RunEnded:
            log.debug("The recorded process ended here.")
    if tape.cycles == 0:
        raise PermanentError(f"{paths[0]} ends before its first cycle: nothing to play. {HOW}")
    return Replay(
        began=tape.began,
        ended=tape.now(),
        cycles=tape.cycles,
        runs=len(versions),
        versions=tuple(dict.fromkeys(versions)),
        recorded=tuple(tape.told),
        told=tuple(player.told),
        departure=player.departure,
        endings=tuple(tape.endings),
        missing=tape.missing,
        headless=tuple(header.part for header in tape.headless),
    )
