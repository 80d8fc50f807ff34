"""Guards that ask whether people want this healed: switches, labels, pauses, modes."""

from __future__ import annotations

from akeso.domain.action import new_limits
from akeso.domain.verdict import Verdict, allow, deny
from akeso.domain.words import set_limits
from akeso.policy.case import Case
from akeso.policy.wording import at

HEAL_LABEL = "akeso.dev/heal"


def control_known(case: Case) -> Verdict:
    """Without a HealingControl nobody could stop Akeso, so it does not start."""
    if case.control.known:
        return allow("control", "The HealingControl was read.")
    return deny(
        "control",
        "ControlUnknown",
        "No HealingControl could be read, so nothing is written; create one in namespace "
        f"{case.control.own_namespace} or give Akeso the right to read it (kubectl get hctl).",
    )


def kill_switch(case: Case) -> Verdict:
    """The cluster-wide pause. A time in the past ends it; a pause without a reason is one too."""
    reason, until = case.control.paused, case.control.until
    if reason is None:
        return allow("kill-switch", "Akeso is not paused.")
    if until is not None and until <= case.now:
        return allow("kill-switch", f"The pause of Akeso ended at {at(until)}.")
    end = "" if until is None else f" until {at(until)}"
    return deny(
        "kill-switch",
        "KillSwitch",
        f"Akeso is paused everywhere{end}: {reason or 'no reason given'}; "
        "remove spec.paused from the HealingControl to let it go on.",
        None if until is None else max(0.0, until - case.now),
    )


def protected_namespace(case: Case) -> Verdict:
    """Namespaces that keep the cluster, or Akeso itself, alive are for people."""
    ref, control = case.seen.ref, case.control
    if ref.namespace == control.own_namespace:
        return deny(
            "protected-namespace",
            "ProtectedNamespace",
            f"{ref} lives in Akeso's own namespace, and Akeso never heals itself; "
            "move it to another namespace to have it healed.",
        )
    if ref.namespace in control.protected:
        return deny(
            "protected-namespace",
            "ProtectedNamespace",
            f"{ref} lives in a protected namespace; take {ref.namespace} out of "
            "protectedNamespaces in the HealingControl to have it healed.",
        )
    return allow("protected-namespace", f"Namespace {ref.namespace} is not protected.")


def enabled(case: Case) -> Verdict:
    """What this installation lets Akeso do at all; the rights for anything else are not granted."""
    if case.enabled:
        return allow("enabled", f"{case.healer or 'Healing'} is enabled.")
    would = f"; it would {case.plan.summary}" if case.plan else ""
    return deny(
        "enabled",
        "HealerNotEnabled",
        f"{case.healer} is not enabled in this installation of Akeso{would}. Add it to"
        " settings.healers (chart: helm upgrade, which grants its rights as well) to have it act.",
    )


def opt_out(case: Case) -> Verdict:
    """The owner's word on the workload itself. What can't be understood is taken as a no."""
    value = case.seen.labels.get(HEAL_LABEL)
    if value is None or value in ("", "true"):
        return allow("opt-out", f"{case.seen.ref} has not opted out; its policy decides.")
    return deny(
        "opt-out",
        "OptedOut",
        f'{case.seen.ref} carries the label {HEAL_LABEL}: "{value}"; '
        'remove the label or set it to "true" to have it healed.',
    )


def pause(case: Case) -> Verdict:
    """The policy's own pause: any entry pauses."""
    reasons = case.rules.pause_reasons
    if not reasons:
        return allow("pause", f"Policy {case.finding.policy} is not paused.")
    return deny(
        "pause",
        "PolicyPaused",
        f"Policy {case.finding.policy} is paused: {'; '.join(reasons)}; "
        "empty its pauseReasons to let it heal again.",
    )


def proposal(case: Case) -> Verdict:
    """What a person is to decide: it is said, and done when a person asks for it by its name."""
    if not case.proposed:
        return allow("proposal", "This is carried out, not only proposed.")
    if case.requested:
        return allow("proposal", f"A person asked for {case.healer}, which is proposed otherwise.")
    ref = case.seen.ref
    would = f"it would {case.plan.summary}" if case.plan else "nothing is planned"
    return deny(
        "proposal",
        "Proposed",
        f"{case.healer} is only proposed for {ref}: {would}. To have it done: akeso heal "
        f"{ref.kind.lower()}/{ref.name} -n {ref.namespace} --healer {case.healer} "
        f'--reason "..."{_by_hand(case)}',
    )


def _by_hand(case: Case) -> str:
    """The same by a person's own hand, for the manifest where it has to stand in the end."""
    found = new_limits(case.plan) if case.plan else None
    if found is None:
        return ""
    ref = case.seen.ref
    guaranteed = (a.container for a in case.seen.asks if a.memory == a.memory_limit)
    said = set_limits(
        ref.kind, ref.name, ref.namespace, {c.container: c.to for c in found.limits}, guaranteed
    )
    return f"; by hand, or in its manifest: {said}"


def conflict(case: Case) -> Verdict:
    """Only informs: the stricter mode of the overlapping policies is already in the rules."""
    others = case.rules.conflict
    if not others:
        return allow("conflict", f"No other policy selects {case.seen.ref}.")
    return allow(
        "conflict",
        f"{case.seen.ref} is also selected by {', '.join(others)}; "
        f"the strictest mode holds: {case.rules.mode}.",
    )


def mode(case: Case) -> Verdict:
    """Only Heal writes. A mode this version does not know is not Heal."""
    if case.rules.mode == "Heal":
        return allow("mode", f"Policy {case.finding.policy} is in mode Heal.")
    would = f"would do: {case.plan.summary}" if case.plan else "nothing is planned yet"
    return deny(
        "mode",
        "ModeObserve" if case.rules.mode == "Observe" else "ModeNotHeal",
        f"Policy {case.finding.policy} is in mode {case.rules.mode} for {case.seen.ref}; "
        f"{would}. Set mode: Heal to have it done.",
    )
