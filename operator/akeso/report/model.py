"""What a report says. Values only; the models are the command's JSON: their fields are stable."""

from __future__ import annotations

from enum import StrEnum

from akeso.api.meta import Model
from akeso.api.scalars import Time


class Unit(StrEnum):
    """What the numbers of a panel mean."""

    BYTES = "bytes"
    SHARE = "share"  # 0..1
    COUNT = "count"
    PLAIN = "plain"  # of whatever the query gives


class Role(StrEnum):
    """Whose series it is, as the Healing sees it."""

    CONCERNED = "concerned"  # of a pod the evidence names
    SUCCESSOR = "successor"  # of a pod that came after the Healing was opened
    OTHER = "other"  # of another pod of the workload, or of the workload as a whole
    COMPARED = "compared"  # of another workload, shown beside it


class Mood(StrEnum):
    """How it stands, for the colour of a badge or a mark."""

    GOOD = "good"
    BAD = "bad"
    UNSURE = "unsure"
    OPEN = "open"
    QUIET = "quiet"


class Series(Model):
    """One measured series: (Unix seconds, value) in the panel's unit, oldest first."""

    label: str
    role: Role
    remark: str = ""
    points: tuple[tuple[float, float], ...]


class Outlook(Model):
    """The forecast as it was when the Healing was opened.

    From `value` at `at` to `threshold`; the quantiles are Unix seconds, None: not foreseeable.
    """

    at: float
    value: float
    threshold: float
    early: float | None
    middle: float | None
    late: float | None


class Panel(Model):
    """One plot. `step` is the distance of its points in seconds."""

    title: str
    unit: Unit
    query: str
    step: float = 0.0
    series: tuple[Series, ...] = ()
    limits: tuple[Series, ...] = ()  # the limit where it was measured over time
    threshold: float | None = None
    threshold_label: str = "threshold"
    outlook: Outlook | None = None
    seen: tuple[float, float] | None = None  # the value the Healing stands on, and its time
    left_out: int = 0  # series that were found and not drawn


class Moment(Model):
    """Something that happened (or was expected). `mark`: its few words in a plot; empty: none."""

    at: Time
    what: str
    said: str
    mood: Mood = Mood.QUIET
    mark: str = ""
    expected: bool = False


class Fact(Model):
    """One line of the evidence."""

    name: str
    said: str


class ActionTold(Model):
    """One write of an attempt."""

    said: str
    state: str
    at: Time | None


class AttemptTold(Model):
    """One rung that was tried."""

    healer: str
    began: Time
    ended: Time | None
    verdict: str
    mood: Mood
    said: str
    actions: tuple[ActionTold, ...]
    checks: str


class GuardTold(Model):
    """One guard's answer at the last judgement."""

    guard: str
    allowed: bool
    said: str


class Report(Model):
    """One Healing, told. `notes` say what could not be measured, why, and how to get it."""

    name: str
    namespace: str
    uid: str
    kind: str
    target: str
    policy: str
    signal: str
    title: str
    badge: str
    mood: Mood
    opened: Time
    closed: Time | None
    made: Time  # when the report was made
    said: str
    figures: tuple[Fact, ...]  # a few numbers that matter
    evidence: tuple[Fact, ...]
    moments: tuple[Moment, ...]
    attempts: tuple[AttemptTold, ...]
    guards: tuple[GuardTold, ...]
    panels: tuple[Panel, ...]
    notes: tuple[str, ...]
