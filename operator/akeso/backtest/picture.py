"""One series and its forecast as PNG or SVG. Only whoever draws imports this (matplotlib)."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from akeso.backtest.outlook import Lines, Outlook, extent
from akeso.report.figure import drawing
from akeso.report.palette import light
from akeso.report.plot import DAY, ticks, utc
from akeso.report.words import plain

INCHES, DPI = (12.0, 6.0), 100
LETTERS = 11.0


def picture(told: Outlook, lines: Lines, form: str) -> bytes:
    """`form` is "png" (1200 by 600 pixels) or "svg"."""
    with drawing({"svg.hashsalt": told.series}):
        figure: Any = Figure(figsize=INCHES, dpi=DPI, facecolor=light("paper"))
        axes = figure.add_axes((0.075, 0.11, 0.905, 0.74))
        _frame(axes, lines)
        now = lines.time[-1] / DAY
        past, ahead = lines.time / DAY, lines.ahead / DAY
        hope = light("hope")
        for level in reversed(range(len(told.levels))):
            axes.fill_between(
                ahead, lines.lower[level], lines.upper[level], color=hope, alpha=0.28 if level == 0 else 0.16, lw=0,
                label=f"{told.levels[level]:g} % of the cases",
            )  # fmt: skip
        axes.plot(ahead, lines.mean, color=hope, lw=2.0, ls=(0, (3, 1.6)),
                  label=f"expected ({told.model})")  # fmt: skip
        axes.plot(past, lines.value, color=light("signal"), lw=1.6, label="measured")
        axes.axvline(now, color=light("muted"), lw=0.9, ls=(0, (1.2, 1.6)))
        if lines.limit is not None:
            axes.axhline(lines.limit, color=light("limit"), lw=1.2, ls=(0, (5, 2)), label="limit")
        figure.text(0.024, 0.935, plain(told.series if told.series != "{}" else told.source, 100), size=15, weight="bold",
                    color=light("ink"))  # fmt: skip
        figure.text(0.024, 0.89, plain(told.query or told.source, 150), size=10.5,
                    color=light("muted"))  # fmt: skip
        axes.legend(
            loc="lower right", bbox_to_anchor=(1, 1.0), ncols=5, frameon=False, fontsize=9.5,
            labelcolor=light("ink"), borderaxespad=0.2, reverse=True,
        )  # fmt: skip
        out = BytesIO()
        about = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(out, format=form, metadata=about)
    return out.getvalue()


def _frame(axes: Any, lines: Lines) -> None:
    low, high = float(lines.time[0]), float(lines.ahead[-1])
    axes.set_xlim(low / DAY, high / DAY)
    axes.set_facecolor("none")
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(light("muted"))
    axes.tick_params(colors=light("muted"), labelsize=LETTERS, length=3, width=0.8)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=light("line"), lw=0.8)
    axes.set_axisbelow(True)
    places, shape = ticks(low, high)
    axes.set_xticks([t / DAY for t in places], [utc(t, shape) for t in places])
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6))
    bottom, top = extent(lines)
    axes.set_ylim(bottom, top)
