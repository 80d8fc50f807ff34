"""The chart as people use it: Helm's own commands on a real API server."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from akeso_lab import Lab
from akeso_lab.processes import local_environment

CHART = Path(__file__).parents[2] / "charts" / "akeso"
Json = dict[str, Any]
# The kinds were brought by kubectl before, by other tests.
TAKE_OVER = ("--take-ownership", "--force-conflicts")


class HelmError(AssertionError):
    """Helm ended with an error; its words."""


@dataclass(frozen=True)
class Helm:
    """Helm, as the administrator of a lab or as whoever a kubeconfig says."""

    binary: Path
    kubeconfig: Path
    folder: Path
    chart: Path = CHART

    @classmethod
    def of(cls, lab: Lab, folder: Path) -> Helm:
        return cls(lab.helm(), lab.kubeconfig, folder)

    def of_chart(self, chart: Path) -> Helm:
        return replace(self, chart=chart)

    def run(self, *arguments: str) -> str:
        """What it says on both outputs: a warning of the API server is on the second."""
        names = ("CACHE", "CONFIG", "DATA")
        homes = {f"HELM_{name}_HOME": str(self.folder / "helm") for name in names}
        done = subprocess.run(
            [str(self.binary), *arguments, "--kubeconfig", str(self.kubeconfig)],
            env={**local_environment(), **homes, "HOME": os.environ.get("HOME", "/")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise HelmError(f"helm {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout + done.stderr

    def install(self, namespace: str, values: Mapping[str, Any], *more: str) -> str:
        return self._release("install", namespace, values, *more)

    def upgrade(self, namespace: str, values: Mapping[str, Any], *more: str) -> str:
        return self._release("upgrade", namespace, values, *more)

    def uninstall(self, namespace: str) -> str:
        return self.run("uninstall", "akeso", "--namespace", namespace, "--wait")

    def lint(self, values: Mapping[str, Any]) -> str:
        return self.run("lint", "--strict", str(self.chart), *self._given(values))

    def text(self, values: Mapping[str, Any], *more: str) -> str:
        """What the chart renders, with this API server's version."""
        at = ("--namespace", "akeso", "--kube-version", "1.36.0")
        return self.run("template", "akeso", str(self.chart), *at, *self._given(values), *more)

    def objects(self, values: Mapping[str, Any], *more: str) -> list[Json]:
        return [o for o in yaml.safe_load_all(self.text(values, *more)) if o]

    def _release(self, verb: str, namespace: str, values: Mapping[str, Any], *more: str) -> str:
        at = ("akeso", str(self.chart), "--namespace", namespace)
        return self.run(verb, *at, *self._given(values), *more)

    def _given(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        file = self.folder / f"values-{abs(hash(json.dumps(values, sort_keys=True)))}.json"
        file.write_text(json.dumps(values))
        return ("--values", str(file))


def of_kind(objects: list[Json], kind: str) -> list[Json]:
    return [o for o in objects if o["kind"] == kind]
