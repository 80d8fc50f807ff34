"""Whether an operator runs: the Lease is its heartbeat, and the only thing it always writes."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime, timedelta

from akeso.api.meta import Model
from akeso.api.scalars import Time, parse_time
from akeso.clients.kubernetes.raw import Json, part, text
from akeso.errors import AkesoError, GoneError

# On top of what the Lease is good for: the clocks of two machines differ.
CLOCKS_DIFFER = timedelta(seconds=30)


class Leader(Model):
    """The operator that leads; `running` None: it can't be told. `heard_at`: its last sign."""

    running: bool | None = None
    holder: str = ""
    heard_at: Time | None = None


async def find_leader(lease: Awaitable[Json], lease_seconds: float, now: datetime) -> Leader:
    """From the Lease that is being read; a person who may not read it is told nothing wrong."""
    try:
        return leader_of(await lease, lease_seconds, now)
    except GoneError:
        return Leader(running=False)
    except AkesoError:
        return Leader()


def leader_of(lease: Json, lease_seconds: float, now: datetime) -> Leader:
    """What a Lease says; an operator that ended in order has given it back."""
    spec = part(lease, "spec")
    holder, renewed = text(spec, "holderIdentity"), text(spec, "renewTime")
    try:
        heard = parse_time(renewed) if renewed else None
    except ValueError:
        return Leader(holder=holder)
    good_for = timedelta(seconds=lease_seconds) + CLOCKS_DIFFER
    running = bool(holder) and heard is not None and now - heard <= good_for
    return Leader(running=running, holder=holder, heard_at=heard)
