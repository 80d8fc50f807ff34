"""One plot of a report on matplotlib's axes: series, threshold, forecast, moments, legend."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from akeso.report.marks import LONGEST, Mark, Room, placed
from akeso.report.model import Outlook, Panel, Report, Role, Series, Unit
from akeso.report.palette import OF_MOOD, OF_ROLE, light
from akeso.report.words import amount, clock, plain

EMPTY = "no measured series: shown is what the Healing itself records"
DAY = 86_400.0  # matplotlib counts days
# A pause of so many steps is a gap: nothing was measured there.
GAP_STEPS = 2.5
_TICKS = (
    *(1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0),
    *(3600.0, 7200.0, 10800.0, 21600.0, 43200.0, 86400.0, 172800.0, 604800.0),
)


@dataclass(frozen=True, slots=True)
class Size:
    """Letters, lines and the plot itself, in points."""

    letters: float
    line: float
    width: float
    height: float

    @property
    def lane(self) -> float:
        """Height of one line of words above the plot."""
        return 1.47 * self.letters


def marks_of(report: Report, panel: Panel, size: Size) -> list[Mark]:
    """The moments' lines and words for a plot of this size; its height does not matter."""
    return placed(report.moments, Room(*_reach(report, panel), size.width, size.letters))


def room_above(report: Report, panel: Panel, size: Size) -> float:
    """Points that the words above the plot take."""
    lanes = 1 + max((mark.lane for mark in marks_of(report, panel, size)), default=0)
    return 10.0 + lanes * size.lane


def room_below(panel: Panel, size: Size) -> float:
    """Points that the axis and the legend take below the plot."""
    return 26.0 + size.letters + 1.75 * size.letters * -(-len(entries(panel)) // 2)


def draw(axes: Any, report: Report, panel: Panel, size: Size) -> None:
    """Everything of one panel but its legend."""
    low, high = _reach(report, panel)
    scale, unit = _scale(panel)
    axes.set_xlim(low / DAY, high / DAY)
    bottom, top = (end / scale for end in _extent(panel))
    axes.set_ylim(bottom - 0.015 * (top - bottom), top)  # a line at zero is to be seen
    _frame(axes, report, panel, size, unit)
    if panel.threshold is not None and (panel.series or panel.seen is not None):
        _threshold(axes, panel, size, scale)
    for line in panel.limits:
        axes.plot(*_steps(line, panel.step, scale), color=light("limit"), lw=1.2, ls=(0, (5, 2)))
    if panel.outlook is not None:
        _outlook(axes, panel.outlook, size, high, scale)
    for line in reversed(panel.series):
        axes.plot(
            *_steps(line, panel.step, scale),
            color=light(OF_ROLE[line.role]),
            lw=size.line if line.role in (Role.CONCERNED, Role.SUCCESSOR) else 0.7 * size.line,
            alpha=_strength(panel, line),
            solid_capstyle="round",
            zorder=4 if line.role is Role.CONCERNED else 3,
        )
    if panel.seen is not None:
        at, value = panel.seen
        axes.plot(
            [at / DAY], [value / scale], "o", ms=3.2 * size.line, mew=0.8 * size.line, zorder=6,
            mfc=light("paper"), mec=light("hope"),
        )  # fmt: skip
    if not panel.series:
        axes.text(
            0.5, 0.4 if panel.seen is None else 0.08, EMPTY, transform=axes.transAxes,
            ha="center", color=light("muted"), size=1.1 * size.letters,
        )  # fmt: skip
    _marks(axes, marks_of(report, panel, size), size)


def _frame(axes: Any, report: Report, panel: Panel, size: Size, unit: str) -> None:
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(light("muted"))
    axes.set_facecolor("none")
    axes.tick_params(colors=light("muted"), labelsize=size.letters, length=3, width=0.8)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=light("line"), lw=0.8)
    axes.set_axisbelow(True)
    places, shape = ticks(*_reach(report, panel))
    axes.set_xticks([t / DAY for t in places], [utc(t, shape) for t in places])
    axes.set_xlabel(
        f"UTC, {report.opened.astimezone(UTC):%Y-%m-%d}", color=light("muted"),
        size=size.letters, loc="right", labelpad=1,
    )  # fmt: skip
    if panel.seen is None and not panel.series:
        axes.yaxis.set_visible(False)
        return
    steps = [1, 1.28, 1.6, 2, 2.56, 3.2, 4, 5, 6.4, 8, 10] if panel.unit is Unit.BYTES else None
    axes.yaxis.set_major_locator(
        MaxNLocator(nbins=5, steps=steps or [1, 2, 2.5, 5, 10], integer=panel.unit is Unit.COUNT)
    )
    if panel.unit is Unit.SHARE:
        unit = " %"
    factor = 100.0 if panel.unit is Unit.SHARE else 1.0

    def said(value: float, _: object) -> str:
        return f"{factor * value:.4g}{unit}" if value else "0"

    axes.yaxis.set_major_formatter(FuncFormatter(said))


