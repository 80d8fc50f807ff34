"""Each alert on Akeso itself fires when it should and stays silent when it almost should, by the
rules of Prometheus' own promtool. One leader (a) and one standby (b), a sample a minute."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from akeso_lab.build import build
from akeso_lab.parts import PROMTOOL

RULES = Path(__file__).parents[2] / "charts" / "akeso" / "files" / "alerts.yaml"
A, B = (f'job="akeso",namespace="akeso",instance="{name}"' for name in "ab")

# Two replicas of which nobody needs to hear, in promtool's notation (start+step x times).
HEALTHY: Mapping[str, str] = {
    f"akeso_leader{{{A}}}": "1x120",
    f"akeso_leader{{{B}}}": "0x120",
    f"akeso_lease_transitions{{{A}}}": "1x120",
    f"akeso_lease_transitions{{{B}}}": "1x120",
    f'akeso_build_info{{{A},version="1"}}': "1x120",
    f'akeso_build_info{{{B},version="1"}}': "1x120",
    f"process_start_time_seconds{{{A}}}": "0x120",
    f"process_start_time_seconds{{{B}}}": "0x120",
    f"akeso_last_cycle_timestamp_seconds{{{A}}}": "0+60x120",
    f"akeso_last_cycle_timestamp_seconds{{{B}}}": "0x120",
    f"akeso_cycle_interval_seconds{{{A}}}": "15x120",
    f"akeso_cycle_interval_seconds{{{B}}}": "15x120",
    f"akeso_cycle_duration_seconds_sum{{{A}}}": "0+2x120",
    f"akeso_cycle_duration_seconds_count{{{A}}}": "0+4x120",
    f"akeso_cycle_duration_seconds_sum{{{B}}}": "0x120",
    f"akeso_cycle_duration_seconds_count{{{B}}}": "0x120",
    f'akeso_cycle_errors_total{{{A},part="advance"}}': "0x120",
    f'akeso_cycle_errors_total{{{A},part="notify"}}': "0x120",
    f'akeso_cycle_errors_total{{{B},part="notify"}}': "0x120",
    f'akeso_watch_age_seconds{{{A},resource="pods"}}': "100x120",
    f'akeso_watch_age_seconds{{{B},resource="pods"}}': "100x120",
    f'akeso_watch_age_seconds{{{A},resource="horizontalpodautoscalers"}}': " ".join(["NaN"] * 120),
    f'akeso_metrics_source_age_seconds{{{A},source="memory"}}': "20x120",
    f"akeso_stale_after_seconds{{{A}}}": "60x120",
    f"akeso_stale_after_seconds{{{B}}}": "60x120",
    f"akeso_degraded{{{A}}}": "0x120",
    f"akeso_degraded{{{B}}}": "0x120",
    f"akeso_paused{{{A}}}": "0x120",
    f"akeso_paused{{{B}}}": "0x120",
    f"akeso_healing_overdue_seconds{{{A}}}": "0x120",
    f"akeso_healing_overdue_seconds{{{B}}}": "0x120",
    f'akeso_healings_blocked{{{A},reason="Cooldown"}}': "9x120",
    f"akeso_needs_human_total{{{A}}}": "7x120",
    f"akeso_needs_human_total{{{B}}}": "0x120",
    f"akeso_notifications_waiting{{{A}}}": "0x120",
    f"akeso_notifications_waiting{{{B}}}": "0x120",
    f'akeso_notifications_total{{{A},result="delivered"}}': "9x120",
    f'akeso_notifications_total{{{A},result="refused"}}': "2x120",
}


@dataclass(frozen=True, slots=True)
class Scene:
    """What is otherwise than in health, and what fires at a minute; `almost`: what must not."""

    name: str
    minute: int
    series: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    fires: frozenset[str] = frozenset()
    almost: str = ""


def of(name: str, replica: str = A, labels: str = "") -> str:
    return f"{name}{{{replica}{labels}}}"


def fires(alert: str, name: str, minute: int, **series: str | None) -> Scene:
    return Scene(name, minute, _named(series), frozenset({alert}))


def spares(alert: str, name: str, minute: int, **series: str | None) -> Scene:
    return Scene(name, minute, _named(series), almost=alert)


def _named(series: Mapping[str, str | None]) -> Mapping[str, str | None]:
    """`a_leader` is `akeso_leader` of replica a; what follows two underscores is a label's value."""
    found: dict[str, str | None] = {}
    for key, values in series.items():
        replica, _, rest = key.partition("_")
        name, _, value = rest.partition("__")
        full = name if name.startswith("process") else f"akeso_{name}"
        label = f',{LABEL[name]}="{value}"' if value else ""
        found[of(full, {"a": A, "b": B}[replica], label)] = values
    return found


