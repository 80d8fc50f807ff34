"""Step three and four: which rung is next, what would it do, and may it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from akeso.api.control import HealingControl
from akeso.api.healing import Attempt, Healing
from akeso.api.policy import HealingPolicy, Mode, Rung, RungMode, Signal
from akeso.domain.action import Action, Effect, Plan
from akeso.domain.capacity import Capacity
from akeso.domain.finding import FROM_THE_API, Finding, Origin, Outcome
from akeso.domain.node import Nodes
from akeso.domain.verdict import Verdict
from akeso.domain.workload import Snapshot, WorkloadRef
from akeso.engine import record
from akeso.engine.alerts import standing_on
from akeso.engine.detect import forecasts_of
from akeso.engine.intent import read_action
from akeso.engine.observe import Observation, query_key
from akeso.engine.selection import Selection
from akeso.policy.case import Case, Control, Fleet, PastHealing, Rules, Silences
from akeso.policy.chain import first_denial
from akeso.policy.chain import judge as ask
from akeso.policy.ladder import next_rung
from akeso.protocols import Healer, HealerContext
from akeso.settings import Settings

FIELD_MANAGER = "akeso"

# Denials that concern one routine on this target: another rung may still fit.
OF_THE_RUNG = frozenset(
    {
        "enabled",
        "controller",
        "autoscaler",
        "gitops",
        "retries",
        "recreate",
        "single-replica",
        "capacity",
        "proposal",
    }
)
# What stands against a proposal that is worth telling: that it is one, and that nothing is done.
OF_A_PROPOSAL = frozenset({"proposal", "mode"})


@dataclass(frozen=True, slots=True)
class Proposal:
    """A rung that fits and is left to a person: what it would do, and how to have it done."""

    healer: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """The rung that would be tried, its plan, and what every guard says of it.

    `rung` None: the ladder is at its end, or no rung fits; `verdicts` then tell why. `proposals`
    are rungs that were passed over although they fit.
    """

    rung: int | None
    healer: Healer | None
    plan: Plan | None
    verdicts: tuple[Verdict, ...]
    timeout: float = 0.0
    proposals: tuple[Proposal, ...] = ()

    @property
    def denial(self) -> Verdict | None:
        return first_denial(self.verdicts)

    @property
    def proposed(self) -> Verdict | None:
        """The denial of a rung that is left to a person, whatever else stands against it."""
        return next((v for v in self.verdicts if v.guard == "proposal" and not v.allowed), None)

    @property
    def proposal(self) -> Proposal | None:
        """What a person is told of it: it would be done if it were not only proposed."""
        said, denials = self.proposed, {v.guard for v in self.verdicts if not v.allowed}
        if said is None or self.healer is None or denials - OF_A_PROPOSAL:
            return None
        return Proposal(self.healer.name, said.sentence)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a judgement stands on beside the target itself: one per policy and cycle."""

    policy: HealingPolicy
    control: HealingControl | None
    observation: Observation
    healings: Sequence[Healing]
    late: float = 0.0  # seconds from the observation to this judgement
    silences: Silences | None = None  # as read for this judgement; None: as the cycle read them


@dataclass(frozen=True, slots=True)
class Question:
    """What is judged: a finding on a target as `seen`; `healing` None: nothing was opened yet.

    `capacity` is the room there is, `nodes` how those under its pods are, where looked up.
    """

    finding: Finding
    signal: Signal
    seen: Snapshot
    around: Circumstances
    healing: Healing | None = None
    capacity: Capacity | None = None
    nodes: Nodes | None = None


