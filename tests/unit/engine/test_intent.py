"""Actions and findings on their way into a Healing and back."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akeso.api.healing import ActionRecord, ActionState, ActionType, Healing
from akeso.api.meta import ObjectMeta
from akeso.api.policy import HealingPolicy
from akeso.api.scalars import from_unix
from akeso.domain.action import (
    Action,
    DeletePod,
    EvictPod,
    ReleaseAutoscaler,
    ReleaseOwnership,
    Scale,
    SetAutoscalerBound,
    SetTemplate,
)
from akeso.domain.finding import Evidence, Finding, Outcome, Signal
from akeso.domain.workload import AutoscalerBound, Kind, PodRef, WorkloadRef
from akeso.engine import record
from akeso.engine.intent import finding_of, name_of, new_healing, read_action, record_action
from akeso.errors import PermanentError
from unit.world import NOW, deployment, finding

TARGET = WorkloadRef(Kind.DEPLOYMENT, "shop", "web", "uid-web")
names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-.", min_size=1, max_size=253)
uids = st.text("0123456789abcdef-", min_size=1, max_size=64)
pods = st.builds(PodRef, names, uids)
counts = st.integers(0, 10_000)
flags = st.booleans()
actions: st.SearchStrategy[Action] = st.one_of(
    st.builds(EvictPod, pods, counts, flags),
    st.builds(DeletePod, pods, flags),
    st.builds(Scale, counts, counts, flags, st.none() | pods, flags),
    st.builds(SetTemplate, names, names, flags),
    st.builds(ReleaseOwnership, names, flags),
    st.builds(
        SetAutoscalerBound, names, uids, st.sampled_from(AutoscalerBound), counts, counts, flags
    ),
    st.builds(ReleaseAutoscaler, names, names, uids, flags),
)
steady = settings(deadline=None, max_examples=60)


@steady
@given(actions)
def test_every_action_comes_back_from_its_record_as_it_was(action: Action) -> None:
    recorded = record_action(action, TARGET)
    wire = recorded.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert read_action(ActionRecord.model_validate(wire)) == action
    assert recorded.state is ActionState.PENDING


@pytest.mark.parametrize("to", [None, "", "three"])
def test_a_record_without_its_numbers_is_refused_with_its_name(to: str | None) -> None:
    odd = ActionRecord(
        type=ActionType.SCALE, name="web", from_="1", to=to, state=ActionState.PENDING
    )
    with pytest.raises(PermanentError, match="Scale of web"):
        read_action(odd)


quantile = st.floats(0, 1e12) | st.just(math.inf)


@steady
@given(
    value=st.none() | st.floats(),
    threshold=st.none() | st.floats(),
    probability=st.none() | st.floats(0, 1),
    ttf=st.none() | st.tuples(quantile, quantile, quantile),
    message=st.text(max_size=3_000),
    named=st.lists(pods, max_size=120, unique_by=lambda p: p.uid),
)
def test_any_finding_can_be_recorded_written_and_read_back(
    value: float | None,
    threshold: float | None,
    probability: float | None,
    ttf: tuple[float, float, float] | None,
    message: str,
    named: list[PodRef],
) -> None:
    evidence = Evidence(message, NOW - 3.5, NOW - 60.25, value, threshold, probability, ttf)
    found = replace(finding(deployment()), evidence=evidence, pods=tuple(named))
    made = made_of(found)
    assert Healing.parse(made.to_wire()) == made
    again = finding_of(made, Signal.MEMORY_EXHAUSTION)
    assert (again.target, again.policy, again.signal) == (found.target, "shop", "memory")
    assert again.pods == tuple(named[:100])
    assert abs(again.evidence.sampled_at - evidence.sampled_at) <= 1
    assert (again.evidence.ttf is None) == (ttf is None)


def made_of(found: Finding) -> Healing:
    policy = HealingPolicy.parse(
        {
            "metadata": {"name": "shop", "namespace": "shop", "uid": "uid-policy"},
            "spec": {
                "targets": [{"name": "all", "selector": {}}],
                "signals": [{"name": "memory", "builtin": "MemoryExhaustion"}],
            },
        }
    )
    return new_healing(found, policy, "")


def test_the_name_follows_from_target_signal_and_predecessor_and_nothing_else() -> None:
    one = finding(deployment())
    other = replace(one, evidence=replace(one.evidence, message="else", value=3.0))
    assert name_of(one, "") == name_of(other, "")
    assert name_of(one, "") != name_of(one, "uid-before")
    assert name_of(one, "") != name_of(replace(one, signal="rollout"), "")
    anew = replace(one.target, uid="uid-web-2")
    assert name_of(one, "") != name_of(replace(one, target=anew), "")


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789-.", min_size=1, max_size=253))
@steady
def test_the_name_of_a_healing_is_always_short_enough_to_be_an_object_name(name: str) -> None:
    target = replace(TARGET, name=name)
    made, fingerprint = name_of(replace(finding(deployment()), target=target), "")
    assert len(made) <= 253 and made.endswith(fingerprint)


def test_a_foreign_error_of_any_length_fits_into_the_record() -> None:
    healing = made_of(finding(deployment()))
    healing = healing.model_copy(update={"metadata": ObjectMeta(name="h", namespace="shop")})
    done = record.completed(healing, Outcome.ERROR, "x" * 5_000, from_unix(NOW))
    assert len(done.status.message or "") == 1_024
    assert Healing.parse(done.to_wire()).to_wire() == done.to_wire()
