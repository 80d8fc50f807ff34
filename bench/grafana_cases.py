"""Labelled histories as one remembers them from dashboards, by another author, who knew only the list
of kinds and the opponent's figures.

`core`: leaks and what is healthy, two in five end at the limit; `stress`: what is hard to tell apart.
Drawn in shares of the first limit and given a unit at the end. Behind a shape lies a stretch of a real
pod (tests/data/nezha; spikes of a minute and restarts taken out), a wander of its own and noise; load
is taxi rides (daily) or requests of a load balancer (tests/data/nab). Steps of 15, 30 and 60 s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from foreign_cases import (
    DAY,
    HORIZONS,
    HOUR,
    Case,
    Mask,
    Random,
    Scene,
    Series,
    drawn,
    marked,
    measured,
    pods,
    recursion,
)
from numpy.lib.stride_tricks import sliding_window_view

_JUMP = 0.12  # a change within a minute of so much of the median is a restart or an injected fault
_AFTER = ("kill", "stop", "hold")  # how a series goes on after the limit, the likeliest first
_AFTER_COUNTS = ("hold", "kill", "stop")
_AFTER_DISK = ("hold", "stop", "kill")
_PAGE = 4096


@dataclass(frozen=True, slots=True)
class Made:
    """A clean level (T,) as share of the first limit; `ends`: it is to reach the limit. `limit` (T,)
    where it changes; `restart` and `rollouts` are rows; a new container begins near `base`; a level
    that does not end is held below `most` of the limit."""

    scene: Scene
    level: Series
    ends: bool = False
    metric: str = "memory"
    limit: Series | None = None
    restart: int | None = None
    rollouts: tuple[int, ...] = ()
    base: float | None = None
    onset: int | None = None
    most: float = 0.992


# Real backgrounds and building blocks


@cache
def _backgrounds() -> tuple[Series, ...]:
    """Memory of real pods as deviations from their median, without jumps."""
    some = (_calm(x) for x in pods("mem") if np.median(x) >= 0.5)
    return tuple(x.clip(-0.35, 0.35) for x in some if x is not None)


def _calm(x: Series) -> Series | None:
    """Deviations (T,) of one pod without spikes of a minute; of a jump the longer side, None if that is
    short or jumps again."""
    padded = np.pad(x, 2, constant_values=np.nan)
    smooth = np.nanmedian(sliding_window_view(padded, 5), axis=1)
    steady = np.where(np.abs(x - smooth) > 0.03 * np.median(x), smooth, x)
    found: Series = steady / np.median(steady) - 1
    jumps = np.abs(np.diff(found))
    if jumps.max() <= _JUMP:
        return found
    at = int(jumps.argmax()) + 1
    found = found[at:] if len(found) - at > at else found[:at]
    if len(found) < 300:
        return None
    found = (1 + found) / (1 + np.median(found)) - 1
    return None if np.abs(np.diff(found)).max() > _JUMP else found


@cache
def _load(daily: bool) -> tuple[Series, float, float, float]:
    """Load, its step in seconds, the levels of a calm and of a busy time."""
    values, step = measured("nyc_taxi" if daily else "elb_request_count_8c0756")
    if not daily:
        sums = np.cumsum(values)
        sums[6:] -= sums[:-6].copy()
        values = sums / np.minimum(np.arange(len(values)) + 1, 6)
    low, high = np.percentile(values, [1, 99])
    return values, step, float(low), float(high)


def background(scene: Scene, base: float) -> Series:
    """A quiet container at `base`: a stretch of a real pod and, mostly, a slow wander of its own."""
    sources = _backgrounds()
    source = sources[scene.random.integers(len(sources))]
    need = scene.lasts / 60
    while len(source) < need + 2:
        source = np.concatenate([source, source[::-1]])
    first = scene.draw(0, len(source) - need - 1)
    real = np.interp(first + scene.t / 60, np.arange(len(source)), source)
    wanders = float(scene.random.choice([0.0, 1.0], p=[0.3, 0.7]))
    return base * (1 + real) + wander(scene, wanders * scene.scale(0.001, 0.012))


def wander(scene: Scene, deviation: float, seconds: float | None = None) -> Series:
    """A stationary AR(1) around 0 that forgets within `seconds`."""
    seconds = seconds or scene.scale(120, 3600)
    keep = float(np.exp(-scene.step / seconds))
    shocks = scene.random.normal(0, 1, scene.rows) * deviation * np.sqrt(1 - keep * keep)
    return recursion(float(scene.random.normal(0, 1)) * deviation, keep, shocks[1:])


def traffic(scene: Scene, daily: bool = True) -> Series:
    """Load (T,) of a service, 0 to about 1."""
    values, step, low, high = _load(daily)
    need = int(scene.lasts / step) + 3
    first = int(scene.random.integers(0, max(1, len(values) - need)))
    part = values[first : first + need]
    at = scene.t / step + scene.draw(0, 1)
    shaped = (np.interp(at, np.arange(len(part)), part) - low) / (high - low)
    return np.clip(shaped, 0, 1.15)


def followed(load: Series, share: float) -> Series:
    """Exponentially weighted mean (T,) of the load so far."""
    keep = 1 - share
    weights = recursion(0.0, keep, np.ones(len(load)))[1:]
    found: Series = recursion(0.0, keep, load)[1:] / weights
    return found


def teeth(
    scene: Scene, floor: Series, peak: Series, period: Series,
    jitter: float = 0.15, shape: float = 1.0, partly: float = 0.0,
) -> Series:  # fmt: skip
    """A saw-tooth (T,) between `floor` and `peak`, `period` in seconds (all (T,)); a share `partly` of the
    collections frees only a part."""
    random, rows, step = scene.random, scene.rows, scene.step
    level = np.empty(rows)
    begins = -int(random.uniform(0, 1) * period[0] / step)
    while begins < rows:
        i = min(max(begins, 0), rows - 1)
        takes = period[i] * np.exp(random.normal(0, jitter))
        low, height = floor[i], peak[i] - floor[i]
        if random.uniform() < partly:
            low = floor[i] + height * random.uniform(0.3, 0.85)
        count = max(1, round(float(takes / step * (peak[i] - low) / max(1e-6, height))))
        way = (np.arange(count) + random.uniform(0, 1) * (count < 6)) / count
        first, last = max(begins, 0), min(begins + count, rows)
        if last > first:
            risen = np.clip(way[first - begins : last - begins], 0, 1) ** shape
            level[first:last] = low + (peak[first:last] - low) * risen
        begins += count
    return level


def ripple(scene: Scene, height: float) -> Series:
    """What young collections leave behind and take away."""
    period = scene.scale(90, 2400)
    peaks = np.full(scene.rows, height) * np.exp(wander(scene, 0.15, 1800))
    return teeth(scene, np.zeros(scene.rows), peaks, np.full(scene.rows, period), 0.25)


def saturated(x: Series, scale: float) -> Series:
    found: Series = 1 - np.exp(-x / scale)
    return found


def scene_of(
    random: Random, long: float = 0.1, low: float = 6, high: float = 12, step: float | None = None
) -> Scene:
    """Between `low` and `high` hours, a share `long` of them three days."""
    step = step or float(random.choice([15.0, 30.0, 60.0], p=[0.3, 0.4, 0.3]))
    hours = 72 if random.uniform() < long else random.uniform(low, high)
    return Scene(random, step, int(hours * 3600 / step))


def rise_within(
    scene: Scene, least: float, most: float, earliest: float = 0.05
) -> tuple[int, float]:
    """Row of the onset and seconds to the limit, so that it is met inside the series."""
    total = scene.lasts
    takes = scene.scale(least, min(most, total * 0.85))
    latest = max(0.97 - takes / total, 0.06)
    first = min(max(earliest, 0.5 - takes / total), 0.5 * (1 - takes / total), latest)
    return int(scene.draw(first, latest) * total / scene.step), takes


def with_load(load: Series, onset: int, takes: float, step: float) -> Series:
    """Share of the way (T,) of what grows with the load, 1 after `takes` seconds; negative before."""
    grown = np.cumsum(load)
    grown -= grown[onset]
    whole = grown[min(len(grown) - 1, onset + int(takes / step))]
    found: Series = grown / max(float(whole), 1e-9)
    return found


def redeployed(
    scene: Scene, level: Series, share: float = 0.06, latest: float = 0.9
) -> tuple[Series, int | None, tuple[int, ...]]:
    """A level with, now and then, an ordinary new container that warms up briefly; its row, and that of
    the rollout if it was one."""
    if not scene.chance(share):
        return level, None, ()
    row = int(scene.rows * scene.draw(0.1, latest))
    level = level.copy()
    age = np.arange(scene.rows - row) * scene.step
    level[row:] *= 1 - scene.draw(0.1, 0.5) * np.exp(-age / scene.draw(120, 900))
    return level, row, (row,) if scene.chance(0.8) else ()


# Core: what ends

Rise = Callable[[Scene, int, float, Series], Series]  # row of the onset, seconds, way (T,): the way


def leak(
    random: Random, rise: Rise, least: float = 5400, most: float = 200000, rippled: bool = False
) -> Made:
    """A quiet container, and from an onset on a rise by its own rule, perhaps under a GC ripple."""
    scene = scene_of(random)
    base = scene.draw(0.12, 0.6)
    level = background(scene, base)
    onset, takes = rise_within(scene, least, most)
    way = np.maximum(0, (np.arange(scene.rows) - onset) * scene.step / takes)
    level = level + (1 - base) * rise(scene, onset, takes, way)
    if rippled:
        level = level + ripple(scene, scene.draw(0.02, 0.16))
    latest = 0.05 + 0.8 * onset / scene.rows
    level, restart, rollouts = redeployed(scene, level, 0.05, latest)
    return Made(scene, level, True, restart=restart, rollouts=rollouts, base=base)


def straight(scene: Scene, onset: int, takes: float, way: Series) -> Series:
    return way


def linear(scene: Scene, onset: int, takes: float, way: Series) -> Series:
    """Steadily, or with every request."""
    if not scene.chance(0.4):
        return way
    load = 0.4 + traffic(scene, daily=scene.chance(0.5))
    found: Series = np.maximum(0, with_load(load, onset, takes, scene.step))
    return found


def accelerating(scene: Scene, onset: int, takes: float, way: Series) -> Series:
    """By a power or exponentially."""
    if scene.chance(0.6):
        found: Series = way ** scene.draw(1.5, 3.5)
        return found
    folds = scene.draw(1.5, 4)
    return np.expm1(way * folds) / float(np.expm1(folds))


def staircase(scene: Scene, onset: int, takes: float, way: Series) -> Series:
    """An upload, a report, a reload of the configuration that never gives everything back."""
    random, count = scene.random, int(scene.random.integers(5, 40))
    if scene.chance(0.5):
        steps = np.sort(random.uniform(0, 1.15, count))
    else:
        steps = (np.arange(count) + random.uniform(-0.2, 0.2, count)) / count
    heights = random.gamma(4, 1, count)
    heights *= 1.05 / heights[steps <= 1].sum()
    width = scene.scale(10, 400) / takes
    found = np.zeros(scene.rows)
    for height, at in zip(heights, steps, strict=True):
        found += height * np.clip((way - at) / width, 0, 1)
    return found


def connection_leak(random: Random) -> Made:
    """CLOSE_WAIT, sessions idle in a transaction, a pool that never gives back."""
    scene = scene_of(random, 0.06)
    base = scene.draw(0.08, 0.5)
    onset, takes = rise_within(scene, 2400, 25000)
    load = traffic(scene, daily=False)
    leaked = np.maximum(0, with_load(0.25 + load, onset, takes, scene.step))
    busy = base * (0.7 + 0.5 * load) + wander(scene, 0.02, 120)
    return Made(scene, busy + (1 - base) * leaked, True, "connections")


def zombie_processes(random: Random) -> Made:
    """A probe that forks under a first process that does not reap."""
    scene = scene_of(random, 0.06)
    base = scene.draw(0.08, 0.5) * 0.5
    onset, takes = rise_within(scene, 3600, 30000)
    left = (1 - base) * scene.since(onset * scene.step) / takes
    return Made(scene, base + wander(scene, 0.004) + left, True, "connections")


def disk_fill(random: Random) -> Made:
    """Data that grow, steadily or with the writes (a log behind a dead replication slot)."""
    scene = scene_of(random, 0.35, 18, 40, step=60.0)
    base = scene.draw(0.25, 0.8)
    onset, takes = rise_within(scene, 5 * 3600, 150000)
    way = scene.since(onset * scene.step) / takes
    if scene.chance(0.5):
        load = 0.3 + traffic(scene)
        way = np.maximum(0, with_load(load, onset, takes, scene.step))
    level = base + (1 - base) * way + wander(scene, 0.002)
    return Made(scene, level + ripple(scene, scene.draw(0, 0.02)), True, "volume", base=base)


# Core: what does not end


def _healthy(scene: Scene, level: Series, share: float = 0.06) -> Made:
    level, restart, rollouts = redeployed(scene, level, share)
    return Made(scene, level, restart=restart, rollouts=rollouts)


def quiet(random: Random) -> Made:
    scene = scene_of(random, 0.11)
    return _healthy(scene, background(scene, scene.draw(0.08, 0.85)))


def warm_up(random: Random) -> Made:
    """Compiled code, metaspace, caches; from the start of the series or later."""
    scene = scene_of(random, 0.11)
    base, top = scene.draw(0.1, 0.5), scene.draw(0.5, 0.96)
    top = max(top, base + 0.08)
    start = scene.draw(0, 0.35) * scene.lasts * scene.chance(0.6)
    age, takes = scene.since(start), scene.scale(600, 0.3 * min(scene.lasts, 43200))
    if scene.chance(0.7):
        share = saturated(age, takes)
    else:
        share = np.log1p(age / takes * 3) / np.log1p(scene.lasts / takes * 3)
    return _healthy(scene, background(scene, base) + (top - base) * share, 0)


def periodic(random: Random) -> Made:
    scene = scene_of(random, 0.11)
    low = scene.draw(0.12, 0.6)
    high = low + scene.draw(0.1, 1) * (0.92 - low)
    if scene.lasts < 2e5:
        period = scene.scale(600, 6 * HOUR)
    else:
        period = scene.pick(DAY, DAY, DAY / 2, scene.scale(3 * HOUR, 12 * HOUR))
    phase = (scene.t / period + scene.draw(0, 1)) % 1
    form = int(random.integers(3))
    shapes = (
        0.5 - 0.5 * np.cos(2 * np.pi * phase),
        np.clip(np.sin(np.pi * phase), 0, 1) ** scene.draw(1, 4),
        np.clip(np.minimum(phase, 1 - phase) * 3, 0, 1),
    )
    level = background(scene, low)
    swing = (high - low) * shapes[form] * (1 + wander(scene, 0.04, period))
    return _healthy(scene, level + swing)


def steps(random: Random) -> Made:
    scene = scene_of(random, 0.11)
    level = background(scene, scene.draw(0.12, 0.5))
    for _ in range(int(random.integers(1, 4))):
        height = scene.draw(0.08, 0.45) * scene.pick(1, 1, -0.5)
        at, takes = scene.draw(0.05, 0.95) * scene.lasts, scene.scale(1, 600)
        level = level + height * np.clip((scene.t - at) / takes, 0, 1)
    return _healthy(scene, level)


def gc_sawtooth(random: Random) -> Made:
    scene = scene_of(random, 0.02)
    low = scene.draw(0.1, 0.6)
    high = low + scene.draw(0.1, 0.95) * (0.95 - low)
    period = scene.scale(60, 5400)
    floor = background(scene, low)
    peak = np.maximum(floor + 0.02, high + floor - low)
    jitter, shape = scene.draw(0.03, 0.35), scene.draw(0.7, 1.2)
    level = teeth(scene, floor, peak, np.full(scene.rows, period), jitter, shape)
    return _healthy(scene, level)


def _held(scene: Scene, start: float, rise: float, hold: float, fall: float) -> Series:
    """Factor (T,) by which something falls off after it has risen and been held."""
    found: Series = np.exp(-np.maximum(0, scene.t - start - rise - hold) / fall)
    return found


def bursts(random: Random) -> Made:
    """Heavy requests at random times, held for a while."""
    scene = scene_of(random, 0.11)
    base = scene.draw(0.12, 0.65)
    level = background(scene, base)
    count = random.poisson(scene.lasts / 3600 * scene.scale(0.08, 0.9)) + 1
    for start in random.uniform(0, scene.lasts, count):
        height = scene.draw(0.05, 0.95) ** 1.5 * (0.97 - base)
        rise, hold, fall = scene.scale(20, 900), scene.scale(60, 3000), scene.scale(60, 1800)
        shape = np.clip((scene.t - start) / rise, 0, 1) * _held(scene, start, rise, hold, fall)
        higher = level + height * shape
        level = np.maximum(level, higher) if higher.max() < 0.985 else level
    return _healthy(scene, level)


def plateau(random: Random) -> Made:
    scene = scene_of(random, 0.11)
    base = scene.draw(0.72, 0.96)
    level = base + (background(scene, base) - base) * 0.6
    return _healthy(scene, level + wander(scene, scene.scale(0.001, 0.012)))


def page_cache(random: Random) -> Made:
    """A working set with files that come and are reclaimed."""
    scene = scene_of(random, 0.11)
    low = scene.draw(0.15, 0.5)
    load = traffic(scene, daily=False)
    share = 1 - np.exp(-scene.step / scene.scale(900, 10000))
    level = background(scene, low)
    return _healthy(scene, level + scene.draw(0.1, 0.5) * followed(load, share))


def pool(random: Random) -> Made:
    """Connections of a database under load, now and then a rolling update of its clients."""
    scene = scene_of(random, 0.11)
    base = scene.draw(0.1, 0.6)
    load = traffic(scene, daily=False)
    level = base * (0.7 + scene.draw(0.1, 0.6) * load)
    level = level + wander(scene, scene.scale(0.005, 0.03), 200)
    rollouts: list[int] = []
    for _ in range(random.poisson(1.0)):
        start = scene.draw(0.05, 0.9) * scene.lasts
        rise, fall = scene.scale(60, 1500), scene.scale(120, 1800)
        height = min(scene.draw(0.3, 1.0) * base, 0.93 - base)
        shape = np.clip((scene.t - start) / rise, 0, 1)
        level = level + height * shape * _held(scene, start, rise, scene.scale(30, 900), fall)
        rollouts.append(int(start / scene.step))
    return Made(scene, level, metric="connections", rollouts=tuple(rollouts))


def process_jobs(random: Random) -> Made:
    """Timed jobs and workers: counts in blocks."""
    scene = scene_of(random, 0.02)
    level = scene.draw(0.05, 0.5) + wander(scene, 0.01, 300)
    period, height = scene.scale(600, 7200), scene.draw(0.05, 0.42)
    into = (scene.t + scene.draw(0, period)) % period
    busy = into < period * scene.draw(0.1, 0.7)
    level = level + height * busy * (1 + wander(scene, 0.1, period))
    return Made(scene, level, metric="connections")


def descriptors_warm(random: Random) -> Made:
    """File handles of a store that opens its segments."""
    scene = scene_of(random, 0.11)
    base, top = scene.draw(0.05, 0.4), scene.draw(0.4, 0.9)
    age = scene.since(scene.draw(0, 0.5) * scene.lasts)
    level = base + (top - base) * saturated(age, scene.scale(300, 6000))
    return Made(scene, level + wander(scene, 0.01), metric="connections")


def _disk(random: Random) -> tuple[Scene, float]:
    """Rows of a minute and where the disk stands at first."""
    scene_of(random, 0.11)  # draws that decide nothing
    scene = scene_of(random, 0.35, 18, 40, step=60.0)
    return scene, scene.draw(0.2, 0.93)


def disk_rotate(random: Random) -> Made:
    """Logs rotated, blocks compacted, images collected."""
    scene, base = _disk(random)
    period = scene.pick(3600, 7200, 21600, 43200, 86400) * scene.pick(1.0, scene.draw(0.6, 1.4))
    top = base + scene.draw(0.02, 0.6) * (1 - base)
    floor, peak, periods = (np.full(scene.rows, x) for x in (base, top, period))
    level = teeth(scene, floor, peak, periods, 0.05, scene.draw(0.6, 1.1))
    level = level + wander(scene, scene.scale(0.0003, 0.004))
    return Made(scene, level, metric="volume")


def disk_slow(random: Random) -> Made:
    """Growth, or shrinking, that needs far longer than the series."""
    scene, base = _disk(random)
    level = base + (scene.t / scene.lasts) * scene.draw(-0.3, 0.8) * (0.97 - base)
    level = level + 0.2 * scene.draw(0, 0.1) * traffic(scene)
    level = level + wander(scene, scene.scale(0.0003, 0.004))
    return Made(scene, level, metric="volume")


# Stress; what `ends` comes with its healthy likeness


def jvm(random: Random, ends: bool) -> Made:
    """Collections at a ceiling; the live set creeps, or stays, or follows the load. The end is when what
    lives leaves nothing to collect."""
    scene = scene_of(random, 0.03)
    ceiling = scene.draw(0.82, 0.985)
    base, period = scene.draw(0.12, 0.55) * ceiling, scene.scale(90, 7200)
    floor = background(scene, base)
    if ends:
        onset, takes = rise_within(scene, 7200, 180000)
        way = scene.since(onset * scene.step) / takes
        floor = floor + (1.0 - base) * way ** scene.pick(1.0, 1.0, scene.draw(1, 1.8))
    elif scene.chance(0.4):
        floor = floor + scene.draw(0.05, 0.25) * traffic(scene, daily=scene.lasts > 1e5)
    live = np.minimum(floor, 0.988)
    level = _collected(scene, live, ceiling, period, max(0.05, ceiling - base))
    if ends:
        level = np.where(floor >= 0.985, np.maximum(level, 1.0), np.minimum(level, 0.994))
    return Made(scene, level, ends, base=base, most=0.994)


def _collected(scene: Scene, live: Series, ceiling: float, period: float, room: float) -> Series:
    """Heap (T,) over its `live` set; full collections come sooner as the room goes, a third of the heaps
    begins with lower ones, half has partial ones."""
    reached = np.full(scene.rows, ceiling) + wander(scene, 0.004)
    peak = np.minimum(np.maximum(reached, live + 0.35 * (1 - live)), 0.994)
    if scene.chance(0.35):
        early = scene.draw(0.05, 0.3) * np.exp(-scene.t / scene.draw(1800, 14400))
        peak = np.maximum(peak - early, live + 0.01)
    periods = np.maximum(period * (peak - live) / room, 2 * scene.step)
    jitter, shape = scene.draw(0.05, 0.4), scene.draw(0.6, 1.1)
    partly = scene.pick(0, scene.draw(0.2, 0.8))
    return teeth(scene, live, peak, periods, jitter, shape, partly)


def go(random: Random, ends: bool) -> Made:
    """The peak is a multiple of what lives; half of the heaps gives pages back slowly."""
    scene = scene_of(random, 0.08)
    fold, peak = scene.draw(1.4, 2.1), scene.draw(0.25, 0.7 if ends else 0.88)
    period = scene.scale(60, 2400)
    live = background(scene, peak / fold)
    if ends:
        onset, takes = rise_within(scene, 5400, 100000)
        live = live * (1 + (1 / peak - 1) * scene.since(onset * scene.step) / takes)
    else:
        follows = scene.pick(0, scene.draw(0.0, 0.3))
        live = live * (1 + follows * (traffic(scene, daily=False) - 0.3))
    level = teeth(scene, live, live * fold, np.full(scene.rows, period), 0.2)
    if scene.chance(0.5):
        width = max(2, int(scene.scale(60, 900) / scene.step))
        padded = np.pad(level, (width - 1, 0), constant_values=-np.inf)
        kept = sliding_window_view(padded, width).max(axis=1) * scene.draw(0.8, 0.97)
        level = np.maximum(level, kept)
    return Made(scene, level, ends)


def _counts(random: Random) -> tuple[Scene, float, Series]:
    """Processes or connections at a step of 15 s under load: where they stand, and the level (T,)."""
    scene = scene_of(random, 0, 5, 9, step=15.0)
    base = scene.draw(0.05, 0.55)
    level = base * (0.8 + 0.4 * traffic(scene, daily=False))
    return scene, base, level + wander(scene, scene.scale(0.003, 0.02), 120)


def surge(random: Random, forks: bool) -> Made:
    """Minutes to an hour from the onset to the limit; what forks may grow exponentially."""
    scene, base, level = _counts(random)
    takes, onset = scene.scale(150, 3600), int(scene.draw(0.3, 0.85) * scene.rows)
    way = scene.since(onset * scene.step) / takes
    if forks and scene.chance(0.5):
        folds = scene.draw(1.5, 5)
        grown = np.expm1(np.minimum(way, 1.5) * folds) / float(np.expm1(folds))
    else:
        grown = way ** scene.draw(0.8, 1.5)
    level = level + (1 - base) * grown
    return Made(scene, level, True, "connections", base=base, onset=onset)


def surge_below(random: Random) -> Made:
    """Surges that end below the limit."""
    scene, base, level = _counts(random)
    for _ in range(int(random.integers(1, 4))):
        rise, start = scene.scale(150, 2400), scene.draw(0.1, 0.9) * scene.lasts
        height = scene.draw(0.45, 0.96) - base
        if height < 0.1:
            continue
        hold, fall = scene.scale(60, 6000), scene.scale(60, 1800)
        shape = np.clip((scene.t - start) / rise, 0, 1) ** scene.draw(0.7, 1.4)
        shape = shape * _held(scene, start, rise, hold, fall)
        level = np.maximum(level, base + height * shape + wander(scene, 0.006, 120))
    return Made(scene, level, metric="connections")


def _job(
    scene: Scene, start: float, takes: float, height: float, power: float, fall: float
) -> Series:
    """One run (T,): it fills memory and lets go."""
    way = np.clip((scene.t - start) / takes, 0, 1)
    left = np.exp(-scene.since(start + takes) / fall)
    return height * np.where(scene.t < start + takes, way**power, left)


def batch(random: Random, ends: bool) -> Made:
    """A job that repeats every few hours; or needs more each time."""
    step = float(random.choice([15.0, 30.0, 60.0], p=[0.3, 0.4, 0.3]))
    total = random.uniform(8, 14) * 3600
    scene = Scene(random, step, int(total / step))
    base, period = scene.draw(0.12, 0.45), scene.scale(3600, 4 * 3600)
    takes = period * scene.draw(0.25, 0.8)
    start, top = scene.draw(0.05, 0.4) * total, scene.draw(0.55, 0.95)
    if ends:
        top = scene.draw(0.5, 0.85)
    level, run = background(scene, base), 0
    growth = scene.draw(0.03, 0.15)
    while start < total:
        height = (top - base + growth * run * ends) * (1 + random.normal(0, 0.02))
        power, fall = scene.draw(0.7, 1.2), scene.draw(20, 400)
        level = level + _job(scene, start, takes, height, power, fall)
        start += period * np.exp(random.normal(0, 0.05))
        run += 1
    return Made(scene, level, ends, base=base)


def nightly(random: Random, ends: bool) -> Made:
    """A job of every night, over three days."""
    step = float(random.choice([30.0, 60.0]))
    scene = Scene(random, step, int(3 * DAY / step))
    base = scene.draw(0.15, 0.5)
    level = background(scene, base)
    level = level + scene.draw(0, 0.12) * traffic(scene)
    begins, takes = scene.draw(2, 22) * 3600, scene.scale(1800, 5 * 3600)
    top, growth = scene.draw(0.6, 0.93), scene.draw(0.04, 0.2) if ends else 0.0
    for day in range(3):
        start = begins + day * DAY + random.normal(0, 300)
        height = (top + growth * day - base) * (1 + random.normal(0, 0.02))
        level = level + _job(scene, start, takes, height, 1, scene.draw(30, 900))
    return Made(scene, level, ends, base=base)


def backup(random: Random, ends: bool) -> Made:
    """A dump grows, is shipped and deleted; or its deletion fails."""
    scene = Scene(random, 60.0, int(random.choice([36, 36, 48, 72]) * 60))
    base, period = scene.draw(0.3, 0.75), scene.pick(6, 12, 24) * 3600
    start, size = scene.draw(0.03, 0.9) * period, scene.draw(0.2, 0.9) * (0.97 - base)
    takes = scene.scale(1200, 0.5 * period)
    level = base + 0.04 * scene.draw(0, 1) * scene.t / scene.lasts + wander(scene, 0.0015)
    kept = scene.draw(0.3, 1.0) if ends else 0.0
    if ends:
        size = scene.draw(0.15, 0.5) * (1 - base)
    hold = scene.pick(scene.scale(300, 3600), scene.scale(3600, 0.3 * period + 3601))
    while start < scene.lasts:
        written = np.clip((scene.t - start) / takes, 0, 1)
        level = level + size * (written - (1 - kept) * (scene.t > start + takes + hold))
        start += period + random.normal(0, 200)
    return Made(scene, level, ends, "volume", base=base)


def follows_traffic(random: Random, ends: bool) -> Made:
    """Memory that follows the load; with a leak or without."""
    step = float(random.choice([30.0, 60.0]))
    scene = scene_of(random, 0.15, 8, 13, step)
    base = scene.draw(0.15, 0.45)
    height = scene.draw(0.15, 0.92 - base) * (0.6 if ends else 1)
    share = 1 - np.exp(-scene.step / scene.scale(60, 1800))
    load = followed(traffic(scene, daily=scene.chance(0.7)), share)
    level = background(scene, base) + height * load
    if ends:
        way = np.maximum(0, scene.t / scene.lasts - 0.05) / scene.draw(0.5, 0.9)
        level = level + (1 - base - 0.7 * height) * way
    return Made(scene, level, ends, base=base)


def rollout(random: Random, ends: bool) -> Made:
    """A warm-up after a rollout; or a leak that came with it."""
    scene = scene_of(random, 0.06)
    base = scene.draw(0.15, 0.6)
    level = background(scene, base)
    if ends:
        row, takes = rise_within(scene, 2700, 60000, earliest=0.1)
    else:
        row, takes = int(scene.draw(0.05, 0.7) * scene.rows), np.inf
    age = scene.since(row * scene.step)
    height = scene.draw(0.02, 0.2) if ends else scene.draw(0.15, 0.95 - base)
    start = scene.draw(0.4, 0.9)
    begun = level * (start + (1 - start) * saturated(age, scene.draw(60, 600)))
    begun = begun + height * saturated(age, scene.scale(600, 9000))
    level = np.where(np.arange(scene.rows) >= row, begun, level)
    level = level + (1 - base - height) * age / takes
    return Made(scene, level, ends, restart=row, rollouts=(row,), base=base)


def _ramped(scene: Scene, low: float, high: float, takes: float) -> tuple[Series, float]:
    """A rise (T,) that takes its time and holds; the second it begins."""
    latest = max(0.03, 0.92 - takes / scene.lasts)
    start = scene.draw(0.02, latest) * scene.lasts
    level = background(scene, low)
    level = level + (high - low) * np.clip((scene.t - start) / takes, 0, 1)
    return np.minimum(level, 0.985) if high > 0.9 else level, start


def step_ramp(random: Random) -> Made:
    """A cache being filled, a shard moved in, a tenant migrated, perhaps gone again later."""
    scene = scene_of(random, 0.06)
    low, high, takes = scene.draw(0.12, 0.6), scene.draw(0.6, 0.96), scene.scale(240, 4500)
    level, start = _ramped(scene, low, high, takes)
    if scene.chance(0.4):
        risen = (start + takes) / scene.step
        row = int(min(scene.rows - 1, risen + scene.draw(0.05, 0.6) * (scene.rows - risen)))
        level[row:] -= (high - low) * scene.draw(0.5, 1)
    return Made(scene, level)


def linear_to_cap(random: Random) -> Made:
    """Straight growth to a cap that holds."""
    scene = scene_of(random, 0.06)
    random.random(2)  # draws that decide nothing
    cap = scene.draw(0.6, 0.95)
    low = scene.draw(0.1, cap - 0.1)
    level, _ = _ramped(scene, low, cap, scene.scale(3600, 0.75 * scene.lasts))
    return Made(scene, level)


def _worked(scene: Scene) -> Series:
    """Share of the work done (T,) by a load with pauses: nights, or breaks of up to hours."""
    if scene.lasts > 2e5:
        busy = np.clip(traffic(scene) * 1.6 - 0.5, 0, 1)
    else:
        busy, start = np.zeros(scene.rows), scene.draw(0.02, 0.2) * scene.lasts
        while start < scene.lasts:
            takes = scene.scale(1500, 9000)
            busy += (scene.t >= start) & (scene.t < start + takes)
            start += takes + scene.scale(1200, 8000)
    done = np.cumsum(busy)
    return done / max(float(done[-1]), 1.0)


def pausing(random: Random, ends: bool) -> Made:
    """A leak that pauses with the load; or whose workers are recycled before it gets there."""
    scene = scene_of(random, 0.12, 8, 14)
    base = scene.draw(0.15, 0.5)
    level, done = background(scene, base), _worked(scene)
    if ends:
        return Made(scene, level + (1 - base) * done / scene.draw(0.55, 0.98), True, base=base)
    level = level + (scene.draw(0.55, 0.95) - base) * done / 0.98
    row = int(scene.rows * scene.draw(0.5, 0.97))
    if not scene.chance(0.6):
        return Made(scene, level)
    level[row:] -= done[row] * (level[row] - base) * scene.draw(0.9, 1)
    return Made(scene, level, restart=row)


def limit_raised(random: Random, ends: bool) -> Made:
    """A leak under a limit that is raised, in place or with a new pod; it goes on or saturates."""
    scene = scene_of(random, 0.1, 7, 14)
    base, fold = scene.draw(0.25, 0.6), scene.pick(1.25, 1.5, 2.0, 2.0, 3.0)
    level = background(scene, base)
    reached, start = scene.draw(0.65, 0.97), scene.draw(0.02, 0.2) * scene.lasts
    takes = scene.draw(0.2, 0.5) * scene.lasts
    slope, row = (reached - base) / takes, int((start + takes) / scene.step)
    level = level + slope * np.minimum(scene.since(start), takes)
    later = np.maximum(0, scene.t - start - takes)
    if ends:
        needs = (fold - reached) / (slope * scene.draw(0.8, 2.5))
        level = level + (fold - reached) * later / needs
    else:
        more = scene.draw(0.02, 0.85) * (fold * 0.93 - reached)
        level = level + more * saturated(later, scene.scale(600, 20000))
    limit = np.where(np.arange(scene.rows) >= row, fold, 1.0)
    if not scene.chance(0.5):
        return Made(scene, level, ends, limit=limit, base=base)
    level[row:] -= (reached - base) * scene.draw(0.6, 1)
    return Made(scene, level, ends, limit=limit, restart=row, rollouts=(row,), base=base)


# From a level to what is measured


def _measured(
    kind: str, stress: bool, make: Callable[[Random], Made], random: Random
) -> Case | None:
    """A case, None where the level does not do what its kind says."""
    made = make(random)
    level = np.maximum(made.level, 0.004)
    limit = np.ones(len(level)) if made.limit is None else made.limit
    crossing, after, restart = None, "", made.restart
    if made.ends:
        over = np.flatnonzero(level >= limit)
        early = 0.0 if made.metric == "connections" else 2400.0
        if not len(over) or over[0] * made.scene.step < early or over[0] < 20:
            return None
        crossing = int(over[0])
        level, limit, after = _ended(made, level, limit, crossing)
        if restart is not None and restart > crossing:
            restart = None
    elif (level > limit * 1.06).any() or (level > limit * made.most).mean() > 0.02:
        return None
    else:  # page cache is reclaimed before the limit
        level = np.minimum(level, limit * made.most)
    noisy = _noisy(made, level, crossing if after == "hold" else None)
    noisy = np.clip(noisy, 0, limit if made.ends else limit * 0.997)
    values, limit = _in_units(random, made.metric, noisy, limit)
    killed = crossing + 1 if crossing is not None and after == "kill" else None
    values = np.where(_lost(random, len(values), killed), np.nan, np.maximum(values, 0))
    return Case(
        kind, stress, values, limit, made.scene.step, HORIZONS[made.metric], made.metric, crossing,
        marked(len(values), restart, killed), marked(len(values), *made.rollouts), made.onset,
    )  # fmt: skip


def _ended(made: Made, level: Series, limit: Series, crossing: int) -> tuple[Series, Series, str]:
    """Level and limit until the series ends, up to an hour after the crossing, and how it goes on:
    killed and begun anew, held at the limit, or not at all."""
    scene, random = made.scene, made.scene.random
    base = made.base
    if base is None:
        base = float(np.median(level[: max(10, crossing // 8)]))
    ways = {"memory": _AFTER, "connections": _AFTER_COUNTS, "volume": _AFTER_DISK}[made.metric]
    after = str(random.choice(ways, p=[0.65, 0.2, 0.15]))
    more = 0
    if after != "stop":
        more = min(len(level) - crossing - 1, int(scene.draw(300, 3600) / scene.step))
    rows = crossing + 1 + more
    level, limit = level[:rows].copy(), limit[:rows]
    level[crossing] = max(level[crossing], limit[crossing])
    if more and after == "kill":
        anew = Scene(random, scene.step, more)
        again = scene.draw(0.6, 1) + 0.2 * saturated(anew.t, scene.draw(200, 1500))
        level[crossing + 1 :] = base * again + wander(anew, 0.003)
    elif more:
        level[crossing + 1 :] = limit[crossing + 1 :]
    return np.maximum(level, 0.004), limit, after


def _noisy(made: Made, level: Series, held: int | None) -> Series:
    """The level as measured; from row `held` on never above it."""
    scene = made.scene
    noise = {
        "memory": scene.scale(0.0005, 0.008),
        "connections": 0.0,
        "volume": scene.scale(0.00005, 0.001),
    }[made.metric]
    values = level + scene.random.normal(0, 1, len(level)) * noise
    if held is not None:
        values[held:] = level[held:] - np.abs(values[held:] - level[held:])
    return values


def _in_units(random: Random, metric: str, values: Series, limit: Series) -> tuple[Series, Series]:
    """Values and limits in bytes (whole pages), whole counts or per cent."""
    if metric == "memory":
        size = float(random.choice([128, 256, 512, 1024, 2048, 4096, 8192, 16384])) * 2**20
    elif metric == "connections":
        size = float(random.choice([100, 200, 300, 500, 1000, 1024, 2000, 4096, 10000, 65536]))
        return np.round(values * size), np.floor(limit * size)
    elif random.uniform() < 0.4:
        size = float(random.choice([80, 85, 90, 95]))
        return np.round(values * size, 2), limit * size
    else:
        size = float(random.choice([20, 50, 100, 200, 500])) * 2**30
        size *= float(random.choice([0.85, 0.9, 0.95]))
    return np.round(values * size / _PAGE) * _PAGE, limit * size


def _lost(random: Random, rows: int, killed: int | None) -> Mask:
    """Scrapes (T,) that are lost: about 1 %, a third of them in short runs, some after a kill."""
    lost = random.uniform(size=rows) < 0.0065
    for row in np.flatnonzero(random.uniform(size=rows) < 0.0008):
        lost[row : row + random.integers(2, 8)] = True
    if killed is not None and killed + 1 < rows:
        lost[killed + 1 : killed + 1 + int(random.integers(0, 3))] = True
    return lost


# The mixes: kind -> maker and share of the cases

_Table = dict[str, tuple[Callable[[Random], Made], float]]
CORE: _Table = {
    "leak-linear": (partial(leak, rise=linear), 0.09),
    "leak-ripple": (partial(leak, rise=straight, rippled=True), 0.07),
    "leak-accelerating": (partial(leak, rise=accelerating), 0.05),
    "leak-staircase": (partial(leak, rise=staircase), 0.05),
    "leak-fast": (partial(leak, rise=straight, least=1500, most=4200), 0.06),
    "connection-leak": (connection_leak, 0.04),
    "zombie-processes": (zombie_processes, 0.02),
    "disk-fill": (disk_fill, 0.02),
    "quiet": (quiet, 0.08),
    "warm-up": (warm_up, 0.09),
    "periodic": (periodic, 0.06),
    "step": (steps, 0.08),
    "gc-sawtooth": (gc_sawtooth, 0.07),
    "bursts": (bursts, 0.05),
    "plateau": (plateau, 0.05),
    "page-cache": (page_cache, 0.03),
    "pool": (pool, 0.03),
    "process-jobs": (process_jobs, 0.02),
    "descriptors-warm": (descriptors_warm, 0.01),
    "disk-rotate": (disk_rotate, 0.02),
    "disk-slow": (disk_slow, 0.01),
}
STRESS: _Table = {
    "jvm-creep": (partial(jvm, ends=True), 0.065),
    "jvm-healthy": (partial(jvm, ends=False), 0.09),
    "go-growing": (partial(go, ends=True), 0.045),
    "go-healthy": (partial(go, ends=False), 0.07),
    "process-bomb": (partial(surge, forks=True), 0.035),
    "connection-surge": (partial(surge, forks=False), 0.035),
    "surge-below": (surge_below, 0.08),
    "batch-repeat": (partial(batch, ends=False), 0.07),
    "batch-growing": (partial(batch, ends=True), 0.02),
    "nightly": (partial(nightly, ends=False), 0.018),
    "nightly-outgrown": (partial(nightly, ends=True), 0.015),
    "backup": (partial(backup, ends=False), 0.022),
    "backup-piling": (partial(backup, ends=True), 0.015),
    "traffic-memory": (partial(follows_traffic, ends=False), 0.05),
    "traffic-plus-leak": (partial(follows_traffic, ends=True), 0.035),
    "rollout-warm-up": (partial(rollout, ends=False), 0.06),
    "leak-after-rollout": (partial(rollout, ends=True), 0.06),
    "step-ramp": (step_ramp, 0.075),
    "linear-to-cap": (linear_to_cap, 0.05),
    "leak-pausing": (partial(pausing, ends=True), 0.055),
    "pausing-recycled": (partial(pausing, ends=False), 0.01),
    "limit-raised": (partial(limit_raised, ends=False), 0.02),
    "limit-raised-crossing": (partial(limit_raised, ends=True), 0.02),
}


def core(seed: int, count: int) -> list[Case]:
    """`count` cases of everyday kinds; the same for the same arguments."""
    return _mixed(CORE, seed, count, stress=False)


def stress(seed: int, count: int) -> list[Case]:
    """`count` cases of kinds that are hard to tell apart; the same for the same arguments."""
    return _mixed(STRESS, seed, count, stress=True)


def _mixed(table: _Table, seed: int, count: int, stress: bool) -> list[Case]:
    """Quotas by the shares, in random order."""
    random = np.random.default_rng([seed, int(stress)])
    shares = np.array([share for _, share in table.values()])
    ends = np.cumsum(shares / shares.sum()) * count
    places = np.arange(count) + random.uniform()
    which = np.minimum(np.searchsorted(ends, places, side="right"), len(table) - 1)
    rows = list(table.items())
    order: list[int] = random.permutation(which).tolist()
    chosen = [rows[i] for i in order]
    return drawn((partial(_measured, kind, stress, make) for kind, (make, _) in chosen), random)
