"""What `akeso explain` tells of one workload, from the engine's own explanation. Pure.

The models are the command's JSON: their fields are stable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from akeso.api.healing import Healing
from akeso.api.meta import Model
from akeso.api.policy import Mode
from akeso.api.scalars import Measured, Time, from_unix
from akeso.domain.action import Action, Plan
from akeso.domain.forecast import Forecast
from akeso.domain.verdict import Verdict
from akeso.engine.act import describe
from akeso.engine.detect import memory_sentence
from akeso.engine.explain import Explanation, SignalExplained
from akeso.engine.intent import finished


class ForecastTold(Model):
    """The forecast for one container; times to the limit in seconds, None: not foreseeable."""

    pod: str
    container: str
    readiness: str
    message: str
    value: Measured | None
    limit: Measured | None
    probability_percent: int | None
    seconds_to_limit: tuple[int | None, int | None, int | None] | None
    alarm: bool
    sampled_at: Time | None
    samples: int


class GuardTold(Model):
    """One guard's answer. `retry_after_seconds` None on a refusal: only a person can change it."""

    guard: str
    allowed: bool
    reason: str
    message: str
    retry_after_seconds: int | None


class PlanTold(Model):
    """What would be done, and how it is taken back."""

    healer: str
    summary: str
    effect: str
    actions: tuple[str, ...]
    undo: tuple[str, ...]
    blast_radius: int


class SignalTold(Model):
    """One signal of one policy. `problem` None: nothing is wrong; the rest is then supposed.

    `healing` is the Healing of this problem that is open; `proposals` are rungs that fit and are left
    to a person, each with how to have it done. `acts_from_percent`: the probability from which a
    forecast is acted on; None: nothing is forecast.
    """

    policy: str
    mode: str
    signal: str
    about: str
    facts: tuple[str, ...]
    acts_from_percent: int | None
    problem: str | None
    healing: str | None
    plan: PlanTold | None
    allowed: bool
    conclusion: str
    proposals: tuple[str, ...]
    guards: tuple[GuardTold, ...]


class Account(Model):
    """One workload as Akeso sees it now."""

    kind: str
    namespace: str
    name: str
    ready: int
    replicas: int
    revision: str
    owners: tuple[str, ...]
    forecasts: tuple[ForecastTold, ...]
    signals: tuple[SignalTold, ...]


def account(found: Explanation, healings: Sequence[Healing] = ()) -> Account:
    """The explanation in words and plain numbers; `healings` are those on record."""
    seen = found.seen
    going = {
        h.spec.signal: h for h in healings if h.spec.target.uid == seen.ref.uid and not finished(h)
    }
    owners = (seen.controller, seen.autoscaler)
    return Account(
        kind=seen.ref.kind.value,
        namespace=seen.ref.namespace,
        name=seen.ref.name,
        ready=seen.ready,
        replicas=seen.replicas,
        revision=seen.update_revision,
        owners=tuple(str(o) for o in owners if o is not None),
        forecasts=tuple(_forecast(f) for f in found.forecasts),
        signals=tuple(_signal(s, going.get(s.signal.name)) for s in found.signals),
    )


def _forecast(found: Forecast) -> ForecastTold:
    probability = found.probability
    return ForecastTold(
        pod=found.key.pod,
        container=found.key.container,
        readiness=found.readiness.value,
        message=memory_sentence(found),
        value=found.value,
        limit=found.limit,
        probability_percent=None if probability is None else round(probability * 100),
        seconds_to_limit=_quantiles(found.ttf),
        alarm=found.alarm,
        sampled_at=None if found.sampled_at is None else from_unix(found.sampled_at),
        samples=found.samples,
    )


def _quantiles(
    ttf: tuple[float, float, float] | None,
) -> tuple[int | None, int | None, int | None] | None:
    if ttf is None:
        return None
    low, middle, high = (None if math.isinf(q) else max(0, round(q)) for q in ttf)
    return low, middle, high


def _signal(found: SignalExplained, healing: Healing | None) -> SignalTold:
    judgement, problem = found.judgement, found.problem
    doubt = _doubt(found) if problem is None else ""
    allowed = judgement.denial is None and judgement.plan is not None
    return SignalTold(
        policy=found.policy.metadata.name,
        mode=found.policy.spec.mode.value,
        signal=found.signal.name,
        about=found.signal.about.value,
        facts=found.facts,
        acts_from_percent=None if found.bar is None else round(found.bar * 100),
        problem=problem.finding.evidence.message if problem else None,
        healing=healing.metadata.name if healing else None,
        plan=_plan(judgement.plan) if judgement.plan else None,
        allowed=allowed,
        conclusion=_under_way(healing) if healing else _conclusion(found, allowed) + doubt,
        proposals=tuple(p.sentence for p in judgement.proposals),
        guards=tuple(_guard(v) for v in judgement.verdicts),
    )


def _plan(plan: Plan) -> PlanTold:
    return PlanTold(
        healer=plan.healer,
        summary=plan.summary,
        effect=plan.effect.value,
        actions=_described(plan.actions),
        undo=_described(plan.undo),
        blast_radius=plan.blast_radius,
    )


def _described(actions: Sequence[Action]) -> tuple[str, ...]:
    return tuple(describe(action) for action in actions)


def _guard(verdict: Verdict) -> GuardTold:
    wait = verdict.retry_after
    return GuardTold(
        guard=verdict.guard,
        allowed=verdict.allowed,
        reason=verdict.reason,
        message=verdict.sentence,
        retry_after_seconds=None if wait is None else max(0, math.ceil(wait)),
    )


def _doubt(found: SignalExplained) -> str:
    """One evaluation above the bar is no alarm yet; the operator, which looks every cycle, may
    come to one soon."""
    bar = found.bar
    if bar is None or all((f.probability or 0) < bar for f in found.forecasts):
        return ""
    return " One forecast is above the policy's bar; several in a row make a problem."


def _under_way(healing: Healing) -> str:
    """The operator has evaluated it more than this one time: its word counts."""
    said = healing.status.message or healing.spec.evidence.message
    return f"Healing {healing.metadata.name} is open: {said}"


def _conclusion(found: SignalExplained, allowed: bool) -> str:
    """One sentence: does Akeso act, would it, or why not."""
    judgement, now = found.judgement, found.problem is not None
    denial = judgement.denial
    if denial is None and judgement.plan is None:
        said = "Its ladder names no healer, so a person is told."
        return said if now else f"Nothing is wrong now. If it were: {said}"
    if allowed:
        return "Akeso acts now." if now else "Nothing is wrong now; if it were, Akeso would act."
    observes = found.policy.spec.mode is Mode.OBSERVE and denial is not None
    if observes and denial is not None and denial.guard == "mode":
        when = "Akeso would act" if now else "Nothing is wrong now; if it were, Akeso would act"
        return f"{when}, but this policy only observes."
    sentence = denial.sentence if denial else ""
    if now:
        return f"Akeso does not act: {sentence}"
    return f"Nothing is wrong now; if it were, Akeso would not act: {sentence}"
