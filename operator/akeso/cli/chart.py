"""A series and its band drawn with letters: told apart by shape, whatever the colours. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

HEIGHT = 16
_LEAST = 20  # columns


@dataclass(frozen=True, slots=True)
class Signs:
    """One letter each: measured, expected, the likelier band, the wider one, limit, now, axis."""

    measured: str
    expected: str
    likely: str
    wide: str
    limit: str
    now: str
    corner: str
    line: str


UNICODE = Signs("●", "━", "▒", "░", "╌", "┊", "└", "─")
ASCII = Signs("*", "=", ":", ".", "-", "|", "+", "-")


@dataclass(frozen=True, slots=True)
class Lines:
    """Times in Unix seconds and values, NaN where missing; the bands as (lower, upper), the likelier
    first."""

    time: Sequence[float]
    value: Sequence[float]
    ahead: Sequence[float]
    mean: Sequence[float]
    bands: Sequence[tuple[Sequence[float], Sequence[float]]]
    limit: float | None
    extent: tuple[float, float]


def chart(
    lines: Lines, width: int, said: Callable[[float], str], signs: Signs, binary: bool = False
) -> list[str]:
    """The chart's lines, each at most `width` wide; `said` writes a value of the axis, which are round
    to computers where they are `binary`."""
    bottom, top = lines.extent
    ticks = _ticks(bottom, top, binary)
    margin = max(len(said(t)) for t in ticks) + 1
    columns = max(_LEAST, width - margin - 1)
    cells = [[" "] * columns for _ in range(HEIGHT)]
    begin, end = lines.time[0], lines.ahead[-1]

    def column(at: float) -> int:
        return min(columns - 1, int((at - begin) / max(end - begin, 1e-9) * columns))

    def row(value: float) -> int:
        return round((top - value) / max(top - bottom, 1e-300) * (HEIGHT - 1))

    def fill(at: int, low: float, high: float, sign: str) -> None:
        if math.isnan(low) or math.isnan(high):
            return
        for line in range(max(0, row(high)), min(HEIGHT - 1, row(low)) + 1):
            cells[line][at] = sign

    now = column(lines.time[-1])
    for line in cells:
        line[now] = signs.now
    if lines.limit is not None and 0 <= row(lines.limit) < HEIGHT:
        cells[row(lines.limit)] = [signs.limit] * columns
    for sign, (lower, upper) in zip(
        (signs.wide, signs.likely), reversed(lines.bands), strict=False
    ):
        for at, low, high in _spans(lines.ahead, (lower, upper), column):
            fill(at, low, high, sign)
    for at, low, high in _spans(lines.ahead, (lines.mean, lines.mean), column):
        fill(at, (low + high) / 2, (low + high) / 2, signs.expected)
    for at, low, high in _spans(lines.time, (lines.value, lines.value), column):
        fill(at, low, high, signs.measured)
    rows = {row(tick): said(tick) for tick in ticks}
    drawn = [
        f"{rows.get(i, ''):>{margin - 1}} {''.join(line)}".rstrip() for i, line in enumerate(cells)
    ]
    axis = " " * (margin - 1) + signs.corner + signs.line * columns
    return [*drawn, axis, " " * margin + _moments(begin, end, columns)]


def _ticks(bottom: float, top: float, binary: bool) -> list[float]:
    """Three to six round values."""
    span = max(top - bottom, 1e-300)
    if binary:
        step = 2.0 ** math.ceil(math.log2(span / 5))
    else:
        power = 10.0 ** math.floor(math.log10(span / 5))
        step = next(m * power for m in (1, 2, 2.5, 5, 10, 20) if m * power >= span / 5)
    first = math.ceil(bottom / step)
    return [n * step for n in range(first, math.floor(top / step) + 1)] or [bottom]


def _spans(
    times: Sequence[float], pair: tuple[Sequence[float], Sequence[float]], column: Callable[[float], int]
) -> list[tuple[int, float, float]]:  # fmt: skip
    """Per column the lowest and the highest of what falls into it."""
    found: dict[int, tuple[float, float]] = {}
    for time, low, high in zip(times, *pair, strict=True):
        if math.isfinite(low) and math.isfinite(high):
            at = column(time)
            before = found.get(at, (low, high))
            found[at] = min(before[0], low), max(before[1], high)
    return [(at, low, high) for at, (low, high) in found.items()]


def _moments(begin: float, end: float, columns: int) -> str:
    """Times below the axis, as many as have room."""
    shape = "%H:%M" if end - begin < 36 * 3600 else "%d %b %H:%M"
    long = len(_clock(begin, shape))
    count = max(2, columns // (long + 6))
    out = [" "] * columns
    for i in range(count):
        place = round(i * (columns - long) / (count - 1))
        at = begin + (end - begin) * (place + (0 if i == 0 else long / 2)) / columns
        if i == count - 1:
            at = end
        out[place : place + long] = _clock(at, shape)
    return "".join(out).rstrip()


def _clock(at: float, shape: str) -> str:
    return datetime.fromtimestamp(at, UTC).strftime(shape)


def legend(signs: Signs, levels: Sequence[float], limit: bool) -> str:
    parts = [
        f"{signs.measured} measured",
        f"{signs.expected} expected",
        *(f"{s} {level:g} %" for s, level in zip((signs.likely, signs.wide), levels, strict=False)),
    ]
    return "   ".join([*parts, *([f"{signs.limit} limit"] if limit else [])])
