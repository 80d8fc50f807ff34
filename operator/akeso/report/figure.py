"""A report's plots as SVG for a page, and as PNG for a chat, drawn with matplotlib.

Only whoever draws imports this. It uses no state of matplotlib's own (no pyplot), and nothing in a
text is a formula: pod names and messages are data.
"""

from __future__ import annotations

import re
import textwrap
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from html import escape
from io import BytesIO, StringIO
from typing import Any, cast

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from akeso.report.model import Panel, Report
from akeso.report.palette import COLOURS, OF_MOOD, light
from akeso.report.plot import Size, add_legend, draw, room_above, room_below
from akeso.report.words import clock, plain

# In points: what a page 62 rem wide shows at a readable size.
WIDTH, PLOT_WIDTH, PLOT_HEIGHT, LEFT = 720.0, 640.0, 210.0, 62.0
PICTURE = (12.0, 6.75)  # inches at 100 dpi: 1200 by 675 pixels, which chats show whole
TITLE_LETTERS = 78  # per line of the picture's title
_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text: small, searchable, in the reader's own font
    "text.parse_math": False,
    "axes.unicode_minus": False,
}


def svg(report: Report, panel: Panel, index: int = 0) -> str:
    """One plot as an `<svg>` element for a page; colours are CSS variables of both themes."""
    size = Size(letters=8.5, line=1.8, width=PLOT_WIDTH, height=PLOT_HEIGHT)
    above, below = room_above(report, panel, size), room_below(panel, size)
    height = above + size.height + below
    with drawing({"svg.hashsalt": f"{report.uid}/{index}"}):
        figure: Any = Figure(figsize=(WIDTH / 72, height / 72), facecolor="none")
        place = (LEFT / WIDTH, below / height, size.width / WIDTH, size.height / height)
        axes = figure.add_axes(place)
        draw(axes, report, panel, size)
        add_legend(axes, panel, size)
        out = StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    return inline(out.getvalue(), _described(report, panel))


def picture(report: Report) -> bytes:
    """Title, verdict and the first plot that shows something, as a PNG."""
    panel = next((p for p in report.panels if p.series), report.panels[0])
    wide, high = 72 * PICTURE[0], 72 * PICTURE[1]
    with drawing({}):
        figure: Any = Figure(figsize=PICTURE, dpi=100, facecolor=light("paper"))
        top = _head(figure, report) * high
        size = Size(letters=11.0, line=2.6, width=0.895 * wide, height=0.0)
        bottom = 0.075 * high + room_below(panel, size)
        size = replace(size, height=top - room_above(report, panel, size) - bottom)
        axes = figure.add_axes((0.075, bottom / high, 0.895, size.height / high))
        draw(axes, report, panel, size)
        add_legend(axes, panel, size)
        _foot(figure, report)
        out = BytesIO()
        figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


@contextmanager
def drawing(more: dict[str, Any]) -> Generator[None]:
    """How matplotlib draws here."""
    with cast(Any, mpl).rc_context({**_STYLE, **more}), warnings.catch_warnings():
        # A label may be in a script that the font lacks: a box is drawn, which is no fault.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def _head(figure: Any, report: Report) -> float:
    """Badge and title; how high the rest may reach, as a share of the height."""
    ink, colour = light("ink"), light(OF_MOOD[report.mood])
    badge = figure.text(
        0.033, 0.945, report.badge, color=light("paper"), size=13, weight="bold", va="center",
        bbox={"boxstyle": "round,pad=0.42", "facecolor": colour, "edgecolor": "none"},
    )  # fmt: skip
    canvas: Any = FigureCanvasAgg(figure)
    box = badge.get_window_extent(canvas.get_renderer())
    inset = (box.x1 + 26) / figure.bbox.width
    where = f"{report.kind} {report.namespace}/{report.target}   ·   policy {report.policy}"
    figure.text(
        inset, 0.945, plain(f"{where}, signal {report.signal}", 90), color=light("muted"),
        size=12, va="center",
    )  # fmt: skip
    lines = _wrapped(plain(report.title, 240))
    figure.text(
        0.024, 0.893, "\n".join(lines), color=ink, size=17, weight="bold", va="top",
        linespacing=1.25,
    )  # fmt: skip
    return 0.885 - 0.048 * len(lines)


def _wrapped(text: str) -> list[str]:
    """In as few lines as it takes, all about as long."""
    count = min(3, len(textwrap.wrap(text, TITLE_LETTERS)))
    fits = (w for w in range(20, TITLE_LETTERS + 1) if len(textwrap.wrap(text, w)) <= count)
    return textwrap.wrap(text, next(fits, TITLE_LETTERS))[:3]


def _foot(figure: Any, report: Report) -> None:
    colour = light(OF_MOOD[report.mood])
    figure.add_artist(Rectangle((0, 0), 1, 0.008, lw=0, color=colour, transform=figure.transFigure))
    numbers = "   ·   ".join(f"{f.name} {f.said}" for f in report.figures)
    figure.text(0.024, 0.03, plain(numbers, 130), color=light("muted"), size=10.5)
    figure.text(0.976, 0.03, f"Akeso {report.name}", color=light("muted"), size=10.5, ha="right")


def _described(report: Report, panel: Panel) -> str:
    """What somebody who can't see the plot is told."""
    happened = ", ".join(f"{m.mark} {clock(m.at)}" for m in report.moments if m.mark)
    return f"{panel.title}. {happened}"


_COLOUR = re.compile("|".join(both[0] for both in COLOURS.values()), re.IGNORECASE)
_NAME_OF = {both[0]: name for name, both in COLOURS.items()}
_PROLOGUE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_OWN_STYLE = re.compile(r'<style type="text/css">.*?</style>', re.DOTALL)
_TAG = re.compile(r"<svg[^>]*>", re.DOTALL)
_BOX = re.compile(r'viewBox="[^"]*"')


def inline(drawn: str, described: str) -> str:
    """matplotlib's file as an element: without prologue and metadata, as wide as its place."""
    body = _METADATA.sub("", _OWN_STYLE.sub("", _PROLOGUE.sub("", drawn)))
    box = _BOX.search(body)
    tag = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        f' {box.group() if box else ""} role="img" aria-label="{escape(described)}">'
    )
    body = _TAG.sub(lambda _: tag, body, count=1)
    return _COLOUR.sub(lambda found: f"var(--{_NAME_OF[found.group().lower()]})", body)
