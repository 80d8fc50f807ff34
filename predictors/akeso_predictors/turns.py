"""Turns of a series: the peaks it came back from, and the floors it fell back to.

A turn is a swing of a share of the limit against the way the series was going (a zigzag). A floor is a
trough that is lower than its neighbours: what a heap falls to after a full collection, and not after a young
one. A summit is the highest of four peaks. Turns are remembered longer than rows: the last eight of each
kind, however long ago.

A peak is also how a rise ended, and that outlives the instance: former rises tell how the next one will
end. What ended with its instance is told as well, unless an action or a rollout cut it short.

Rows may come all at once or one by one with a carry; the result is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from akeso_predictors.checks import Bools, Floats, Ints

# Turns of a kind that are remembered.
KEPT = 8
# Peaks of which the highest is a summit: where teeth are many, the last few peaks span too little time.
_PER_SUMMIT = 4
_KINDS = ("peaks", "summits", "floors", "troughs")
# Rows that are looked through at once for the next turn.
_BLOCK = 256
# A rise begins with the last row, and is over with the first, within this share of a swing of its end.
_FOOT = 0.25
# Rows for which a rise must have been over before an action, to have ended by itself.
_HELD = 8
# How an instance ended (0: it did not): with its rise, cut short, or at the limit.
ENDED, CUT, REACHED = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Swing:
    """Where each series stands between two turns, and its last turns: shapes (S,) and (S, KEPT),
    newest last, rows counted from the first that was traced, NaN where there are none."""

    clock: Ints  # rows traced so far
    born: Ints  # the first row of the instance
    way: Ints  # 1 after a trough, -1 after a peak, 0 not known yet
    high: Floats  # extremes since the last turn, and their rows
    high_row: Floats
    low: Floats
    low_row: Floats
    foot_row: Floats  # the last row near the lowest value, and the first near the highest: there a
    crest_row: Floats  # rise begins and is over
    crest: Floats  # the highest value in steps of what is near
    lows: Floats  # (S, 2) the last two troughs of the instance and the row of the newer
    lows_row: Floats
    top: Floats  # highest peak that a peak lower by a swing has followed in the instance (0: none)
    # (S, KEPT, 6), of former instances too: row, level, height above the trough before it, top until
    # then, rise per row, whether the limit was reached
    peaks: Floats
    # Of each so many peaks the highest: how many there are since the last such, its row and level.
    rank: Ints
    summit_row: Floats
    summit: Floats
    summits: Floats  # (S, KEPT, 2): row, level
    floors: Floats  # (S, KEPT, 2): row, level
    trough_top: Floats  # highest trough that a trough lower by a swing has followed in the instance (0: none)
    troughs: Floats  # (S, KEPT, 3): row, level, trough_top until then

    def take(self, which: Ints | Bools) -> Swing:
        """Of some of the series."""
        return Swing(*(getattr(self, item.name)[which] for item in fields(self)))

    def joined(self, other: Swing) -> Swing:
        """Followed by that of more series."""
        pairs = ((getattr(self, item.name), getattr(other, item.name)) for item in fields(self))
        return Swing(*(np.concatenate(pair) for pair in pairs))

    def put(self, which: Ints, other: Swing) -> None:
        """Overwrite some of the series in place."""
        for item in fields(self):
            getattr(self, item.name)[which] = getattr(other, item.name)

    def copy(self) -> Swing:
        return Swing(*(getattr(self, item.name).copy() for item in fields(self)))


def fresh_swing(series: int) -> Swing:
    """Of series of which nothing was seen."""

    def nothing(*shape: int) -> Floats:
        return np.full((series, *shape), np.nan)

    return Swing(
        np.zeros(series, np.int64), np.zeros(series, np.int64), np.zeros(series, np.int64),
        nothing(), nothing(), nothing(), nothing(), nothing(), nothing(), nothing(),
        nothing(2), nothing(), np.zeros(series), nothing(KEPT, 6),
        np.zeros(series, np.int64), nothing(), nothing(), nothing(KEPT, 2), nothing(KEPT, 2),
        np.zeros(series), nothing(KEPT, 3),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Turns:
    """Turns known at N rows, (N, KEPT) each, newest last, NaN where there are none: how many rows
    ago, level and height of peaks in the unit of the metric; the same of summits, floors and troughs. `top` (N,)
    is the highest peak that lower ones have followed (0: none), `trough_top` the highest trough that
    deeper ones have followed. `peaks` (N, KEPT, 6) are those of `Swing`, `now` (N,) is
    the row that they are looked at from, `whole` (N,) how many rows the instance is seen for."""

    ago: Floats
    level: Floats
    height: Floats
    top: Floats
    summit_ago: Floats
    summit_level: Floats
    floor_ago: Floats
    floor_level: Floats
    trough_ago: Floats
    trough_level: Floats
    trough_top: Floats
    peaks: Floats
    now: Ints
    whole: Ints

    def rises(self) -> Floats:
        """Former rises, of former instances too, (N, KEPT, 5): how many rows ago and where they ended, how
        high and how fast (per row) they rose, whether that was at the limit."""
        ago = self.now[:, None] - self.peaks[..., 0]
        return np.stack([ago, *(self.peaks[..., i] for i in (1, 2, 4, 5))], axis=-1)

    def take(self, which: Ints | slice) -> Turns:
        return Turns(*(getattr(self, item.name)[which] for item in fields(self)))


def known(swing: Swing, fresh_age: Ints) -> Turns:
    """The turns of the running instances, which are `fresh_age` (S,) rows old, at the newest row."""
    return _turns(
        swing.peaks, swing.summits, swing.floors, swing.troughs, swing.clock - 1, fresh_age
    )


def _turns(
    peaks: Floats, summits: Floats, floors: Floats, troughs: Floats, now: Ints, fresh_age: Ints
) -> Turns:
    def own(turn: Floats) -> tuple[Floats, Floats]:
        """Of the instance: how many rows ago they were, and their levels."""
        ago = now[:, None] - turn[..., 0]
        its = ago < fresh_age[:, None]
        return np.where(its, ago, np.nan), np.where(its, turn[..., 1], np.nan)

    ago, level = own(peaks)
    trough_ago, trough_level = own(troughs)
    return Turns(
        ago, level, np.where(np.isfinite(ago), peaks[..., 2], np.nan),
        np.where(np.isfinite(ago[:, -1]), peaks[:, -1, 3], 0),
        *own(summits), *own(floors), trough_ago, trough_level,
        np.where(np.isfinite(trough_ago[:, -1]), troughs[:, -1, 2], 0),
        peaks, now, fresh_age,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Log:
    """Turns of one kind in the order they became known: `key` (E,) tells series and row, `turn` (E, C)."""

    key: Ints
    turn: Floats

    def last(self, key: Ints) -> Floats:
        """The turns (N, KEPT, C) known at `key` (N,); each series has KEPT from before its first row."""
        end = np.searchsorted(self.key, key, side="right")
        found: Floats = self.turn[end[:, None] + np.arange(-KEPT, 0)]
        return found


@dataclass(frozen=True, slots=True)
class History:
    """What was known at each of R rows of S series."""

    rows: int
    clock: Ints
    fresh_age: Ints
    peaks: _Log
    summits: _Log
    floors: _Log
    troughs: _Log

    def at(self, series: Ints, row: Ints) -> Turns:
        """The turns known at `row` (N,) of `series` (N,)."""
        key = series * (self.rows + 1) + row + 1
        return _turns(
            self.peaks.last(key), self.summits.last(key), self.floors.last(key), self.troughs.last(key),
            self.clock[series] + row, self.fresh_age[series, row],
        )  # fmt: skip


def handed_on(swing: Swing) -> Floats:
    """The former rises (S, KEPT, 6) of series as their successors should know them: those under way
    count if they had ended by themselves. Rows are those of `swing`."""
    scan_ = _Scan(swing, 0)
    every: Ints = np.arange(len(swing.clock))
    nothing = np.zeros(len(every))
    scan_.begun(every, nothing, np.zeros_like(every), nothing + 1, np.full_like(every, CUT))
    return scan_.state.peaks


class _Scan:
    """One pass over rows (S, R); `_state` is the swing that is being carried on, in place."""

    def __init__(self, swing: Swing, rows: int) -> None:
        self.state = swing.copy()
        self.rows = rows
        self.found: dict[str, list[tuple[Ints, Floats]]] = {kind: [] for kind in _KINDS}

    def block(self, start: int, x: Floats, swings: Floats, ends_of: Ints) -> None:
        """Carry on over a block (S, B) that begins at row `start`."""
        resets = ends_of > 0
        columns: Ints = np.arange(x.shape[1], dtype=np.int64)
        active: Ints = np.arange(len(x))
        first = np.zeros(len(x), dtype=np.int64)
        while len(active):
            some = np.where(columns >= first[active, None], x[active], np.nan)
            s = self.state
            way = s.way[active, None]
            high = np.fmax(np.fmax.accumulate(some, axis=1), s.high[active, None])
            low = np.fmin(np.fmin.accumulate(some, axis=1), s.low[active, None])
            turn = (way >= 0) & (high - some >= swings[active])
            turn |= (way <= 0) & (some - low >= swings[active])
            begins = resets[active] & (columns >= first[active, None])
            event = turn | begins
            ends = np.where(event.any(axis=1), event.argmax(axis=1), len(columns))
            # What lies before a reset belongs to the instance before it, a turn's row to its swing.
            each = np.arange(len(active))
            at = np.minimum(ends, len(columns) - 1)
            reset = begins[each, at] & (ends < len(columns))
            part = np.where(columns < (ends + ~reset)[:, None], some, np.nan)
            with np.errstate(invalid="ignore"):
                near = _FOOT * swings[active]
                # The row of a turn belongs to neither end of the rise before it.
                before = np.where(columns < ends[:, None], part, np.nan)
                steps = np.floor(np.where(np.isnan(before), np.nan, high) / near)
                self._feet(active, before <= low + near, steps, start)
            self._extremes(active, part, start)
            self.begun(
                active[reset], x[active, at][reset], start + at[reset], near[each, at][reset],
                ends_of[active, at][reset],
            )  # fmt: skip
            turned = turn[each, at] & ~reset & (ends < len(columns))
            self._turned(
                active[turned],
                x[active, at][turned],
                start + at[turned],
                swings[active, at][turned],
            )
            first[active] = ends + 1
            active = active[ends < len(columns) - 1]

    def _extremes(self, series: Ints, x: Floats, start: int) -> None:
        """Raise and lower the extremes by rows (N, B), NaN where there is nothing."""
        s = self.state
        base = s.clock[series] + start
        top, bottom = np.where(np.isnan(x), -np.inf, x), np.where(np.isnan(x), np.inf, x)
        for values, at, level, row, better in (
            (top, top.argmax(axis=1), s.high, s.high_row, np.greater),
            (bottom, bottom.argmin(axis=1), s.low, s.low_row, np.less),
        ):
            best = values[np.arange(len(x)), at]
            own = level[series]
            more = np.isfinite(best) & (np.isnan(own) | better(best, own))
            level[series[more]], row[series[more]] = best[more], (base + at)[more]

    def _feet(self, series: Ints, low: Bools, steps: Floats, start: int) -> None:
        """Where rises begin and are over, from rows (N, B): near the lowest value, and how many `steps`
        the highest is high (NaN where there is nothing)."""
        s = self.state
        base = s.clock[series] + start
        some = low.any(axis=1)
        last = low.shape[1] - 1 - low[:, ::-1].argmax(axis=1)
        s.foot_row[series[some]] = (base + last)[some]
        reached = np.where(np.isnan(steps), -np.inf, steps)
        at = reached.argmax(axis=1)
        best = reached[np.arange(len(at)), at]
        more = np.isfinite(best) & ~(s.crest[series] >= best)
        s.crest[series[more]], s.crest_row[series[more]] = best[more], (base + at)[more]

    def begun(self, series: Ints, value: Floats, row: Ints, near: Floats, how: Ints) -> None:
        """A new instance begins with `value`; `how` tells the end of the one before."""
        s = self.state
        now = s.clock[series] + row
        # A rise that was cut short says nothing, unless it had been over for as long as it took.
        held = now - s.crest_row[series] >= np.maximum(
            s.crest_row[series] - s.foot_row[series], _HELD
        )
        told = (s.way[series] == 1) & ((how != CUT) | held)
        self._ended(series[told], row[told], np.where(how == REACHED, 1.0, 0.0)[told])
        s.way[series], s.lows[series], s.top[series] = 0, np.nan, 0
        s.born[series] = now
        s.rank[series], s.summit[series], s.summits[series] = 0, np.nan, np.nan
        s.floors[series], s.troughs[series], s.trough_top[series] = np.nan, np.nan, 0
        s.high[series] = s.low[series] = value
        s.high_row[series] = s.low_row[series] = now
        s.foot_row[series] = s.crest_row[series] = now
        s.crest[series] = np.floor(value / near)

    def _ended(self, series: Ints, row: Ints, reached: Floats) -> None:
        """The rise from the last trough to the highest value since then ended there."""
        s = self.state
        height = s.high[series] - np.where(
            np.isnan(s.lows[series, 1]), s.low[series], s.lows[series, 1]
        )
        took = np.maximum(s.crest_row[series] - s.foot_row[series], 1)
        # A peak that no trough was seen before is no rise.
        rose = np.where(s.way[series] == 1, s.high[series] - s.low[series], np.nan)
        pace = np.maximum(rose, 0) / took
        level = s.high[series]
        told = np.stack([s.high_row[series], level, height, s.top[series], pace, reached], axis=1)
        self._push("peaks", series, row, told)

    def _turned(self, series: Ints, value: Floats, row: Ints, swing: Floats) -> None:
        """A swing against the way: the extreme was a turn."""
        s = self.state
        falls = (s.way[series] >= 0) & (s.high[series] - value >= swing)
        down = series[falls]
        own = s.peaks[down, -1, 0] >= s.born[down]
        lower = own & (s.peaks[down, -1, 1] - s.high[down] >= swing[falls])
        s.top[down] = np.maximum(s.top[down], np.where(lower, s.peaks[down, -1, 1], 0))
        self._ended(down, row[falls], np.zeros(len(down)))
        self._summits(down, row[falls])
        s.way[down], s.low[down], s.low_row[down] = -1, value[falls], s.clock[down] + row[falls]
        s.foot_row[down] = s.low_row[down]
        up = series[~falls]
        older, newer = s.lows[up, 0], s.lows[up, 1]
        last = s.troughs[up, -1, 1]
        deeper = last - s.low[up] >= swing[~falls]
        s.trough_top[up] = np.maximum(s.trough_top[up], np.where(deeper, last, 0))
        each = np.stack([s.low_row[up], s.low[up], s.trough_top[up]], axis=1)
        self._push("troughs", up, row[~falls], each)
        floor = (newer < older) & (newer <= s.low[up])
        told = np.stack([s.lows_row[up], newer], axis=1)
        self._push("floors", up[floor], row[~falls][floor], told[floor])
        s.lows[up, 0], s.lows[up, 1], s.lows_row[up] = newer, s.low[up], s.low_row[up]
        s.way[up], s.high[up], s.high_row[up] = 1, value[~falls], s.clock[up] + row[~falls]
        s.crest[up], s.crest_row[up] = np.floor(value / (_FOOT * swing))[~falls], s.high_row[up]

    def _summits(self, series: Ints, row: Ints) -> None:
        """The highest value since the last trough was a peak."""
        s = self.state
        higher = ~(s.summit[series] >= s.high[series])
        more = series[higher]
        s.summit[more], s.summit_row[more] = s.high[more], s.high_row[more]
        s.rank[series] += 1
        full = s.rank[series] >= _PER_SUMMIT
        done = series[full]
        told = np.stack([s.summit_row[done], s.summit[done]], axis=1)
        self._push("summits", done, row[full], told)
        s.rank[done], s.summit[done] = 0, np.nan

    def _push(self, kind: str, series: Ints, row: Ints, turn: Floats) -> None:
        if len(series):
            kept = getattr(self.state, kind)
            kept[series] = np.concatenate([kept[series, 1:], turn[:, None]], axis=1)
            self.found[kind].append((series * (self.rows + 1) + row + 1, turn))

    def log(self, kind: str, before: Floats) -> _Log:
        """All turns of a kind, after those from `before` (S, KEPT, C) the first row."""
        head = np.repeat(np.arange(len(before)) * (self.rows + 1), KEPT)
        keys = np.concatenate([head, *(key for key, _ in self.found[kind])])
        turns = np.concatenate(
            [before.reshape(-1, before.shape[2]), *(turn for _, turn in self.found[kind])]
        )
        order = np.argsort(keys, kind="stable")
        return _Log(keys[order], turns[order])


def scan(
    smooth: Floats, swings: Floats, ends: Ints, fresh_age: Ints, swing: Swing
) -> tuple[History, Swing]:
    """Find the turns of rows (S, R) that follow `swing`; `smooth` is NaN where nothing was measured,
    a turn is a swing by `swings` (S, R); `ends` (S, R) tell at the first row of an instance how the one
    before it ended (`ENDED`, `CUT`, `REACHED`; elsewhere 0)."""
    rows = smooth.shape[1]
    pass_ = _Scan(swing, rows)
    for start in range(0, rows, _BLOCK):
        part = slice(start, start + _BLOCK)
        pass_.block(start, smooth[:, part], swings[:, part], ends[:, part])
    history = History(
        rows,
        swing.clock,
        fresh_age,
        *(pass_.log(kind, getattr(swing, kind)) for kind in _KINDS),
    )
    pass_.state.clock[:] += rows
    return history, pass_.state
