"""What forecasts are worth: real processes leak in real containers until the kernel kills them.

Nothing is healed (mode Observe). What Akeso said, and when, is held against what the kubelet wrote
down of each container's life. Healthy services stand between the leaking ones.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from akeso_lab import Lab
from node.scene import Scene, deployment

LIMIT = 64 * 2**20
# The shortest life that is asked of a forecast: 90 s of new samples must pass before any alarm.
RUNS_PER_SHAPE = 5
HELP_SECONDS = 20.0  # an alarm that leaves less time to act is none


def _leaks() -> dict[str, dict[str, str]]:
    """Environments of services that run into their limit, 190 to 330 s after their start."""
    made: dict[str, dict[str, str]] = {}
    for number in range(RUNS_PER_SHAPE):
        seconds = 190 + 28 * number
        rate = LIMIT / seconds
        made[f"steady-{number}"] = {"LEAK_BYTES_PER_SECOND": f"{rate:.0f}"}
        made[f"late-{number}"] = {
            "BASE_BYTES": "8Mi",
            "LEAK_AFTER_SECONDS": "60",
            "LEAK_BYTES_PER_SECOND": f"{rate:.0f}",
        }
        made[f"ripple-{number}"] = {
            "LEAK_BYTES_PER_SECOND": f"{rate:.0f}",
            "NOISE_BYTES": "3Mi",
            "NOISE_PERIOD_SECONDS": f"{17 + 4 * number}",
        }
        made[f"stairs-{number}"] = {
            "LEAK_BYTES_PER_SECOND": f"{rate:.0f}",
            "LEAK_STEP_BYTES": "2Mi",
        }
        doubling = 60 + 10 * number  # 3.5 doublings to the limit
        made[f"faster-{number}"] = {
            "LEAK_BYTES_PER_SECOND": f"{LIMIT * 0.6931 / doubling / (2**3.5 - 1):.0f}",
            "LEAK_DOUBLING_SECONDS": f"{doubling}",
        }
    return made


HEALTHY = {
    "flat": {"BASE_BYTES": "30Mi"},
    "full": {"BASE_BYTES": "52Mi", "NOISE_BYTES": "1Mi", "NOISE_PERIOD_SECONDS": "30"},
    "saw": {"BASE_BYTES": "20Mi", "NOISE_BYTES": "20Mi", "NOISE_PERIOD_SECONDS": "40"},
    "quick-saw": {"BASE_BYTES": "10Mi", "NOISE_BYTES": "30Mi", "NOISE_PERIOD_SECONDS": "13"},
    "warm": {"LEAK_BYTES_PER_SECOND": "800Ki", "LEAK_MAX_BYTES": "40Mi"},
    "stepped": {
        "LEAK_BYTES_PER_SECOND": "1Mi",
        "LEAK_STEP_BYTES": "15Mi",
        "LEAK_MAX_BYTES": "45Mi",
    },
}


@dataclass(frozen=True, slots=True)
class Life:
    """One container from its start to its end, in Unix seconds, and what was said of it first."""

    service: str
    began: float
    ended: float
    said_at: float | None  # the first alarm of this life
    sampled_at: float | None  # the newest sample it stands on
    ttf: tuple[float, float, float] | None  # seconds from that sample to the limit

    @property
    def lead(self) -> float:
        return 0.0 if self.said_at is None else self.ended - self.said_at


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _service(pod: str) -> str:
    return pod.rsplit("-", 2)[0]


def _lives(stage: Scene) -> list[Life]:
    """The kubelet's record of lives that ended at the limit, with the alarms that fell into them."""
    assert stage.operator is not None
    alarms: list[tuple[str, float, str]] = [
        (line["name"], _at(line["at"]), line["healing"].split("/")[1])
        for line in stage.operator.decisions()
        if line["decision"] == "Opened" and line["reason"] == "Forecast"
    ]
    evidence = {h["metadata"]["name"]: h["spec"]["evidence"] for h in stage.healings()}
    found: list[Life] = []
    for (pod, start), end in sorted(stage.deaths.lives.items()):
        began, ended, service = _at(start), _at(end), _service(pod)
        mine = [a for a in alarms if a[0] == service and began <= a[1] <= ended]
        first = min(mine, key=lambda a: a[1], default=None)
        why = evidence.get(first[2]) if first else None
        said_at = first[1] if first else None
        sampled_at = _at(why["sampledAt"]) if why else None
        found.append(Life(service, began, ended, said_at, sampled_at, _quantiles(why)))
    return found


def _quantiles(evidence: dict[str, Any] | None) -> tuple[float, float, float] | None:
    ttf = (evidence or {}).get("timeToThresholdSeconds")
    return None if not ttf else (float(ttf["p10"]), float(ttf["p50"]), float(ttf["p90"]))


def test_forecasts_hold_against_the_kubelets_own_records(
    lab: Lab, scene: Callable[[str], Scene], record_property: Callable[[str, object], None]
) -> None:
    stage = scene("forecasts")
    stage.policy(mode="Observe", signals=[{"name": "memory", "builtin": "MemoryExhaustion"}])
    operator = stage.start_operator()
    leaks = _leaks()
    bodies = [_quiet(lab, stage.name, name, about) for name, about in (leaks | HEALTHY).items()]
    lab.apply(*bodies)

    stage.wait(
        lambda: {_service(pod) for pod, _ in stage.deaths.lives} >= set(leaks),
        600,
        "not all leaks have come to their end",
    )
    assert operator.alive, stage.last_lines()
    lives = _lives(stage)
    blamed = sorted(
        {line["name"] for line in operator.decisions() if line["decision"] == "Opened"}
        & set(HEALTHY)
    )
    figures = _figures(lives, blamed)
    record_property("figures", json.dumps(figures))
    print(json.dumps(figures, indent=1))
    assert len(lives) >= 20, figures
    assert blamed == [], "healthy services were said to fail"
    # What doubles each minute has grown too little to be told from a warm-up until late.
    steady = [life for life in lives if not life.service.startswith("faster")]
    assert all(life.lead >= HELP_SECONDS for life in steady), figures
    assert figures["recall"] >= 0.85, figures
    assert figures["within the quantiles"] >= 0.5, figures


def _figures(lives: list[Life], blamed: list[str]) -> dict[str, Any]:
    told = [life for life in lives if life.lead >= HELP_SECONDS]
    shapes = sorted({life.service.rsplit("-", 1)[0] for life in lives})
    judged = [life for life in told if life.ttf is not None]
    inside = [
        life
        for life in judged
        if life.ttf
        and life.sampled_at
        and life.ttf[0] <= life.ended - life.sampled_at <= life.ttf[2]
    ]
    return {
        "lives": len(lives),
        "recall": round(len(told) / max(len(lives), 1), 3),
        "false": blamed,
        "lead median s": round(statistics.median([x.lead for x in lives]), 1) if lives else None,
        "lead least s": round(min((x.lead for x in lives), default=0), 1),
        "within the quantiles": round(len(inside) / max(len(judged), 1), 3),
        "shapes": {
            shape: [
                round(x.lead)
                for x in sorted(lives, key=lambda x: x.service)
                if x.service.startswith(shape)
            ]
            for shape in shapes
        },
    }


def _quiet(lab: Lab, namespace: str, name: str, environment: dict[str, str]) -> dict[str, Any]:
    """The lab's service, asked for its health now and then: thirty of them are to cost little."""
    made = deployment(lab, namespace, name, 1, "64Mi", environment)
    made["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["periodSeconds"] = 10
    return made