LABEL = {
    "cycle_errors_total": "part",
    "watch_age_seconds": "resource",
    "metrics_source_age_seconds": "source",
    "healings_blocked": "reason",
    "notifications_total": "result",
    "build_info": "version",
}
TAKEN_OVER = {  # a is killed at minute 20, b leads from minute 21 on
    **{series: "0x19 stale" for series in HEALTHY if '"a"' in series},
    of("akeso_leader"): "1x19 stale",
    of("akeso_last_cycle_timestamp_seconds"): "0+60x19 stale",
    of("akeso_leader", B): "0x20 1x99",
    of("akeso_lease_transitions", B): "1x20 2x99",
    of("akeso_last_cycle_timestamp_seconds", B): "0x21 1320+60x97",
}

A_DAY = {series: values.replace("x120", "x1500") for series, values in HEALTHY.items()} | {
    of("akeso_watch_age_seconds", A, ',resource="horizontalpodautoscalers"'): None
}

SCENES = (
    Scene("health", 119),
    *(Scene(f"taken over, minute {m}", m, TAKEN_OVER) for m in (20, 21, 22, 24, 60)),
    Scene("nobody is scraped", 10, dict.fromkeys(HEALTHY), frozenset({"AkesoAbsent"})),
    Scene("scraped again in time", 4, dict.fromkeys(HEALTHY), almost="AkesoAbsent"),
    fires("AkesoNoLeader", "nobody leads", 5, a_leader="0x120"),
    spares("AkesoNoLeader", "nobody leads for a minute", 6, a_leader="1x4 0x1 1x50"),
    fires(
        "AkesoTwoLeaders",
        "both lead",
        5,
        b_leader="1x120",
        b_last_cycle_timestamp_seconds="0+60x120",
    ),
    spares("AkesoTwoLeaders", "both were seen at a handover", 6, b_leader="0x4 1x1 0x50"),
    fires(
        "AkesoLeaderChangesOften",
        "to and fro",
        60,
        a_lease_transitions="1x10 2x10 3x10 4x10 5x99",
    ),
    spares("AkesoLeaderChangesOften", "an upgrade", 60, a_lease_transitions="1x10 2x10 3x10 4x99"),
    fires(
        "AkesoCrashLooping", "starts", 30, a_process_start_time_seconds="0x9 600x5 900x5 1200x99"
    ),
    spares("AkesoCrashLooping", "two starts", 30, a_process_start_time_seconds="0x9 600x5 900x99"),
    fires("AkesoCyclesStuck", "no cycle ends", 20, a_last_cycle_timestamp_seconds="0+60x10 600x99"),
    fires("AkesoCyclesStuck", "none ever did", 20, a_last_cycle_timestamp_seconds="0x120"),
    spares(
        "AkesoCyclesStuck",
        "cycles of ten minutes",
        60,
        a_cycle_interval_seconds="600x120",
        a_last_cycle_timestamp_seconds="0x120",
    ),
    fires("AkesoCyclesSlow", "cycles of 20 s", 60, a_cycle_duration_seconds_sum="0+80x120"),
    spares("AkesoCyclesSlow", "cycles of 10 s", 60, a_cycle_duration_seconds_sum="0+40x120"),
    fires("AkesoCyclesFail", "every minute", 40, a_cycle_errors_total__advance="0+1x120"),
    spares("AkesoCyclesFail", "once", 40, a_cycle_errors_total__advance="0x20 1x99"),
    fires("AkesoNotificationsEnded", "a defect", 20, a_cycle_errors_total__notify="0x9 1x99"),
    spares("AkesoNotificationsEnded", "restarted", 20, a_cycle_errors_total__notify="1x9 0x99"),
    fires("AkesoWatchSilent", "of the leader", 10, a_watch_age_seconds__pods="0+60x120"),
    fires("AkesoWatchSilent", "of the standby", 10, b_watch_age_seconds__pods="0+60x120"),
    spares("AkesoWatchSilent", "heard again", 6, a_watch_age_seconds__pods="0+60x6 0x99"),
    fires("AkesoNoFreshData", "old memory", 20, a_metrics_source_age_seconds__memory="0+60x120"),
    spares("AkesoNoFreshData", "a gap", 5, a_metrics_source_age_seconds__memory="0+60x5 9x99"),
    fires("AkesoDegraded", "for long", 40, a_degraded="2x120"),
    spares("AkesoDegraded", "for a while", 28, a_degraded="2x29 0x99"),
    Scene("forgotten", 1450, A_DAY | {of("akeso_paused"): "1x1500"}, frozenset({"AkesoPaused"})),
    Scene("paused overnight", 1000, A_DAY | {of("akeso_paused"): "1x1500"}, almost="AkesoPaused"),
    fires("AkesoHealingStuck", "overdue", 40, a_healing_overdue_seconds="0+60x120"),
    spares("AkesoHealingStuck", "late", 30, a_healing_overdue_seconds="0+60x14 0x99"),
    *(
        fires("AkesoStorm", reason, 10, **{f"a_healings_blocked__{reason}": "6x120"})
        for reason in ("BreakerOpen", "PolicyBudget", "GlobalBudget")
    ),
    spares("AkesoStorm", "over soon", 4, a_healings_blocked__BreakerOpen="6x4 stale"),
    fires("AkesoNeedsHuman", "the first ever", 30, b_needs_human_total="0x20 1x99"),
    spares("AkesoNeedsHuman", "hours ago", 110, a_needs_human_total="0x20 1x99"),
    fires("AkesoNotificationsNotDelivered", "wait", 30, a_notifications_waiting="3x120"),
    fires(
        "AkesoNotificationsNotDelivered",
        "refused",
        30,
        a_notifications_total__refused="2x20 3x99",
    ),
    spares(
        "AkesoNotificationsNotDelivered",
        "many, but they are delivered",
        60,
        a_notifications_waiting="3x120",
        a_notifications_total__delivered="9+1x120",
    ),
)


