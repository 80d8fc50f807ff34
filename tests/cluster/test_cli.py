"""What people ask for on the command line, and what a real operator makes of it."""

from __future__ import annotations

import json
import signal
import time

from akeso_lab.fake_nodes import BEHAVIOUR
from cluster.commands import akeso, begin
from cluster.effects import in_words
from cluster.harness import World, conditions
from cluster.workloads import policy, query_signal, workload

KILL_SWITCH_SECONDS = 5.0


async def watched(here: World, mode: str = "Heal") -> None:
    """A workload of three pods that nothing ails, a policy that selects it, and the operator."""
    await here.apply(workload())
    await here.rolled_out("Deployment")
    await here.apply(policy(query_signal(here.name), mode=mode))
    here.operator.start()
    await here.condition("Ready", "True")


async def halfway(here: World) -> str:
    """A healing that was asked for stands still after its first eviction: the pod's successor is
    not ready before the test says so (`go_on`). The Healing's name."""
    await here.apply(workload(behaviour="unready"))
    await here.until(lambda: go_on(here), what="three pods")
    await here.rolled_out("Deployment")
    await here.apply(policy(query_signal(here.name)))
    here.operator.start()
    await here.condition("Ready", "True")
    asked = await akeso(here, "heal", "web", "-n", here.name, "-o", "json")
    assert asked.code == 0, asked

    async def evicted() -> bool:
        return len(here.effects()) == 1

    await here.until(evicted, what="the first eviction")
    return str(json.loads(asked.out)["healing"])


async def go_on(here: World) -> bool:
    """All pods there are now become ready; whether there are three of them."""
    pods = await here.pods()
    for pod in pods:
        labels = {"metadata": {"labels": {BEHAVIOUR: "steady"}}}
        await here.patch("Pod", pod["metadata"]["name"], labels)
    return len(pods) == 3


async def test_a_healing_is_asked_for_done_and_told_until_its_verdict(here: World) -> None:
    await watched(here)
    done = await akeso(
        here, "heal", "deploy/web", "-n", here.name, "--reason", "it feels slow", "--wait"
    )
    assert done.code == 0, done
    assert done.out.count("✓ evict pod") == 3
    assert "= Verified:" in done.out
    assert in_words(here.effects()) == ["evict"] * 3
    [healing] = await here.healings()
    spec = healing["spec"]
    assert (spec["origin"], spec["target"]["name"]) == ("Request", "web")
    assert spec["evidence"]["message"] == f"{spec['requestedBy']} asked for it: it feels slow"
    told = await akeso(here, "history", "deploy/web", "-n", here.name, "-o", "json")
    assert [h["healing"] for h in json.loads(told.out)["healings"]] == [healing["metadata"]["name"]]


async def test_a_refusal_is_the_operators_own_and_leaving_does_not_end_the_request(
    here: World,
) -> None:
    await watched(here, mode="Observe")
    command = await begin(here, "heal", "web", "-n", here.name, "--wait")
    refusal = await command.line("refused now")
    [healing] = await here.healings()
    assert conditions(healing)["Blocked"]["message"].split()[0] in refusal
    command.process.send_signal(signal.SIGINT)
    left = await command.done()
    name = healing["metadata"]["name"]
    assert left.code == 130
    assert f"the request stands: Healing {name}" in left.err and f"akeso undo {name}" in left.err

    again = await akeso(here, "heal", "web", "-n", here.name)
    assert again.code == 1 and f"Healing {name}. Wait for its end" in again.err

    undone = await akeso(here, "undo", name, "-n", here.name, "--reason", "never mind", "--wait")
    assert undone.code == 0, undone
    assert "nothing was done" in undone.out
    [healing] = await here.healings()
    assert healing["status"]["verdict"] == "Cleared"
    assert here.effects() == []


async def test_an_undo_ends_a_healing_under_way(here: World) -> None:
    name = await halfway(here)
    undone = await akeso(here, "undo", name, "-n", here.name, "--reason", "a mistake", "--wait")
    assert undone.code == 0, undone
    assert "RestartPods left nothing that could be taken back" in undone.out
    [healing] = await here.healings()
    assert healing["status"]["verdict"] == "Inconclusive"
    assert healing["spec"]["undo"]["reason"] == "a mistake"
    await go_on(here)
    await here.rolled_out("Deployment")
    await here.untouched(3)
    assert in_words(here.effects()) == ["evict"]


async def test_after_the_pause_command_has_answered_nothing_is_written_until_resume(
    here: World,
) -> None:
    """The kill switch, in the middle of a healing: the promise is 5 s, so it must answer in 5 s."""
    await halfway(here)
    asked_at = time.monotonic()
    paused = await akeso(here, "pause", "--reason", "we look at it ourselves")
    assert paused.code == 0, paused
    assert time.monotonic() - asked_at < KILL_SWITCH_SECONDS
    await go_on(here)  # without the pause the next pod would be evicted now
    await here.rolled_out("Deployment")
    await here.blocked("KillSwitch")
    await here.untouched(KILL_SWITCH_SECONDS)
    assert in_words(here.effects()) == ["evict"]

    resumed = await akeso(here, "resume")
    assert resumed.code == 0, resumed

    async def healed() -> bool:
        await go_on(here)
        [healing] = await here.healings()
        return healing["status"].get("verdict") == "Verified"

    await here.until(healed, within=90, what="the rest of the healing")
    assert in_words(here.effects()) == ["evict"] * 3


async def test_what_can_not_be_asked_is_said_with_what_there_is(here: World) -> None:
    await here.apply(workload(), workload("StatefulSet"), workload(name="other"))
    there = ("-n", here.name)

    ambiguous = await akeso(here, "heal", "web", *there)
    assert ambiguous.code == 1
    assert "is ambiguous; say which: deployment/web, statefulset/web." in ambiguous.err

    missing = await akeso(here, "heal", "deploy/wep", *there)
    assert missing.code == 1
    assert "There is no deployment/wep" in missing.err and "statefulset/web" in missing.err

    unguarded = await akeso(here, "heal", "deploy/web", *there)
    assert unguarded.code == 1
    assert f"There is no HealingPolicy in namespace {here.name}" in unguarded.err

    nothing = await akeso(here, "undo", "web-memory", *there)
    assert nothing.code == 1
    assert "There is no Healing web-memory" in nothing.err and "there are: none" in nothing.err

    await here.apply(policy(query_signal(here.name)))
    silent = await akeso(here, "heal", "deploy/web", *there)
    assert silent.code == 0
    assert f"no operator is running in namespace {here.own}" in silent.err
    [healing] = await here.healings()
    near = await akeso(here, "undo", healing["metadata"]["name"][:-2], *there)
    assert near.code == 1 and healing["metadata"]["name"] in near.err


async def test_whoever_has_no_right_is_told_which_and_where(here: World) -> None:
    await here.apply(workload(), policy(query_signal(here.name)))
    stranger = here.stage.lab.user_kubeconfig("stranger", ())
    refused = await akeso(here, "heal", "deploy/web", "-n", here.name, kubeconfig=stranger)
    assert refused.code == 1
    assert "stranger may not list heal" in refused.err
    assert f'in namespace "{here.name}"' in refused.err
    assert await here.healings() == []
