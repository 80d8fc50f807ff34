"""A person's wish becomes a request for one signal of one policy, or a list of what there is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from akeso.api.healing import MAX_EVIDENCE_PODS
from akeso.api.policy import HealingPolicy
from akeso.domain.finding import Origin
from akeso.domain.workload import Kind, Pod, PodRef, Snapshot, WorkloadRef
from akeso.engine.request import Wish, choose, new_request
from akeso.errors import PermanentError

NOW = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
WEB = Snapshot(WorkloadRef(Kind.DEPLOYMENT, "shop", "web", "uid-web"), labels={"tier": "front"})
MEMORY = {"name": "memory", "builtin": "MemoryExhaustion"}
ROLLOUT = {"name": "rollout", "builtin": "RolloutFailing"}
SILENT = {"name": "silent", "query": "up", "podLabel": "pod", "threshold": {"value": "1"}}


def policy(*signals: Any, name: str = "care", namespace: str = "shop", **target: Any):
    targets = [{"name": "all", "selector": {}, **target}]
    return HealingPolicy.parse(
        {
            "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}"},
            "spec": {"targets": targets, "signals": list(signals or [MEMORY])},
        }
    )


def refused(*policies: HealingPolicy, **wish: Any) -> str:
    with pytest.raises(PermanentError) as error:
        choose(policies, WEB, Wish("why", **wish))
    return str(error.value)


def test_where_there_is_one_signal_with_a_ladder_nothing_needs_to_be_said():
    choice = choose([policy(MEMORY, SILENT)], WEB, Wish("why"))
    assert (choice.policy.metadata.name, choice.signal.name) == ("care", "memory")


def test_several_ways_are_listed_and_any_part_of_one_chooses():
    both = policy(MEMORY, ROLLOUT)
    said = refused(both)
    assert "2 ways; say which one" in said
    assert "--policy care --signal memory (RestartPods)" in said
    assert "--policy care --signal rollout (Rollback)" in said
    assert choose([both], WEB, Wish("why", signal="rollout")).signal.name == "rollout"
    assert choose([both], WEB, Wish("why", healer="RestartPods")).signal.name == "memory"
    other = policy(MEMORY, name="other")
    assert choose([both, other], WEB, Wish("why", policy="other")).policy is other


def test_a_healer_that_no_ladder_names_is_refused_with_those_there_are():
    said = refused(policy(MEMORY), healer="Rollback")
    assert "whose ladder names Rollback" in said and "(RestartPods)" in said


def test_a_signal_without_a_ladder_heals_nothing():
    assert "names no healer" in refused(policy(SILENT))
    assert "names no healer" in refused(policy(SILENT), signal="silent")


def test_a_workload_that_no_policy_selects_is_not_healed():
    back = policy(selector={"matchLabels": {"tier": "back"}})
    assert "No HealingPolicy selects Deployment shop/web" in refused(back)
    assert "the targets of: care" in refused(back)
    assert "No HealingPolicy selects" in refused(policy(kinds=["StatefulSet"]))


def test_a_policy_of_another_namespace_lends_no_right():
    assert "There is no HealingPolicy in namespace shop" in refused(policy(namespace="other"))


def pods(count: int) -> tuple[Pod, ...]:
    return tuple(Pod(PodRef(f"web-{i}", f"uid-{i}")) for i in range(count))


def test_a_request_names_who_asked_why_and_every_pod():
    leaving = Pod(PodRef("old", "uid-old"), deleting=True)
    seen = replace(WEB, pods=(*pods(2), leaving))
    wish = Wish("it feels slow", healer="RestartPods")
    made = new_request(choose([policy()], seen, wish), seen, wish, "alice", NOW)
    spec = made.spec
    assert (spec.origin, spec.requested_by, spec.healer) == (
        Origin.REQUEST,
        "alice",
        "RestartPods",
    )
    assert spec.evidence.message == "alice asked for it: it feels slow"
    assert [p.name for p in spec.evidence.pods] == ["web-0", "web-1"]
    assert (spec.policy_ref.uid, spec.target.uid) == ("uid-care", "uid-web")
    assert made.metadata.namespace == "shop"


def test_each_request_is_one_of_its_own():
    choice, wish = choose([policy()], WEB, Wish("why")), Wish("why")
    first = new_request(choice, WEB, wish, "alice", NOW)
    later = new_request(choice, WEB, wish, "alice", NOW + timedelta(seconds=1))
    other = new_request(choice, WEB, wish, "bob", NOW)
    assert len({h.metadata.name for h in (first, later, other)}) == 3


def test_the_longest_name_and_any_number_of_pods_still_make_a_valid_object():
    ref = WorkloadRef(Kind.STATEFUL_SET, "shop", "a" * 59 + "-" + "b" * 193, "uid")
    seen = Snapshot(ref, pods=pods(MAX_EVIDENCE_PODS + 5))
    made = new_request(choose([policy()], seen, Wish("w")), seen, Wish("w" * 256), "a" * 256, NOW)
    assert len(made.spec.evidence.pods) == MAX_EVIDENCE_PODS
    assert made.metadata.name.startswith("a" * 59 + "-asked-")