class Judge:
    """Puts the guards' questions together. Holds no state."""

    def __init__(self, healers: Iterable[Healer], settings: Settings) -> None:
        self.healers: Mapping[str, Healer] = {healer.name: healer for healer in healers}
        self._settings = settings

    def context(self, rung: Rung, question: Question) -> HealerContext:
        around, seen = question.around, question.seen
        foresight = question.signal.foresight
        return HealerContext(
            min_available=around.policy.spec.guardrails.min_available,
            healthy=around.observation.healthy.get(seen.ref.uid, ()),
            manager=FIELD_MANAGER,
            owed=owed_to(seen.ref, around.healings),
            max_replicas=rung.max_replicas,
            horizon=float(foresight.horizon_seconds) if foresight else 0.0,
            forecasts={
                f.key: f
                for pod in seen.present
                for f in forecasts_of(pod, seen.ref.namespace, around.observation.forecasts)
            },
            ceiling=rung.ceiling,
        )

    def next_step(self, question: Question) -> Judgement:
        """The first rung not tried yet that fits this target, judged by all guards."""
        rungs = question.signal.rungs
        tried = [(a.rung, a.verdict or Outcome.ERROR) for a in attempts_of(question.healing)]
        index = next_rung([r.healer for r in rungs], tried)
        passed: list[Judgement] = []
        while index is not None and index < len(rungs):
            judgement = self._rung(index, rungs[index], question)
            denial = judgement.denial
            if denial is None or not _concerns_rung(judgement):
                return replace(judgement, proposals=_proposals(passed))
            passed.append(judgement)
            index += 1
        return _none_fits(passed)

    def leaves_to_people(self, signal: Signal, rung: int) -> bool:
        """Whether the ladder has a rung beyond this one that people are only told of."""
        return any(self._proposes(r) for r in signal.rungs[rung + 1 :])

    def proposed_after(self, question: Question, rung: int) -> tuple[Judgement, ...]:
        """The rungs beyond this one that are left to a person, judged as if it were their turn."""
        later = enumerate(question.signal.rungs[rung + 1 :], rung + 1)
        judged = (self._rung(i, r, question) for i, r in later if self._proposes(r))
        return tuple(j for j in judged if j.proposed is not None)

    def plans(self, question: Question) -> Iterator[Plan]:
        """What the rungs that are left would do, whatever the guards say."""
        rungs = question.signal.rungs
        tried = [(a.rung, a.verdict or Outcome.ERROR) for a in attempts_of(question.healing)]
        index = next_rung([r.healer for r in rungs], tried)
        for i in range(len(rungs) if index is None else index, len(rungs)):
            plan = self._rung(i, rungs[i], question).plan
            if plan is not None:
                yield plan

    def _rung(self, index: int, rung: Rung, question: Question) -> Judgement:
        healer = self.healers.get(rung.healer)
        if healer is None:
            verdict = unknown_healer(rung.healer, self.healers)
            return Judgement(index, None, None, (verdict,), rung.timeout_seconds)
        finding, seen = question.finding, question.seen
        context = self.context(rung, question)
        fits = healer.diagnose(finding, seen, context)
        plan = healer.plan(finding, seen, context) if fits.allowed else None
        asked = ask(self._case(question, plan, healer.name, self._proposes(rung)))
        verdicts = (*asked, fits) if fits.allowed else (fits, *asked)
        return Judgement(index, healer, plan, verdicts, rung.timeout_seconds)

    def write(self, question: Question, attempt: Attempt, action: Action) -> tuple[Verdict, ...]:
        """What the guards say right before one write of an attempt under way."""
        plan, rungs = self.plan_of(attempt, question.seen.ref), question.signal.rungs
        proposed = any(r.healer == attempt.healer and self._proposes(r) for r in rungs)
        case = replace(self._case(question, plan, attempt.healer, proposed), action=action)
        if question.signal.about in FROM_THE_API and question.seen.live:
            case = replace(case, source_age=0.0)  # its source is the workload, read just now
        return ask(case)

    def plan_of(self, attempt: Attempt, target: WorkloadRef) -> Plan:
        """The plan an attempt was started with, as its record tells it."""
        actions = tuple(read_action(r) for r in attempt.actions if not r.afterwards)
        later = tuple(read_action(r) for r in attempt.actions if r.afterwards)
        return Plan(attempt.healer, target, self.effect_of(attempt), actions, (), "", 0, later)

    def effect_of(self, attempt: Attempt) -> Effect:
        """What the attempt's healer promises; one this version does not know promises least."""
        healer = self.healers.get(attempt.healer)
        return healer.effect if healer else Effect.BUYS_TIME

    def _proposes(self, rung: Rung) -> bool:
        """Whether people are only told of a rung: as it says itself, else as its healer is."""
        healer = self.healers.get(rung.healer)
        if rung.mode is None:
            return healer is not None and healer.proposed
        return rung.mode is RungMode.PROPOSE

    def _case(self, question: Question, plan: Plan | None, healer: str, proposed: bool) -> Case:
        """All that guards may look at."""
        seen, around, signal = question.seen, question.around, question.signal
        observation, policy = around.observation, around.policy
        age = observation.source_age(signal.about, query_key(signal, self._settings))
        return Case(
            finding=standing_on(question.finding, signal),
            policy_uid=policy.metadata.uid,
            seen=seen,
            plan=plan,
            rules=rules_of(policy, observation.selection.overlaps.get(seen.ref.uid, ())),
            control=control_of(around.control, self._settings.namespace),
            fleet=_fleet(observation.selection, policy),
            now=observation.now + around.late,
            source_age=None if age is None else age + around.late,
            max_age=self._settings.stale_after,
            past=past_healings(around.healings, question.healing),
            healer=healer,
            failures_per_day=self._settings.failures_per_day,
            capacity=question.capacity,
            nodes=question.nodes,
            silences=around.silences or observation.silences,
            enabled=self._settings.enables(healer),
            proposed=proposed,
            requested=_asked_for(healer, question.healing),
        )


def owed_to(ref: WorkloadRef, healings: Iterable[Healing]) -> tuple[Action, ...]:
    """What healings of this workload still owe it, oldest first."""
    mine = [h for h in healings if h.spec.target.uid == ref.uid and record.owed(h)]
    mine.sort(key=lambda h: str(h.metadata.creation_timestamp))
    return tuple(
        read_action(h.status.attempts[i].actions[j]) for h in mine for i, j in record.owed(h)
    )


