"""What the demo claims, each claim proven or refuted by the cluster's own records. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from akeso.api.healing import Healing
from akeso.cli.demo import names
from akeso.cli.demo.evidence import Evidence
from akeso.cli.words import many, span
from akeso.domain.finding import Outcome

REPLICAS = 3  # of the checkout service
# Without Akeso every request after the release but one in five would fail, for ever.
LARGEST_FAILED_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Check:
    """One claim: `holds` is the proof, `said` what was found, `source` where it is on record."""

    name: str
    holds: bool
    said: str
    source: str


def check_all(evidence: Evidence) -> tuple[Check, ...]:
    """Every claim, in the order of the story."""
    return tuple(check(evidence) for check in _CHECKS)


def _twin_was_killed(evidence: Evidence) -> Check:
    kills = evidence.kills_of(names.TWIN)
    pod = next((p for p in evidence.of(names.TWIN) if kills and p.name == kills[0].pod), None)
    if not kills or pod is None:
        said = f"{names.TWIN}, which nobody protects, was not OOM-killed, so nothing is proven"
        return Check("twin-killed", False, said, _PODS)
    said = (
        f"{names.TWIN}, which nobody protects, was OOM-killed at {_moments(k.at for k in kills)},"
        f" {span((kills[0].at - pod.created_at).total_seconds())} after it started"
    )
    return Check("twin-killed", True, said, _PODS)


def _leaky_was_not_killed(evidence: Evidence) -> Check:
    pods, evicted = evidence.of(names.LEAKY), evidence.evictions(names.LEAKY)
    killed = {k.pod for k in evidence.kills_of(names.LEAKY)}
    killed |= {p.name for p in pods if p.restarts}
    source = f"{_PODS}; evictions in the audit log"
    if killed:
        which = ", ".join(sorted(killed))
        said = f"{names.LEAKY}, protected, was killed all the same: {which}"
        return Check("leaky-never-killed", False, said, source)
    if not evicted:
        said = f"{names.LEAKY}, protected, was not killed, but Akeso did nothing for it either"
        return Check("leaky-never-killed", False, said, source)
    fewest = evidence.fewest_ready.get(names.LEAKY, 0)
    said = (
        f"{names.LEAKY}, with the same leak but protected, was never killed:"
        f" {many(len(evicted), 'restart')} in good order"
        f" ({_moments(w.at for w in evicted)}), never fewer than {many(fewest, 'pod')} ready"
        f"{_users(evidence, names.LEAKY)}"
    )
    return Check("leaky-never-killed", fewest >= 1, said, source)


def _users(evidence: Evidence, app: str) -> str:
    counted = evidence.requests.get(app)
    if counted is None:
        return ""
    return f"; {counted.failed} of its users' {counted.total} requests failed"


def _it_was_foreseen(evidence: Evidence) -> Check:
    killed = min((k.at for k in evidence.kills_of(names.TWIN)), default=None)
    healed = min(evidence.healed(names.LEAKY), key=_opened, default=None)
    if killed is None or healed is None:
        return Check("foreseen", False, "no forecast and no failure to compare", _HEALINGS)
    forecast = healed.spec.evidence
    margin = (killed - _opened(healed)).total_seconds()
    if margin <= 0:
        said = f"Akeso saw {names.LEAKY}'s failure only when its twin was dead already"
        return Check("foreseen", False, said, _HEALINGS)
    said = (
        f"Akeso saw it coming {span(margin)} ahead, at {_clock(_opened(healed))}{_expected(healed)}"
    )
    percent = forecast.probability_percent
    likely = f", probability {percent} %" if percent is not None else ""
    return Check("foreseen", True, f"{said}{likely}", _HEALINGS)


def _expected(healing: Healing) -> str:
    """The forecast's span, which the twin's death may be compared with."""
    evidence = healing.spec.evidence
    span = evidence.time_to_threshold_seconds
    if span is None or span.p10 is None or span.p90 is None:
        return ""
    seen = evidence.sampled_at.timestamp()
    early, late = (datetime.fromtimestamp(seen + s, UTC) for s in (span.p10, span.p90))
    return f" (expected between {_clock(early)} and {_clock(late)})"


def _leaky_was_verified(evidence: Evidence) -> Check:
    ended = [h for h in evidence.healed(names.LEAKY) if h.status.completed_at is not None]
    good = [h for h in ended if h.status.verdict is Outcome.VERIFIED]
    verdicts = ", ".join(h.status.verdict.value for h in ended if h.status.verdict) or "none"
    said = f"healings of {names.LEAKY} that have ended: {verdicts}"
    return Check("leaky-verified", bool(good) and len(good) == len(ended), said, _HEALINGS)


def _rollout_was_undone(evidence: Evidence) -> Check:
    source = f"{_PODS}; deletions in the audit log; {_HEALINGS}"
    began, ended = evidence.bad_from(), evidence.bad_until()
    good = [
        p
        for p in evidence.of(names.CHECKOUT)
        if p.version == names.GOOD and p.uid in evidence.present and p.ready
    ]
    if began is None:
        return Check("rollout-undone", False, "the bad version never came up", source)
    if ended is None or len(good) < REPLICAS:
        said = f"{names.CHECKOUT} {names.BAD} is still there, {len(good)} pods are {names.GOOD}"
        return Check("rollout-undone", False, said, source)
    if not any(w.verb == "patch" for w in evidence.by_akeso(names.CHECKOUT)):
        return Check("rollout-undone", False, "it was undone, but not by Akeso", source)
    said = (
        f"the bad rollout of {names.CHECKOUT} was undone in"
        f" {(ended - began).total_seconds():.0f} s (first bad pod {_clock(began)},"
        f" last one gone {_clock(ended)}); all {len(good)} pods are {names.GOOD} again"
    )
    return Check("rollout-undone", True, said, source)


def _few_requests_failed(evidence: Evidence) -> Check:
    source = "the load generator's counters in Prometheus"
    counted = evidence.requests.get(names.CHECKOUT)
    if counted is None or not counted.total:
        return Check("requests", False, f"{names.CHECKOUT}'s users were not counted", source)
    share = counted.failed / counted.total
    said = f"{names.CHECKOUT}'s users: {counted.failed} of {counted.total} requests failed"
    said += f" ({share:.1%})"
    later = evidence.failed_after_undo
    if later is None:
        return Check("requests", False, f"{said}; it is not known whether that is over", source)
    if later:
        return Check("requests", False, f"{said}, {later} of them after the rollback", source)
    # Where none failed the release was not bad, and nothing is proven.
    holds = 0 < share <= LARGEST_FAILED_SHARE
    return Check("requests", holds, f"{said}, none after the last bad pod was gone", source)


def _next_release_is_free(evidence: Evidence) -> Check:
    source = "kubectl apply --server-side --dry-run=server"
    conflict = evidence.next_release_conflict
    if not evidence.of(names.CHECKOUT):
        return Check("next-release", False, f"{names.CHECKOUT} never ran", source)
    if conflict is not None:
        said = f"the next release of {names.CHECKOUT} would fail: {conflict}"
        return Check("next-release", False, said, source)
    said = f"the next release of {names.CHECKOUT} applies without a conflict"
    return Check("next-release", True, said, source)


def _healthy_was_left_alone(evidence: Evidence) -> Check:
    return _left_alone(
        "healthy-untouched", names.HEALTHY, "which is fine", evidence, same_pods=True
    )


def _twin_was_left_alone(evidence: Evidence) -> Check:
    name, about = names.TWIN, "which no policy selects"
    return _left_alone("twin-untouched", name, about, evidence, same_pods=False)


def _left_alone(check: str, app: str, about: str, evidence: Evidence, same_pods: bool) -> Check:
    source = "audit log; pods' uids"
    pods, written = evidence.of(app), evidence.by_akeso(app)
    found = evidence.healed(app)
    if not pods:
        return Check(check, False, f"{app} never ran", source)
    changed = [p for p in pods if p.uid not in evidence.present or (same_pods and p.restarts)]
    if written or found or changed:
        said = (
            f"{app}, {about}, was touched: {many(len(written), 'write')},"
            f" {many(len(found), 'Healing')}, {many(len(changed), 'pod')} changed"
        )
        return Check(check, False, said, source)
    same = "the same pod throughout, " if same_pods else ""
    said = f"{app}, {about}, was left alone: {same}0 writes by Akeso"
    return Check(check, True, said, source)


def _opened(healing: Healing) -> datetime:
    return healing.metadata.creation_timestamp or healing.spec.evidence.since


def _moments(moments: Iterable[datetime]) -> str:
    return ", ".join(map(_clock, moments))


def _clock(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%H:%M:%S UTC")


_PODS = "pods' status"
_HEALINGS = "Healing objects"

_CHECKS: tuple[Callable[[Evidence], Check], ...] = (
    _twin_was_killed,
    _leaky_was_not_killed,
    _it_was_foreseen,
    _leaky_was_verified,
    _rollout_was_undone,
    _few_requests_failed,
    _next_release_is_free,
    _healthy_was_left_alone,
    _twin_was_left_alone,
)
