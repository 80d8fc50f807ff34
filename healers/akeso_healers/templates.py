"""What the routines that change a pod template have in common."""

from __future__ import annotations

from akeso.domain.verdict import Verdict, deny
from akeso.domain.workload import Snapshot


def not_rolled_out(healer: str, seen: Snapshot) -> Verdict | None:
    """Workloads whose controller would not carry a template out, or only in part."""
    if seen.paused:
        return deny(
            healer,
            "RolloutPaused",
            f"{seen.ref} is paused: its controller would roll nothing out; resume it first.",
        )
    if seen.strategy == "OnDelete":
        return deny(
            healer,
            "OnDelete",
            f"{seen.ref} has strategy OnDelete: pods change only when somebody deletes them, "
            "so its template is changed by hand as well.",
        )
    if seen.partition > 0:
        return deny(
            healer,
            "Partition",
            f"{seen.ref} is rolled out from pod {seen.partition} upwards (partition): somebody "
            "leads its rollouts by hand.",
        )
    return None
