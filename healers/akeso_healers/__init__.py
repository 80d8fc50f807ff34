"""Healing routines, one per file: `diagnose` says whether one fits, `plan` what it would do.

Pure: a routine reads a Snapshot and returns values. Those built in are listed here, least invasive
first; others come in through entry points.
"""

from __future__ import annotations

from akeso.protocols import Healer
from akeso_healers.raise_memory import RaiseMemory
from akeso_healers.raise_memory_template import RaiseMemoryTemplate
from akeso_healers.restart_pods import RestartPods
from akeso_healers.rollback import BLAME_SECONDS, Rollback
from akeso_healers.scale_out import ScaleOut


def built_in(blame_seconds: float = BLAME_SECONDS) -> tuple[Healer, ...]:
    """The built-in routines with an installation's own settings."""
    return (
        RaiseMemory(),
        ScaleOut(),
        RestartPods(),
        RaiseMemoryTemplate(),
        Rollback(blame_seconds),
    )


BUILT_IN: tuple[Healer, ...] = built_in()

__all__ = [
    "BUILT_IN",
    "RaiseMemory",
    "RaiseMemoryTemplate",
    "RestartPods",
    "Rollback",
    "ScaleOut",
    "built_in",
]
