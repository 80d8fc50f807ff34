"""How far Akeso's probabilities and times can be taken at their word, before and after calibration.

    python bench/calibration.py [--quick] [-o FILE.json|FILE.svg|FILE.png]

For each generator of bench/exhaustion.py: learned on its development half (services and seeds), reported on
its held-out half, whose services and seeds differ. Beside Akeso's isotonic map, learned on the same rows:
nothing, the map that the other generator taught, Platt's logistic curve, and the base rate.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # figures are for one core
_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT / name) for name in ("operator", "predictors", "tests")]

import numpy as np
from exhaustion import skill
from hard_kinds import hard_cases
from numpy.typing import NDArray

from akeso_predictors import Calibration, calibrate, replay
from unit.predictors.injected import Case, cases

Array = NDArray[Any]
SEEDS = {False: 7, True: 11}
CLAIM = 0.01


PARTS = ("core", "hard")


def made(part: str, quick: bool, held_out: bool) -> list[Case]:
    """Cases of one generator."""
    if part == "core":
        return cases(80 if quick else 600, seed=SEEDS[held_out], held_out=held_out)
    return hard_cases(1 if quick else 10, SEEDS[held_out], held_out)


def grouped(some: list[Case]) -> dict[tuple[Any, ...], list[Case]]:
    """Cases of one kind of history: class, step, horizon, length."""
    groups: dict[tuple[Any, ...], list[Case]] = defaultdict(list)
    for case in some:
        groups[case.metric, case.step, case.horizon, len(case.values)].append(case)
    return groups


def arguments(some: list[Case]) -> dict[str, Any]:
    """What replay and calibrate take of cases of one kind."""
    rows = len(some[0].values)
    marks = np.zeros((2, rows, len(some)), dtype=bool)
    for s, case in enumerate(some):
        for mark, row in zip(marks, (case.restart, case.rollout), strict=True):
            if row is not None:
                mark[row, s] = True
    return {
        "values": np.stack([case.values for case in some], axis=1),
        "limits": np.stack([np.broadcast_to(case.limit, rows) for case in some], axis=1),
        "step_seconds": some[0].step,
        "horizon_seconds": some[0].horizon,
        "restarts": marks[0],
        "breaks": marks[1],
        "metric_class": some[0].metric,
    }


def learned(some: list[Case]) -> Calibration:
    known = Calibration()
    for group in grouped(some).values():
        known = calibrate(**arguments(group), known=known)
    return known


class Rows:
    """Rows with a known end (N,): raw probability, truth, class; and, where the limit was reached within
    twice the horizon, the raw quantiles, the actual time and the horizon."""

    def __init__(self, some: list[Case]) -> None:
        parts: list[tuple[Array, Array, Array]] = []
        times: list[tuple[str, float, Array, Array]] = []
        for (metric, step, horizon, rows), group in grouped(some).items():
            said = replay(**arguments(group), calibration=Calibration())
            now = np.arange(rows)[:, None]
            crossing = np.array([np.inf if c.crossing is None else c.crossing for c in group])
            ahead = (crossing[None, :] - now) * step
            live = (ahead > 0) & ~said.abstained
            # A history that ends before the horizon proves nothing, unless the limit was reached.
            live &= np.isfinite(ahead) | (now + horizon / step < rows)
            p = said.probability[live]
            parts.append((p, (ahead <= horizon)[live], np.full(len(p), metric)))
            timed = live & (said.probability > CLAIM) & (ahead <= 2 * horizon)
            timed &= said.ttf[..., 1] <= horizon
            times.append((metric, horizon, said.ttf[timed], ahead[timed]))
        self.p, self.truth, self.metric = (
            np.concatenate(part) for part in zip(*parts, strict=True)
        )
        self.times = times

    def corrected(self, known: Calibration) -> Array:
        p = self.p.copy()
        for metric in np.unique(self.metric):
            own = self.metric == metric
            p[own] = known.probability(str(metric), self.p[own])
        return p

    def coverage(self, known: Calibration) -> list[float]:
        """How often the limit was reached by each quantile, where it was reached."""
        hits = [
            actual[:, None] <= known.ttf(metric, horizon, ttf)
            for metric, horizon, ttf, actual in self.times
        ]
        return [float(share) for share in np.concatenate(hits).mean(axis=0)]


def platt(p: Array, truth: Array) -> tuple[float, float]:
    """Slope and intercept of a logistic curve over log odds, by Newton's method (Platt 1999)."""
    x, w = np.stack([odds(p), np.ones_like(p)], axis=1), np.array([1.0, 0.0])
    for _ in range(25):
        y = 1 / (1 + np.exp(-x @ w))
        curvature = (x * (y * (1 - y))[:, None]).T @ x + 1e-6 * np.eye(2)
        w = w - np.linalg.solve(curvature, x.T @ (y - truth))
    return float(w[0]), float(w[1])


def odds(p: Array) -> Array:
    inside = p.clip(1e-4, 1 - 1e-4)
    logs: Array = np.log(inside / (1 - inside))
    return logs


