"""The real operator as a process of its own, as the cluster and node tiers run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class OperatorProcess:
    """One operator; `environment` are its `AKESO_*` settings without the prefix."""

    kubeconfig: Path
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> OperatorProcess:
        settings = {f"AKESO_{key}": value for key, value in self.environment.items()}
        paths = os.pathsep.join(str(ROOT / p) for p in ("operator", "healers", "predictors"))
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("AKESO_")},
            "PYTHONPATH": paths,
            "AKESO_KUBECONFIG": str(self.kubeconfig),
            "AKESO_LISTEN_HOST": "127.0.0.1",
            "AKESO_LISTEN_PORT": "0",
            **settings,
        }
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "akeso", "operator"],
                env=environment,
                cwd=ROOT,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        return self

    def kill(self) -> None:
        """SIGKILL: no clean-up of any kind."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def stop(self, seconds: float = 20) -> int:
        """SIGTERM; its exit code."""
        assert self._process is not None
        self._process.terminate()
        try:
            return self._process.wait(seconds)
        finally:
            self.kill()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def decisions(self) -> Iterator[dict[str, Any]]:
        """The decision lines it wrote so far, oldest first."""
        for line in self.log.read_text().splitlines():
            try:
                found = json.loads(line)
            except ValueError:
                continue  # a traceback, or a line that is being written
            if "decision" in found:
                yield found
