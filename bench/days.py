"""What the paths of days of load are worth by themselves, on real load (tests/data/nab, 14 days each).

    python bench/days.py [SERIES ...]

Limits are quantiles of each series, the horizon is 1 h, the first third of the rows is history only.
Nothing is random and nothing was chosen by these figures. "zero" claims nothing, ever.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # figures are for one core
_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT / name) for name in ("operator", "predictors", "tests")]

import numpy as np

from akeso.domain.forecast import Forecast, LoadKey, Readiness, Sample, SeriesKey
from akeso_predictors.outlook import Outlook

STEP, HORIZON, ROWS = 300.0, 3_600.0, 4_032
KEY: SeriesKey = LoadKey("bench", "", "", "load", "uid")
SERIES = (
    "elb_request_count_8c0756",
    "ec2_network_in_257a54",
    "grok_asg_anomaly",
    "cpu_utilization_asg",
)


def series(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Times in Unix seconds and values."""
    first, *lines = (_ROOT / "tests/data/nab" / f"{name}.csv").read_text().splitlines()
    began = datetime.fromisoformat(first.removeprefix("# start ").partition(",")[0]).timestamp()
    values = np.array([float(line or "nan") for line in lines[:ROWS]])
    there = np.isfinite(values)
    return (began + STEP * np.arange(len(values)))[there], values[there]


def judged(name: str, quantile: float) -> str:
    """One row of the table."""
    times, values = series(name)
    limit, rows, ahead = float(np.quantile(values, quantile)), len(values), int(HORIZON / STEP)
    kept, said, alarm = Outlook(), np.zeros(rows), np.zeros(rows, dtype=np.bool_)
    for i, (at, value) in enumerate(zip(times.tolist(), values.tolist(), strict=True)):
        kept.ingest([Sample(KEY, at, value, limit, "a")])
        silent = Forecast(KEY, Readiness.READY, HORIZON, 0.0, None, False, value, limit, at)
        found = kept.corrected({KEY: silent}, at, {KEY: 0.8})[KEY]
        said[i], alarm[i] = found.probability or 0.0, found.alarm
    mean = np.array([values[max(0, i - 2) : i + 1].mean() for i in range(rows)])
    above = mean >= limit  # for a quarter of an hour
    truth = np.array([above[i + 1 : i + 1 + ahead].any() for i in range(rows)])
    counted = (values < limit) & (np.arange(rows) > rows // 3)
    claims = alarm & counted
    right = f"{truth[claims].mean():.2f}" if claims.any() else "-"
    share = (claims & truth).sum() / max(1, (truth & counted).sum())
    brier = np.mean((said[counted] - truth[counted]) ** 2)
    return (
        f"| {name} | {quantile:.0%} | {claims.sum()} | {right} | {share:.2f} "
        f"| {brier:.3f} | {truth[counted].mean():.3f} |"
    )


def main() -> None:
    print("| series | limit at | rows with an alarm | right | of the rows before | Brier | zero |")
    print("|---|---|---|---|---|---|---|")
    for name in sys.argv[1:] or SERIES:
        for quantile in (0.9, 0.97):
            print(judged(name, quantile), flush=True)


if __name__ == "__main__":
    main()
