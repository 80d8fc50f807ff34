"""A back-test and a forecast of a real Prometheus, and the policy it suggests on a real API server."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import yaml

from cluster.commands import akeso
from cluster.harness import World

MIB = 2.0**20
POD = "web-6f7c9d4b8-x2k4z"


async def test_a_leak_in_a_real_prometheus_is_foreseen_and_the_policy_is_taken(
    here: World, tmp_path: Path
) -> None:
    now = time.time() // 5 * 5
    began = now - 54 * 60
    died = began + 45 * 60

    def leaking(at: float) -> float:
        return (40 + 60 * max(0.0, (at - began - 600) / (died - began - 600))) * MIB

    before = [(began + 5 * i, leaking(began + 5 * i)) for i in range(45 * 12)]
    after = [(died + 15 + 5 * i, 20 * MIB) for i in range(90)]
    own = {"namespace": here.name, "pod": POD, "container": "app"}
    exporter, memory = here.stage.exporter, "container_memory_working_set_bytes"
    exporter.backfill(memory, before, **own, id="/kubepods/a")
    exporter.backfill(memory, after, **own, id="/kubepods/b")
    limit = [(began + 5 * i, 100 * MIB) for i in range(54 * 12)]
    exporter.backfill("kube_pod_container_resource_limits", limit, **own, resource="memory")

    async def there() -> bool:
        asked = f'count(last_over_time({memory}{{namespace="{here.name}"}}[1h]))'
        found = await asyncio.to_thread(here.stage.lab.query, asked)
        return [s.value for s in found] == [2]

    await here.until(there)
    exporter.drop(namespace=here.name)
    url = ("--prometheus-url", str(here.stage.lab.prometheus))
    position = here.audit_position()
    given = (*url, "-n", here.name, "--last", "54m", "--step", "15s", "--horizon", "20m")
    cache = ("--cache", str(tmp_path / "cache"))
    saved = ("--save-policy", str(tmp_path / "policy.yaml"))
    done = await akeso(here, "backtest", *given, *cache, *saved, "-o", "json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    [series] = told["series"]
    assert series["name"] == f"{here.name}/{POD}/app"
    [failure] = series["failures"]
    assert failure["kind"] == "Killed" and failure["limit"] == 100 * MIB
    assert failure["akesoLeadSeconds"] >= 300
    assert told["total"]["akeso"]["falseAlarms"] == 0

    words = await akeso(
        here, "forecast", f'{memory}{{namespace="{here.name}", id="/kubepods/b"}}', *url,
        "--last", "54m", "--step", "15s", "--horizon", "10m", "-o", "json",
    )  # fmt: skip
    assert (words.code, words.err) == (0, "")
    assert json.loads(words.out)["points"][-1]["mean"] == 20 * MIB
    assert here.audited(position) == []

    policy = yaml.safe_load((tmp_path / "policy.yaml").read_text())
    assert policy["metadata"]["namespace"] == here.name
    [stored] = await here.apply(policy)
    assert stored["spec"]["mode"] == "Observe"
    assert stored["spec"]["signals"][0]["forecast"]["horizonSeconds"] == 1200