def attempts_of(healing: Healing | None) -> tuple[Attempt, ...]:
    return healing.status.attempts if healing is not None else ()


def unknown_healer(name: str, known: Iterable[str]) -> Verdict:
    names = ", ".join(sorted(known))
    return Verdict(
        "healer", False, "UnknownHealer", f"There is no healer {name}; known ones: {names}."
    )


def _asked_for(healer: str, healing: Healing | None) -> bool:
    """Whether a person asked for this very routine; to ask for any healing is not enough."""
    if healing is None or healing.spec.origin is not Origin.REQUEST:
        return False
    return healing.spec.healer == healer


def _proposals(passed: Iterable[Judgement]) -> tuple[Proposal, ...]:
    return tuple(p for p in (j.proposal for j in passed) if p is not None)


def _none_fits(passed: Sequence[Judgement]) -> Judgement:
    """Every rung was passed over: the first that is no proposal tells why.

    Where all are left to people, one that fits does, or one is waited for that may fit later.
    """
    proposals = _proposals(passed)
    for judgement in passed:
        if judgement.proposed is None:
            return replace(judgement, rung=None, proposals=proposals)
    waiting = next((j for j in passed if not proposals and _held_up(j)), None)
    if waiting is not None:
        return waiting
    fitting = [j for j in passed if j.proposal is not None] or passed
    return replace(fitting[0], rung=None, proposals=proposals) if fitting else NOTHING


def _held_up(judgement: Judgement) -> bool:
    """Whether something stands against it that is not about the routine on this target."""
    if judgement.plan is None:
        return judgement.verdicts[0].retry_after is not None
    return any(v.guard not in OF_THE_RUNG | {"mode"} for v in judgement.verdicts if not v.allowed)


NOTHING = Judgement(None, None, None, ())


def _concerns_rung(judgement: Judgement) -> bool:
    """Whether it can't be this rung, whatever else stands against acting now.

    A routine that only has to wait says so by `retry_after`; its rung is not passed over. One that
    is left to a person always is.
    """
    if judgement.proposed is not None:
        return True
    if judgement.plan is None:
        fits = judgement.verdicts[0]  # the routine's own word, or that there is no such routine
        return fits.retry_after is None
    return all(v.guard in OF_THE_RUNG for v in judgement.verdicts if not v.allowed)


def rules_of(policy: HealingPolicy, meeting: Sequence[HealingPolicy]) -> Rules:
    """The policy's guardrails; where policies overlap the strictest mode holds."""
    rails = policy.spec.guardrails
    modes = {policy.spec.mode, *(p.spec.mode for p in meeting)}
    others = tuple(p.metadata.name for p in meeting if p.metadata.uid != policy.metadata.uid)
    return Rules(
        mode=(Mode.OBSERVE if Mode.OBSERVE in modes else Mode.HEAL).value,
        cooldown_seconds=rails.cooldown_seconds,
        max_healings_per_hour=rails.max_healings_per_hour,
        max_unhealthy_percent=rails.breaker.max_unhealthy_percent,
        min_unhealthy=rails.breaker.min_unhealthy,
        min_available=rails.min_available,
        pause_reasons=rails.pause_reasons,
        conflict=others,
    )


def control_of(control: HealingControl | None, own_namespace: str) -> Control:
    """Fail closed: without a HealingControl nothing is written."""
    if control is None:
        return Control(known=False, own_namespace=own_namespace)
    paused = control.spec.paused
    return Control(
        paused=paused.reason if paused else None,
        until=paused.until.timestamp() if paused and paused.until else None,
        protected=frozenset(control.spec.protected_namespaces),
        own_namespace=own_namespace,
        max_healings_per_hour=control.spec.max_healings_per_hour,
    )


def _fleet(selection: Selection, policy: HealingPolicy) -> Fleet:
    uid = policy.metadata.uid
    return Fleet(len(selection.targets.get(uid, ())), selection.failing.get(uid, frozenset()))


def past_healings(healings: Iterable[Healing], judged: Healing | None) -> tuple[PastHealing, ...]:
    """Every attempt of every other healing that wrote, or meant to write, something."""
    own = judged.metadata.uid if judged is not None else ""
    return tuple(
        _past(healing, attempt)
        for healing in healings
        if healing.metadata.uid != own
        for attempt in healing.status.attempts
    )


def _past(healing: Healing, attempt: Attempt) -> PastHealing:
    completed, undo = healing.status.completed_at, healing.spec.undo
    return PastHealing(
        name=healing.metadata.name,
        policy_uid=healing.spec.policy_ref.uid,
        target_uid=healing.spec.target.uid,
        signal=healing.spec.signal,
        healer=attempt.healer,
        acted_at=attempt.started_at.timestamp(),
        finished_at=completed.timestamp() if completed else None,
        outcome=attempt.verdict,
        taken_back=f"by {undo.requested_by}: {undo.reason}" if undo else None,
    )