def test_each_alert_has_a_scene_in_which_it_fires_and_one_in_which_it_almost_does() -> None:
    alerts = {r["alert"] for g in yaml.safe_load(RULES.read_text())["groups"] for r in g["rules"]}
    assert {alert for scene in SCENES for alert in scene.fires} == alerts
    assert {scene.almost for scene in SCENES if scene.almost} == alerts


@pytest.fixture(scope="module")
def promtool() -> Path:
    return build([PROMTOOL], print)[PROMTOOL.name]


async def test_alerts_fire_when_they_should_and_only_then(promtool: Path, tmp_path: Path) -> None:
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": [*map(_test, SCENES)]}))
    for command in (["check", "rules", str(RULES)], ["test", "rules", str(file)]):
        done = await asyncio.to_thread(
            subprocess.run, [str(promtool), *command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def _test(scene: Scene) -> dict[str, Any]:
    wanted = {**HEALTHY, **scene.series}
    firing = 'count by (alertname) (ALERTS{alertstate="firing"})'
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in scene.fires]
    return {
        "name": scene.name,
        "interval": "1m",
        "input_series": [
            {"series": name, "values": values} for name, values in wanted.items() if values
        ],
        "promql_expr_test": [
            {"expr": firing, "eval_time": f"{scene.minute}m", "exp_samples": samples}
        ],
    }
