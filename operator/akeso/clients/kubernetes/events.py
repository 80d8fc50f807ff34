"""Kubernetes Events about what Akeso decided, on the workload and with the Healing beside it.

An Event's name follows from what it says of which Healing: told twice, it exists once. A failure to tell never
stops a healing.
"""

from __future__ import annotations

import hashlib
import logging
import socket
from datetime import UTC, datetime

from akeso.api.meta import GROUP, VERSION
from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.kubernetes.paths import collection
from akeso.clients.kubernetes.raw import Json
from akeso.domain.finding import Decision
from akeso.errors import AkesoError, StaleError

log = logging.getLogger(__name__)

EVENTS = "apis/events.k8s.io/v1"
CONTROLLER = "akeso.dev/operator"
# https://github.com/kubernetes/kubernetes/blob/v1.36.4/pkg/apis/core/validation/events.go
LONGEST_NOTE = 1024
LONGEST_WORD = 128
WARNINGS = frozenset({"Blocked", "Failed", "Inconclusive", "Error", "NeedsHuman"})


class EventNotifier:
    """Implements `akeso.protocols.Notifier`; where it fails it says so in the log and goes on."""

    def __init__(self, api: ApiServer, instance: str | None = None) -> None:
        self._api = api
        self._instance = (instance or socket.gethostname())[:LONGEST_WORD]

    async def notify(self, decision: Decision) -> None:
        body = event(decision, self._instance)
        path = collection(EVENTS, "events", decision.target.namespace)
        try:
            await self._api.post(path, body, timeout=5.0)
        except StaleError:
            log.debug("Event %s is there already.", body["metadata"]["name"])
        except AkesoError as e:
            log.warning("No Event for %s: %s", decision.target, e)


def event(decision: Decision, instance: str) -> Json:
    """The Event that tells a decision."""
    target = decision.target
    namespace, _, healing = decision.healing.partition("/")
    said = (decision.what, decision.reason, decision.message, target.uid, decision.healing_uid)
    digest = hashlib.sha256("\0".join(said).encode()).hexdigest()[:16]
    body: Json = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{target.name[:200]}.{digest}", "namespace": target.namespace},
        "eventTime": datetime.fromtimestamp(decision.at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": CONTROLLER,
        "reportingInstance": instance,
        "type": "Warning" if decision.what in WARNINGS else "Normal",
        "reason": (decision.reason or decision.what)[:LONGEST_WORD],
        "action": decision.what[:LONGEST_WORD],
        "note": _cut(decision.message),
        "regarding": {
            "apiVersion": "apps/v1",
            "kind": target.kind.value,
            "namespace": target.namespace,
            "name": target.name,
            "uid": target.uid,
        },
    }
    if healing:
        body["related"] = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "Healing",
            "namespace": namespace,
            "name": healing,
            "uid": decision.healing_uid,
        }
    return body


def _cut(note: str) -> str:
    """The limit counts bytes."""
    raw = note.encode()
    return (
        note if len(raw) <= LONGEST_NOTE else raw[: LONGEST_NOTE - 3].decode(errors="ignore") + "…"
    )
