"""One series of a back-test as SVG: its values and limit, what Akeso held for likely, both alarms.

Only whoever draws imports this (matplotlib).
"""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from akeso.backtest.judge import Drawn
from akeso.backtest.model import Method, Verdict
from akeso.report.figure import drawing, inline
from akeso.report.model import Unit
from akeso.report.palette import light
from akeso.report.plot import DAY, ticks, utc
from akeso.report.words import plain

# In points, as in the report of a Healing.
WIDTH, LEFT, RIGHT = 720.0, 92.0, 14.0
VALUES, LIKELY, LANES, GAP, BELOW, ABOVE = 150.0, 34.0, 40.0, 9.0, 24.0, 16.0
LETTERS = 8.5
# Points of a line that this width can show; each is the lowest and the highest of its rows.
BUCKETS = 520
# Of a long series each failure is shown from so many horizons before it to so many after.
BEFORE, AFTER = 6.0, 1.0
# A mark is as wide as this share of the axis at least.
LEAST = 0.004

SHAPES = {
    Verdict.FORETOLD: ("good", "^"),
    Verdict.FALSE: ("bad", "X"),
    Verdict.UNKNOWN: ("quiet", "o"),
}


@dataclass(frozen=True, slots=True)
class Span:
    """Unix seconds."""

    low: float
    high: float


def whole(drawn: Drawn) -> Span:
    """All of the series."""
    time = drawn.history.time
    return Span(float(time[0]), float(max(time[-1], time[0] + 1)))


def around(drawn: Drawn, at: float, horizon: float) -> Span:
    """The way to one failure."""
    all_ = whole(drawn)
    return Span(max(all_.low, at - BEFORE * horizon), min(all_.high, at + AFTER * horizon))


def svg(drawn: Drawn, span: Span, unit: Unit, name: str) -> str:
    """An `<svg>` element; `name` makes its ids its own on the page."""
    high = ABOVE + VALUES + LIKELY + LANES + 2 * GAP + BELOW
    with drawing({"svg.hashsalt": f"{drawn.result.name}/{name}"}):
        figure: Any = Figure(figsize=(WIDTH / 72, high / 72), facecolor="none")

        def axes(bottom: float, height: float) -> Any:
            place = LEFT / WIDTH, bottom / high, 1 - (LEFT + RIGHT) / WIDTH, height / high
            return figure.add_axes(place)

        lanes = axes(BELOW, LANES)
        likely = axes(BELOW + LANES + GAP, LIKELY)
        values = axes(BELOW + LANES + LIKELY + 2 * GAP, VALUES)
        for one in (values, likely, lanes):
            _frame(one, span, one is lanes)
        _values(values, drawn, span, unit)
        _likely(likely, drawn, span)
        _lanes(lanes, drawn, span)
        out = StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    return inline(out.getvalue(), _described(drawn))


def _frame(axes: Any, span: Span, last: bool) -> None:
    pad = 0.01 * (span.high - span.low)
    axes.set_xlim((span.low - pad) / DAY, (span.high + pad) / DAY)
    axes.set_facecolor("none")
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(light("muted") if last else light("line"))
    axes.tick_params(colors=light("muted"), labelsize=LETTERS, length=3 if last else 0, width=0.8)
    axes.tick_params(axis="y", length=0)
    places, shape = ticks(span.low, span.high)
    axes.set_xticks([t / DAY for t in places], [utc(t, shape) if last else "" for t in places])


