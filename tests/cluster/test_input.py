"""What people get wrong is named, with the field and the remedy, and nobody else waits for it."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.effects import in_words
from cluster.harness import World, brief
from cluster.workloads import policy, query_signal, workload

WRONG: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "a query that is no PromQL": (
        {"query": "sum by (namespace fatigue"},
        "QueryFailed",
        ("spec.signals[fatigue].query", "parse error"),
    ),
    "a query whose series have no namespace": (
        {"query": "sum by (pod) (fatigue)"},
        "MissingLabel",
        ("spec.signals[fatigue].query", "'namespace'", "aggregate with"),
    ),
    "a query that finds nothing": (
        {"query": "no_such_metric"},
        "NoData",
        ("spec.signals[fatigue].query", "check its label names"),
    ),
    "a healer that does not exist": (
        {"ladder": [{"healer": "Exorcism"}]},
        "UnknownHealer",
        (
            "spec.signals[fatigue].ladder[0].healer",
            "Exorcism",
            "RaiseMemory, RaiseMemoryTemplate, RestartPods, Rollback, ScaleOut",
        ),
    ),
}


@pytest.mark.parametrize("case", WRONG)
async def test_a_wrong_signal_is_named_with_its_remedy_while_the_neighbour_is_healed(
    here: World, case: str
) -> None:
    mistake, reason, words = WRONG[case]
    for name in ("poor", "web"):
        await here.apply(workload(name=name, replicas=2))
        await here.rolled_out("Deployment", name)
        await here.tire(name)
    await here.apply(
        targeting("poor", query_signal(here.name) | mistake, name="wrong"),
        targeting("web", query_signal(here.name), name="right"),
    )
    here.operator.start()
    for type in ("SignalsReady", "Ready"):
        stands = await here.condition(type, "False", "wrong", reason)
        assert [word for word in words if word not in stands["message"]] == []
    await here.condition("Ready", "True", "right")

    async def healed() -> bool:
        found = [h for h in await here.healings() if h["spec"]["target"]["name"] == "web"]
        return [brief(h)["verdict"] for h in found] == ["Verified"]

    await here.until(healed)
    assert in_words(here.effects()) == ["evict"] * 2
    assert all(effect.name.startswith("web-") for effect in here.effects())


def targeting(app: str, signal: dict[str, Any], name: str, **spec: Any) -> dict[str, Any]:
    target = {"name": "chosen", "selector": {"matchLabels": {"app": app}}}
    return policy(signal, name=name, targets=[target], **spec)


async def test_a_target_that_selects_nothing_is_named_and_found_once_it_is_there(
    here: World,
) -> None:
    await here.apply(targeting("web", query_signal(here.name), name="care"))
    here.operator.start()
    stands = await here.condition("TargetsFound", "False", reason="NothingSelected")
    assert "spec.targets[chosen].selector selects nothing" in stands["message"]
    assert "--show-labels" in stands["message"]
    await here.condition("Ready", "False")
    await here.apply(workload())
    await here.condition("TargetsFound", "True")


async def test_where_policies_overlap_both_say_so_and_the_stricter_mode_holds(
    here: World,
) -> None:
    await here.apply(workload())
    await here.rolled_out("Deployment")
    await here.tire()
    signal = query_signal(here.name)
    await here.apply(policy(signal, name="bold"), policy(signal, name="careful", mode="Observe"))
    here.operator.start()
    for name, other in (("bold", "careful"), ("careful", "bold")):
        stands = await here.condition("Conflict", "True", name, "Overlap")
        assert other in stands["message"] and "the stricter mode holds" in stands["message"]
    await here.blocked("ModeObserve")
    await here.untouched(3)
    assert here.effects() == []
    assert len(await here.healings()) == 1
    await here.delete("HealingPolicy", "careful")
    await here.condition("Conflict", "False", "bold")
