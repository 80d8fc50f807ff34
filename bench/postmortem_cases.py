"""Labelled histories as incident post-mortems tell them, by another author, who knew only the list of
kinds and the opponent's figures.

`core`: leaks and what is healthy, two in five end at the limit; `stress`: what is hard to tell apart.
Each is a mechanism (allocator, collector, queue, timed job, pool, rotated log) over a real pod's memory
(tests/data/nezha, artefacts of a minute taken out) and a slow wander; load is the CPU of a real pod or,
over days, taxi rides (tests/data/nab). Levels are shares of the first limit. An end is a leak on top of
its mechanism, just large enough that the level is at the limit at the wanted time at the latest; a draw
that contradicts its kind is made again. Times are hours where nothing else is said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import accumulate

import numpy as np
from foreign_cases import (
    HORIZONS,
    Case,
    Mask,
    Random,
    Scene,
    Series,
    drawn,
    log_uniform,
    marked,
    measured,
    pods,
    recursion,
)
from numpy.lib.stride_tricks import sliding_window_view

_FAST_STEP = 15.0  # seconds
_THREE_DAYS = 72.0  # hours
_SHORTEST = 5.95  # hours that a series has at least
_LOWEST = 0.004
_PINNED = 0.004  # how far below the limit a level may lie that is held there
_COUNTS = (50, 64, 100, 150, 200, 256, 500, 1000, 1024, 2048, 4096, 10000, 32768, 65536)

Shape = Callable[[Series], Series]  # a share (T,) as a function of another: of work, of a cycle


@dataclass(frozen=True, slots=True)
class Watch(Scene):
    """A series of `hours`, three days if `long`; what ends does so at `end` at the latest, and goes on
    for `tail` hours `after` it. `size` is the limit in counts, `noise` that of the scrapes in shares."""

    metric: str
    long: bool
    hours: float
    end: float
    after: str
    tail: float
    size: int
    noise: float

    @property
    def clock(self) -> Series:
        """Hours (T,) from the start."""
        return self.t / 3600

    def row(self, hours: float) -> int:
        """The row nearest to a time, inside the series."""
        return min(max(round(hours * 3600 / self.step), 0), self.rows - 1)

    def age(self, begins: float) -> Series:
        """Hours (T,) that have passed since then, 0 before."""
        gone: Series = np.maximum(self.clock - begins, 0)
        return gone

    def ramp(self, begins: float, takes: float) -> Series:
        """Share (T,) of a straight rise, 0 before and 1 after it."""
        return np.clip((self.clock - begins) / max(takes, 1e-6), 0, 1)

    def saturated(self, begins: float, takes: float) -> Series:
        """Share (T,) of what is nearly there after a few times `takes`."""
        found: Series = 1 - np.exp(-self.age(begins) / takes)
        return found

    def rise(self, least: float, most: float) -> float:
        """Hours from an onset to the end, longer in long series."""
        if self.long:
            least, most = max(least, 6), 66
        return min(self.scale(least, most), self.end * self.draw(0.8, 0.98))

    def normal(self, count: int) -> Series:
        return self.random.standard_normal(count)


@dataclass(frozen=True, slots=True)
class Made:
    """A clean level (T,) as share of the first limit, which it reaches after row `onset`, None if it
    never does. From row `raised` on the limit is `limit`; `restart` and `rollout` are rows."""

    level: Series
    onset: int | None = None
    raised: int | None = None
    limit: float = 1.0
    restart: int | None = None
    rollout: int | None = None


# Real series and building blocks


def _smooth(x: Series) -> Series:
    """Medians (T,) of five rows."""
    found: Series = np.median(sliding_window_view(np.pad(x, 2, mode="edge"), 5), axis=1)
    return found


@cache
def _memory() -> list[Series]:
    """Deviations (T,) of real pods from their median in shares of the limit, without single spikes."""
    found: list[Series] = []
    for pod in pods("mem"):
        share = pod / 100
        smooth = _smooth(share)
        calm = np.where(np.abs(share - smooth) > 0.015, smooth, share)
        if calm.std() > 1e-5:
            found.append(np.clip(calm - np.median(calm), -0.06, 0.06))
    return found


@cache
def _busy() -> list[Series]:
    """CPU (T,) of real pods that do something, mean about 1."""
    found = (_smooth(pod) for pod in pods("cpu"))
    return [np.clip(x / x.mean(), 0.15, 2.5) for x in found if np.median(x) > 0.2]


@cache
def _rides() -> Series:
    """Taxi rides of half an hour each (T,), busy times about 1."""
    values, _ = measured("nyc_taxi")
    found: Series = values / np.percentile(values, 99)
    return found


def stretch(scene: Watch, values: Series, hourly: float) -> Series:
    """Some rows (T,) of a real series with `hourly` rows an hour, mirrored where it ends."""
    rows, last = len(values), len(values) - 1
    at = scene.clock * hourly + scene.draw(0, rows)
    at = np.abs((at + rows - 1) % (2 * last) - last)
    return np.interp(at, np.arange(rows), values)


def wander(scene: Watch, deviation: float, forgets: float) -> Series:
    """A stationary AR(1) (T,) around 0, on a grid of its own where it is slow."""
    every = max(scene.step / 3600, forgets / 12)
    count = int(scene.hours / every) + 3
    keep = float(np.exp(-every / forgets))
    shocks = scene.normal(count) * np.sqrt(1 - keep * keep)
    path = recursion(float(scene.random.standard_normal()), keep, shocks)[1:]
    return deviation * np.interp(scene.clock, np.arange(count) * every, path)


def background(scene: Watch, share: float = 1.0) -> Series:
    """What lies under every mechanism (T,), around 0: a real pod's own movement and a slow wander."""
    if scene.metric == "connections":
        return share * wander(scene, scene.scale(0.002, 0.015), scene.scale(0.03, 0.6))
    sources = _memory()
    real = stretch(scene, sources[scene.random.integers(len(sources))], 60)
    real = real * scene.scale(0.2, 1.2)
    return share * (real + wander(scene, scene.scale(0.0007, 0.012), scene.scale(0.05, 1.5)))


