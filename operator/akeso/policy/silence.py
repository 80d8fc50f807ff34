"""The guard that hears what people said to Alertmanager: whatever is silenced is left in peace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from akeso.domain.action import DeletePod, EvictPod, Resize, SetTemplate, SetTemplateMemory
from akeso.domain.alert import Matcher, Silence
from akeso.domain.verdict import Verdict, allow, deny
from akeso.policy.case import Case
from akeso.policy.moment import LOOK_AGAIN_SECONDS
from akeso.policy.wording import at, many

Labels = Mapping[str, str]


def silence(case: Case) -> Verdict:
    """A silence on the target, whoever measured the problem, and whatever alert it was made for.

    Whoever silences is usually at work on it, or knows better. That Alertmanager can't be asked
    is no consent.
    """
    known, ref = case.silences, case.seen.ref
    if known.error is not None:
        return deny(
            "silence",
            "SilencesUnknown",
            f"Nobody knows whether {ref} is silenced: {known.error.rstrip('.')}; nothing is done "
            "until Alertmanager answers, or AKESO_ALERTMANAGER_URL is unset.",
            LOOK_AGAIN_SECONDS,
        )
    found = _longest(case)
    if found is not None:
        return _silenced(case, *found)
    if case.finding.suppressed:
        return deny(
            "silence",
            "Suppressed",
            f"Alertmanager silences or inhibits the alert of signal {case.finding.signal} on "
            f"{ref}; it is left alone until that ends.",
            LOOK_AGAIN_SECONDS,
        )
    if not known.asked:
        return allow("silence", "No Alertmanager is set that could know of silences.")
    count = many(len(known.active), "active silence")
    return allow("silence", f"None of {count} in Alertmanager is about {ref}.")


def _silenced(case: Case, found: Silence, labels: Labels) -> Verdict:
    unjudged = ", ".join(str(matcher) for matcher in found.unjudged(labels))
    doubt = f" ({unjudged:.200} can't be judged here and counts as matching)" if unjudged else ""
    return deny(
        "silence",
        "Silenced",
        f"{case.seen.ref} is silenced in Alertmanager by {found.created_by or 'somebody'} until "
        f"{at(found.ends_at)}: {found.comment or 'no comment'}{doubt}; "
        f"expire silence {found.id} to have it healed.",
        max(0.0, found.ends_at - case.now),
    )


def _longest(case: Case) -> tuple[Silence, Labels] | None:
    """The silence on this target that ends last, with the labels it covers."""
    if not case.silences.active:
        return None
    known = tuple(identities(case))
    values = _values(case.silences.active, known)
    for found in sorted(case.silences.active, key=lambda s: (-s.ends_at, s.id)):
        if not all(_may_hold(matcher, values[matcher.label]) for matcher in found.matchers):
            continue
        for labels in known:
            if found.covers(labels):
                return found, labels
    return None


def _values(active: Iterable[Silence], known: Sequence[Labels]) -> Mapping[str, frozenset[str]]:
    """All values of each label that is asked for. Most silences are about somebody else: this
    tells at once, however many pods the target has.
    """
    asked = {matcher.label for silence in active for matcher in silence.matchers}
    return {name: frozenset(labels.get(name, "") for labels in known) for name in asked}


def _may_hold(matcher: Matcher, values: Iterable[str]) -> bool:
    return any(matcher.holds({matcher.label: value}) is not False for value in values)


def identities(case: Case) -> Iterator[Labels]:
    """The labels that alerts about this problem carry, or would carry.

    Those of the alerts it stands on, as they are; and the workload, and each pod that the finding
    names or the plan touches, under every name the problem has: its alert's, or that of the
    signal and of what the signal is about.
    """
    finding = case.finding
    yield from finding.alerts
    names = ({"alertname": name} for name in (finding.signal, finding.about.value))
    base = _workload(case)
    pods: list[Labels] = [{}, *({"pod": name} for name in _pods(case))]
    for problem in finding.alerts or tuple(names):
        for pod in pods:
            yield {**problem, **base, **pod}


def _workload(case: Case) -> Labels:
    ref = case.seen.ref
    return {"namespace": ref.namespace, ref.kind.value.lower(): ref.name, "workload": ref.name}


def _pods(case: Case) -> dict[str, None]:
    """Names of the pods the finding names, and of those the plan touches, in order."""
    actions = case.plan.actions if case.plan else ()
    names = [pod.name for pod in case.finding.pods]
    names += [a.pod.name for a in actions if isinstance(a, EvictPod | DeletePod | Resize)]
    if any(isinstance(a, SetTemplate | SetTemplateMemory) for a in actions):
        names += [pod.ref.name for pod in case.seen.present]
    return dict.fromkeys(names)
