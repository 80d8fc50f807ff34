"""Whether an operator runs: the Lease is its heartbeat, and the only thing it always writes."""

from __future__ import annotations

from datetime import datetime, timedelta

from akeso.api.meta import Model
from akeso.api.scalars import Time, parse_time
from akeso.clients.kubernetes.connection import connect
from akeso.clients.kubernetes.lease import COORDINATION, NAME
from akeso.clients.kubernetes.paths import collection
from akeso.clients.kubernetes.raw import Json, part, text
from akeso.errors import AkesoError, GoneError
from akeso.settings import Settings

# On top of what the Lease is good for: the clocks of two machines differ.
CLOCKS_DIFFER = timedelta(seconds=30)


class Leader(Model):
    """The operator that leads; `running` None: it can't be told. `heard_at`: its last sign."""

    running: bool | None = None
    holder: str = ""
    heard_at: Time | None = None


async def find_leader(settings: Settings, now: datetime) -> Leader:
    """Reads the Lease; a person who may not read it is told nothing wrong."""
    api = await connect(settings)
    try:
        path = f"{collection(COORDINATION, 'leases', settings.namespace)}/{NAME}"
        return leader_of(await api.get(path), settings.lease_seconds, now)
    except GoneError:
        return Leader(running=False)
    except AkesoError:
        return Leader()
    finally:
        await api.close()


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