def load_of(scene: Watch) -> Series:
    """Rate of requests (T,), mean about 1."""
    if scene.long or scene.metric == "volume":
        rides = 0.1 + stretch(scene, _rides(), 2) * 1.4
        return np.clip(rides + wander(scene, 0.05, 0.1), 0.05, None)
    sources = _busy()
    return np.clip(stretch(scene, sources[scene.random.integers(len(sources))], 60), 0.1, 2.5)


def loosely(scene: Watch, most: float = 0.8) -> Series:
    """A rate (T,) that follows the load more or less."""
    found: Series = load_of(scene) ** scene.draw(0, most)
    return found


def worked(scene: Watch, begins: float, rate: Series) -> Series:
    """Work (T,) done since then, in rows at rate 1."""
    return np.cumsum(np.where(scene.clock >= begins, rate, 0.0))


def cycle(scene: Watch, period: float, phase: float | None = None) -> Series:
    """Traffic (T,), 0 to about 1: a raised cosine with its own sharpness or taxi days, a day a period."""
    phase = scene.draw(0, 1) if phase is None else phase
    turns = scene.clock / period + phase
    if scene.chance(0.5):
        wave: Series = (0.5 - 0.5 * np.cos(2 * np.pi * turns)) ** scene.scale(0.6, 2.5)
        return wave
    rides = _rides()
    days = len(rides) // 48 - 1 - int(scene.hours / period)
    at = 48 * scene.random.integers(0, days) + 48 * turns
    return np.clip((np.interp(at, np.arange(len(rides)), rides) - 0.1) / 0.9, 0, 1.1)


def straight(way: Series) -> Series:
    return way


def to_the_power(power: float) -> Shape:
    return lambda way: way**power


def exponential(folds: float, most: float) -> Shape:
    """Growth by `folds` powers of e, no further than `most` times the way."""
    whole = float(np.expm1(folds))
    return lambda way: np.expm1(folds * np.minimum(way, most)) / whole


def teeth(
    scene: Watch, period: float | Series, load: float | Series = 1.0, jitter: float = 0.04,
    shape: Shape = straight,
) -> Series:  # fmt: skip
    """Fill 0 to 1 (T,) of a collector that is full every `period` (hours, or (T,)) at a load of 1."""
    turns = scene.step / 3600 / np.maximum(period, 2.2 * scene.step / 3600)
    phase = np.cumsum(np.full(scene.rows, turns) * load) + scene.draw(0, 1)
    count = phase.astype(int)
    heights = 1 - np.abs(jitter * scene.normal(int(count[-1]) + 1))
    full: Series = shape(phase - count) * heights[count]
    return full


def stairs(scene: Watch, every: float, begins: float, spread: float, takes: float) -> Series:
    """Rate (T,) of a job that keeps a piece of log-normal size every so often, over `takes` hours."""
    clock, rate, at = scene.clock, np.zeros(scene.rows), begins
    takes = max(takes, 2 * scene.step / 3600)
    while at < scene.hours:
        rate += scene.scale(0.5, 2) ** (2 * spread) * ((clock >= at) & (clock < at + takes))
        at += every * scene.draw(0.8, 1.2)
    return rate + 1e-6


def churn(scene: Watch, share: float) -> Series:
    """A level (T,) of short-lived things: it varies by the root of their number."""
    deviation = min(float(np.sqrt(share / scene.size)), 0.12 * share + 0.002)
    busy = share + wander(scene, deviation, scene.scale(0.02, 0.3))
    return busy + background(scene, 0.5)


def lost_one_by_one(scene: Watch, share: float, takes: float) -> Series:
    """Things lost per row (T,): a Poisson rate that follows the load and fills the rest in `takes`."""
    mean = max((1 - share) * scene.size / (takes * 3600 / scene.step), 1e-3)
    return np.asarray(scene.random.poisson(mean * loosely(scene)), dtype=np.float64) + 1e-6


def jobs(scene: Watch, period: float, share: float, first: float | None = None) -> Series:
    """Level 0 to about 1 (T,) of a job that loads, holds and lets go, in a share of every period."""
    phase = scene.clock / period + (scene.draw(0, 1) if first is None else -first / period)
    count = np.floor(phase).astype(int)
    into = phase - count
    count -= count.min()
    sizes = 1 + scene.draw(0.01, 0.08) * scene.normal(int(count.max()) + 1)
    loading, bend = scene.draw(0.3, 0.95), scene.scale(0.6, 1.4)
    grown = np.clip(into / (share * loading), 0, 1) ** bend
    found: Series = grown * (into < share) * np.clip(sizes, 0.7, 1.1)[count]
    return found


def on_and_off(scene: Watch) -> Series:
    """1 (T,) while there is load, 0 in the pauses."""
    clock, found = scene.clock, np.zeros(scene.rows)
    at, typical = -scene.draw(0, 1), scene.scale(0.4, 3)
    while at < scene.hours:
        runs = typical * scene.draw(0.6, 1.4)
        found += (clock >= at) & (clock < at + runs)
        at += runs + typical * scene.draw(0.3, 1.2)
    return found


def redeployed(scene: Watch, level: Series, begins: float, ends: float, share: float = 0.2) -> Made:
    """A level, in some series with an ordinary new container long before anything happens."""
    if not scene.chance(share) or ends - begins <= 0.5 or scene.metric == "volume":
        return Made(level)
    row = scene.row(scene.draw(begins, ends))
    rollout = row if scene.chance(0.6) else None
    missing, age = scene.draw(0.2, 0.7), scene.age(float(scene.clock[row]))
    warm = 1 - missing * np.exp(-age / scene.scale(0.05, 0.5))
    warm[:row] = 1
    return Made(level * warm, restart=row, rollout=rollout)


