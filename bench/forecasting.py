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
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # figures are for one core
_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT / name) for name in ("operator", "predictors", "tests")]

import numpy as np
from numpy.typing import NDArray

from akeso.domain.forecast import Sample, SeriesKey
from akeso_predictors import ExhaustionPredictor, forecast, replay
from unit.predictors.injected import STEP, Case, cases, pods
from unit.predictors.scoring import HOUR, episodes, gated, judged, naked

Array = NDArray[Any]
HORIZON = 3600.0


def akeso(values: Array) -> Array:
    return replay(values, 1.0, STEP, HORIZON).alarm


def probabilities(made: list[Case]) -> dict[str, float]:
    """Brier score, its skill, and calibration error of Akeso's probabilities."""
    values = np.stack([case.values for case in made], axis=1)
    said = replay(values, 1.0, STEP, HORIZON)
    now = np.arange(len(values))[:, None]
    crossing = np.array([np.inf if c.crossing is None else c.crossing for c in made])[None, :]
    live = (now < crossing) & ~said.abstained
    truth, p = ((crossing - now) <= HOUR)[live], said.probability[live]
    hot = truth | (p > 0.01)
    bins = np.minimum((p * 10).astype(int), 9)
    claims = p > 0.01
    error = [
        (np.abs(p[part].mean() - truth[part].mean()), part.sum())
        for part in (claims & (bins == b) for b in range(10)) if part.any()
    ]  # fmt: skip
    base = np.mean((truth[hot] - truth[hot].mean()) ** 2)
    return {
        "brier": float(np.mean((p - truth) ** 2)),
        "brier_skill_hot": float(1 - np.mean((p[hot] - truth[hot]) ** 2) / base),
        "ece_claims": float(sum(e * n for e, n in error) / sum(n for _, n in error)),
    }


def healthy(held_out: bool, metric: str = "mem") -> dict[str, dict[str, float]]:
    """False alarms per series-day on real series without a leak, by limit and method."""
    table: dict[str, dict[str, float]] = {}
    for factor in (1.30, 1.10, 1.03):
        counts, days = {"akeso": 0, "gated": 0, "naked": 0}, 0.0
        for x in pods(metric, held_out).values():
            if x.max() <= 0:
                continue
            share = (x / (factor * x.max()))[:, None]
            days += len(x) * STEP / 86400
            said = replay(
                share, 1.0, STEP, HORIZON, metric_class={"mem": "memory"}.get(metric, metric)
            )
            for name, alarm in (
                ("akeso", said.alarm),
                ("gated", gated(share)),
                ("naked", naked(share)),
            ):
                counts[name] += len(episodes(alarm[:, 0]))
        table[f"{factor:.2f}"] = {name: count / days for name, count in counts.items()}
    return table


def speed(series: int, cycles: int = 5) -> dict[str, float]:
    """Seconds of a full cycle on one core with full rings, and the worst case: all leak."""
    random = np.random.default_rng(0)
    keys = [SeriesKey("shop", f"pod-{i}", "app") for i in range(series)]
    rows = 1440
    result: dict[str, float] = {}
    for name, share in (("usual", 0.05), ("all leak", 1.0)):
        predictor = ExhaustionPredictor(STEP)
        level = random.uniform(0.2, 0.5, series)
        rate = (0.9 - level) / 200 * (random.random(series) < share)  # at 90 % after 200 rows
        t = np.arange(rows + cycles)
        values = (
            level
            + rate * np.maximum(t[:, None] - rows + 200, 0)
            + random.normal(0, 0.003, (len(t), series))
        )
        predictor.ingest_columns(keys, t[:rows] * STEP + 1e6, values[:rows], 1.0, ["a"] * series)
        predictor.evaluate(1e6 + (rows - 1) * STEP, HORIZON)
        took: list[float] = []
        for k in range(rows, rows + cycles):
            now = 1e6 + k * STEP
            samples = [
                Sample(key, now, v, 1.0, "a")
                for key, v in zip(keys, values[k].tolist(), strict=True)
            ]
            start = time.perf_counter()
            predictor.ingest(samples)
            predictor.evaluate(now, HORIZON)
            took.append(time.perf_counter() - start)
        result[f"{name}_s"] = float(np.median(took))
    result["rss_mib"] = int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
    return result


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