def ticks(low: float, high: float) -> tuple[list[float], str]:
    """Round moments about a seventh of the axis apart, and how they are written."""
    weeks = math.ceil((high - low) / 7.5 / _TICKS[-1]) * _TICKS[-1]
    step = next((s for s in _TICKS if high - low <= 7.5 * s), weeks)
    first = math.ceil(low / step)
    found = [n * step for n in range(first, math.floor(high / step) + 1)]
    if step < 60:
        return found, "%H:%M:%S"
    return found, "%H:%M" if high - low <= DAY else "%d %b %H:%M"


def utc(seconds: float, shape: str) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(shape)


def _threshold(axes: Any, panel: Panel, size: Size, scale: float) -> None:
    """The line that must not be crossed; where the limit itself was measured, only its value."""
    value = panel.threshold or 0.0
    if not panel.limits:
        axes.axhline(value / scale, color=light("limit"), lw=1.2, ls=(0, (5, 2)), zorder=2)
    axes.annotate(
        f"{panel.threshold_label} {amount(value, panel.unit)}", (0.0, value / scale),
        xycoords=("axes fraction", "data"), xytext=(4, 4), textcoords="offset points",
        color=light("limit"), size=size.letters, zorder=7,
        bbox={"boxstyle": "square,pad=0.05", "fc": light("paper"), "ec": "none", "alpha": 0.8},
    )  # fmt: skip


def _outlook(axes: Any, outlook: Outlook, size: Size, high: float, scale: float) -> None:
    """The path to the threshold as it was expected: median dashed, the 10-90 % band shaded."""
    at, value = outlook.at / DAY, outlook.value / scale
    goal = outlook.threshold / scale
    hope = light("hope")
    if outlook.early is not None:
        late = [(outlook.late / DAY, goal)] if outlook.late is not None else []
        open_end = late or [(high / DAY, goal), (high / DAY, value)]
        corners = [(at, value), (outlook.early / DAY, goal), *open_end]
        xs, ys = zip(*corners, strict=True)
        axes.fill(xs, ys, color=hope, alpha=0.17, lw=0, zorder=1)
    if outlook.middle is not None:
        axes.plot(
            [at, outlook.middle / DAY], [value, goal], color=hope, lw=0.8 * size.line,
            ls=(0, (3, 1.6)), zorder=5,
        )  # fmt: skip


def _marks(axes: Any, marks: Sequence[Mark], size: Size) -> None:
    """A line at each moment, with its words above the plot."""
    for mark in marks:
        at, colour = mark.at / DAY, light(OF_MOOD[mark.mood])
        top = 1.0 + (mark.lane * size.lane + 3.0) / size.height
        axes.plot(
            [at, at], [0, top], transform=axes.get_xaxis_transform(), color=colour, lw=0.9,
            ls=(0, (1.2, 1.6)) if mark.expected else "-", clip_on=False, zorder=2.5, alpha=0.85,
        )  # fmt: skip
        axes.annotate(
            mark.text, (at, top), xycoords=axes.get_xaxis_transform(), annotation_clip=False,
            xytext=(-3 if mark.leftward else 3, -2), textcoords="offset points", va="bottom",
            ha="right" if mark.leftward else "left", color=colour, size=size.letters,
        )  # fmt: skip