def size_to_meet(scene: Watch, onset: int, rest: Series, grown: Series, limit: float) -> float:
    """How much of `grown` (T,) on `rest` (T,) is at the limit at the wanted end, or at a peak before."""
    rows = slice(onset + 2, scene.row(scene.end) + 1)
    room, way = limit - rest[rows], grown[rows]
    sizes = np.divide(room, way, out=np.full(len(way), np.inf), where=way > 0)
    return float(sizes.min()) + 1e-7


def leaking(
    scene: Watch, rest: Made, begins: float, rate: Series, shape: Shape = straight, limit: float = 1.0
) -> Made:  # fmt: skip
    """`rest` and a leak of the work done since then at a rate (T,), that meets the limit."""
    onset, work = scene.row(begins), worked(scene, begins, rate)
    way = shape(work / max(float(work[scene.row(scene.end)]), 1e-12))
    size = size_to_meet(scene, onset, rest.level, way, limit)
    return replace(rest, level=rest.level + way * size, onset=onset)


# Core: what ends


def leak_linear(scene: Watch) -> Made:
    begins = scene.end - scene.rise(1.3, 10)
    level = scene.draw(0.15, 0.6) + background(scene)
    rest = redeployed(scene, level, 0.3, begins - 0.3)
    return leaking(scene, rest, begins, loosely(scene))


def leak_gc(scene: Watch) -> Made:
    """The live set leaks under the teeth of the young generation."""
    begins, height = scene.end - scene.rise(1.5, 10), scene.scale(0.03, 0.2)
    load = load_of(scene)
    level = scene.draw(0.12, 0.45) + background(scene)
    period = scene.scale(0.05, 0.7)
    level = level + height * teeth(scene, period, load**0.7, scene.draw(0.02, 0.15))
    rest = redeployed(scene, level, 0.3, begins - 0.3)
    return leaking(scene, rest, begins, load ** scene.draw(0, 0.8))


def leak_accel(scene: Watch) -> Made:
    """An unbounded queue: the further behind, the slower its consumer."""
    begins, power = scene.end - scene.rise(1.5, 9), scene.scale(1.5, 4.5)
    shape = to_the_power(min(power, 3)) if scene.chance(0.5) else exponential(power, 1.5)
    level = scene.draw(0.15, 0.55) + background(scene)
    rest = redeployed(scene, level, 0.3, begins - 0.3)
    return leaking(scene, rest, begins, loosely(scene, 0.5), shape)


def leak_stairs(scene: Watch) -> Made:
    """A timed job that never gives everything back."""
    takes = scene.rise(2, 10)
    begins, every = scene.end - takes, max(takes / scene.scale(6, 30), 0.1)
    level = scene.draw(0.15, 0.55) + background(scene)
    rest = redeployed(scene, level, 0.3, begins - 0.3)
    rate = stairs(scene, every, begins, 0.5, scene.scale(0.02, 0.15))
    return leaking(scene, rest, begins, rate)


def leak_fast(scene: Watch) -> Made:
    """25 to 70 minutes from the onset to the limit."""
    begins = scene.end - scene.draw(25, 70) / 60
    level = scene.draw(0.15, 0.65) + background(scene)
    rest = redeployed(scene, level, 0.3, begins - 1)
    return leaking(scene, rest, begins, 1 + 0.15 * scene.normal(scene.rows))


def conn_leak(scene: Watch) -> Made:
    takes, share = scene.rise(0.75, 8), scene.draw(0.05, 0.5)
    begins = scene.end - takes
    rest = redeployed(scene, churn(scene, share), 0.3, begins - 0.3)
    return leaking(scene, rest, begins, lost_one_by_one(scene, share, takes))


def proc_leak(scene: Watch) -> Made:
    """Zombies of a timed job, threads per request, descriptors that are never closed."""
    takes, share = scene.rise(1, 9), scene.draw(0.03, 0.45)
    begins = scene.end - takes
    if scene.chance(0.4):
        every = max(scene.pick(1, 2, 5, 10, 15) / 60, 2 * scene.step / 3600)
        rate = stairs(scene, every, begins, 0.3, scene.step / 3600)
    else:
        rate = lost_one_by_one(scene, share, takes)
    rest = redeployed(scene, churn(scene, share), 0.3, begins - 0.3)
    return leaking(scene, rest, begins, rate)


def disk_fill(scene: Watch) -> Made:
    takes = min(scene.scale(5, 60), scene.end * 0.97)
    level = scene.draw(0.2, 0.75) + 0.4 * background(scene)
    level = level + scene.scale(0.003, 0.04) * teeth(scene, scene.scale(0.3, 6))
    shape = to_the_power(scene.scale(1, 2.2))
    return leaking(scene, Made(level), scene.end - takes, loosely(scene, 1), shape)


# Core: what does not end


def steady(scene: Watch, low: float, high: float, share: float) -> Made:
    return Made(scene.draw(low, high) + background(scene, share))


def warmup(scene: Watch) -> Made:
    """Compiled code, caches; from before the start of the series or later."""
    base, top = scene.draw(0.15, 0.5), scene.draw(0.55, 0.95)
    begins = scene.draw(0, 0.3) * scene.hours if scene.chance(0.5) else -scene.draw(0, 1)
    takes = scene.scale(0.25, 2.5) * (3 if scene.long else 1)
    level = base + max(top - base, 0.05) * scene.saturated(begins, takes)
    return Made(level + background(scene))


def periodic(scene: Watch) -> Made:
    period = 24.0 if scene.long else scene.scale(0.4, 8)
    top, height = scene.draw(0.5, 0.93), scene.scale(0.05, 0.5)
    return Made(top - height + height * cycle(scene, period) + background(scene))


def steps(scene: Watch) -> Made:
    last = scene.draw(0.2, 0.6)
    level = last + background(scene)
    for _ in range(int(scene.random.integers(1, 6))):
        new = scene.draw(0.2, 0.93)
        begins = scene.draw(0.05, 0.95) * scene.hours
        level += (new - last) * scene.ramp(begins, scene.scale(0.01, 0.15))
        last = new
    return Made(np.maximum(level, 0.05))


