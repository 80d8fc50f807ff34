"""The end of the story: every claim with its proof."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from akeso.api.scalars import format_time
from akeso.cli.demo.checks import Check
from akeso.cli.demo.evidence import Evidence
from akeso.cli.output import hanging, indented
from akeso.cli.words import span


def as_data(evidence: Evidence, checks: Sequence[Check]) -> dict[str, Any]:
    """The summary for programs."""
    return {
        "passed": passed(checks),
        "began": format_time(evidence.began),
        "ended": format_time(evidence.ended),
        "gaveUp": evidence.gave_up,
        "checks": [
            {"name": c.name, "holds": c.holds, "message": c.said, "source": c.source}
            for c in checks
        ],
        "healings": [
            {
                "name": h.metadata.name,
                "target": f"{h.spec.target.kind.value}/{h.spec.target.name}",
                "signal": h.spec.signal,
                "verdict": h.status.verdict.value if h.status.verdict else None,
                "message": h.status.message,
            }
            for h in evidence.healings
        ],
        "requests": {
            app: {"ok": r.ok, "failed": r.failed} for app, r in sorted(evidence.requests.items())
        },
    }


def passed(checks: Sequence[Check]) -> bool:
    return bool(checks) and all(c.holds for c in checks)


def render(console: Console, evidence: Evidence, checks: Sequence[Check]) -> None:
    """The summary for people."""
    took = (evidence.ended - evidence.began).total_seconds()
    console.print()
    console.print(Text(f"What happened, from the cluster's own records ({span(took)})", "bold"))
    for check in checks:
        mark = Text("✓", "green") if check.holds else Text("✗", "bold red")
        console.print(hanging(mark, Text(check.said), by=1))
        console.print(indented(Text(f"on record: {check.source}", "dim"), 3))
    for app, counted in sorted(evidence.requests.items()):
        said = f"users of {app}: {counted.ok} requests answered, {counted.failed} failed"
        console.print(indented(Text(said, "dim"), 1))
    if evidence.gave_up is not None:
        console.print(Text(f"The demo did not get to its end: {evidence.gave_up}", "bold red"))
    held = sum(c.holds for c in checks)
    end = "All of it holds." if passed(checks) else f"{len(checks) - held} of {len(checks)} fail."
    console.print(Text(end, "bold green" if passed(checks) else "bold red"))
