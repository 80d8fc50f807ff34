"""A series of a million samples: a year of a step of half a minute."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

ROWS, STEP, LIMIT, LEAK = 1_000_000, 30, 100.0, 240
MOST_MIB = 600.0  # 200 of them for what is imported and the file's columns

READ = f"""
import resource, sys
from pathlib import Path
import numpy as np
from akeso.wiring.backtesting import from_csv
from akeso_predictors import replay

[found] = from_csv(Path(sys.argv[1]), {LIMIT}, None).histories
said = replay(found.value, found.limit, found.step, 3600.0)
alarms = np.flatnonzero(said.alarm)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(found.rows, found.step, alarms[0] if len(alarms) else -1, peak)
"""


def test_a_million_samples_are_read_and_replayed_in_bounded_memory(tmp_path: Path) -> None:
    at = np.arange(ROWS)
    values = 40 + 5 * np.sin(2 * np.pi * at * STEP / 86_400)
    values += np.random.default_rng(0).normal(0, 0.3, ROWS)
    values[-LEAK:] = np.linspace(values[-LEAK], 0.99 * LIMIT, LEAK)
    lines = map("{},{:.4f}".format, (1_700_000_000 + at * STEP).tolist(), values.tolist())
    file = tmp_path / "year.csv"
    file.write_text("timestamp,value\n" + "\n".join(lines) + "\n")
    command = [sys.executable, "-c", READ, str(file)]
    env = {"PYTHONPATH": ":".join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
    ran = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    rows, step, first, peak = map(float, ran.stdout.split())
    assert (rows, step) == (ROWS, STEP)
    assert ROWS - LEAK < first < ROWS
    assert peak < MOST_MIB