def gc_saw(scene: Watch) -> Made:
    top, height = scene.draw(0.5, 0.93), scene.scale(0.05, 0.4)
    period = scene.scale(0.05, 2.5)
    saw = teeth(scene, period, load_of(scene) ** 0.7, scene.draw(0.01, 0.12))
    return Made(top - height + height * saw + background(scene, 0.5))


def bursts(scene: Watch) -> Made:
    """Heavy requests at random times, held for a while."""
    base = scene.draw(0.2, 0.6)
    level = base + background(scene)
    for _ in range(1 + int(scene.random.poisson(scene.hours / 4))):
        begins, takes = scene.draw(0.02, 0.97) * scene.hours, scene.scale(0.02, 0.4)
        holds, falls = scene.scale(0.03, 0.7), scene.scale(0.03, 0.6)
        shape = scene.ramp(begins, takes) - scene.ramp(begins + takes + holds, falls)
        level += (scene.draw(0.5, 0.95) - base) * shape
    return Made(level)


def page_cache(scene: Watch) -> Made:
    """A working set with files: every byte read makes it grow, then reclaim holds it under the limit."""
    top, base = scene.draw(0.88, 0.985), scene.draw(0.2, 0.6)
    read = np.cumsum(load_of(scene)) * scene.step / 3600 / scene.scale(0.5, 9)
    level = base + np.minimum(read, top - base)
    full = level > top - 0.01
    reclaimed = full * scene.scale(0.005, 0.08) * teeth(scene, scene.scale(0.03, 0.6))
    return Made(level - reclaimed + background(scene, 0.3))


def pools(scene: Watch) -> Made:
    """A pool grows by demand to its maximum; what is idle is closed late."""
    top, low = scene.draw(0.35, 0.93), scene.draw(0.05, 0.3)
    wanted = cycle(scene, scene.scale(1, 9)) * scene.draw(0.6, 1.3)
    wanted = wanted + 0.08 * load_of(scene)
    opens = scene.step / 3600 / scene.scale(0.02, 0.4)
    closes = scene.step / 3600 / scene.scale(0.3, 3)

    def followed(there: float, want: float) -> float:
        return there + (opens if want > there else closes) * (want - there)

    path = accumulate(wanted.tolist(), followed, initial=min(float(wanted[0]), 1))
    share = np.minimum(np.fromiter(path, np.float64, scene.rows + 1)[1:], 1)
    return Made(low + (top - low) * share + background(scene, 0.3))


def cron_procs(scene: Watch) -> Made:
    """Timed jobs: counts in blocks."""
    level = churn(scene, scene.draw(0.1, 0.55))
    for _ in range(int(scene.random.integers(1, 4))):
        period, runs = scene.pick(5, 10, 15, 30, 60) / 60, scene.scale(0.01, 0.3)
        height = scene.scale(0.02, 0.3)
        into = (scene.clock + scene.draw(0, period)) % period
        level += height * (into < min(runs, 0.6 * period))
    return Made(level)


def disk_rotate(scene: Watch) -> Made:
    """Logs that are rotated."""
    top, height = scene.draw(0.65, 0.965), scene.scale(0.03, 0.4)
    period = scene.scale(1, 20)
    saw = teeth(scene, period, load_of(scene) ** 0.8, scene.draw(0, 0.06))
    return Made(top - height + height * saw + background(scene, 0.2))


# Stress


def _full_collections(scene: Watch) -> Shape:
    """A plain saw; or young and mixed collections hover at the ceiling until the full one."""
    if scene.chance(0.4):
        full = scene.scale(0.7, 1)
        return lambda fill: np.minimum(fill / full, 1)
    full, dip = scene.draw(0.15, 0.5), scene.scale(0.02, 0.12)
    young = int(scene.random.integers(3, 14))
    return lambda fill: np.where(fill < full, fill / full, 1 - dip * ((fill - full) * young % 1))


def jvm_creep(scene: Watch) -> Made:
    """The live set nears the ceiling; then one full collection after the other until nothing is left to
    collect."""
    ceiling, base = scene.draw(0.8, 0.975), scene.draw(0.2, 0.55)
    begins = scene.end - scene.rise(2, 9)
    thrashes = scene.scale(0.12, 1.2)
    work = worked(scene, begins, load_of(scene) ** 0.4)
    way = np.clip(work / work[scene.row(scene.end - thrashes)], 0, None) ** scene.draw(0.8, 1.5)
    live = np.minimum(base + (ceiling - 0.01 - base) * way, ceiling - 0.01)
    period = scene.scale(0.06, 1) * (ceiling - live) / (ceiling - base)
    load = load_of(scene) ** 0.5
    level = live + (ceiling - live) * teeth(scene, period, load, 0.008, _full_collections(scene))
    level = level + background(scene, 0.25)
    level = level + (1.02 - ceiling) * scene.ramp(scene.end - thrashes, thrashes)
    end = scene.row(scene.end)
    level[end:] = np.maximum(level[end:], 1.0)
    return Made(level, scene.row(begins))


def jvm_saw(scene: Watch) -> Made:
    """Collections at a ceiling over a live set that stays, or warms up."""
    ceiling, base = scene.draw(0.8, 0.975), scene.draw(0.2, 0.55)
    live = base + wander(scene, scene.scale(0.003, 0.03), scene.scale(0.5, 3))
    warm = (ceiling - base) * scene.draw(0, 0.35)
    warmed = warm * scene.saturated(-scene.draw(0, 2), scene.scale(0.3, 2))
    live = live + warmed * scene.chance(0.4)
    period, load = scene.scale(0.06, 1), load_of(scene) ** 0.5
    level = live + (ceiling - live) * teeth(scene, period, load, 0.008, _full_collections(scene))
    return Made(level + background(scene, 0.25))


