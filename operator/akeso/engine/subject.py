"""What one Healing is judged on in one cycle, and how far it was moved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from akeso.api.healing import Healing
from akeso.api.policy import Signal
from akeso.api.scalars import from_unix
from akeso.domain.finding import Finding
from akeso.domain.workload import Snapshot
from akeso.engine.detect import Problem
from akeso.engine.intent import finding_of
from akeso.engine.judge import Circumstances, Question
from akeso.engine.tell import Told


@dataclass(frozen=True, slots=True)
class Subject:
    """A Healing with what it is judged on in this cycle.

    `problem` None: not found any more. `orphan`: its policy, or the signal in it, is gone.
    """

    problem: Problem | None
    finding: Finding
    signal: Signal
    around: Circumstances
    orphan: bool = False

    def question(self, seen: Snapshot, healing: Healing) -> Question:
        return Question(self.finding, self.signal, seen, self.around, healing)


@dataclass(frozen=True, slots=True)
class Progress:
    """A Healing after one move: `again` when the next may follow at once.

    `told` is said before the Healing is saved (at least once), `wrote` after it.
    """

    healing: Healing
    again: bool
    told: tuple[Told, ...] = ()
    wrote: str = ""


def subject_of(healing: Healing, problem: Problem | None, around: Circumstances) -> Subject:
    """What a Healing is judged on: the problem as found now, else as it was recorded."""
    if problem is not None:
        chosen = _chosen(problem.signal, healing.spec.healer)
        return Subject(problem, problem.finding, chosen, around)
    signals = {s.name: s for s in around.policy.spec.signals}
    signal = signals.get(healing.spec.signal) or Signal(name=healing.spec.signal, ladder=())
    known = around.policy.metadata.uid in around.observation.selection.targets
    orphan = not known or healing.spec.signal not in signals
    chosen = _chosen(signal, healing.spec.healer)
    return Subject(None, finding_of(healing, signal.about), chosen, around, orphan)


def _chosen(signal: Signal, healer: str | None) -> Signal:
    """The signal with only the rungs a person asked for; never one that its policy lacks."""
    if healer is None:
        return signal
    rungs = tuple(r for r in signal.rungs if r.healer == healer)
    return signal.model_copy(update={"ladder": rungs})


def predicted_failure(finding: Finding) -> datetime | None:
    """When the failure was to come: the late quantile, so that passing it means something."""
    if finding.evidence.ttf is None:
        return None
    _, middle, late = finding.evidence.ttf
    seconds = late if late < float("inf") else middle
    if seconds == float("inf"):
        return None
    return from_unix(finding.evidence.sampled_at + seconds)
