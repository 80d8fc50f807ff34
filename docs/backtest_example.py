#!/usr/bin/env python3
"""The example of docs/backtest.md: real pods, into two of which a leak was put.

    python docs/backtest_example.py pods.csv     write the history; then: akeso backtest --csv pods.csv
    python docs/backtest_example.py              draw docs/images/backtest.svg of it

Real are the pods (tests/data/nezha); made are three leaks that end in a kill, a healthy saw-tooth and
1 % lost scrapes. Fixed seed.
"""

from __future__ import annotations

import csv
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / folder) for folder in ("operator", "healers", "predictors")]
PODS = ROOT / "tests" / "data" / "nezha" / "2022-08-22_mem_rate.csv"
PICTURE = ROOT / "docs" / "images" / "backtest.svg"
LIMIT = 256 * 2**20
# Pod, first row, row of the kill, level in percent: rows are minutes.
LEAKS = (("cartservice", 500, 740, 98), ("recommendation", 300, 420, 97), ("recommendation", 800, 860, 99))  # fmt: skip
SAW = "frontend"
DRAWN = "recommendation"


def rows() -> list[list[object]]:
    """timestamp, series, value, limit, restart."""
    with PODS.open() as file:
        head, *lines = csv.reader(file)
    values: NDArray[Any] = np.array([[float(cell or "nan") for cell in row[1:]] for row in lines])
    restart = np.zeros(values.shape, dtype=int)
    rng = np.random.default_rng(11)

    def column(name: str) -> int:
        return next(i for i, pod in enumerate(head[1:]) if pod.startswith(name))

    for name, begin, end, level in LEAKS:
        s = column(name)
        climb = np.linspace(0, 1, end - begin)
        values[begin:end, s] += (level - values[begin, s]) * climb
        values[end:, s] *= 0.6
        restart[end, s] = 1
    minute = np.arange(len(values))
    noise = rng.normal(0, 0.6, len(values))
    values[:, column(SAW)] = 25 + 60 * (minute % 180) / 180 + noise
    lost = rng.random(values.shape) < 0.01
    found: list[list[object]] = []
    for s, pod in enumerate(head[1:]):
        for i, row in enumerate(lines):
            if not lost[i, s]:
                at = datetime.fromisoformat(row[0]).replace(tzinfo=UTC)
                used = round(values[i, s] / 100 * LIMIT)
                found.append([at.isoformat(), f"shop/{pod}/server", used, LIMIT, restart[i, s]])
    return found


def write(file: Path) -> None:
    with file.open("w", newline="") as out:
        made = csv.writer(out)
        made.writerow(["timestamp", "series", "value", "limit", "restart"])
        made.writerows(rows())


def picture(file: Path) -> str:
    """One series of the history as an SVG of its own, in the reader's theme."""
    from akeso.backtest.figure import svg, whole
    from akeso.backtest.judge import Question
    from akeso.report.model import Unit
    from akeso.report.palette import variables
    from akeso.wiring.backtesting import from_csv, judge

    found = judge(from_csv(file, None, None), Question(3600.0, 0.8))
    drawn = next(d for d in found.drawn if f"/{DRAWN}" in d.result.name)
    style = (
        f"<style>:root {{ {variables(0)} }} @media (prefers-color-scheme: dark) {{ :root {{"
        f" {variables(1)} }} }} text {{ font-family: system-ui, sans-serif !important; }}</style>"
    )
    return re.sub(
        r"(<svg[^>]*>)", rf"\1{style}", svg(drawn, whole(drawn), Unit.BYTES, "doc"), count=1
    )


def main(arguments: list[str]) -> int:
    if arguments:
        write(Path(arguments[0]))
        return 0
    file = PICTURE.with_suffix(".csv")
    try:
        write(file)
        PICTURE.write_text(picture(file))
    finally:
        file.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