def _heap_goal(scene: Watch, share: float, slowest: float) -> Series:
    """Factor (T,) on what lives: the peak is `share` more, little is given back between."""
    period = scene.scale(0.04, slowest)
    return 1 + share * teeth(scene, period, load_of(scene) ** 0.6, scene.draw(0.01, 0.06))


def go_peak(scene: Watch) -> Made:
    """The peak grows by more than what lives."""
    begins = scene.end - scene.rise(1.5, 9)
    live, share = scene.draw(0.15, 0.4), scene.scale(0.05, 0.5)
    fold = _heap_goal(scene, share, 0.5)
    rest = (live + background(scene, 0.6)) * fold
    way = worked(scene, begins, load_of(scene) ** 0.5)
    way = way / way[scene.row(scene.end)]
    onset = scene.row(begins)
    size = size_to_meet(scene, onset, rest, way * fold, 1.0)
    return Made(rest + size * way * fold, onset)


def go_steady(scene: Watch) -> Made:
    """What lives follows the traffic."""
    share, top = scene.scale(0.05, 0.5), scene.draw(0.5, 0.94)
    idle = scene.draw(0, 0.35)
    live = top / (1 + share) * (1 - idle * cycle(scene, scene.scale(1, 9)))
    live = live + background(scene, 0.5)
    return Made(live * _heap_goal(scene, share, 0.6))


def proc_bomb(scene: Watch) -> Made:
    """Two to thirteen minutes, straight or exponential."""
    begins, folds = scene.end - scene.scale(2, 13) / 60, scene.scale(1, 5)
    shape = straight if scene.chance(0.4) else exponential(folds, 2)
    level = churn(scene, scene.draw(0.04, 0.45))
    return leaking(scene, Made(level), begins, scene.random.gamma(4, 0.25, scene.rows), shape)


def conn_surge(scene: Watch) -> Made:
    """A retry storm: clients open anew before the server lets the old ones go."""
    begins, power = scene.end - scene.scale(3, 14.5) / 60, scene.scale(0.7, 1.8)
    level = churn(scene, scene.draw(0.1, 0.5))
    height = scene.draw(0, 0.12)
    level = level + height * cycle(scene, scene.scale(1, 6))
    rate = scene.random.gamma(3, 1 / 3, scene.rows)
    return leaking(scene, Made(level), begins, rate, to_the_power(power))


def surge_below(scene: Watch) -> Made:
    """Storms that pass under the limit."""
    base = scene.draw(0.05, 0.5)
    level = churn(scene, base)
    for _ in range(int(scene.random.integers(1, 5))):
        begins, takes = scene.draw(0.05, 0.95) * scene.hours, scene.scale(2, 15) / 60
        holds, falls = scene.scale(1, 60) / 60, scene.scale(1, 40) / 60
        shape = scene.ramp(begins, takes) ** scene.scale(0.5, 2)
        shape = shape - scene.ramp(begins + takes + holds, falls)
        level = np.maximum(level, base + (scene.draw(0.5, 0.97) - base) * shape)
    return Made(level)


def batch(scene: Watch) -> Made:
    base = scene.draw(0.15, 0.55)
    top = min(base + scene.scale(0.08, 0.6), 0.96)
    level = base + (top - base) * jobs(scene, scene.scale(0.5, 5), scene.draw(0.2, 0.8))
    return Made(level + background(scene, 0.5))


def batch_leak(scene: Watch) -> Made:
    base = scene.draw(0.15, 0.5)
    top = base + scene.scale(0.06, 0.4)
    level = base + (top - base) * jobs(scene, scene.scale(0.5, 4), scene.draw(0.2, 0.8))
    level = level + background(scene, 0.5)
    return leaking(scene, Made(level), scene.end - scene.rise(3, 10), load_of(scene) ** 0.5)


def _each_night(scene: Watch, base: float, top: float, share: float, first: float) -> Series:
    """A level (T,) with a job in a share of each day over a little traffic."""
    level = base + (top - base) * jobs(scene, 24, share, first)
    return level + 0.05 * cycle(scene, 24) + background(scene)


def nightly(scene: Watch) -> Made:
    base, top = scene.draw(0.15, 0.5), scene.draw(0.65, 0.96)
    return Made(_each_night(scene, base, top, scene.scale(0.5, 5) / 24, scene.draw(1, 20)))


def nightly_leak(scene: Watch) -> Made:
    base, top = scene.draw(0.15, 0.4), scene.draw(0.45, 0.75)
    level = _each_night(scene, base, top, scene.scale(0.7, 5) / 24, scene.draw(6, 22))
    return leaking(scene, Made(level), scene.draw(1, 30), load_of(scene) ** 0.5)


def backup(scene: Watch) -> Made:
    """Dumps that are pruned in time."""
    base, top = scene.draw(0.3, 0.7), scene.draw(0.8, 0.96)
    period = scene.pick(6, 8, 12, 24) if scene.hours > 30 else scene.pick(6, 8, 12)
    level = base + (top - base) * jobs(scene, period, scene.draw(0.08, 0.45))
    return Made(level + background(scene, 0.3))


def backup_fill(scene: Watch) -> Made:
    """Dumps that are pruned late or never, on a volume that takes the logs, too."""
    base, period = scene.draw(0.25, 0.5), scene.pick(6, 8, 12)
    top = base + scene.scale(0.03, 0.2)
    level = base + (top - base) * jobs(scene, period, scene.draw(0.15, 0.6))
    level = level + background(scene, 0.3)
    begins = scene.draw(0, 0.4) * scene.hours
    rate, share = load_of(scene), scene.draw(0, 6)
    rate = rate + share * stairs(scene, period, begins, 0.2, scene.draw(0.3, 2))
    return leaking(scene, Made(level), begins, rate)


def traffic(scene: Watch) -> Made:
    period = 24.0 if scene.long else scene.scale(2.5, 14)
    low, top = scene.draw(0.2, 0.5), scene.draw(0.6, 0.95)
    wave = np.minimum(cycle(scene, period, scene.draw(-0.1, 0.2)), 1.03)
    return Made(low + (top - low) * wave + background(scene, 0.6))


