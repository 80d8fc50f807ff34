"""At rest nothing is written, and an outage of something else rolls nothing back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from akeso.api.meta import API_VERSION
from akeso_lab.fake_nodes import BEHAVIOUR
from cluster.effects import in_words
from cluster.harness import AKESO, World, conditions
from cluster.workloads import MEMORY_SIGNAL, ROLLOUT_SIGNAL, broken, policy, query_signal, workload

REST_SECONDS = 30


async def test_at_rest_the_operator_writes_nothing_but_its_lease(here: World) -> None:
    await here.apply(workload(), workload("StatefulSet", "db"), workload("DaemonSet", "agent"))
    for kind, name in (("Deployment", "web"), ("StatefulSet", "db"), ("DaemonSet", "agent")):
        await here.rolled_out(kind, name)
        for pod in await here.pods(name):
            here.stage.exporter.put(
                "container_memory_working_set_bytes",
                64 * 2**20,
                namespace=here.name,
                pod=pod["metadata"]["name"],
                container="app",
            )
    await here.apply(policy(query_signal(here.name), ROLLOUT_SIGNAL, MEMORY_SIGNAL))
    # Samples come every second: with this a busy machine may miss ten of them before they are
    # stale, which is not rest and is written.
    here.operator.environment["AKESO_SCRAPE_INTERVAL_SECONDS"] = "5"
    here.operator.start()
    await here.condition("Ready", "True")
    await here.until(lambda: remembered(here, 3), what="three revisions seen healthy")
    await here.quiet(4)
    began, renewals = here.audit_position(), len(lease_writes(here))
    await asyncio.sleep(REST_SECONDS)
    written = [f"{e['verb']} {e['requestURI']}" for e in here.audited(began)]
    assert written == [], f"{(await here.policy())['status']}\n{here.operator.tail()}"
    assert len(lease_writes(here)) > renewals  # it lives, and the record would show writes
    assert here.audited() != []
    assert await here.healings() == []
    assert here.operator.starts == 1


async def test_of_finished_healings_the_oldest_go_when_there_are_too_many(here: World) -> None:
    """But none of the last 24 h, which guards still count."""
    begun, ended = "2026-01-01T00:00:00Z", "2026-01-01T00:{:02}:00Z"
    for number in range(13):
        spec = {
            "policyRef": {"name": "care", "uid": "1"},
            "target": {"kind": "Deployment", "name": "web", "uid": "2"},
            "signal": "rollout",
            "fingerprint": f"f{number}",
            "origin": "Event",
            "evidence": {"message": "it was so", "sampledAt": begun, "since": begun},
        }
        meta = {"name": f"old-{number:02}", "namespace": here.name}
        made = {"apiVersion": API_VERSION, "kind": "Healing", "metadata": meta, "spec": spec}
        await here.api.post(f"{AKESO}/namespaces/{here.name}/healings", made)
        at = (
            ended.format(number)
            if number < 12
            else datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        )
        status = {"verdict": "Verified", "completedAt": at}
        await here.patch("Healing", f"old-{number:02}", {"status": status}, "/status")
    here.operator.start(keep_finished="10")

    async def pruned() -> bool:
        return len(await here.healings()) == 10

    await here.until(pruned, what="the oldest are pruned")
    names = {h["metadata"]["name"] for h in await here.healings()}
    assert names == {f"old-{number:02}" for number in range(3, 13)}


def lease_writes(here: World) -> list[str]:
    return [r.path for r in here.proxy.requests if "/leases/" in r.path and r.method != "GET"]


async def remembered(here: World, count: int = 1) -> bool:
    found = (await here.policy()).get("status", {}).get("revisions", [])
    return len([r for r in found if r["healthy"]]) == count


async def proven(here: World, *signals: dict[str, Any]) -> None:
    """A release that Akeso itself has seen healthy."""
    await here.apply(workload())
    await here.rolled_out("Deployment")
    await here.apply(policy(*signals))
    here.operator.start()
    await here.until(lambda: remembered(here), what="the release seen healthy")


async def misbehave(here: World, behaviour: str | None) -> None:
    for pod in await here.pods():
        change = {"metadata": {"labels": {BEHAVIOUR: behaviour}}}
        await here.patch("Pod", pod["metadata"]["name"], change)


async def none_ready(here: World) -> bool:
    status = (await here.get("Deployment", "web"))["status"]
    return not status.get("readyReplicas")


async def test_pods_that_become_unready_long_after_a_good_release_roll_nothing_back(
    here: World,
) -> None:
    await proven(here, ROLLOUT_SIGNAL)
    await misbehave(here, "unready")
    await here.until(lambda: none_ready(here))
    await here.untouched(6)  # a new release would be blamed after two
    assert here.effects() == []
    assert await here.healings() == []


async def test_errors_long_after_a_good_release_roll_nothing_back_and_a_person_is_asked(
    here: World,
) -> None:
    """The same policy in both of its ways: as a rollout's errors, and as a query of its own."""
    query = query_signal(here.name, ("Rollback",))
    errors = {"name": "rollout", "builtin": "RolloutFailing"} | {
        key: query[key] for key in ("query", "threshold", "podLabel")
    }
    await proven(here, errors, query)
    await here.tire()
    healing = await here.blocked("RevisionWasHealthy")
    assert healing["spec"]["signal"] == "fatigue"
    assert conditions(healing)["NeedsHuman"]["status"] == "True"
    await here.untouched(5)
    assert here.effects() == []
    assert len(await here.healings()) == 1


async def test_an_outage_in_which_old_and_new_pods_fail_is_not_blamed_on_the_rollout(
    here: World,
) -> None:
    await proven(here, ROLLOUT_SIGNAL)
    await here.operator.stop()  # both come about while nobody looks
    await misbehave(here, "unready")
    await here.until(lambda: none_ready(here))
    await here.apply(broken(workload()))

    async def both() -> bool:
        pods = await here.pods()
        images = {p["spec"]["containers"][0]["image"] for p in pods if p["status"].get("podIP")}
        return images == {"app:1", "app:2"}

    await here.until(both)
    here.operator.start()
    await here.untouched(6)
    assert here.effects() == []
    assert await here.healings() == []


async def test_a_release_that_fails_by_itself_is_rolled_back_to_what_was_seen_healthy(
    here: World,
) -> None:
    await proven(here, ROLLOUT_SIGNAL)
    before = (await here.get("Deployment", "web"))["spec"]
    await here.apply(broken(workload()))
    await here.healed()
    assert in_words(here.effects()) == ["change /metadata/managedFields", "change /spec/template"]
    assert (await here.rolled_out("Deployment"))["spec"] == before
