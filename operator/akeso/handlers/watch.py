"""The watch of Akeso's own kinds. It may deliver twice, late, or old events; the cache copes.

A watch that breaks beyond repair ends the process (crash-only): state is in the resources.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import kopf

from akeso.api.control import HealingControl
from akeso.api.healing import Healing
from akeso.api.meta import GROUP, VERSION
from akeso.api.policy import HealingPolicy

Seen = Callable[[str, str | None, dict[str, Any]], None]
KINDS = (HealingPolicy.PLURAL, Healing.PLURAL, HealingControl.PLURAL)


def registry_for(seen: Seen) -> kopf.OperatorRegistry:
    """Handlers that pass every event on; they do nothing that could fail or take time."""
    registry = kopf.OperatorRegistry()
    for plural in KINDS:
        kopf.on.event(GROUP, VERSION, plural, registry=registry, id=f"see-{plural}")(
            _handler(plural, seen)
        )
    return registry


def _handler(plural: str, seen: Seen) -> Callable[..., Any]:
    async def see(event: Mapping[str, Any], **_: Any) -> None:
        seen(plural, event.get("type"), dict(event["object"]))

    return see


def settings_for() -> kopf.OperatorSettings:
    """Nothing posted, nothing kept on objects, no connection that may hang for ever."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.watching.server_timeout = 290
    settings.watching.client_timeout = 300
    settings.watching.connect_timeout = 10
    settings.watching.inactivity_timeout = 100
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 60
    return settings


async def watch(
    seen: Seen,
    login: Callable[[], Awaitable[kopf.ConnectionInfo]],
    namespaces: tuple[str, ...],
    ready: asyncio.Event,
    stop: asyncio.Event,
) -> None:
    """Watches until `stop`; returns or raises earlier only when the watch is beyond repair."""
    registry = registry_for(seen)
    kopf.on.login(registry=registry, id="login", retries=3)(_login(login))
    await kopf.operator(
        registry=registry,
        settings=settings_for(),
        clusterwide=not namespaces,
        namespaces=namespaces,
        standalone=True,
        ready_flag=ready,
        stop_flag=stop,
    )


def _login(login: Callable[[], Awaitable[kopf.ConnectionInfo]]) -> Callable[..., Any]:
    async def log_in(**_: Any) -> kopf.ConnectionInfo:
        return await login()

    return log_in