def traffic_leak(scene: Watch) -> Made:
    period = 24.0 if scene.long else scene.scale(1.5, 7)
    low, height = scene.draw(0.15, 0.35), scene.draw(0.1, 0.4)
    level = low + height * cycle(scene, period, scene.draw(-0.1, 0.2))
    level = level + background(scene, 0.6)
    return leaking(scene, Made(level), scene.draw(0, 0.4) * scene.end, load_of(scene) ** 0.5)


def rollout_warm(scene: Watch) -> Made:
    """A new version that warms up to its own level."""
    row = scene.row(scene.draw(0.1, 0.5) * scene.hours)
    old, new = scene.draw(0.4, 0.8), scene.draw(0.6, 0.96)
    first = scene.draw(0.1, 0.45) * new
    takes = scene.scale(0.15, 1.6) * (2 if scene.long else 1)
    level = first + (new - first) * scene.saturated(float(scene.clock[row]), takes)
    level[:row] = old
    return Made(level + background(scene, 0.5), restart=row, rollout=row)


def rollout_leak(scene: Watch) -> Made:
    """A new version that leaks."""
    row = scene.row(scene.end - scene.rise(1.5, 8))
    begins = float(scene.clock[row])
    old, new = scene.draw(0.35, 0.75), scene.draw(0.35, 0.7)
    first = scene.draw(0.1, 0.5) * new
    level = first + (new - first) * scene.saturated(begins, scene.scale(0.05, 0.7))
    level[:row] = old
    rest = Made(level + background(scene, 0.5), restart=row, rollout=row)
    return leaking(scene, rest, begins, loosely(scene))


def ramp_steps(scene: Watch) -> Made:
    """Steps that take their time."""
    last = scene.draw(0.2, 0.55)
    level = last + background(scene, 0.6)
    slower = 2 if scene.metric == "volume" else 1
    count = int(scene.random.integers(1, 4))
    for begins in np.sort(scene.random.uniform(0.05, 0.9, count)) * scene.hours:
        if scene.chance(0.75):
            new = min(last + scene.draw(0.1, 0.4), scene.draw(0.7, 0.95))
        else:
            new = scene.draw(0.2, 0.6)
        level += (new - last) * scene.ramp(float(begins), scene.scale(0.15, 1.5) * slower)
        last = new
    return Made(level)


def leak_pauses(scene: Watch) -> Made:
    """Grows only under load; the last bit falls into a time of load."""
    begins = scene.end - scene.rise(3, 10)
    active = np.where(scene.clock > scene.end - 0.3, 1, on_and_off(scene))
    level = scene.draw(0.15, 0.5) + background(scene, 0.6)
    return leaking(scene, Made(level), begins, active * load_of(scene) ** 0.5 + 0.01)


def pause_cache(scene: Watch) -> Made:
    """Keeps what it sees while there is load, and has seen everything in the end."""
    base, top = scene.draw(0.15, 0.5), scene.draw(0.6, 0.95)
    seen = np.cumsum(on_and_off(scene)) * scene.step / 3600 / scene.scale(0.8, 5)
    share = np.minimum(seen, 1) if scene.chance(0.5) else 1 - np.exp(-1.5 * seen)
    return Made(base + (top - base) * share + background(scene, 0.5))


def raised_safe(scene: Watch) -> Made:
    """The limit is raised before it is met, and what grew levels off."""
    limit, met, base = scene.draw(1.25, 2.2), scene.draw(0.72, 0.96), scene.draw(0.2, 0.5)
    row = scene.row(scene.draw(0.2, 0.65) * scene.hours)
    at = float(scene.clock[row])
    takes = at * scene.draw(0.4, 0.95)
    risen = base + (met - base) * np.clip((scene.clock - at + takes) / takes, 0, 1)
    top = scene.draw(0.55, 0.9) * limit
    if scene.metric == "memory" and scene.chance(0.45):  # by a new container
        level = base + (top - base) * scene.saturated(at, scene.scale(0.3, 2))
        level[:row] = risen[:row]
        level = level + background(scene, 0.5)
        return Made(level, raised=row, limit=limit, restart=row, rollout=row)
    room = max(top - met, 0.02)
    level = risen + room * (1 - np.exp(-scene.age(at) * (met - base) / takes / room))
    return Made(level + background(scene, 0.5), raised=row, limit=limit)


def raised_cross(scene: Watch) -> Made:
    """The limit is raised before it is met, and met later."""
    limit, met, base = scene.draw(1.2, 1.9), scene.draw(0.72, 0.95), scene.draw(0.15, 0.45)
    rest = Made(base + background(scene, 0.5))
    begins = scene.draw(0, 0.25) * scene.end
    if scene.metric == "memory" and scene.chance(0.45):  # by a new container
        share = (met - base) / (met - base + limit - base)
        row = scene.row(begins + (scene.end - begins) * share)
        at = float(scene.clock[row])
        rate = 1 + 0.1 * scene.normal(scene.rows)
        made = leaking(scene, rest, at, rate, limit=limit)
        before = (met - base) * np.clip((scene.clock - begins) / (at - begins), 0, 1)
        before[row:] = 0
        level = made.level + before
        return Made(level, row, raised=row, limit=limit, restart=row, rollout=row)
    made = leaking(scene, rest, begins, loosely(scene, 0.6), limit=limit)
    return replace(made, raised=int(np.argmax(made.level >= met)), limit=limit)


def cap_growth(scene: Watch) -> Made:
    """A bounded cache: as straight as a leak until it is full."""
    base, top = scene.draw(0.15, 0.55), scene.draw(0.68, 0.97)
    begins = scene.draw(-0.1, 0.3) * scene.hours
    takes = scene.scale(0.8, 7) * (2.5 if scene.metric == "volume" or scene.long else 1)
    filled = worked(scene, begins, loosely(scene, 0.6)) * scene.step / 3600 / takes
    level = base + max(top - base, 0.1) * np.minimum(filled, 1)
    return Made(level + background(scene, 0.5))


