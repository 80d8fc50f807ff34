"""The demo's Healings as pages and pictures, and a page that leads to them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from akeso.api.healing import Healing
from akeso.cli.demo import names
from akeso.cli.demo.checks import Check
from akeso.cli.demo.evidence import Evidence
from akeso.cli.words import span
from akeso.cli.writing import write
from akeso.errors import PermanentError
from akeso.settings import Settings
from akeso_lab import Lab

if TYPE_CHECKING:
    from akeso.report.model import Report

INDEX = "index.html"
# What is shown beside a service, and why.
_BESIDE = {names.LEAKY: {names.TWIN: "its twin, which nobody protects"}}


@dataclass(frozen=True, slots=True)
class Reports:
    """Where they go. `open` finds out early whether that will do."""

    folder: Path

    def open(self) -> None:
        """Makes the folder; PermanentError where it can't be."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PermanentError(
                f"Folder {self.folder} can't be made: {error.strerror}; give another one with"
                " --reports."
            ) from error

    def write(self, lab: Lab, evidence: Evidence, checks: Sequence[Check]) -> Path:
        """All of them, while the cluster still has the Healings; the page that leads to them."""
        from akeso.report.figure import picture
        from akeso.report.page import Entry, Proof, index, page

        entries: list[Entry] = []
        for report in asyncio.run(_told(lab, evidence.healings)):
            file = self.folder / f"{report.name}.html"
            write(file, page(report).encode())
            write(file.with_suffix(".png"), picture(report))
            entries.append(Entry(report, file.name))
        took = span((evidence.ended - evidence.began).total_seconds())
        said = f"{evidence.began:%Y-%m-%d %H:%M:%S} UTC, {took}"
        if evidence.gave_up is not None:
            said += f". It did not get to its end: {evidence.gave_up}"
        proofs = [Proof(c.said, c.holds, c.source) for c in checks]
        first = self.folder / INDEX
        write(first, index("Akeso's demo", said, entries, proofs).encode())
        return first


async def _told(lab: Lab, healings: Sequence[Healing]) -> list[Report]:
    """Oldest first."""
    from akeso.wiring import open_view

    settings = Settings.model_validate(
        {
            "kubeconfig": str(lab.kubeconfig),
            "namespace": names.SYSTEM,
            "watch_namespaces": (names.NAMESPACE,),
            "prometheus_url": lab.prometheus,
            "metric_matchers": names.MATCHERS,
            "scrape_interval_seconds": lab.scrape_interval_seconds,
        }
    )
    async with open_view(settings) as view:
        return [
            await view.report(
                names.NAMESPACE,
                healing.metadata.name,
                compared=_BESIDE.get(healing.spec.target.name),
            )
            for healing in sorted(healings, key=_opened)
        ]


def _opened(healing: Healing) -> str:
    return f"{healing.metadata.creation_timestamp} {healing.metadata.name}"
