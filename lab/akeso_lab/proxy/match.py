"""Rules: which requests, or which events of a watch, a fault applies to."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from akeso_lab.proxy.events import OBJECT_EVENTS, WatchEvent
from akeso_lab.proxy.traffic import VERBS, RequestRecord


def _among(value: str, allowed: str | Collection[str]) -> bool:
    """True if nothing is asked for, or the value is (one of) what is asked for."""
    return not allowed or value in ({allowed} if isinstance(allowed, str) else allowed)


@dataclass(frozen=True, kw_only=True)
class Match:
    """A rule. Empty fields match everything; all others must hold at once.

    `first`, `nth` and `every` count what the rest of the rule matched since the fault was
    added, from 1: requests for most faults, events for the faults that change a watch.
    """

    methods: str | Collection[str] = ()
    path: str = ""
    """Regular expression searched for in the decoded path."""
    query: str = ""
    """Regular expression searched for in the decoded query string (and form body)."""
    verbs: str | Collection[str] = ()
    """Of: get, list, watch, write, bookkeeping, query."""
    user_agent: str = ""
    """Regular expression searched for in the User-Agent header."""
    events: str | Collection[str] = OBJECT_EVENTS
    """Types of watch events; bookmarks and errors pass untouched unless named here."""
    object_name: str = ""
    """Regular expression searched for in `namespace/name` of a watch event's object."""
    first: int | None = None
    nth: int | None = None
    every: int | None = None

    def __post_init__(self) -> None:
        for pattern in (self.path, self.query, self.user_agent, self.object_name):
            re.compile(pattern)
        verbs = {self.verbs} if isinstance(self.verbs, str) else set(self.verbs)
        if unknown := verbs - VERBS - {""}:
            raise ValueError(f"unknown verb {sorted(unknown)}: use one of {sorted(VERBS)}")
        counts = [count for count in (self.first, self.nth, self.every) if count is not None]
        if len(counts) > 1 or any(count < 1 for count in counts):
            raise ValueError("give at most one of first, nth and every, and at least 1")

    def selects(self, record: RequestRecord) -> bool:
        """Whether the request is one the rule speaks of, leaving the count aside."""
        return (
            _among(record.method, self.methods)
            and _among(record.verb, self.verbs)
            and re.search(self.path, record.path) is not None
            and re.search(self.query, record.readable_query) is not None
            and re.search(self.user_agent, record.user_agent) is not None
        )

    def selects_event(self, event: WatchEvent) -> bool:
        """Whether the event is one the rule speaks of, leaving request and count aside."""
        return (
            _among(event.type, self.events)
            and re.search(self.object_name, event.object_name) is not None
        )

    def falls_on(self, occurrence: int) -> bool:
        """Whether the rule means this occurrence, counted from 1."""
        if self.first is not None:
            return occurrence <= self.first
        if self.nth is not None:
            return occurrence == self.nth
        return self.every is None or occurrence % self.every == 0


EVERYTHING = Match()
READS = Match(verbs=("get", "list"))
WATCHES = Match(verbs="watch")
WRITES = Match(verbs="write")
JSON_ANSWERS = Match(verbs=("get", "list", "query"))
