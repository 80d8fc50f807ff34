"""What people ask for on the command line, and what a real operator makes of it."""

from __future__ import annotations

import json
import resource
import signal
from pathlib import Path
from typing import Any

from akeso.clients import shipped
from akeso.clients.kubernetes.rights import roles
from akeso.settings import Settings
from akeso_lab.fake_nodes import BEHAVIOUR
from cluster.commands import akeso, begin
from cluster.effects import in_words
from cluster.harness import World, conditions, role_of
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


def _processor_seconds() -> float:
    """Of commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def test_after_the_pause_command_has_answered_nothing_is_written_until_resume(
    here: World,
) -> None:
    """The kill switch, in the middle of a healing: the promise is 5 s from asking, so the command may
    take no more itself (what it waits for a processor beside other tests is not its own)."""
    await halfway(here)
    before = _processor_seconds()
    paused = await akeso(here, "pause", "--reason", "we look at it ourselves")
    assert paused.code == 0, paused
    assert 0 < _processor_seconds() - before < KILL_SWITCH_SECONDS
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


async def examined(here: World, *words: str, kubeconfig: Path | None = None) -> dict[str, Any]:
    """What the doctor says, by the name of each check."""
    done = await akeso(here, "doctor", "-o", "json", *words, kubeconfig=kubeconfig)
    told = json.loads(done.out)
    assert done.code == (0 if told["ok"] else 1)
    return {check["name"]: check for check in told["checks"]}


async def test_the_doctor_finds_a_working_installation_well_and_names_what_is_not(
    here: World,
) -> None:
    await watched(here)
    memory = "container_memory_working_set_bytes"
    for pod in await here.pods():
        labels = {"namespace": here.name, "pod": pod["metadata"]["name"], "container": "app"}
        here.stage.exporter.put(memory, 2.0**20, **labels)
    only = f'namespace="{here.name}"'
    words = (
        *("--prometheus-url", str(here.stage.lab.prometheus), "--watch-namespaces", here.name),
        *("--metric-matchers", only),
    )

    async def measured() -> dict[str, Any] | None:
        found = await examined(here, *words)
        return found if found["Scrape interval"]["result"] != "skipped" else None

    found = await here.until(measured, every=1.0, what="enough samples")
    unwell = {name for name, c in found.items() if c["result"] in ("failure", "skipped")}
    # Its rights are those inside of namespaces, and admission policies are cluster-scoped.
    assert unwell == {f"Capability {name}" for name in ("Fencing", "Lending", "Origin")}
    assert found["Scrape interval"]["result"] == "ok", "it is that of the HealingControl"
    assert "3 containers" in found["Memory metric"]["message"]
    assert "akeso-0 leads" in found["Operator"]["message"]

    wrong = await examined(here, *words, "--scrape-interval-seconds", "30")
    assert "--scrape-interval-seconds 1 " in wrong["Scrape interval"]["remedy"]
    wrong = await examined(here, *words, "--metric-matchers", f'{only},job="none"')
    assert "series, but none fits" in wrong["Memory metric"]["message"]
    assert "--metric-matchers" in wrong["Memory metric"]["remedy"]
    wrong = await examined(here, *words, "--metric-matchers", "{")
    assert wrong["Memory metric"]["result"] == "failure"
    wrong = await examined(here, *words, "--prometheus-url", "http://127.0.0.1:1")
    assert wrong["Prometheus"]["result"] == "failure" and "API server" in wrong


async def test_the_doctor_asks_for_the_rights_that_come_with_this_version(here: World) -> None:
    account = ("--as-operator", f"{here.own}/healer")
    found = await examined(here, *account)
    missing = {name for name, c in found.items() if name.startswith("Rights: ")}
    assert {"Rights: pods/eviction", "Rights: leases", "Rights: healings/status"} <= missing
    evict = found["Rights: pods/eviction"]
    assert f"system:serviceaccount:{here.own}:healer may not create" in evict["message"]
    assert "verbs: [create]" in evict["remedy"]

    subject = {"kind": "ServiceAccount", "name": "healer", "namespace": here.own}
    group = "rbac.authorization.k8s.io"
    rights, settings = shipped.rights(), Settings(namespace=here.own)
    for place, rules in roles(rights, settings, rights["healers"]).items():
        meta = {"name": here.name, **({"namespace": place} if place else {})}
        role = role_of(rules, meta)
        kind = role["kind"]
        reference = {"apiGroup": group, "kind": kind, "name": here.name}
        bound = {"roleRef": reference, "subjects": [subject]}
        binding = {"apiVersion": f"{group}/v1", "kind": f"{kind}Binding", "metadata": meta, **bound}
        here.stage.lab.apply(role, binding)

    async def granted() -> bool:
        return (await examined(here, *account)).get("Rights", {}).get("result") == "ok"

    try:
        await here.until(granted, what="all rights")
    finally:
        here.stage.lab.kubectl("delete", "clusterrole,clusterrolebinding", here.name)


async def test_the_doctor_tells_a_stranger_what_it_could_not_see(here: World) -> None:
    stranger = here.stage.lab.user_kubeconfig("stranger", ())
    found = await examined(here, kubeconfig=stranger)
    assert found["API server"]["result"] == "ok"
    assert found["Rights: pods/eviction"]["message"].startswith("stranger may not create")
    for name in ("HealingControl", "Policies", "Custom resources"):
        assert found[name]["result"] == "skipped", name
        assert "stranger may not" in found[name]["message"]