# From a mechanism to a case


def watch_of(random: Random, metric: str, long: bool, fast: bool) -> Watch:
    """Step, length and what comes after the limit of one series."""
    disk = metric == "volume"
    if fast:
        step = _FAST_STEP
    elif disk:
        step = float(random.choice([30, 60], p=[0.3, 0.7]))
    else:
        step = float(random.choice([30, 60] if long else [15, 30, 60]))
    hours = _THREE_DAYS
    if not long:
        hours = float(random.uniform(14, 40) if disk else random.uniform(6, 12))
    after = str(random.choice(["pinned", "nothing"] if disk else ["killed", "pinned", "nothing"]))
    tail = 0.0 if after == "nothing" else float(random.uniform(0.03, 1.0))
    rows = int(hours * 3600 / step)
    size, noise = int(random.choice(_COUNTS)), log_uniform(random, 1e-4, 3e-3)
    return Watch(random, step, rows, metric, long, hours, hours - tail, after, tail, size, noise)


def _measured(
    kind: str, stress: bool, make: Callable[[Watch], Made], metric: str, long: bool, random: Random
) -> Case | None:  # fmt: skip
    """A case, None where the path does not do what its kind says."""
    scene = watch_of(random, metric, long, kind in FAST)
    made = make(scene)
    made = replace(made, level=np.maximum(made.level, _LOWEST))
    if made.onset is None and not stress:
        made = redeployed(scene, made.level, 0.5, scene.hours - 0.5, 0.12)
    unit = _unit(scene)
    level, limit = _in_units(scene, made, unit)
    crossing = killed = None
    if made.onset is not None:
        crossing = _crossing(scene, made.onset, level, limit)
        if crossing is None:
            return None
        rows = _rows(scene, crossing)
        level, limit, killed = _ended(scene, level[:rows], limit[:rows], crossing, unit)
    else:
        level = _held_below(scene, level, limit)
    values = _scraped(scene, level, limit, unit)
    rows = len(values)
    return Case(
        kind, stress, values, limit, scene.step, HORIZONS[metric], metric, crossing,
        marked(rows, made.restart, killed), marked(rows, made.rollout), made.onset,
    )  # fmt: skip


def _unit(scene: Watch) -> float:
    """The first limit in counts or bytes."""
    if scene.metric == "connections":
        return float(scene.size)
    low, high = (27, 36) if scene.metric == "memory" else (30, 41)
    return float(2.0 ** scene.draw(low, high))


def _in_units(scene: Watch, made: Made, unit: float) -> tuple[Series, Series]:
    """Clean level and limit (T,) in bytes or whole counts."""
    limit = np.full(scene.rows, unit)
    if made.raised is not None:
        limit[made.raised :] = made.limit * unit
    if scene.metric == "connections":
        return np.floor(made.level * unit + 1e-6), np.floor(limit + 1e-9)
    return made.level * unit, limit


def _crossing(scene: Watch, onset: int, level: Series, limit: Series) -> int | None:
    """The first row at the limit; None if there is none or it comes too early."""
    over = np.flatnonzero(level >= limit)
    if not len(over):
        return None
    found = int(over[0])
    early = found <= onset or found < 0.45 * scene.row(scene.end)
    return None if early or _rows(scene, found) * scene.step < _SHORTEST * 3600 else found


def _rows(scene: Watch, crossing: int) -> int:
    """Rows of a series that ends there."""
    if scene.after == "nothing":
        return crossing + 1
    return min(scene.rows, crossing + 1 + int(scene.tail * 3600 / scene.step))


