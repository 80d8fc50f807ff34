"""How well Akeso forecasts values, next to statsmodels' models on the same real series.

    python bench/accuracy.py [--quick] [--part development|held-out] [-o result.json]

Nothing is random. A series belongs to one part, whole; models were chosen on "development". The
alternatives are told the season of the set; Akeso is told the step only (and, reported apart, the
season in rows, or nothing). MASE is scaled by the seasonal naive error of the past.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # figures are for one core
_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT / name) for name in ("operator", "predictors", "tests")]

import numpy as np
from numpy.typing import NDArray

from akeso_predictors import forecast
from akeso_predictors.ets import LONGEST, Job, bridged, fit
from unit.predictors.injected import pods

Array = NDArray[Any]
LEVELS = (80, 95)


@dataclass(frozen=True, slots=True)
class Set:
    """Pasts (T, N) and what followed (H, N), each column one origin of one series; the rows of the
    cycles that are known (day, week), none where there is none."""

    name: str
    step: float
    periods: tuple[int, ...]
    past: Array
    future: Array

    @property
    def scale(self) -> Array:
        """Mean absolute error of the seasonal naive forecast within the past (N,)."""
        lag = self.periods[0] if self.periods else 1
        moved: Array = np.nanmean(np.abs(self.past[lag:] - self.past[:-lag]), axis=0)
        return moved


def cut(
    name: str, series: list[Array], step: float, periods: tuple[int, ...], rows: int, ahead: int,
    origins: int,
) -> Set:  # fmt: skip
    """Evenly spread origins of each series; what is constant or mostly missing is left out."""
    past: list[Array] = []
    future: list[Array] = []
    for x in series:
        for at in np.linspace(rows, len(x) - ahead, origins).astype(int):
            window, rest = x[at - rows : at], x[at : at + ahead]
            lag = periods[0] if periods else 1
            moves = np.abs(window[lag:] - window[:-lag])
            if (
                np.isfinite(window).mean() > 0.8
                and np.nansum(moves) > 0
                and np.isfinite(rest).any()
            ):
                past.append(window)
                future.append(rest)
    return Set(name, step, periods, np.stack(past, axis=1), np.stack(future, axis=1))


def nab(name: str, every: int = 1) -> Array:
    """One series (T,) of tests/data/nab, means of `every` rows."""
    lines = (_ROOT / "tests/data/nab" / f"{name}.csv").read_text().splitlines()[1:]
    values = np.array([float(line or "nan") for line in lines])
    blocks = values[: len(values) // every * every].reshape(-1, every)
    known = np.isfinite(blocks)
    total = np.where(known, blocks, 0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)


def _memory(held_out: bool, metric: str, rows: int, ahead: int, origins: int) -> Set:
    found = [x for x in pods(metric, held_out).values() if x.max() > 1]
    step = max(len(found) // 16, 1)
    label = {"mem": "pod memory, 1 min", "cpu": "pod CPU, 1 min"}[metric]
    return cut(label, found[::step], 60.0, (), rows, ahead, origins)


def sets(held_out: bool, quick: bool) -> list[Set]:
    """All sets of one part."""
    many = 3 if quick else 8
    few = 2 if quick else 4
    cpu = [f"ec2_cpu_utilization_{i}" for i in ("24ae8d", "5f5533", "ac20cd", "fe7f93")]
    other = [f"ec2_cpu_utilization_{i}" for i in ("53ea38", "77c1ca", "825cc2", "c6585a")]
    if held_out:
        made = [
            cut("EC2 CPU, 5 min", [nab(n) for n in other], 300.0, (288,), 2016, 72, few),
            cut("RDS CPU, 1 h", [nab("rds_cpu_utilization_cc0c53", 12), nab("rds_cpu_utilization_e47b3b", 12)], 3600.0, (24,), 192, 24, many),
            cut("EC2 network, 15 min", [nab("ec2_network_in_5abac7", 3), nab("iio_us-east-1_i-a2eb1cd9_NetworkIn", 3)], 900.0, (), 300, 16, many),
            cut("request latency, 5 min", [nab("ec2_request_latency")], 300.0, (), 1152, 48, many),
            cut("key-stroke rate, 1 h", [nab("rogue_agent_key_updown", 12)], 3600.0, (24,), 240, 24, many),
            cut("room temperature, 1 h", [nab("ambient_temperature")], 3600.0, (24, 168), 672, 48, 2 * many),
            cut("ASG CPU (Grok), 30 min", [nab("grok_asg_anomaly", 6)], 1800.0, (48,), 384, 48, many),
        ]  # fmt: skip
    else:
        made = [
            cut("EC2 CPU, 5 min", [nab(n) for n in cpu], 300.0, (288,), 2016, 72, few),
            cut("taxi passengers, 30 min", [nab("nyc_taxi")], 1800.0, (48, 336), 1344, 48, 2 * many),
            cut("taxi passengers, 1 h", [nab("nyc_taxi", 2)], 3600.0, (24, 168), 504, 72, 2 * many),
            cut("ELB requests, 1 h", [nab("elb_request_count_8c0756", 12)], 3600.0, (24,), 168, 24, many),
            cut("machine temperature, 1 h", [nab("machine_temperature")], 3600.0, (24, 168), 504, 24, many),
            cut("ASG CPU, 5 min", [nab("cpu_utilization_asg")], 300.0, (288,), 2016, 144, many),
            cut("EC2 network and disk, 5 min", [nab("ec2_network_in_257a54"), nab("ec2_disk_write_bytes_1ef3de")], 300.0, (), 1152, 36, few),
        ]  # fmt: skip
    return [
        _memory(held_out, "mem", 360, 60, 1 if quick else 2),
        _memory(held_out, "cpu", 360, 30, 1 if quick else 2),
        *made,
    ]


def ets(x: Array, ahead: int, periods: tuple[int, ...]) -> tuple[Array, Array | None]:
    """ETSModel(A,Ad,A), without the season where it is long; mean and deviation (H,)."""
    season = periods[0] if periods and periods[0] <= LONGEST else 0
    made = fit(Job(x, ahead, season))
    return made.mean, made.deviation


def stl(x: Array, ahead: int, periods: tuple[int, ...]) -> tuple[Array, Array | None]:
    """STLForecast with ETSModel(A,Ad,N) for what is left; None of it without a season."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel
    from statsmodels.tsa.forecasting.stl import STLForecast

    y = bridged(x)
    scale = float(np.ptp(y)) or 1.0
    options = {"error": "add", "trend": "add", "damped_trend": True}
    fitted = STLForecast(y / scale, ETSModel, model_kwargs=options, period=periods[0]).fit(
        fit_kwargs={"disp": False}
    )
    return np.asarray(fitted.forecast(ahead)) * scale, None


