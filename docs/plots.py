#!/usr/bin/env python3
"""Draws docs/images/forecast-*.svg and backtest.svg from series of the tests.

    python docs/plots.py            draw them
    python docs/plots.py --check    write nothing, fail when a picture is out of date

Numbers in a picture may differ by two pixels: processors round differently.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("operator", "healers", "predictors", "tests", "bench", "docs")
sys.path[:0] = [str(ROOT / folder) for folder in FOLDERS]

import matplotlib

matplotlib.use("svg")

import backtest_example
import matplotlib.pyplot as plt
import numpy as np
from calibration import Rows, learned
from calibration import reliability as tenths
from numpy.typing import NDArray

from akeso_predictors import forecast, replay
from akeso_predictors.linear import alarms
from unit.predictors.injected import cases

Array = NDArray[Any]
IMAGES = ROOT / "docs" / "images"
DATA = ROOT / "tests" / "data"
CASES = 300
STEP, HORIZON = 60.0, 3600.0
INK, CALM, ALARM, OTHER = "#24292f", "#0969da", "#cf222e", "#9a6700"
STYLE: Any = {
    "path.simplify": False, # what is left out would hang on the last digits
    "svg.fonttype": "none", "svg.hashsalt": "akeso", "font.size": 9, "font.family": "sans-serif",
    "axes.spines.top": False, "axes.spines.right": False, "figure.facecolor": "white", "axes.edgecolor": INK, "text.color": INK,
}  # fmt: skip
_NEAR = 2.0  # pixels


def pod(name: str) -> Array:
    """A real pod's memory (T,) in per cent of its limit, one row a minute."""
    for path in sorted((DATA / "nezha").glob("*_mem_rate.csv")):
        with path.open() as file:
            names, *rows = list(csv.reader(file))
        for column, found in enumerate(names):
            if found.startswith(name):
                return np.array([float(row[column]) for row in rows])
    raise LookupError(name)


def histories() -> dict[str, Array]:
    """What a real pod would have shown with a leak, a collected heap and a warm-up on top."""
    rows = 300
    whole = pod("adservice")[:rows]
    background = 0.35 * whole / np.median(whole)
    t = np.arange(rows)
    leak = background + 0.66 * ((t - 100) / 170).clip(0)
    leak[np.flatnonzero(leak >= 1)[0] + 1 :] = np.nan
    return {
        "a leak that begins after 100 min": leak,
        "a heap that is collected": background + 0.45 * (t / 55 % 1),
        "a warm-up that ends": background + 0.5 * (1 - np.exp(-(t - 60).clip(0) / 40)),
    }


def exhaustion() -> None:
    """Three histories, what was said of them row by row, and when who would have been woken."""
    found = histories()
    _, axes = plt.subplots(
        2, len(found), figsize=(9.6, 3.6), sharex=True, sharey="row", height_ratios=(2, 1)
    )
    for (title, values), (upper, lower) in zip(found.items(), axes.T, strict=True):
        minutes = np.arange(len(values))
        said = replay(values, 1.0, STEP, HORIZON)
        theirs = alarms(values, 1.0, STEP, HORIZON)
        upper.plot(minutes, 100 * values, color=INK, lw=1)
        upper.axhline(100, color=INK, lw=0.8, ls=":")
        for when, colour, name in (
            (said.alarm[:, 0], ALARM, "Akeso"),
            (np.ravel(theirs), OTHER, "predict_linear"),
        ):
            rows = np.flatnonzero(when)
            if len(rows):
                upper.axvline(rows[0], color=colour, lw=1.2, label=f"{name}: minute {rows[0]}")
        upper.set_title(title, fontsize=9)
        upper.set_ylim(0, 125)
        if upper.get_legend_handles_labels()[1]:
            upper.legend(frameon=False, fontsize=7, loc="upper left")
        lower.fill_between(minutes, np.round(100 * said.probability[:, 0]), color=CALM, lw=0)
        lower.set_ylim(0, 100)
        lower.set_xlabel("minutes")
    axes[0, 0].set_ylabel("memory, % of the limit")
    axes[1, 0].set_ylabel("P within 1 h, %")


