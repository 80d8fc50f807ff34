"""The question a guard answers: may this plan (or its next write) be carried out now?"""

from __future__ import annotations

from dataclasses import dataclass

from akeso.domain.action import Action, Plan
from akeso.domain.alert import Silence
from akeso.domain.capacity import Capacity
from akeso.domain.finding import Finding, Outcome
from akeso.domain.node import Nodes
from akeso.domain.workload import Snapshot


@dataclass(frozen=True, slots=True)
class Rules:
    """A policy's guardrails. `mode` is Observe or Heal; seconds, counts and percent as in the CRD.

    `conflict` names the other policies that also select the target (then `mode` is already the
    strictest of them).
    """

    mode: str
    cooldown_seconds: float
    max_healings_per_hour: int
    max_unhealthy_percent: int
    min_unhealthy: int
    min_available: int
    pause_reasons: tuple[str, ...] = ()
    conflict: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Control:
    """The cluster-wide switch. `paused` gives the reason; `until` ends it (Unix seconds).

    `known` is False while no HealingControl was read: then nothing is written.
    """

    known: bool = True
    paused: str | None = None
    until: float | None = None
    protected: frozenset[str] = frozenset({"kube-system", "kube-public", "kube-node-lease"})
    own_namespace: str = "akeso"
    max_healings_per_hour: int = 60


@dataclass(frozen=True, slots=True)
class PastHealing:
    """One earlier (or still open) healing that wrote something. Times are Unix seconds.

    `taken_back`: who asked to undo it, and why; None: nobody did.
    """

    name: str
    policy_uid: str
    target_uid: str
    signal: str
    healer: str
    acted_at: float
    finished_at: float | None
    outcome: Outcome | None
    taken_back: str | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """All targets of the policy: how many there are, and which fail now (uids)."""

    targets: int
    failing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Silences:
    """The silences that hold now. `asked` False: no Alertmanager is set.

    `error` says why it gave none; then nobody knows what is silenced.
    """

    active: tuple[Silence, ...] = ()
    error: str | None = None
    asked: bool = True


NO_SILENCES = Silences(asked=False)


@dataclass(frozen=True, slots=True)
class Case:
    """All that guards may look at.

    `plan` is None where no healer has one; `action` is the write about to happen (None: the plan
    as a whole is judged before its first). `past` excludes the healing that is judged.
    `source_age` is the age in seconds of the newest sample of this signal's source (None: no data
    ever), `max_age` from when it is stale. `failures_per_day` bounds failed tries of one healer.
    `capacity` is what room there is, read live where a plan asks for more (None: not read);
    `nodes` are those under the pods that the plan is about, read live (None: not read).
    `enabled`: the installation lets this healer act. `proposed`: its rung is one that people are
    only told of; `requested`: a person asked for this very healer.
    """

    finding: Finding
    policy_uid: str
    seen: Snapshot
    plan: Plan | None
    rules: Rules
    control: Control
    fleet: Fleet
    now: float
    source_age: float | None
    max_age: float
    past: tuple[PastHealing, ...] = ()
    action: Action | None = None
    healer: str = ""
    failures_per_day: int = 3
    capacity: Capacity | None = None
    nodes: Nodes | None = None
    silences: Silences = NO_SILENCES
    enabled: bool = True
    proposed: bool = False
    requested: bool = False

    @property
    def restoring(self) -> bool:
        """Whether the write about to happen brings the user's own state back."""
        return self.action is not None and self.action.restore