def undecided(made: list[Case], most: int) -> dict[str, float]:
    """Does ETSModel know better where Akeso is undecided (.2 < P < .8)? Brier scores and cost."""
    values = np.stack([case.values for case in made], axis=1)
    said = replay(values, 1.0, STEP, HORIZON)
    crossing = np.array([np.inf if c.crossing is None else c.crossing for c in made])
    open_ = (said.probability > 0.2) & (said.probability < 0.8)
    now = np.arange(len(values))[:, None]
    rows, series = np.nonzero(open_ & (now < crossing) & (now >= 30))
    chosen = np.random.default_rng(0).permutation(len(rows))[:most]
    rows, series = rows[chosen], series[chosen]
    truth = crossing[series] - rows <= HOUR
    start = time.perf_counter()
    theirs = np.array(
        [
            _ets_passage(values[max(t - 239, 0) : t + 1, s])
            for t, s in zip(rows, series, strict=True)
        ]
    )
    took = (time.perf_counter() - start) / max(len(rows), 1)
    ours = said.probability[rows, series]
    score = {"akeso": ours, "ets": theirs, "mean": (ours + theirs) / 2}
    return {name: float(np.mean((p - truth) ** 2)) for name, p in score.items()} | {
        "ets_ms": took * 1e3
    }


def _ets_passage(history: Array) -> float:
    """Probability of standing above the limit of 1 within the hour, by ETS(A,Ad,N)."""
    band = forecast(history, HOUR, levels=(80,), method="ets")
    deviation = np.maximum((band.upper[0] - band.mean) / NormalDist().inv_cdf(0.9), 1e-9)
    score = float(np.max((band.mean - 1) / deviation))
    return NormalDist().cdf(score)


def measure(quick: bool, held_out: bool) -> dict[str, Any]:
    made = cases(100 if quick else 1000, seed=7, held_out=held_out)
    values = np.stack([case.values for case in made], axis=1)
    methods: dict[str, Callable[[Array], Array]] = {"akeso": akeso, "gated": gated, "naked": naked}
    return {
        "exhaustion": {name: judged(made, method(values)) for name, method in methods.items()},
        "probability": probabilities(made),
        "healthy_memory": healthy(held_out),
        "healthy_cpu": healthy(held_out, "cpu"),
        "undecided": undecided(made, 20 if quick else 200),
        "accuracy": accuracy(held_out, most=6 if quick else 40),
        "speed": {str(n): speed(n) for n in ((1000,) if quick else (1000, 10_000))},
    }


def table(result: dict[str, Any]) -> str:
    """The figures with their ratios to the alternatives."""
    rows = ["exhaustion injected into real memory   akeso    gated    naked    akeso/gated"]
    found = result["exhaustion"]
    for key in (
        "precision",
        "recall",
        "f1",
        "lead_median_min",
        "lead_p10_min",
        "false_per_series_day",
    ):
        a, g, n = (found[name][key] for name in ("akeso", "gated", "naked"))
        rows.append(f"  {key:36} {a:8.3f} {g:8.3f} {n:8.3f} {a / g if g else float('nan'):10.2f}")
    rows.append("  share of series alarmed (leaks: in time; healthy: falsely)")
    for kind in found["akeso"]["kinds"]:
        a, g, n = (found[name]["kinds"][kind] for name in ("akeso", "gated", "naked"))
        rows.append(f"    {kind:34} {a:8.3f} {g:8.3f} {n:8.3f}")
    rows.append(
        "probability  " + "  ".join(f"{k} {v:.3f}" for k, v in result["probability"].items())
    )
    for metric in ("healthy_memory", "healthy_cpu"):
        for factor, line in result[metric].items():
            rates = "  ".join(f"{name} {rate:.3f}" for name, rate in line.items())
            rows.append(f"{metric}, limit {factor} x max, false alarms per series-day:  {rates}")
    for name, line in result["accuracy"].items():
        rows.append(f"values, {name}:  " + "  ".join(f"{k} {v:.2f}" for k, v in line.items()))
    line = result["undecided"]
    rows.append(
        "where akeso is undecided, Brier:  " + "  ".join(f"{k} {v:.3f}" for k, v in line.items())
    )
    for count, line in result["speed"].items():
        rows.append(
            f"cycle of {count} series:  " + "  ".join(f"{k} {v:.3f}" for k, v in line.items())
        )
    return "\n".join(rows)


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