def values() -> None:
    """A day ahead of fourteen known ones, with its bands, and what came."""
    series = np.loadtxt(DATA / "nab" / "nyc_taxi.csv")
    day, known = 48, 14 * 48
    series = series[: known + day]
    band = forecast(series[:known], day, step_seconds=1800)
    _, axes = plt.subplots(figsize=(9.6, 2.8))
    days = np.arange(len(series)) / day
    ahead = days[known:]
    for level, shade in ((1, 0.2), (0, 0.35)):
        axes.fill_between(
            ahead, band.lower[level, :, 0], band.upper[level, :, 0], color=CALM, alpha=shade, lw=0,
            label=f"{(80, 95)[level]} %",
        )  # fmt: skip
    axes.plot(ahead, band.mean[:, 0], color=CALM, lw=1.4, label="forecast")
    axes.plot(days, series, color=INK, lw=1, label="measured")
    axes.axvline(known / day, color=INK, lw=0.8, ls=":")
    axes.set_xlim(known / day - 6, days[-1])
    axes.set_ylim(0)
    axes.set_xlabel("days")
    axes.set_ylabel("taxi rides per half hour")
    axes.legend(frameon=False, fontsize=8, ncol=4, loc="upper left")


def reliability() -> None:
    """What was said against what came true, on services that nothing was learned of."""
    known = learned(cases(CASES, seed=7))
    rows = Rows(cases(CASES, seed=11, held_out=True))
    _, axes = plt.subplots(figsize=(4.2, 3.6))
    axes.plot([0, 100], [0, 100], color=INK, lw=0.8, ls=":")
    for said, colour, name in (
        (rows.p, OTHER, "uncalibrated"),
        (rows.corrected(known), CALM, "calibrated"),
    ):
        bins = np.round(100 * np.array(tenths(said, rows.truth))[:, :2], 1)
        axes.plot(bins[:, 0], bins[:, 1], color=colour, lw=1.2, marker="o", ms=4, label=name)
    axes.set_xlabel("said: P, %")
    axes.set_ylabel("came true, %")
    axes.legend(frameon=False, fontsize=8, loc="upper left")


PICTURES: dict[str, Callable[[], None]] = {
    "forecast-reliability": reliability,
    "forecast-exhaustion": exhaustion,
    "forecast-values": values,
}


def drawn(draw: Callable[[], None]) -> str:
    """A picture as the text of an SVG file."""
    with matplotlib.rc_context(STYLE):
        plt.close("all")
        draw()
        out = io.StringIO()
        plt.gcf().tight_layout()
        plt.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return re.sub(r"[ \t]+$", "", out.getvalue(), flags=re.MULTILINE)


_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")


def same(one: str, other: str) -> bool:
    """Whether two pictures differ by no more than rounding."""
    if _NUMBER.sub("", one) != _NUMBER.sub("", other):
        return False
    pairs = zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True)
    return all(abs(float(a) - float(b)) <= _NEAR for a, b in pairs)


def example() -> str:
    """The picture of docs/backtest.md."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "pods.csv"
        backtest_example.write(file)
        return backtest_example.picture(file)


def main() -> int:
    stale: list[str] = []
    pictures = {name: drawn(draw) for name, draw in PICTURES.items()} | {"backtest": example()}
    for name, text in pictures.items():
        path = IMAGES / f"{name}.svg"
        if "--check" not in sys.argv:
            path.write_text(text)
        elif not path.exists() or not same(path.read_text(), text):
            stale.append(str(path.relative_to(ROOT)))
    if stale:
        print(f"out of date: {', '.join(stale)}; run `make docs`", file=sys.stderr)
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