def _ended(
    scene: Watch, level: Series, limit: Series, crossing: int, unit: float
) -> tuple[Series, Series, int | None]:
    """Level and limit (T,) with what follows the crossing, and the row of a new container."""
    level, rows = np.minimum(level, limit), len(level)
    if scene.after == "pinned":
        whole, part = _PINNED * unit * scene.random.random((2, rows - crossing))
        below = np.floor(whole) if scene.metric == "connections" else part
        level[crossing:] = limit[crossing:] - below
        level[crossing] = limit[crossing]
    elif scene.after == "killed" and rows > crossing + 3:
        again = crossing + 1 + int(scene.random.integers(0, 2))
        level[crossing:again] = limit[crossing:again]
        base = np.median(level[: max(crossing // 8, 5)])
        age = np.arange(rows - again) * scene.step / 3600
        warm = base * (1 - 0.5 * np.exp(-age / scene.scale(0.03, 0.4)))
        warm = warm * (1 + 0.01 * scene.normal(rows - again))
        level[again:] = np.minimum(warm, 0.9 * limit[again:])
        return level, limit, again
    return level, limit, None


def _held_below(scene: Watch, level: Series, limit: Series) -> Series:
    """A level (T,) scaled as a whole where it comes too near to the limit: no flat cut at the top."""
    most, highest = scene.draw(0.965, 0.99), float(np.max(level / limit))
    return level * (most / highest) if highest > most else level


def _scraped(scene: Watch, level: Series, limit: Series, unit: float) -> Series:
    """Values (T,) with the noise of scrapes, at the limit only where the level is; NaN = lost."""
    if scene.metric == "connections":
        level = np.floor(level + 1e-6)
        noise = np.round(scene.normal(len(level)) * scene.noise * unit * 0.5)
        below = limit - 1
    else:
        noise = scene.normal(len(level)) * scene.noise * unit
        below = limit * (1 - 2e-4)
    values: Series = np.clip(level + noise, 0, np.where(level >= limit, limit, below))
    values[_lost(scene.random, len(values))] = np.nan
    return values


def _lost(random: Random, rows: int) -> Mask:
    """Scrapes (T,) that are lost: 1 %, about half of them in runs of two to nine."""
    lost, wanted = np.zeros(rows, dtype=np.bool_), round(0.01 * rows)
    while (left := wanted - int(lost.sum())) > 0:
        count = 1 if random.random() < 0.85 else int(random.integers(2, 10))
        first = int(random.integers(0, rows))
        lost[first : first + min(count, left)] = True
    return lost


# The mixes: kind -> maker, weight and of which metrics

_Row = tuple[Callable[[Watch], Made], int, tuple[str, ...]]
_Table = dict[str, _Row]
_MEMORY, _COUNT, _DISK = ("memory",), ("connections",), ("volume",)
_BOTH = _MEMORY + _COUNT
_ALL = _MEMORY + _MEMORY + _COUNT + _DISK  # memory twice as often
CORE_ENDS: _Table = {
    "leak_linear": (leak_linear, 7, _MEMORY),
    "leak_gc": (leak_gc, 6, _MEMORY),
    "leak_accel": (leak_accel, 5, _MEMORY),
    "leak_stairs": (leak_stairs, 4, _MEMORY),
    "leak_fast": (leak_fast, 4, _MEMORY),
    "conn_leak": (conn_leak, 5, _COUNT),
    "proc_leak": (proc_leak, 4, _COUNT),
    "disk_fill": (disk_fill, 5, _DISK),
}
CORE_HEALTHY: _Table = {
    "quiet": (partial(steady, low=0.1, high=0.75, share=1.0), 9, _ALL),
    "warmup": (warmup, 6, _BOTH),
    "periodic": (periodic, 6, _BOTH),
    "steps": (steps, 5, _BOTH),
    "gc_saw": (gc_saw, 6, _MEMORY),
    "bursts": (bursts, 5, _BOTH),
    "plateau": (partial(steady, low=0.75, high=0.97, share=0.5), 6, _ALL),
    "page_cache": (page_cache, 4, _MEMORY),
    "pools": (pools, 5, _COUNT),
    "cron_procs": (cron_procs, 5, _COUNT),
    "disk_rotate": (disk_rotate, 5, _DISK),
}
STRESS_ENDS: _Table = {
    "jvm_creep": (jvm_creep, 5, _MEMORY),
    "go_peak": (go_peak, 4, _MEMORY),
    "proc_bomb": (proc_bomb, 3, _COUNT),
    "conn_surge": (conn_surge, 3, _COUNT),
    "batch_leak": (batch_leak, 4, _MEMORY),
    "nightly_leak": (nightly_leak, 1, _MEMORY),
    "backup_fill": (backup_fill, 3, _DISK),
    "traffic_leak": (traffic_leak, 5, _BOTH),
    "rollout_leak": (rollout_leak, 5, _MEMORY),
    "leak_pauses": (leak_pauses, 3, _BOTH),
    "raised_cross": (raised_cross, 3, _BOTH),
}
STRESS_HEALTHY: _Table = {
    "jvm_saw": (jvm_saw, 5, _MEMORY),
    "go_steady": (go_steady, 5, _MEMORY),
    "surge_below": (surge_below, 8, _COUNT),
    "batch": (batch, 4, _MEMORY),
    "nightly": (nightly, 2, _MEMORY),
    "backup": (backup, 4, _DISK),
    "traffic": (traffic, 5, _BOTH),
    "rollout_warm": (rollout_warm, 6, _MEMORY),
    "ramp_steps": (ramp_steps, 5, _ALL),
    "pause_cache": (pause_cache, 3, _BOTH),
    "raised_safe": (raised_safe, 4, _BOTH),
    "cap_growth": (cap_growth, 6, _ALL),
}
FAST = {"proc_bomb", "conn_surge", "surge_below"}  # rows of 15 s
DAYS = {"nightly", "nightly_leak"}  # always three days
SHORT = FAST | {"jvm_creep", "jvm_saw", "batch", "batch_leak"}  # never: one would outweigh the rest


def core(seed: int, count: int) -> list[Case]:
    """`count` cases of everyday kinds; the same for the same arguments."""
    return _mixed(CORE_ENDS, CORE_HEALTHY, seed, count, stress=False)


def stress(seed: int, count: int) -> list[Case]:
    """`count` cases of kinds that are hard to tell apart; the same for the same arguments."""
    return _mixed(STRESS_ENDS, STRESS_HEALTHY, seed, count, stress=True)


def _mixed(ends: _Table, healthy: _Table, seed: int, count: int, stress: bool) -> list[Case]:
    """Two in five that end, one in ten of three days, in random order."""
    random = np.random.default_rng([seed, int(stress)])
    ending = round(0.4 * count)
    kinds = _quota(ends, ending) + _quota(healthy, count - ending)
    table = ends | healthy
    long = _long(random, kinds, table)

    def maker(i: int, kind: str) -> Callable[[Random], Case | None]:
        """Draws the metric once, however often the case is drawn."""
        make, _, metrics = table[kind]
        metric = metrics[random.integers(len(metrics))]
        return partial(_measured, kind, stress, make, metric, i in long)

    found = drawn((maker(i, kind) for i, kind in enumerate(kinds)), random)
    order: list[int] = random.permutation(count).tolist()
    return [found[i] for i in order]


def _quota(table: _Table, count: int) -> list[str]:
    """Kinds by their weights, rounded by the largest remainder."""
    weights = np.array([weight for _, weight, _ in table.values()], dtype=np.float64)
    wanted = weights / weights.sum() * count
    each = np.floor(wanted).astype(int)
    left = count - int(each.sum())
    each[np.argsort(each - wanted, kind="stable")[:left]] += 1
    return [kind for kind, times in zip(table, each.tolist(), strict=True) for _ in range(times)]


def _long(random: Random, kinds: list[str], table: _Table) -> set[int]:
    """Places of the series of three days: a tenth of all, those that always are included."""
    days = {i for i, kind in enumerate(kinds) if kind in DAYS}
    fixed = DAYS | SHORT
    free = [i for i, kind in enumerate(kinds) if kind not in fixed and table[kind][2] != _DISK]
    order: list[int] = random.permutation(free).tolist()
    return days | set(order[: max(0, round(len(kinds) / 10) - len(days))])
