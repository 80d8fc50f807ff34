"""A case that every guard allows, to be spoilt in one place, and any case at all."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from akeso.domain.action import (
    Action,
    DeletePod,
    Effect,
    EvictPod,
    LimitChange,
    Plan,
    ReleaseAutoscaler,
    ReleaseOwnership,
    Resize,
    Scale,
    SetAutoscalerBound,
    SetTemplate,
    SetTemplateMemory,
)
from akeso.domain.alert import Matcher, Operator, Silence
from akeso.domain.capacity import Amount, Bound, Capacity, Node, Quota
from akeso.domain.finding import Outcome
from akeso.domain.node import NodeHealth, Nodes
from akeso.domain.verdict import Verdict
from akeso.domain.workload import (
    Ask,
    Autoscaler,
    AutoscalerBound,
    DisruptionBudget,
    Kind,
    Pod,
    PodRef,
    Snapshot,
)
from akeso.policy.case import Case, Control, Fleet, PastHealing, Rules, Silences
from unit.world import NOW, deployment, finding, pod, workload

RULES = Rules(
    mode="Heal",
    cooldown_seconds=600,
    max_healings_per_hour=6,
    max_unhealthy_percent=49,
    min_unhealthy=3,
    min_available=1,
)


def plan(*actions: Action, seen: Snapshot | None = None, healer: str = "RestartPods") -> Plan:
    target = (seen or deployment()).ref
    return Plan(healer, target, Effect.BUYS_TIME, actions, (), "evict pod web-0", 1)


WELL = Nodes((NodeHealth("node-1"), NodeHealth("node-2")))
EVICTION = EvictPod(pod("web-0").ref, 3)
SURGE = (
    Scale(1, 2),
    EvictPod(pod("web-0").ref, 2),
    Scale(2, 1, restore=True),
    ReleaseOwnership("akeso"),
)
FOR_GOOD = (
    SetTemplateMemory((LimitChange("app", 128 * 2**20, 192 * 2**20),)),
    ReleaseOwnership("akeso"),
)
ROLLBACK = (SetTemplate("v2", "v1"), ReleaseOwnership("akeso"))


def case(seen: Snapshot | None = None, *actions: Action, **fields: Any) -> Case:
    """Evicting one of three ready pods of a workload at rest, unless told otherwise.

    Fields of `Rules` and `Control` may be given directly.
    """
    seen = seen or deployment()
    rules = {k: fields.pop(k) for k in list(fields) if k in Rules.__slots__}
    made = Case(
        finding=finding(seen, *seen.pods[:1]),
        policy_uid="policy-1",
        seen=seen,
        plan=plan(*(actions or (EVICTION,)), seen=seen),
        rules=replace(RULES, **rules),
        control=Control(),
        fleet=Fleet(targets=10),
        now=NOW,
        source_age=12.0,
        max_age=60.0,
        healer="RestartPods",
    )
    return replace(made, **fields)


_numbers = itertools.count(1)


def past(
    *,
    ago: float,
    took: float | None = 60.0,
    target: str = "uid-other",
    policy: str = "policy-1",
    healer: str = "RestartPods",
    outcome: Outcome | None = Outcome.VERIFIED,
) -> PastHealing:
    """A healing that wrote `ago` seconds ago and ended `took` seconds later (None: still open)."""
    acted = NOW - ago
    ended = None if took is None else acted + took
    return PastHealing(
        f"heal-{next(_numbers)}", policy, target, "memory", healer, acted, ended, outcome
    )


def denied(verdict: Verdict, reason: str, *words: str) -> bool:
    """Whether it denies for that reason, in one sentence that names these words."""
    assert not verdict.allowed, verdict.sentence
    assert verdict.reason == reason
    for word in words:
        assert word in verdict.sentence, f"{word!r} not in {verdict.sentence!r}"
    return True


# What hypothesis may make of a case: every field, odd numbers included.

steady = settings(deadline=None, max_examples=60)  # a busy machine is no counter-example

_moments = st.one_of(
    st.floats(NOW - 100_000, NOW + 100_000), st.floats(allow_nan=True, allow_infinity=True)
)
_seconds = st.one_of(st.floats(0, 90_000), st.floats(allow_nan=True, allow_infinity=True))
_small = st.integers(-1, 5)
_names = st.sampled_from(["", "v1", "v2", "v3"])
pods = st.builds(
    Pod,
    ref=st.builds(PodRef, name=st.sampled_from(["web-0", "web-1"]), uid=st.sampled_from("abcde")),
    revision=_names,
    ready=st.booleans(),
    deleting=st.booleans(),
    node=st.none() | st.sampled_from(["node-1", "node-2"]),
)
_refs = st.builds(PodRef, name=st.just("web-0"), uid=st.sampled_from("abcde"))
actions = st.one_of(
    st.builds(EvictPod, pod=_refs, min_ready=_small, restore=st.booleans()),
    st.builds(DeletePod, pod=_refs, restore=st.booleans()),
    st.builds(Scale, from_=_small, to=_small, restore=st.booleans()),
    st.builds(SetTemplate, from_revision=_names, to_revision=_names, restore=st.booleans()),
    st.builds(
        SetTemplateMemory,
        limits=st.lists(
            st.builds(LimitChange, container=st.just("app"), from_=_small, to=_small), max_size=2
        ).map(tuple),
        restore=st.booleans(),
    ),
    st.builds(
        Resize,
        pod=_refs,
        container=st.just("app"),
        from_=_small,
        to=_small,
        restore=st.booleans(),
    ),
    st.builds(ReleaseOwnership, manager=st.just("akeso"), restore=st.booleans()),
    st.builds(
        SetAutoscalerBound,
        name=st.just("web"),
        uid=st.sampled_from(["", "uid-hpa"]),
        bound=st.sampled_from(AutoscalerBound),
        from_=_small,
        to=_small,
        restore=st.booleans(),
    ),
    st.builds(
        ReleaseAutoscaler,
        manager=st.just("akeso"),
        name=st.just("web"),
        uid=st.just("uid-hpa"),
        restore=st.booleans(),
    ),
)
_snapshots = st.builds(
    lambda fields, kind, namespace: workload(kind, namespace=namespace, **fields),
    kind=st.sampled_from(Kind),
    namespace=st.sampled_from(["shop", "kube-system", "akeso"]),
    fields=st.fixed_dictionaries(
        {
            "generation": _small,
            "observed_generation": _small,
            "labels": st.dictionaries(st.just("akeso.dev/heal"), st.sampled_from(["", "false"])),
            "replicas": _small,
            "paused": st.booleans(),
            "surge": _small,
            "unavailable": _small,
            "asks": st.lists(
                st.builds(
                    Ask,
                    container=st.just("app"),
                    memory=_small.map(float),
                    memory_limit=st.none() | _small.map(float),
                ),
                max_size=1,
            ).map(tuple),
            "strategy": st.sampled_from(["RollingUpdate", "Recreate", "OnDelete", ""]),
            "update_revision": _names,
            "pods": st.lists(pods, max_size=4),
            "budgets": st.lists(
                st.builds(DisruptionBudget, st.just("pdb"), _small), max_size=2
            ).map(tuple),
            "autoscaler": st.none()
            | st.builds(
                Autoscaler,
                name=st.just("web"),
                uid=st.just("uid-hpa"),
                min_replicas=_small,
                max_replicas=_small,
                controller=st.none() | st.just("ScaledObject/web"),
                readable=st.booleans(),
            ),
            "controller": st.none() | st.just("Postgres/db"),
            "managers": st.lists(st.sampled_from(["helm", "argocd-controller"])).map(tuple),
        }
    ),
)
healings = st.builds(
    PastHealing,
    name=st.just("heal-1"),
    policy_uid=st.sampled_from(["policy-1", "policy-2"]),
    target_uid=st.sampled_from(["uid-web", "uid-other"]),
    signal=st.just("memory"),
    healer=st.sampled_from(["RestartPods", "Rollback"]),
    acted_at=_moments,
    finished_at=st.none() | _moments,
    outcome=st.none() | st.sampled_from(Outcome),
    taken_back=st.none() | st.just("by alice: a mistake"),
)
_amounts = st.builds(Amount, _small.map(float), _small.map(float))
_rooms = st.builds(
    Capacity,
    bounds=st.none()
    | st.lists(
        st.builds(
            Bound,
            name=st.just("bounds"),
            per_pod=st.booleans(),
            memory=st.none() | _small.map(float),
            ratio=st.none() | _small.map(float),
        ),
        max_size=2,
    ).map(tuple),
    quotas=st.none()
    | st.lists(
        st.builds(
            Quota,
            name=st.just("quota"),
            resource=st.sampled_from(["limits.memory", "requests.memory", "pods", "services"]),
            hard=_small.map(float),
            used=_small.map(float),
        ),
        max_size=2,
    ).map(tuple),
    nodes=st.none()
    | st.lists(
        st.builds(
            Node,
            name=st.sampled_from(["node-1", "node-2"]),
            allocatable=_amounts,
            requested=_amounts,
            pods=_small,
            closed=st.none() | st.sampled_from(["cordoned", "not ready"]),
            tainted=st.booleans(),
        ),
        max_size=2,
    ).map(tuple),
)
_nodes = st.builds(
    Nodes,
    found=st.none()
    | st.lists(
        st.builds(
            NodeHealth,
            name=st.sampled_from(["node-1", "node-2"]),
            ready=st.sampled_from(["True", "False", "Unknown", ""]),
            reason=st.sampled_from(["", "NodeStatusUnknown"]),
            pressure=st.sampled_from([(), ("DiskPressure",), ("MemoryPressure", "PIDPressure")]),
        ),
        max_size=2,
    ).map(tuple),
    unreadable=st.sampled_from(["", "Akeso may not list them"]),
    namespaced=st.booleans(),
)
_matchers = st.builds(
    Matcher,
    label=st.sampled_from(["namespace", "deployment", "workload", "pod", "alertname", "severity"]),
    operator=st.sampled_from(Operator),
    value=st.sampled_from(["", "shop", "web", "web-0", "memory", "web-.*", ".*", "(a+)+"]),
)
silences = st.builds(
    Silence,
    id=st.just("s-1"),
    matchers=st.lists(_matchers, min_size=1, max_size=3).map(tuple),
    ends_at=_moments,
    created_by=st.sampled_from(["", "ana"]),
    comment=st.sampled_from(["", "we are at it"]),
)
_known = st.builds(
    Silences,
    active=st.lists(silences, max_size=3).map(tuple),
    error=st.none() | st.just("it does not answer"),
    asked=st.booleans(),
)
_alerts = st.lists(
    st.dictionaries(st.sampled_from(["alertname", "severity", "pod"]), st.just("web-0")), max_size=2
).map(tuple)
_controls = st.builds(
    Control,
    known=st.booleans(),
    paused=st.none() | st.sampled_from(["", "an exercise"]),
    until=st.none() | _moments,
    max_healings_per_hour=_small,
)
_rules = st.builds(
    Rules,
    mode=st.sampled_from(["Heal", "Observe", "Suggest", ""]),
    cooldown_seconds=_seconds,
    max_healings_per_hour=_small,
    max_unhealthy_percent=_small,
    min_unhealthy=_small,
    min_available=_small,
    pause_reasons=st.lists(st.just("a sale"), max_size=2).map(tuple),
    conflict=st.lists(st.just("other"), max_size=2).map(tuple),
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any case at all."""
    seen = draw(_snapshots)
    planned = draw(st.none() | st.lists(actions, max_size=4).map(lambda a: plan(*a, seen=seen)))
    named = seen.pods[: draw(st.integers(0, 4))]
    return Case(
        finding=finding(seen, *named, alerts=draw(_alerts), suppressed=draw(st.booleans())),
        policy_uid="policy-1",
        seen=seen,
        plan=planned,
        rules=draw(_rules),
        control=draw(_controls),
        fleet=Fleet(draw(_small), draw(st.frozensets(st.sampled_from("abcdef")))),
        now=draw(_moments),
        source_age=draw(st.none() | _seconds),
        max_age=draw(st.floats(0, 600)),
        past=tuple(draw(st.lists(healings, max_size=6))),
        action=draw(st.none() | actions),
        healer=draw(st.sampled_from(["", "RestartPods"])),
        failures_per_day=draw(_small),
        capacity=draw(st.none() | _rooms),
        nodes=draw(st.none() | _nodes),
        silences=draw(_known),
        enabled=draw(st.booleans()),
        proposed=draw(st.booleans()),
        requested=draw(st.booleans()),
    )
