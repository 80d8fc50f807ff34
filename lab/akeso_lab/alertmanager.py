"""Alertmanager: takes Prometheus' alerts and people's silences, and notifies nobody."""

from __future__ import annotations

from typing import Any

import yaml

from akeso_lab.plan import Plan
from akeso_lab.processes import Process, Supervisor


def start_alertmanager(plan: Plan, supervisor: Supervisor) -> Process:
    config = plan.state / "alertmanager.yaml"
    config.write_text(yaml.safe_dump(configuration(), sort_keys=False))
    return supervisor.start(
        "alertmanager",
        [
            plan.bin / "alertmanager",
            f"--config.file={config}",
            f"--storage.path={plan.state / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{plan.ports['alertmanager']}",
            "--cluster.listen-address=",  # alone: no gossip, and no port for it
            "--log.level=warn",
        ],
    )


def configuration() -> dict[str, Any]:
    """One receiver that sends nothing anywhere."""
    return {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
