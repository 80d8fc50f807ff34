"""Runs kubectl against one cluster."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from akeso_lab.errors import LabError


@dataclass(frozen=True)
class Kubectl:
    """kubectl as the administrator of the lab whose state folder this is."""

    binary: Path
    kubeconfig: Path
    state: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Its output; LabError with its complaint if it fails."""
        command = [str(self.binary), f"--kubeconfig={self.kubeconfig}"]
        # Not in the home folder: ``down`` removes what the lab wrote.
        command += [f"--cache-dir={self.state / 'kubectl-cache'}", *arguments]
        done = subprocess.run(
            command,
            input=stdin,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            what = f"`kubectl {' '.join(arguments)}` failed: {done.stderr.strip()}"
            raise LabError("kubectl", what, f"see {self.state / 'logs'} if the cluster is at fault")
        return done.stdout
