"""What is not there yet, or not any more: it is said, waited for, and no reason to end."""

from __future__ import annotations

import asyncio
import re

import aiohttp

from akeso_lab.proxy import Match, Reject
from cluster.harness import World
from cluster.workloads import policy, query_signal, workload

CRDS_GONE = Match(path=r"^/apis/akeso\.dev/v1alpha1")
NO_CRDS = "the custom resources are not installed"


async def ready(here: World) -> tuple[int, str]:
    """Status and text of /readyz."""
    ports = re.findall(r"Listening on port (\d+)", here.operator.tail(500))
    if not ports:
        return 0, ""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{ports[-1]}/readyz") as response,
        ):
            return response.status, await response.text()
    except aiohttp.ClientError:
        return 0, ""


async def says(here: World, status: int, part: str) -> str:
    async def it() -> str | None:
        found, said = await ready(here)
        return said if found == status and part in said else None

    return await here.until(it, what=f"/readyz with {status} and {part!r}")


async def prepared(here: World) -> None:
    await here.apply(workload())
    await here.rolled_out("Deployment")
    await here.apply(policy(query_signal(here.name)))


async def test_without_custom_resources_it_waits_says_so_and_begins_when_they_come(
    here: World,
) -> None:
    await prepared(here)
    gone = here.proxy.add(Reject(status=404, reason="NotFound", match=CRDS_GONE))
    here.operator.start()
    await says(here, 503, NO_CRDS)
    assert NO_CRDS in here.operator.tail()
    here.proxy.remove(gone)
    await here.condition("Ready", "True", within=60)
    await says(here, 200, "ok")
    assert here.operator.starts == 1


async def test_custom_resources_that_go_while_it_runs_are_missed_and_found_again(
    here: World,
) -> None:
    await prepared(here)
    here.operator.start()
    await here.condition("Ready", "True")
    gone = here.proxy.add(Reject(status=404, reason="NotFound", match=CRDS_GONE))
    here.proxy.cut_watches(CRDS_GONE)
    await says(here, 503, NO_CRDS)
    here.proxy.remove(gone)
    await says(here, 200, "ok")
    uids = await here.tire()
    await here.healed()
    assert sorted(e.uid for e in here.effects()) == sorted(uids)
    assert here.operator.starts == 1


async def test_without_its_lease_it_says_who_makes_one_and_leads_when_it_is_there(
    here: World,
) -> None:
    await prepared(here)
    where = f"/apis/coordination.k8s.io/v1/namespaces/{here.own}/leases"
    await here.api.delete(f"{where}/akeso-operator")
    here.operator.start(lease_renew_seconds="1")

    async def told() -> bool:
        return "There is no Lease akeso-operator" in here.operator.tail()

    await here.until(told, what="what to do about the Lease")
    assert "helm upgrade" in here.operator.tail()
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "akeso-operator", "namespace": here.own},
    }
    await here.api.post(where, body)
    await here.condition("Ready", "True", within=60)


async def test_a_prometheus_that_is_not_there_is_named_and_waited_for(here: World) -> None:
    await prepared(here)
    here.operator.start(prometheus_url="http://127.0.0.1:1")
    found = await here.condition("SignalsReady", "False")
    assert "Prometheus" in found["message"]
    await says(here, 200, "ok")
    await asyncio.sleep(0)
    assert here.operator.running