def _reach(report: Report, panel: Panel) -> tuple[float, float]:
    """The time shown: all that was measured, happened or was expected, and a little more."""
    times = [m.at.timestamp() for m in report.moments]
    times += [t for s in panel.series for t in (s.points[0][0], s.points[-1][0])]
    if panel.outlook is not None:
        times += [panel.outlook.at, *_ends(panel.outlook)]
    low, high = min(times), max(times)
    pad = max(2.0, 0.025 * (high - low))
    return low - pad, high + pad


def _ends(outlook: Outlook) -> Iterator[float]:
    """When the threshold is reached; a late end that is very late would press all the rest."""
    if outlook.early is not None:
        yield outlook.early
    if outlook.middle is not None:
        yield outlook.middle
        if outlook.late is not None and outlook.late - outlook.at <= 2 * (
            outlook.middle - outlook.at
        ):
            yield outlook.late


def _extent(panel: Panel) -> tuple[float, float]:
    """From the lowest value, or 0, to the highest, or 0, and room for the words above it."""
    values = [0.0, *(v for s in (*panel.series, *panel.limits) for _, v in s.points)]
    values += [panel.threshold or 0.0, panel.seen[1] if panel.seen is not None else 0.0]
    low, high = min(values), max(values)
    if low == high:
        return 0.0, 1.0
    return low - (0.05 * (high - low) if low < 0 else 0.0), high + 0.13 * (high - low)


def _scale(panel: Panel) -> tuple[float, str]:
    """What a value is divided by, and the unit it then has."""
    if panel.unit is not Unit.BYTES:
        return 1.0, ""
    top = max(map(abs, _extent(panel)))
    for power, unit in ((30, " GiB"), (20, " MiB"), (10, " KiB")):
        if top >= 2.0 * 2**power:
            return float(2**power), unit
    return 1.0, " B"


def _steps(series: Series, step: float, scale: float) -> tuple[list[float], list[float]]:
    """Times and values; where nothing was measured the line is broken."""
    first = series.points[0]
    xs, ys = [first[0] / DAY], [first[1] / scale]
    for before, after in pairwise(series.points):
        if step and after[0] - before[0] > GAP_STEPS * step:
            xs.append(before[0] / DAY)
            ys.append(float("nan"))
        xs.append(after[0] / DAY)
        ys.append(after[1] / scale)
    return xs, ys


def _strength(panel: Panel, series: Series) -> float:
    """Several lines of one colour: the first is the clearest."""
    same = [s.label for s in panel.series if s.role is series.role]
    return max(0.45, 1.0 - 0.2 * same.index(series.label))


def entries(panel: Panel) -> list[tuple[Any, str]]:
    """Handles and words; the threshold and the marks have their words beside them."""
    found: list[tuple[Any, str]] = []
    for line in panel.series:
        colour = light(OF_ROLE[line.role])
        handle = Line2D([], [], color=colour, lw=2.0, alpha=_strength(panel, line))
        remark = f" ({line.remark})" if line.remark else ""
        found.append((handle, plain(line.label, LONGEST) + remark))
    if panel.outlook is not None:
        at = clock(panel.outlook.at)
        if panel.outlook.middle is not None:
            dashed = Line2D([], [], color=light("hope"), lw=1.6, ls=(0, (3, 1.6)))
            found.append((dashed, f"forecast made of the samples until {at}: median"))
        band = Patch(facecolor=light("hope"), alpha=0.25, lw=0)
        found.append((band, "the same: 10 % to 90 %"))
    return found


def add_legend(axes: Any, panel: Panel, size: Size) -> None:
    """Two columns below the plot."""
    found = entries(panel)
    if not found:
        return
    below = -(20.0 + 1.2 * size.letters) / size.height
    handles, said = zip(*found, strict=True)
    axes.legend(
        handles, said, loc="upper left", bbox_to_anchor=(-0.01, below), ncols=2,
        frameon=False, fontsize=size.letters, labelcolor=light("ink"), handlelength=1.8,
        columnspacing=2.5, borderaxespad=0.0, labelspacing=0.35,
    )  # fmt: skip