def _values(axes: Any, drawn: Drawn, span: Span, unit: Unit) -> None:
    history = drawn.history
    time, value = _thinned(history.time, history.value, span)
    bound_time, bound = _thinned(history.time, _filled(history.limit), span)
    scale, name = _scale(unit, value, bound)
    axes.grid(axis="y", color=light("line"), lw=0.8)
    axes.set_axisbelow(True)
    axes.plot(bound_time / DAY, bound / scale, color=light("limit"), lw=1.2, ls=(0, (5, 2)))
    axes.plot(time / DAY, value / scale, color=light("signal"), lw=1.3)
    tops = [float(np.nanmax(x)) for x in (value, bound) if np.isfinite(x).any()]
    top = max(tops, default=1.0) / scale or 1.0
    axes.set_ylim(-0.02 * top, 1.12 * top)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))

    def said(number: float, _: object) -> str:
        return f"{number:.4g}{name}" if number else "0"

    axes.yaxis.set_major_formatter(FuncFormatter(said))
    for failure in drawn.result.failures:
        at = failure.at.timestamp()
        if span.low <= at <= span.high:
            axes.axvline(at / DAY, color=light("bad"), lw=1.0, zorder=1.5)
            axes.plot([at / DAY], [1.09 * top], "v", color=light("bad"), ms=5, clip_on=False)


def _likely(axes: Any, drawn: Drawn, span: Span) -> None:
    time, likely = _thinned(drawn.history.time, np.asarray(drawn.probability, float), span)
    axes.fill_between(time / DAY, 0, 100 * likely, color=light("hope"), alpha=0.45, lw=0)
    axes.set_ylim(0, 104)
    axes.set_yticks([0, 100], ["0", "P 100 %"])


def _lanes(axes: Any, drawn: Drawn, span: Span) -> None:
    axes.set_ylim(-0.6, 1.6)
    axes.set_yticks([1, 0], ["Akeso", "predict_linear"])
    least = LEAST * (span.high - span.low)
    for alarm in drawn.result.alarms:
        begin, end = alarm.at.timestamp(), alarm.until.timestamp()
        if end < span.low or begin > span.high:
            continue
        lane = 1 if alarm.method is Method.AKESO else 0
        name, shape = SHAPES[alarm.verdict]
        colour = light(name)
        low, high = max(begin, span.low), min(max(end, begin + least), span.high)
        axes.plot([low / DAY, high / DAY], [lane, lane], color=colour, lw=5, alpha=0.45,
                  solid_capstyle="butt")  # fmt: skip
        if begin >= span.low:
            fill = light("paper") if alarm.verdict is Verdict.UNKNOWN else colour
            axes.plot([begin / DAY], [lane], shape, ms=6, mfc=fill, mec=colour, mew=1.0)


def _filled(limits: NDArray[Any]) -> NDArray[Any]:
    there = np.isfinite(limits)
    if not there.any():
        return limits
    at = np.maximum.accumulate(np.where(there, np.arange(len(limits)), -1))
    return np.where(at >= 0, limits[np.maximum(at, 0)], np.nan)


def _thinned(
    time: NDArray[Any], value: NDArray[Any], span: Span
) -> tuple[NDArray[Any], NDArray[Any]]:
    """What a line of this width can show: of each bucket of rows the lowest and the highest."""
    inside = (time >= span.low) & (time <= span.high)
    time, value = time[inside], value[inside]
    if len(time) <= 2 * BUCKETS:
        return time, value
    parts = np.array_split(np.arange(len(time)), BUCKETS)
    found: list[int] = []
    for part in parts:
        there = part[np.isfinite(value[part])]
        if not len(there):
            found.append(int(part[0]))
            continue
        ends = {int(there[value[there].argmin()]), int(there[value[there].argmax()])}
        found += sorted(ends)
    return time[found], value[found]


def _scale(unit: Unit, *values: NDArray[Any]) -> tuple[float, str]:
    if unit is not Unit.BYTES:
        return 1.0, ""
    top = max((float(np.nanmax(v)) for v in values if np.isfinite(v).any()), default=0.0)
    for power, name in ((30, " GiB"), (20, " MiB"), (10, " KiB")):
        if top >= 2.0 * 2**power:
            return float(2**power), name
    return 1.0, " B"


def _described(drawn: Drawn) -> str:
    """What somebody who can't see the plot is told."""
    result = drawn.result
    failures = len(result.failures)
    return plain(
        f"{result.name}: {failures} failures, of which Akeso foresaw {result.akeso.foreseen} with"
        f" {result.akeso.false_alarms} false alarms, predict_linear {result.predict_linear.foreseen}"
        f" with {result.predict_linear.false_alarms}.",
        300,
    )
