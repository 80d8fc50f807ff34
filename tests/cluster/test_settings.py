"""The settings file of a running operator: what may change does, what may not is named."""

from __future__ import annotations

import os
from pathlib import Path

from cluster.harness import World
from cluster.test_rights import degraded
from cluster.workloads import policy, query_signal, workload


def put(file: Path, text: str) -> None:
    """As a kubelet does: the new file takes the old one's place."""
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    os.replace(fresh, file)


async def test_a_healer_is_enabled_while_it_runs_and_a_wrong_file_changes_nothing(
    here: World,
) -> None:
    file = here.stage.folder / f"{here.name}-settings.yaml"
    put(file, "healers: []\n")
    await here.apply(workload())
    await here.rolled_out("Deployment")
    await here.apply(policy(query_signal(here.name)))
    uids = await here.tire()
    here.operator.start(settings_file=str(file))
    await here.blocked("HealerNotEnabled")
    await here.condition("SignalsReady", "False", reason="HealerNotEnabled")
    assert here.effects() == []
    put(file, "healers: [RestartPods]\ncpuMetric: other\nfailuresPerDay: nine\n")
    await degraded(here, f"{file}: failuresPerDay: Input should be a valid integer")
    assert here.effects() == []
    put(file, "healers: [RestartPods]\ncpuMetric: other\n")
    await degraded(here, "wait for a restart: cpuMetric")
    await here.healed()
    assert sorted(e.uid for e in here.effects()) == sorted(uids)
    said = [line["message"] for line in here.operator.said()]
    assert any("Setting healers is RestartPods now, it was empty" in message for message in said)
    assert here.operator.starts == 1
