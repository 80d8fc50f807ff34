"""One evaluation: windows of samples in, probability and time to the limit out. Pure.

`replay` and `ExhaustionPredictor` call the same function with the same windows, so a back-test
says what the operator would have said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from akeso_predictors.checks import Bools, Floats, Ints
from akeso_predictors.cycles import FEWEST, growing, middle
from akeso_predictors.ends import Lessons, lessons
from akeso_predictors.fit import Posterior, despiked, fit
from akeso_predictors.odds import TRAITS, Rise, traits
from akeso_predictors.passage import at, pace, passage, quantiles
from akeso_predictors.settings import DecisionSettings
from akeso_predictors.shapes import AHEAD, Bank
from akeso_predictors.turns import Turns

# Evaluations at once: the intermediate arrays should stay in the processor's cache.
_BATCH = 256
# Rows over which growth is looked at before anything is fitted.
_GLANCES = (4, 12, 40, 120)
# A fall so many times as deep as swings usually are high is another kind of turn.
_DEEP = 1.5
# A cycle is over when its next peak is so many times as late as peaks usually are.
_LATE = 2.0
# Of a short leg and a bursty one only turns speak, and from this probability on.
_CLAIM = 0.5
# Newest rows whose highest is the peak that is under way.
_TIP = 8
# The trait that says for how much of its leg a series has risen.
_WHOLE = TRAITS.index("whole")
# Limits beyond which a value says nothing more: their squares still fit into float32.
_FAR = np.float32(1e6)
# Rows that are looked through for bursts.
_JUMPS = 24


@dataclass(frozen=True, slots=True)
class Windows:
    """N evaluations: `values` (N, W) in units of the metric, NaN where missing, the newest row
    last and valid; `longer` gives, of some of them, so many rows; `limit`, `safe` (N,) in the same unit;
    `age` and `samples` of the leg (N,); the turns of the instance."""

    values: Floats
    longer: Callable[[Ints, int], Floats]
    limit: Floats
    safe: Floats
    age: Ints
    samples: Ints
    turns: Turns

    def take(self, which: Ints) -> Windows:
        return Windows(
            self.values[which],
            lambda some, rows: self.longer(which[some], rows),
            self.limit[which],
            self.safe[which],
            self.age[which],
            self.samples[which],
            self.turns.take(which),
        )


# Share of the time to the limit by which a kill may come earlier, at most.
_EARLIEST = 0.25


@dataclass(frozen=True, slots=True)
class Assessment:
    """Per evaluation: probability (N,) within the horizon, quantiles of the time to the limit
    (N, 3) in rows, level (N,) as share of the limit, whether nothing can be claimed because the leg is too short
    (N,) or too bursty (N,), whether the whole leg lies above the limit, so that it bounds nothing (N,), and
    whether former rises alike reached the limit (N,). Where nothing can be claimed the probability is 0."""

    probability: Floats
    ttf: Floats
    level: Floats
    short: Bools
    bursty: Bools
    unbounded: Bools
    repeated: Bools


def joined(found: Sequence[Assessment]) -> Assessment:
    """Assessments of blocks of windows, one after the other."""
    if not found:
        none = np.zeros(0, np.float32)
        no = none > 0
        return Assessment(none, np.zeros((0, 3), np.float32), none, no, no, no, no)
    names = (item.name for item in fields(Assessment))
    return Assessment(*(np.concatenate([getattr(part, name) for part in found]) for name in names))


def assess(
    windows: Windows, horizon: Floats, shapes: Bank, settings: DecisionSettings, step: float
) -> Assessment:
    """Assess N windows of rows `step` seconds apart; `horizon` (N,) in rows. Series that cannot get
    there cost a glance only."""
    count = len(windows.limit)
    level = (windows.values[:, -1] / windows.limit).astype(np.float32)
    silent = np.zeros(count, np.bool_)
    enough = windows.samples >= settings.min_samples
    result = Assessment(
        np.zeros(count, np.float32),
        np.full((count, 3), np.inf, np.float32),
        level,
        ~enough,
        silent,
        silent.copy(),
        silent.copy(),
    )
    near = np.flatnonzero(
        enough & (level < 1) & (_candidates(windows, level, horizon) | _restless(windows, settings))
    )
    for start in range(0, len(near), _BATCH):
        some = near[start : start + _BATCH]
        part = _fitted(windows.take(some), horizon[some], shapes, settings, step)
        result.probability[some], result.ttf[some], result.bursty[some] = part[:3]
        result.repeated[some] = part[3]
    # Bursts hide a trend, and falls end it, but not that the peaks or the troughs of a saw-tooth grow.
    claims = settings.by_peaks | (enough & ~result.bursty)
    cyclic = np.flatnonzero((level < 1) & claims & _swinging(windows, horizon))
    for start in range(0, len(cyclic), _BATCH):
        some = cyclic[start : start + _BATCH]
        _cycled(windows.take(some), horizon[some], some, result, settings)
    near_end = settings.killed_below / np.maximum(1 - result.level, 1e-6)
    result.ttf[:, 0] *= 1 - np.minimum(near_end, _EARLIEST)
    over = np.flatnonzero(enough & (level >= 1))
    result.unbounded[over] = ~_below(windows.take(over)).any(axis=1)
    passed = over[~result.unbounded[over]]
    result.probability[passed], result.ttf[passed] = 1, 0
    return result


def _inside(values: Floats, age: Ints) -> Bools:
    """Rows (N, W) that hold a sample of legs of `age` (N,)."""
    width: int = values.shape[1]
    inside: Bools = np.isfinite(values)
    inside &= np.arange(width)[None, ::-1] < age[:, None]
    return inside


def _below(windows: Windows) -> Bools:
    """Rows (N, W) of the leg below the limit."""
    below: Bools = _inside(windows.values, windows.age)
    below &= np.nan_to_num(windows.values) < windows.limit[:, None]
    return below


def _candidates(windows: Windows, level: Floats, horizon: Floats) -> Bools:
    """Whether twice the fastest recent growth would reach the limit within the horizon."""
    fastest = np.zeros_like(level)
    newest = windows.values[:, -1]
    for rows in _GLANCES:
        if rows < windows.values.shape[1]:
            then = windows.values[:, -1 - rows]
            inside = (windows.age > rows) & np.isfinite(then)
            grown = np.where(inside, newest - np.where(inside, then, 0), newest) / rows
            fastest = np.maximum(fastest, (grown / windows.limit).astype(np.float32))
    return 2 * fastest * horizon >= 1 - level


def _restless(windows: Windows, settings: DecisionSettings) -> Bools:
    """Whether the last rows jump so far that the series may be too bursty for any claim."""
    recent = windows.values[:, -_JUMPS:]
    steps = np.abs(np.nan_to_num(np.diff(recent, axis=1))).max(axis=1)
    restless: Bools = steps > settings.trend.bursty * windows.limit
    return restless


def _swinging(windows: Windows, horizon: Floats) -> Bools:
    """Whether there are turns enough, and twice their growth would reach the limit in time."""
    worth = np.zeros(len(windows.limit), dtype=np.bool_)
    turned = np.isfinite(windows.turns.level[:, -FEWEST])
    turned |= np.isfinite(windows.turns.floor_level[:, -FEWEST])
    turned |= np.isfinite(windows.turns.trough_level[:, -FEWEST])
    some = np.flatnonzero(turned)
    worth[some] = _may_grow(windows.turns.take(some), windows.limit[some], horizon[some])
    return worth


def _may_grow(turns: Turns, limit: Floats, horizon: Floats) -> Bools:
    worth = np.zeros(len(limit), dtype=np.bool_)
    for ago, level in (
        (turns.ago, turns.level),
        (turns.summit_ago, turns.summit_level),
        (turns.floor_ago, turns.floor_level),
        (turns.trough_ago, turns.trough_level),
    ):
        some = np.isfinite(level).sum(axis=1) >= FEWEST
        first = np.where(some, np.isfinite(level).argmax(axis=1), 0)
        each = np.arange(len(limit))
        lowest = np.where(np.isfinite(level), level, np.inf).min(axis=1)
        took = np.where(some, ago[each, first], 1)
        grown = np.where(some, level[:, -1] - lowest, 0) / np.maximum(took, 1)
        room = limit - np.where(some, level[:, -1], 0)
        worth |= some & (4 * grown * (horizon + ago[:, -1]) >= room)
    return worth


def _cycled(
    windows: Windows, horizon: Floats, where: Ints, result: Assessment, settings: DecisionSettings
) -> None:
    """Where peaks, summits, floors or troughs say more than the window does, let them speak."""
    turns, limit = windows.turns, windows.limit[:, None]
    height = np.nan_to_num(turns.height).sum(axis=1) / np.maximum(
        np.isfinite(turns.height).sum(axis=1), 1
    )
    scatter = settings.trend.scatter + settings.trend.wear * height / windows.limit
    newest = windows.values[:, -1] / windows.limit
    top = (turns.level[:, -1] / windows.limit).astype(np.float32)
    peaks = settings.by_peaks & _peaks_are_news(windows, scatter, settings)
    troughs = settings.by_peaks & _troughs_are_news(turns, newest, windows.limit, scatter, settings)
    wide = scatter * settings.trend.floor_wear
    for ago, level, habit, heard, above in (
        (turns.ago, turns.level, scatter, peaks, None),
        (turns.summit_ago, turns.summit_level, scatter, peaks, None),
        (turns.floor_ago, turns.floor_level, wide, True, newest),
        (turns.trough_ago, turns.trough_level, wide, troughs, newest),
    ):
        lasting, going_on = growing(
            ago, level / limit, habit, turns.whole, horizon, settings.trend, above
        )
        probability = at(lasting, np.minimum(horizon, AHEAD[-1])).astype(np.float32)
        more = (probability > result.probability[where]) & heard
        hushed = result.short[where] | result.bursty[where]
        more &= ~hushed | (probability >= _CLAIM)
        some, sooner = where[more], quantiles(going_on[more])
        # The window may see it sooner, if what it sees is news.
        ttf = np.where(result.probability[some, None] > 0, result.ttf[some], np.inf)
        result.ttf[some] = np.minimum(ttf, sooner)
        result.probability[some] = probability[more]
        result.level[where[more]] = np.fmax(result.level[where[more]], top[more])
        result.short[where[more]] = result.bursty[where[more]] = False


def _peaks_are_news(windows: Windows, scatter: Floats, settings: DecisionSettings) -> Bools:
    """Peaks grow from cycle to cycle of cycles: below a peak that lower ones have followed that is no
    news, and a fall far below the usual swings ends it."""
    turns, limit = windows.turns, windows.limit
    lowest = np.fmin.reduce(turns.level, axis=1)
    margin = settings.safe_margin + settings.safe_spread * (turns.top - lowest) / limit
    margin = np.minimum(margin, settings.safe_room * (1 - turns.top / limit))
    passed = turns.top + np.fmax(margin, scatter) * limit
    # Peaks are those of medians of three, and so is what is held against them.
    reached = np.fmax(turns.level[:, -1], np.nanmedian(windows.values[:, -3:], axis=1))
    news: Bools = (turns.top <= 0) | (reached >= passed)
    # They must still come as often as they came.
    news &= turns.ago[:, -1] <= _LATE * middle(-np.diff(turns.ago, axis=1))
    news &= ~(turns.level[:, -1] - windows.values[:, -1] > _DEEP * middle(turns.height))
    return news


def _troughs_are_news(
    turns: Turns, newest: Floats, limit: Floats, scatter: Floats, settings: DecisionSettings
) -> Bools:
    """Troughs rise from one full collection to the next: below one that deeper ones have followed that is
    no news, and a fall below the last one ends it."""
    low = turns.trough_level[:, -1]
    depth = turns.trough_top - np.fmin.reduce(turns.trough_level, axis=1)
    margin = np.fmax(settings.safe_margin + settings.safe_spread * depth / limit, scatter)
    news: Bools = (turns.trough_top <= 0) | (low >= turns.trough_top + margin * limit)
    news &= newest >= low / limit - settings.safe_margin
    return news


@dataclass(frozen=True, slots=True)
class Look:
    """What a fit saw of N windows. `ends` (N,) is the probability of reaching the limit within the horizon with the
    chance that the trend ends before, `goes_on` (N,) without, `going_on` (N, G) that by `AHEAD`; `traits` (N, K)
    of the rise (see `odds`); whether it is `bursty` (N,), and whether that or a former peak makes it `silent` (N,);
    what former rises `told`."""

    ends: Floats
    goes_on: Floats
    going_on: Floats
    traits: Floats
    bursty: Bools
    silent: Bools
    told: Lessons


def looked(
    windows: Windows, horizon: Floats, shapes: Bank, settings: DecisionSettings, step: float
) -> Look:
    """Fit all shapes and see where they lead, before anything learned revises it."""
    limit = windows.limit.astype(np.float32)[:, None]
    newest = windows.values[:, -1:]
    seen = np.minimum(windows.age, min(settings.trend.seen // step, shapes.grid.reach))
    rows = windows.longer(np.arange(len(limit)), shapes.grid.rows(int(seen.max())))
    inside = _inside(rows, seen)
    shares = np.clip(np.where(inside, rows - newest, 0) / limit, -_FAR, _FAR)
    inside = despiked(shares, inside, settings.trend.spike)
    values, valid = shapes.grid.gathered(np.where(inside, shares, 0), inside)
    age = windows.age.astype(np.float32)
    posterior = fit(values, valid, age, seen, shapes, settings.trend)
    top = _top(posterior, (windows.safe > 0) & settings.by_peaks)
    level = (newest / limit)[:, 0]
    gap = 1 - level - top
    turns = windows.turns
    # The leg begins with an instance whose begin was seen: there was another before it.
    birth = (turns.whole <= turns.now) & (turns.whole == windows.age)
    lasting, going_on = passage(posterior, gap, age, seen, birth, shapes, settings.trend, step)
    until = np.minimum(horizon, AHEAD[-1])
    ends, goes_on = at(lasting, until), at(going_on, until)
    speed, lasted, risen = pace(posterior, age, seen, shapes)
    rise = Rise(
        ends, level, gap, top, risen, speed, lasted, age, windows.values / limit,
        level + np.where(inside, shares, 0).min(axis=1), quantiles(going_on), np.isfinite(turns.height[:, -1]),
    )  # fmt: skip
    bursty = posterior.innovation > settings.trend.bursty
    told = lessons(turns.rises(), level, speed, lasted, windows.limit, settings)
    found = traits(rise, posterior, shapes, step)
    silent = bursty | ~_is_news(windows, top, settings)
    return Look(ends, goes_on, going_on, found, bursty, silent, told)


def _is_news(windows: Windows, top: Floats, settings: DecisionSettings) -> Bools:
    """Whether growth whose `top` (N,) lies above the newest row has passed the peaks known to be safe."""
    safe = ((windows.safe - windows.values[:, -1]) / windows.limit).astype(np.float32)
    # A peak beyond the limit (which was another then, or may be crossed) shows nothing safe.
    bounded = (windows.safe > 0) & (windows.safe < windows.limit)
    room = settings.safe_room * (1 - windows.safe / windows.limit)
    margin = _margin(windows, settings)
    news = ~bounded | (top >= safe + np.minimum(margin, room))
    # With less room than that above it, a peak is news only once it is there.
    tip = windows.values[:, -_TIP:]
    there = (_inside(tip, windows.age) & (tip > windows.safe[:, None])).any(axis=1)
    news &= ~bounded | there | (margin <= room)
    return news


def _fitted(
    windows: Windows, horizon: Floats, shapes: Bank, settings: DecisionSettings, step: float
) -> tuple[Floats, Floats, Bools, Bools]:
    look = looked(windows, horizon, shapes, settings, step)
    ends, told = _revised(look, settings, step), look.told
    probability = (ends + told.at_limit * look.goes_on) / (1 + told.at_limit + told.below)
    repeated = told.repeated >= settings.repeated
    return (
        np.where(look.silent, 0, probability), quantiles(look.going_on), look.bursty, repeated & ~look.silent,
    )  # fmt: skip


def _revised(look: Look, settings: DecisionSettings, step: float) -> Floats:
    """The probability (N,) of ending at the limit, by what became of rises with such traits."""
    trees, known = settings.trees, settings.trend.learned(step)
    if trees is None or not known:
        return look.ends
    # What has grown for most of its leg may be how this container lives, which none of those tell.
    amid = ((1 - look.traits[:, _WHOLE]) / settings.trend.newborn).clip(0, 1)
    by = known * amid * (trees.revised(look.ends, look.traits) - look.ends)
    found: Floats = (look.ends + by).astype(np.float32)
    return found


def _margin(windows: Windows, settings: DecisionSettings) -> Floats:
    """How far above the safe peaks (N,) growth is news: the next of few peaks is often the highest."""
    height = windows.turns.height
    count = np.maximum(np.isfinite(height).sum(axis=1), 1)
    usual = np.nan_to_num(height).sum(axis=1) / count / windows.limit
    margin: Floats = settings.safe_margin + settings.safe_spread * usual / count
    return margin


def _top(posterior: Posterior, turned: Bools) -> Floats:
    """The level that passes the limit first: with turns, the next peak and not the mean."""
    return np.where(turned, np.maximum(posterior.anchor, posterior.ripple), posterior.anchor)
