"""Which workloads a policy reaches: those of its own namespace, and no others."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from akeso.api.policy import HealingPolicy
from akeso.domain.workload import Kind, Snapshot
from akeso.engine.selection import select
from unit.world import deployment, pod, workload

words = st.sampled_from(["shop", "bank", "web", "", "*", "kube-system", "shop,bank", "../bank"])


def policy(name: str = "shop", namespace: str = "shop", **target: Any) -> HealingPolicy:
    wire = {"name": "all", "selector": {}, **target}
    return HealingPolicy.parse(
        {
            "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}"},
            "spec": {
                "targets": [wire],
                "signals": [{"name": "memory", "builtin": "MemoryExhaustion"}],
            },
        }
    )


def seen(name: str, namespace: str = "shop", **fields: Any) -> Snapshot:
    return deployment(1, name=name, namespace=namespace, **fields)


@settings(deadline=None, max_examples=60)
@given(labels=st.dictionaries(words, words, max_size=3), where=words, value=words)
def test_no_field_of_a_policy_reaches_another_namespace(
    labels: dict[str, str], where: str, value: str
) -> None:
    asked = policy(selector={"matchLabels": {where: value} if where else {}})
    everything = [seen(f"web{i}", n, labels=labels) for i, n in enumerate(("shop", "bank", value))]
    chosen = select([asked], everything).targets[asked.metadata.uid]
    assert {s.ref.namespace for s in chosen} <= {"shop"}


def test_a_policy_selects_by_kind_and_labels_and_tells_what_selects_nothing() -> None:
    asked = policy(kinds=["StatefulSet"], selector={"matchLabels": {"tier": "backend"}})
    hit = workload(Kind.STATEFUL_SET, 1, name="db", labels={"tier": "backend"})
    miss = seen("web", labels={"tier": "backend"})
    chosen = select([asked], [hit, miss])
    assert chosen.targets["uid-shop"] == (hit,) and chosen.empty["uid-shop"] == ()
    assert select([asked], [miss]).empty["uid-shop"] == ("all",)


def test_policies_that_meet_on_a_workload_are_told_apart_from_those_that_do_not() -> None:
    one, two = policy("one"), policy("two", selector={"matchLabels": {"app": "web"}})
    web, db = seen("web", labels={"app": "web"}), seen("db")
    chosen = select([one, two], [web, db])
    assert chosen.overlaps == {web.ref.uid: (one, two)}


def test_failing_are_targets_with_fewer_ready_pods_than_wanted() -> None:
    well, ill = seen("web"), seen("db", pods=[pod("db-0", ready=False)])
    idle = deployment(0, name="idle")
    assert select([policy()], [well, ill, idle]).failing["uid-shop"] == {ill.ref.uid}
