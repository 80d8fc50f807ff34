"""Guards that bound how often: budgets, cooldown, retries.

They count resources, never memory: `Case.past` holds the healings just started as well, so a limit
holds within one cycle and across restarts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from akeso.domain.finding import Outcome
from akeso.domain.verdict import Verdict, allow, deny
from akeso.policy.case import Case, PastHealing
from akeso.policy.moment import LOOK_AGAIN_SECONDS
from akeso.policy.wording import at, many, seconds

HOUR = 3_600.0
DAY = 86_400.0


def policy_budget(case: Case) -> Verdict:
    """How many healings one policy may start in an hour."""
    started = _started(p for p in case.past if p.policy_uid == case.policy_uid)
    return _hourly(case, "policy-budget", "PolicyBudget", started, case.rules.max_healings_per_hour)


def global_budget(case: Case) -> Verdict:
    """How many healings all policies together may start in an hour."""
    return _hourly(
        case,
        "global-budget",
        "GlobalBudget",
        _started(case.past),
        case.control.max_healings_per_hour,
    )


def _started(past: Iterable[PastHealing]) -> list[float]:
    """When each healing wrote first; its later attempts are the same healing."""
    first: dict[str, float] = {}
    for p in past:
        if not first.get(p.name, math.inf) <= p.acted_at:  # so that NaN stays, and counts
            first[p.name] = p.acted_at
    return list(first.values())


def _hourly(case: Case, guard: str, reason: str, started: list[float], limit: int) -> Verdict:
    recent = _within(started, HOUR, case.now)
    whose, where = (
        (f"Policy {case.finding.policy}", "its guardrails")
        if guard == "policy-budget"
        else ("The whole cluster", "the HealingControl")
    )
    used = f"{len(recent)} of {many(limit, 'healing')} used in the last hour"
    if len(recent) < limit:
        return allow(guard, f"{whose}: {used}.")
    again = _room_at(recent, limit, HOUR)
    return deny(
        guard,
        reason,
        f"{whose}: {used}{_next_at(again)}; raise maxHealingsPerHour in {where} "
        "if this is too few.",
        None if again is None else max(0.0, again - case.now),
    )


def cooldown(case: Case) -> Verdict:
    """Rest between two healings of one target, so that the first can show what it did.

    Between healings, never between the rungs of one: `Case.past` excludes the one judged.
    """
    ref, rest = case.seen.ref, case.rules.cooldown_seconds
    mine = [p for p in case.past if p.target_uid == ref.uid]
    for other in mine:
        if other.finished_at is None:
            return deny(
                "cooldown",
                "AnotherHealing",
                f"{ref} is being healed by {other.name} already; this one waits until that has "
                f"ended and {seconds(rest)} have passed.",
                max(rest, LOOK_AGAIN_SECONDS),
            )
    last = max((p.finished_at for p in mine if p.finished_at is not None), default=None)
    if last is None:
        return allow("cooldown", f"{ref} has not been healed before.")
    if case.now - last >= rest:
        return allow(
            "cooldown",
            f"The last healing of {ref} ended at {at(last)}, more than {seconds(rest)} ago.",
        )
    return deny(
        "cooldown",
        "Cooldown",
        f"The last healing of {ref} ended at {at(last)}; the next may start {seconds(rest)} "
        f"later, at {at(last + rest)}.",
        max(0.0, last + rest - case.now),
    )


def retries(case: Case) -> Verdict:
    """A routine that failed several times on a target will not work the next time either.

    One that a person took back is not wanted there, were it to work.
    """
    healer = case.healer or (case.plan.healer if case.plan else "")
    limit, ref = case.failures_per_day, case.seen.ref
    unwanted = _taken_back(case, healer)
    if unwanted is not None:
        return unwanted
    failed = _within(
        (
            p.acted_at if p.finished_at is None else p.finished_at
            for p in case.past
            if p.target_uid == ref.uid and p.healer == healer and p.outcome is Outcome.FAILED
        ),
        DAY,
        case.now,
    )
    if not healer:
        return allow("retries", f"No healer was chosen for {ref} yet.")
    count = f"{healer} failed {many(len(failed), 'time')} on {ref} in the last 24 h"
    if len(failed) < limit:
        return allow("retries", f"{count}; {limit} are the limit.")
    again = _room_at(failed, limit, DAY)
    return deny(
        "retries",
        "FailedTooOften",
        f"{count}, and {limit} are the limit{_next_at(again)}; "
        "it needs a person or another healer.",
        None if again is None else max(0.0, again - case.now),
    )


def _taken_back(case: Case, healer: str) -> Verdict | None:
    """Whoever reverts a heal is not overruled by the next one."""
    ref = case.seen.ref
    found = [
        p
        for p in case.past
        if p.taken_back is not None
        and p.target_uid == ref.uid
        and p.healer == healer
        and not case.now - p.acted_at >= DAY
    ]
    if not found:
        return None
    last = max(found, key=lambda p: p.acted_at)
    again = last.acted_at + DAY
    return deny(
        "retries",
        "TakenBack",
        f"{healer} of {ref} was taken back ({last.taken_back}), so it is not done again before "
        f"{at(again)}; delete Healing {last.name} if it may be.",
        max(0.0, again - case.now),
    )


def _within(moments: Iterable[float], window: float, now: float) -> list[float]:
    """Those less than `window` seconds ago, oldest first; one in the future or unknown counts."""
    return sorted(m for m in moments if not now - m >= window)


def _room_at(recent: list[float], limit: int, window: float) -> float | None:
    """When so many have left the window that one more fits; None: a limit of 0 never has room."""
    return recent[len(recent) - limit] + window if limit > 0 else None


def _next_at(again: float | None) -> str:
    return "" if again is None else f", the next may start at {at(again)}"
