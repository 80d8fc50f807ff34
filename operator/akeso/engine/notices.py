"""What people's own systems are still to be told of which Healing, and in which words. Pure.

A Healing is told when it is finished, and before that when it asks for a person and stays open;
its condition `Notified` lists what was told, so that each is told once.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from akeso.api.conditions import Condition, get_condition
from akeso.api.healing import Attempt, Healing
from akeso.api.scalars import format_time
from akeso.engine import record
from akeso.engine.act import describe_record
from akeso.engine.intent import finished, running
from akeso.protocols import Message

NOTIFIED = "Notified"
REFUSED = "Refused"
# What ended earlier is not told: switching it on must not flood.
TOLD_WITHIN = timedelta(hours=24)
# Receivers expect less than 20 kB (Standard Webhooks, "Payload size").
MOST_LISTED = 20
MOST_NAMESPACES = 50


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell of one Healing. `word` is its verdict, or why it asks for a person."""

    healing: Healing
    word: str
    at: datetime

    @property
    def id(self) -> str:
        """The same for the same Healing and word, whoever tells it and however often."""
        return _id(f"{self.healing.metadata.uid}/{self.word}")


@dataclass(frozen=True, slots=True)
class Told:
    """How telling a notice ended: delivered, or refused for good."""

    delivered: bool
    message: str


def due(healings: Iterable[Healing], now: datetime) -> list[Notice]:
    """What is still to be told, oldest first."""
    found = [notice for h in healings if (notice := _notice(h, now)) is not None]
    return sorted(found, key=lambda n: (n.at, n.id))


def _notice(healing: Healing, now: datetime) -> Notice | None:
    status, asks = healing.status, _asks(healing)
    if status.completed_at is not None:
        word, at = (status.verdict.value if status.verdict else "Ended"), status.completed_at
        if at <= now - TOLD_WITHIN:
            return None
    elif asks is not None and running(healing) is None:
        word, at = asks.reason, asks.last_transition_time
    else:
        return None
    return None if word in _told_words(healing) else Notice(healing, word, at)


def _asks(healing: Healing) -> Condition | None:
    found = get_condition(healing.status.conditions, "NeedsHuman")
    return found if found is not None and found.status == "True" else None


def _proposed(healing: Healing) -> Condition | None:
    """What is left to a person to have done."""
    found = get_condition(healing.status.conditions, record.PROPOSED)
    return found if found is not None and found.status == "True" else None


def _told_words(healing: Healing) -> list[str]:
    """The reason of `Notified` is the list of words told; `:Refused` marks a refused one."""
    return [entry.partition(":")[0] for entry in _entries(healing)]


def _entries(healing: Healing) -> list[str]:
    condition = get_condition(healing.status.conditions, NOTIFIED)
    return condition.reason.split(",") if condition else []


def told(notice: Notice, how: Told, now: datetime) -> Healing:
    """The Healing with what was told on record."""
    entry = notice.word if how.delivered else f"{notice.word}:{REFUSED}"
    words = ",".join([*_entries(notice.healing), entry])
    return record.with_condition(notice.healing, NOTIFIED, how.delivered, words, how.message, now)


def message(notice: Notice) -> Message:
    """A message about one Healing. Its body says nothing that differs between two tries."""
    kind = notice.word.lower() if finished(notice.healing) else "needs_human"
    return Message(notice.id, _envelope(f"healing.{kind}", notice.at, _account(notice.healing)))


def digest(notices: Sequence[Notice]) -> Message:
    """One message about many: how many of what and where, and those that ask for a person first."""
    ids = sorted(notice.id for notice in notices)
    ordered = sorted(notices, key=lambda n: (_asks(n.healing) is None, n.at, n.id))
    data = {
        "total": len(notices),
        "counts": _counts(notices),
        "namespaces": _by_namespace(notices),
        "healings": [_line(notice) for notice in ordered[:MOST_LISTED]],
        "notListed": max(0, len(notices) - MOST_LISTED),
    }
    last = max(notice.at for notice in notices)
    return Message(_id(" ".join(ids)), _envelope("healing.digest", last, data))


def _envelope(type: str, at: datetime, data: Mapping[str, object]) -> Mapping[str, object]:
    return {"type": type, "timestamp": format_time(at), "data": data}


def _account(healing: Healing) -> Mapping[str, object]:
    """Everything a person needs to know what happened without asking the cluster."""
    spec, status, attempts = healing.spec, healing.status, healing.status.attempts
    evidence = spec.evidence.model_dump(mode="json", by_alias=True, exclude_none=True)
    evidence["pods"] = [pod.name for pod in spec.evidence.pods[:MOST_LISTED]]
    return {
        **_names(healing),
        "policy": spec.policy_ref.name,
        "origin": spec.origin.value,
        "healer": attempts[-1].healer if attempts else None,
        "message": status.message or spec.evidence.message,
        "evidence": evidence,
        "attempts": [_attempt(attempt) for attempt in attempts],
        "openedAt": _time(healing.metadata.creation_timestamp),
        "completedAt": _time(status.completed_at),
    }


def _line(notice: Notice) -> Mapping[str, object]:
    said = notice.healing.status.message or notice.healing.spec.evidence.message
    return {
        "id": notice.id,
        **_names(notice.healing),
        "message": said[:200],
        "at": format_time(notice.at),
    }


def _names(healing: Healing) -> Mapping[str, object]:
    meta, target, verdict = healing.metadata, healing.spec.target, healing.status.verdict
    asks, proposed = _asks(healing), _proposed(healing)
    return {
        "healing": {"namespace": meta.namespace, "name": meta.name, "uid": meta.uid},
        "target": {"kind": target.kind.value, "name": target.name, "uid": target.uid},
        "signal": healing.spec.signal,
        "verdict": verdict.value if verdict else None,
        "needsHuman": {"reason": asks.reason, "message": asks.message} if asks else None,
        "proposed": {"healer": proposed.reason, "message": proposed.message} if proposed else None,
    }


def _attempt(attempt: Attempt) -> Mapping[str, object]:
    return {
        "healer": attempt.healer,
        "verdict": attempt.verdict.value if attempt.verdict else None,
        "message": attempt.message,
        "startedAt": format_time(attempt.started_at),
        "finishedAt": _time(attempt.finished_at),
        "actions": _actions(attempt),
    }


def _actions(attempt: Attempt) -> list[Mapping[str, object]]:
    return [
        {"what": describe_record(a), "state": a.state.value, "at": _time(a.at)}
        for a in attempt.actions[:MOST_LISTED]
    ]


def _counts(notices: Iterable[Notice]) -> Mapping[str, int]:
    """How many by verdict; those still open count as NeedsHuman."""
    counts = Counter(n.word if finished(n.healing) else "NeedsHuman" for n in notices)
    return dict(sorted(counts.items()))


def _by_namespace(notices: Sequence[Notice]) -> Mapping[str, Mapping[str, int]]:
    """The namespaces with most of them."""
    most = Counter(n.healing.metadata.namespace for n in notices).most_common(MOST_NAMESPACES)
    return {
        name: _counts(n for n in notices if n.healing.metadata.namespace == name)
        for name, _ in most
    }


def _time(at: datetime | None) -> str | None:
    return format_time(at) if at else None


def _id(what: str) -> str:
    return f"msg_{hashlib.sha256(what.encode()).hexdigest()[:32]}"