def mstl(x: Array, ahead: int, periods: tuple[int, ...]) -> tuple[Array, Array | None]:
    """MSTL over all cycles, the last of each repeated, ETS(A,Ad,N) for what is left."""
    from statsmodels.tsa.seasonal import MSTL

    y = bridged(x)
    seen = [p for p in periods if 2 * p < len(y)]
    parts = np.asarray(MSTL(y, periods=seen).fit().seasonal).reshape(len(y), -1)
    mean = fit(Job(y - parts.sum(axis=1), ahead)).mean
    for part, p in zip(parts.T, seen, strict=True):
        mean = mean + part[len(y) - p + np.arange(ahead) % p]
    return mean, None


def naive(x: Array, ahead: int, periods: tuple[int, ...]) -> tuple[Array, Array | None]:
    """The value one day before, or the last one."""
    y = bridged(x)
    m = periods[0] if periods else 1
    return y[len(y) - m + np.arange(ahead) % m], None


ALTERNATIVES: dict[str, Callable[[Array, int, tuple[int, ...]], tuple[Array, Array | None]]] = {
    "ETS": ets, "STL": stl, "MSTL": mstl, "naive": naive,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """Means (H, N), bounds (L, H, N) or none, and milliseconds of one core per series."""

    mean: Array
    lower: Array | None
    upper: Array | None
    ms: float


def alternative(name: str, of: Set) -> Said | None:
    """What an alternative says of each column; None where it has nothing to say of the set."""
    if name in ("STL", "MSTL") and not of.periods:
        return None
    ahead = len(of.future)
    model = ALTERNATIVES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model(of.past[:, 0], ahead, of.periods)  # what is imported once is not counted
        start = time.process_time()
        said = [model(x, ahead, of.periods) for x in of.past.T]
    took = (time.process_time() - start) / len(said) * 1e3
    mean = np.stack([m for m, _ in said], axis=1)
    deviations = [d for _, d in said if d is not None]
    if not deviations:
        return Said(mean, None, None, took)
    z = np.array([NormalDist().inv_cdf(0.5 + level / 200) for level in LEVELS])[:, None, None]
    spread = z * np.stack(deviations, axis=1)
    return Said(mean, mean - spread, mean + spread, took)


def akeso(of: Set, told: str) -> Said:
    """Akeso, told the "step", the season in "rows", or "nothing"."""
    season = of.periods[0] if told == "rows" and of.periods else None
    step = of.step if told == "step" else None
    forecast(of.past[:, :1], 1)
    start = time.process_time()
    band = forecast(of.past, len(of.future), season, LEVELS, step)
    took = (time.process_time() - start) / of.past.shape[1] * 1e3
    return Said(band.mean, band.lower, band.upper, took)


def scored(of: Set, said: Said) -> dict[str, float]:
    """MASE, MSIS (at 95 %), coverage and cost. A column without a forecast counts as the worst."""
    scale = of.scale
    error = np.abs(said.mean - of.future) / scale
    known = np.isfinite(of.future)
    figures = {"mase": float(_mean(error, known)), "ms": said.ms}
    if said.lower is None or said.upper is None:
        return figures
    for i, level in enumerate(LEVELS):
        inside = (said.lower[i] <= of.future) & (of.future <= said.upper[i])
        figures[f"coverage_{level}"] = float(inside[known].mean())
    low, high = said.lower[-1], said.upper[-1]
    miss = np.maximum(low - of.future, 0) + np.maximum(of.future - high, 0)
    figures["msis"] = float(_mean((high - low + 2 / (1 - LEVELS[-1] / 100) * miss) / scale, known))
    return figures


def _mean(cells: Array, known: NDArray[np.bool_]) -> float:
    """Mean over columns of the mean over rows, so that a hole does not change a series' weight."""
    total = np.where(known, cells, 0).sum(axis=0)
    return float(np.mean(total / np.maximum(known.sum(axis=0), 1)))


def measure(held_out: bool, quick: bool) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for of in sets(held_out, quick):
        line: dict[str, Any] = {
            "series": of.past.shape[1],
            "rows": len(of.past),
            "ahead": len(of.future),
        }
        line["akeso"] = scored(of, akeso(of, "step"))
        line["rows_told"] = scored(of, akeso(of, "rows"))
        line["nothing_told"] = scored(of, akeso(of, "nothing"))
        for name in ALTERNATIVES:
            said = alternative(name, of)
            if said is not None:
                line[name] = scored(of, said)
        result[of.name] = line
    return result


def table(result: dict[str, Any]) -> str:
    """One line per set; ratios below 1 are for Akeso."""
    head = (
        f"{'set':28} {'N':>3} {'rows':>5} {'H':>4}  {'MASE':>6} {'rows':>6} {'none':>6} "
        f"{'ETS':>6} {'STL':>6} {'MSTL':>6} {'naive':>6} {'/best':>6}  {'cov80':>5} {'cov95':>5} "
        f"{'MSIS':>6} {'/ETS':>5}  {'ETS cov':>9}  {'ms':>6} {'ETS':>6} {'STL':>6} {'MSTL':>6}"
    )
    rows = [head]
    ratios: list[float] = []
    for name, line in result.items():
        ours = line["akeso"]
        cells = [f"{line[k]['mase']:6.2f}" if k in line else f"{'-':>6}" for k in ALTERNATIVES]
        best = min(line[k]["mase"] for k in ("ETS", "STL", "MSTL") if k in line)
        ratios.append(ours["mase"] / best)
        costs = [
            f"{line[k]['ms']:6.1f}" if k in line else f"{'-':>6}" for k in ("ETS", "STL", "MSTL")
        ]
        theirs = line["ETS"]
        rows.append(
            f"{name:28} {line['series']:3} {line['rows']:5} {line['ahead']:4}  {ours['mase']:6.2f} "
            f"{line['rows_told']['mase']:6.2f} {line['nothing_told']['mase']:6.2f} {' '.join(cells)} "
            f"{ratios[-1]:6.2f}  {ours['coverage_80']:5.2f} {ours['coverage_95']:5.2f} "
            f"{ours['msis']:6.1f} {ours['msis'] / theirs['msis']:5.2f}  "
            f"{theirs['coverage_80']:.2f}/{theirs['coverage_95']:.2f}  {ours['ms']:6.2f} {' '.join(costs)}"
        )  # fmt: skip
    mean = {
        key: np.mean([line["akeso"][key] for line in result.values()])
        for key in ("coverage_80", "coverage_95")
    }
    rows.append(
        f"MASE at most the best of ETS, STL, MSTL on {sum(r <= 1 for r in ratios)} of {len(ratios)} sets, "
        f"worst ratio {max(ratios):.2f}, geometric mean {np.exp(np.mean(np.log(ratios))):.3f}; "
        f"coverage {mean['coverage_80']:.3f} / {mean['coverage_95']:.3f}; MSIS / ETS (geometric mean) "
        + f"{np.exp(np.mean([np.log(v['akeso']['msis'] / v['ETS']['msis']) for v in result.values()])):.3f}"
    )
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer origins, in seconds")
    parser.add_argument("--part", choices=("development", "held-out"), default="held-out")
    parser.add_argument("-o", "--output", type=Path, help="write the figures as JSON")
    given = parser.parse_args()
    result = measure(given.part == "held-out", given.quick)
    print(table(result))
    if given.output:
        given.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
