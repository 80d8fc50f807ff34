"""How well Akeso foresees exhaustion, next to what people use today.

    python bench/exhaustion.py [--quick] [--part development|held-out] [--only core|hard|healthy]

Two generators on real backgrounds with fixed seeds: `core` (unit/predictors/injected.py) and `hard`
(hard_kinds.py). Services of the real series are either for development or held out, and so are seeds.
Beside Akeso: predict_linear gated and naked, Holt, a static threshold; ETSModel where Akeso is undecided.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from statistics import NormalDist
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # figures are for one core
_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT / name) for name in ("operator", "predictors", "tests")]

import numpy as np
from hard_kinds import hard_cases
from numpy.typing import NDArray
from opponents import OPPONENTS

from akeso_predictors import Replay, forecast, replay
from unit.predictors.injected import STEP, Case, cases, faulted, pods
from unit.predictors.scoring import HOUR, episodes, gated, judged, naked

Array = NDArray[Any]
HORIZON = 3600.0
_SEEDS = {False: 7, True: 11}


def replayed(made: list[Case]) -> list[Replay]:
    """What Akeso would have decided of each case; those of one kind of history are run together."""
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for i, case in enumerate(made):
        groups[case.metric, case.step, case.horizon, len(case.values)].append(i)
    found: dict[int, Replay] = {}
    for (metric, step, horizon, rows), members in groups.items():
        some = [made[i] for i in members]
        marks = np.zeros((2, rows, len(some)), dtype=bool)
        for s, case in enumerate(some):
            for mark, row in zip(marks, (case.restart, case.rollout), strict=True):
                if row is not None:
                    mark[row, s] = True
        said = replay(
            np.stack([case.values for case in some], axis=1),
            np.stack([np.broadcast_to(case.limit, rows) for case in some], axis=1),
            step, horizon, restarts=marks[0], breaks=marks[1], metric_class=metric,
        )  # fmt: skip
        for s, i in enumerate(members):
            own = slice(s, s + 1)
            found[i] = Replay(
                said.probability[:, own],
                said.alarm[:, own],
                said.ttf[:, own],
                said.abstained[:, own],
            )
    return [found[i] for i in range(len(made))]


def claims(made: list[Case], said: list[Replay]) -> tuple[Array, Array]:
    """Probabilities and what came true, of every row before the crossing that is not abstained."""
    p, truth = [], []
    for case, one in zip(made, said, strict=True):
        now = np.arange(len(case.values))
        crossing = np.inf if case.crossing is None else case.crossing
        live = (now < crossing) & ~one.abstained[:, 0]
        if case.restart is not None:
            live |= (now >= case.restart) & ~one.abstained[:, 0]
        ahead = (crossing - now) * case.step
        p.append(one.probability[live, 0])
        truth.append(((ahead <= case.horizon) & (ahead > 0))[live])
    return np.concatenate(p), np.concatenate(truth)


def calibration(p: Array, truth: Array) -> dict[str, float]:
    """Brier score, its skill on hot rows (P or truth above 0) and on those of them that are true or
    claimed by more than .01, its skill on hot rows against silence (P = 0), calibration error of claims."""
    claimed = p > 0.01
    bins = np.minimum((p * 10).astype(int), 9)
    error = [
        (np.abs(p[part].mean() - truth[part].mean()), part.sum())
        for part in (claimed & (bins == b) for b in range(10)) if part.any()
    ]  # fmt: skip
    return {
        "brier": float(np.mean((p - truth) ** 2)),
        "brier_skill_hot": skill(p, truth, truth | (p > 0)),
        "brier_skill_claims": skill(p, truth, truth | claimed),
        "brier_skill_silence": float(1 - np.sum((p - truth) ** 2) / np.sum(truth)),
        "ece_claims": float(sum(e * n for e, n in error) / sum(n for _, n in error)),
    }


def skill(p: Array, truth: Array, rows: Array) -> float:
    """Of the Brier score of saying the share of these rows that came true: how much is saved."""
    base = np.mean((truth[rows] - truth[rows].mean()) ** 2)
    return float(1 - np.mean((p[rows] - truth[rows]) ** 2) / base)


def compared(made: list[Case]) -> dict[str, Any]:
    """Akeso and its opponents on the same cases, and by step where there are several."""
    said = replayed(made)
    alarms = {"akeso": [one.alarm[:, 0] for one in said]}
    alarms |= {name: [rule(case) for case in made] for name, rule in OPPONENTS.items()}
    found: dict[str, Any] = {name: judged(made, columns) for name, columns in alarms.items()}
    for step in sorted({case.step for case in made}):
        own = [i for i, case in enumerate(made) if case.step == step]
        for name in ("akeso", "gated"):
            part = judged([made[i] for i in own], [alarms[name][i] for i in own])
            found[name][f"step_{step:.0f}"] = {
                key: part[key] for key in ("precision", "recall", "false_per_series_day")
            }
    return found | {"probability": calibration(*claims(made, said))}


def healthy(held_out: bool, metric: str) -> dict[str, dict[str, float]]:
    """False alarms per series-day on real series without a leak, by limit and method. Rows at which a
    fault was injected into the pod are not healthy: what begins there is not counted, but told."""
    table: dict[str, dict[str, float]] = {}
    for factor in (1.30, 1.10, 1.03):
        counts, days, unsound = Counter[str](), 0.0, Counter[str]()
        for pod, x in pods("mem" if metric == "memory" else metric, held_out).items():
            if x.max() <= 0:
                continue
            part = (x / (factor * x.max()))[:, None]
            fault = faulted(pod, len(x))
            days += (~fault).sum() * STEP / 86400
            said = replay(part, 1.0, STEP, HORIZON, metric_class=metric)
            alarms = {"akeso": said.alarm, "gated": gated(part), "naked": naked(part)}
            for name, alarm in alarms.items():
                begun = episodes(alarm[:, 0])
                counts[name] += int((~fault[begun]).sum())
                unsound[f"{name}_in_faults"] += int(fault[begun].sum())
        table[f"{factor:.2f}"] = {
            **{name: counts[name] / days for name in ("akeso", "gated", "naked")},
            **{name: float(count) for name, count in unsound.items() if count},
        }
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


def measure(quick: bool, held_out: bool, only: str | None) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if only in (None, "core"):
        made = cases(100 if quick else 1000, seed=7, held_out=held_out)
        result["core"] = compared(made)
        result["undecided"] = undecided(made, 20 if quick else 100)
    if only in (None, "hard"):
        result["hard"] = compared(hard_cases(2 if quick else 24, _SEEDS[held_out], held_out))
    if only in (None, "healthy"):
        result["healthy"] = {metric: healthy(held_out, metric) for metric in ("memory", "cpu")}
    return result


_FIGURES = (
    "precision", "recall", "f1", "lead_median_min", "lead_p10_min", "false_per_series_day",
)  # fmt: skip


def table(result: dict[str, Any]) -> str:
    """The figures beside those of the alternatives."""
    rows: list[str] = []
    methods = ("akeso", *OPPONENTS)
    for name in ("core", "hard"):
        if name in result:
            rows += _compared(name, result[name], methods)
    for metric, lines in result.get("healthy", {}).items():
        for factor, line in lines.items():
            rates = "  ".join(f"{name} {rate:.3f}" for name, rate in line.items())
            rows.append(
                f"real {metric}, limit {factor} x max, false alarms per series-day:  {rates}"
            )
    if "undecided" in result:
        scores = "  ".join(f"{k} {v:.3f}" for k, v in result["undecided"].items())
        rows.append(f"where akeso is undecided, Brier:  {scores}")
    return "\n".join(rows)


def _compared(name: str, found: dict[str, Any], methods: tuple[str, ...]) -> list[str]:
    rows = [f"{name:38}" + "".join(f"{method:>9}" for method in methods)]
    for key in _FIGURES:
        rows.append(f"  {key:36}" + "".join(f"{found[m][key]:9.3f}" for m in methods))
    for step, own in found["akeso"].items():
        if step.startswith("step_"):
            for key, value in own.items():
                rows.append(f"  {step} {key:28}{value:9.3f}{found['gated'][step][key]:9.3f}")
    rows.append(
        "  leaks alarmed in time | healthy series ever alarmed, false alarms per series-day"
    )
    for kind in found["akeso"]["kinds"]:
        line = "".join(f"{found[m]['kinds'][kind]:9.3f}" for m in methods)
        rate = "".join(f"{found[m]['false_by_kind'][kind]:9.3f}" for m in ("akeso", "gated"))
        rows.append(f"    {kind:34}{line}   |{rate}")
    return [*rows, "  " + "  ".join(f"{k} {v:.3f}" for k, v in found["probability"].items())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a tenth of the cases, in seconds")
    parser.add_argument("--part", choices=("development", "held-out"), default="held-out")
    parser.add_argument("--only", choices=("core", "hard", "healthy"))
    parser.add_argument("-o", "--output", type=Path, help="write the figures as JSON")
    given = parser.parse_args()
    result = measure(given.quick, given.part == "held-out", given.only)
    print(table(result))
    if given.output:
        given.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