def error(p: Array, truth: Array) -> float:
    """Expected calibration error over ten bins."""
    bins = np.minimum((p * 10).astype(int), 9)
    gaps = [abs(float((p - truth)[bins == b].sum())) for b in range(10)]
    return sum(gaps) / max(len(p), 1)


def scores(p: Array, truth: Array, raw: Array) -> dict[str, float]:
    """Brier score, its skill on hot rows (raw P or truth above 0) and on those of them that are true
    or claimed, calibration error of all rows and of those that claim something."""
    claimed = p > CLAIM
    return {
        "brier": float(np.mean((p - truth) ** 2)),
        "brier_skill_hot": skill(p, truth, truth | (raw > 0)),
        "brier_skill_claims": skill(p, truth, truth | (raw > CLAIM)),
        "ece": error(p, truth),
        "ece_claims": error(p[claimed], truth[claimed]),
    }


def reliability(p: Array, truth: Array) -> list[tuple[float, float, int]]:
    """Said, seen and number of rows that claim something, by tenths."""
    bins, claimed = np.minimum((p * 10).astype(int), 9), p > CLAIM
    parts = [claimed & (bins == b) for b in range(10)]
    return [(float(p[m].mean()), float(truth[m].mean()), int(m.sum())) for m in parts if m.any()]


def measure(quick: bool) -> dict[str, Any]:
    development = {part: made(part, quick, held_out=False) for part in PARTS}
    known = {part: learned(some) for part, some in development.items()}
    result: dict[str, Any] = {}
    for part, other in zip(PARTS, reversed(PARTS), strict=True):
        before, rows = Rows(development[part]), Rows(made(part, quick, held_out=True))
        result[part] = judged(before, rows, known[part], known[other])
    return result


def judged(before: Rows, rows: Rows, known: Calibration, foreign: Calibration) -> dict[str, Any]:
    """Held-out `rows` by every way of correction; `before` are those of the development half."""
    learnt, claimed = before.p > CLAIM, rows.p > CLAIM
    slope, shift = platt(before.p[learnt], before.truth[learnt])
    said = {
        "uncalibrated": rows.p,
        "isotonic": rows.corrected(known),
        "the other's": rows.corrected(foreign),
        "platt": np.where(claimed, 1 / (1 + np.exp(-(slope * odds(rows.p) + shift))), rows.p),
        "base rate": np.where(claimed, before.truth[learnt].mean(), 0.0),
    }
    both = ("uncalibrated", "isotonic")
    return {
        "scores": {name: scores(p, rows.truth, rows.p) for name, p in said.items()},
        "reliability": {name: reliability(said[name], rows.truth) for name in both},
        "coverage": {
            name: rows.coverage(known if name == "isotonic" else Calibration()) for name in both
        },
        "rows": len(rows.p),
    }


def table(result: dict[str, Any]) -> str:
    lines: list[str] = []
    for part, found in result.items():
        names = found["scores"]
        lines.append(f"{part}, {found['rows']} held-out rows".ljust(34) + _columns(names))
        for key in ("brier", "brier_skill_hot", "brier_skill_claims", "ece", "ece_claims"):
            lines.append(f"  {key:32}" + _columns(f"{one[key]:.4f}" for one in names.values()))
        for name, shares in found["coverage"].items():
            told = "  ".join(f"{share:.3f}" for share in shares)
            lines.append(f"  reached by the 10/50/90 % quantile, {name}:  {told}")
        for name, rows in found["reliability"].items():
            told = "  ".join(f"{said:.2f}>{seen:.2f} ({count})" for said, seen, count in rows)
            lines.append(f"  said>seen (rows), {name}:  {told}")
    return "\n".join(lines)


def _columns(cells: Iterable[str]) -> str:
    return "".join(f"{cell:>14}" for cell in cells)


def plot(result: dict[str, Any], file: Path) -> None:
    """The reliability diagram: what was said against what came true."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, both = pyplot.subplots(1, 2, figsize=(9, 4.6), sharey=True, layout="constrained")
    for axes, part in zip(both, PARTS, strict=True):
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        for name, colour in (("uncalibrated", "#b35806"), ("isotonic", "#2166ac")):
            rows = np.array(result[part]["reliability"][name])
            size = 150 * np.sqrt(rows[:, 2] / rows[:, 2].max())
            axes.plot(rows[:, 0], rows[:, 1], color=colour, linewidth=1, label=name)
            axes.scatter(rows[:, 0], rows[:, 1], s=size, color=colour, alpha=0.6)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability said", title=f"{part}, held out")
    both[0].set_ylabel("share that came true")
    both[0].legend(loc="upper left", frameon=False)
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a tenth of the cases, in seconds")
    parser.add_argument("-o", "--output", type=Path, help="figures as .json, or a plot: .svg, .png")
    given = parser.parse_args()
    result = measure(given.quick)
    print(table(result))
    if given.output and given.output.suffix == ".json":
        given.output.write_text(json.dumps(result, indent=1) + "\n")
    elif given.output:
        plot(result, given.output)


if __name__ == "__main__":
    main()
