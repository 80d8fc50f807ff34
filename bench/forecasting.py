"""How well Akeso forecasts exhaustion, next to what people use today.

    python bench/forecasting.py [--quick] [--part development|held-out] [-o result.json]

Fixed seeds. Alternatives: PromQL's predict_linear, naked and gated (predict_linear(x[1h], 3600) >
limit and x > 70 % of it, for 6 m); for values, statsmodels' ETSModel and the last value.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # figures are for one core
_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT / name) for name in ("operator", "predictors", "tests")]

import numpy as np
from numpy.typing import NDArray

from akeso_predictors import forecast
from unit.predictors.injected import pods

Array = NDArray[Any]
HORIZON = 3600.0


def accuracy(
    held_out: bool, rows: int = 360, ahead: int = 60, most: int = 24
) -> dict[str, dict[str, float]]:
    """MASE and coverage of value forecasts on real memory, one origin per series."""
    series = [x for x in pods("mem", held_out).values() if x.max() > 1 and np.ptp(x[:rows]) > 0][
        :most
    ]
    past = np.stack([x[:rows] for x in series], axis=1)
    future = np.stack([x[rows : rows + ahead] for x in series], axis=1)
    scale = np.maximum(np.abs(np.diff(past, axis=0)).mean(axis=0), 1e-3)
    table: dict[str, dict[str, float]] = {}
    forecast(past[:, :1], 1, method="ets")  # what is imported once is not counted
    for name, method in (("akeso", "grid"), ("ets", "ets")):
        start = time.perf_counter()
        band = forecast(past, ahead, method=method)
        took = (time.perf_counter() - start) / len(series)
        inside = (band.lower <= future) & (future <= band.upper)
        table[name] = {
            "mase": float(np.mean(np.abs(band.mean - future).mean(axis=0) / scale)),
            "coverage_80": float(inside[0].mean()), "coverage_95": float(inside[1].mean()), "ms": took * 1e3,
        }  # fmt: skip
    table["naive"] = {"mase": float(np.mean(np.abs(past[-1] - future).mean(axis=0) / scale))}
    return table


def measure(quick: bool, held_out: bool) -> dict[str, Any]:
    return {"accuracy": accuracy(held_out, most=6 if quick else 40)}


def table(result: dict[str, Any]) -> str:
    return "\n".join(
        f"values, {name}:  " + "  ".join(f"{k} {v:.2f}" for k, v in line.items())
        for name, line in result["accuracy"].items()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a tenth of the cases, in seconds")
    parser.add_argument("--part", choices=("development", "held-out"), default="held-out")
    parser.add_argument("-o", "--output", type=Path, help="write the figures as JSON")
    given = parser.parse_args()
    result = measure(given.quick, given.part == "held-out")
    print(table(result))
    if given.output:
        given.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
