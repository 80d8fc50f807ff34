"""One row of `akeso status` per thing it tells of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from rich.text import Text

from akeso.cli import words
from akeso.cli.output import Row
from akeso.cli.sections import Ended, Of, PolicyLine, Refusal, Risk, UnderWay

_YES_NO: Mapping[bool | None, Text] = {
    True: Text("yes", style="green"),
    False: Text("no", style="red"),
    None: Text("?", style="yellow"),
}
VERDICT_STYLES = {"Verified": "green", "Cleared": "dim", "Inconclusive": "yellow", "Open": "cyan"}


def with_proposal(said: str, needs_human: bool, proposed: str | None) -> str:
    """How a Healing stands, and what is left to a person where that is not said already."""
    asks = f"needs a person: {said}" if needs_human else said
    if proposed is None or proposed in said:
        return asks
    return f"{asks.rstrip('.')}. Left to you: {proposed}"


def of_policy(policy: PolicyLine) -> Row:
    ready = _YES_NO[policy.ready]
    why = policy.message
    if policy.pause_reasons:
        why = f"paused: {'; '.join(policy.pause_reasons)}. {why}"
    targets = "?" if policy.targets is None else str(policy.targets)
    return policy.namespace, policy.name, policy.mode, targets, ready, why


def target(of: Of) -> str:
    """As `akeso explain` takes it."""
    return f"{of.kind.lower()}/{of.name} -n {of.namespace}"


def of_risk(risk: Risk, now: datetime) -> Row:
    limit = words.ahead(risk.likely, now) if risk.likely else words.ago(risk.since, now)
    likely = "" if risk.probability_percent is None else f"{risk.probability_percent} %"
    said = f"{risk.message} (needs a person)" if risk.needs_human else risk.message
    said = with_proposal(said, False, risk.proposed)
    return target(risk), risk.signal, limit, likely, said


def of_under_way(healing: UnderWay, now: datetime) -> Row:
    far = f"{healing.written} of {words.many(healing.writes, 'step')} done"
    if healing.undoing:
        far = f"taking it back: {far}"
    elif healing.written == healing.writes:
        far = f"verifying, {words.many(healing.good_checks, 'good check')} so far"
    attempt = f" (attempt {healing.attempt})" if healing.attempt > 1 else ""
    return (
        target(healing),
        healing.signal,
        f"{healing.healer}{attempt}",
        words.ago(healing.started_at, now),
        f"{far}; {healing.message}",
    )


def of_refusal(refusal: Refusal) -> Row:
    retry = "by itself" if refusal.passes else Text("needs you", style="yellow")
    more = len(refusal.other_reasons)
    also = f" (and {words.many(more, 'other reason')}: akeso explain)" if more else ""
    return target(refusal), refusal.signal, refusal.reason, retry, f"{refusal.message}{also}"


def of_ended(ended: Ended, now: datetime) -> Row:
    style = VERDICT_STYLES.get(ended.verdict, "red")
    said = with_proposal(ended.message, ended.needs_human, ended.proposed)
    return (
        target(ended),
        ended.signal,
        ended.healer or "none",
        Text(ended.verdict, style=style),
        words.ago(ended.completed_at, now),
        said,
    )
