"""Labelled histories from small simulations of queues and collectors, by another author, who knew only
the list of kinds and the opponent's figures.

`core`: leaks and what is healthy, two in five end at the limit; `stress`: what is hard to tell apart.
Load is a Cox intensity (flat, daily, the CPU of a real pod of tests/data/nezha, or request counts of
tests/data/nab) with flash crowds; on it stocks of sessions (M/G/inf), compound Poisson leaks, Yule
growth, queues that overflow, collectors whose thresholds are redrawn each cycle, caches filled by
misses. Only the size of a leak is chosen so that it meets the limit near a drawn row; the crossing is
read off the clean path, and a path that contradicts its kind is drawn again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
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

_PAGE = 4096
_STRESS_SEED = 7919
_FAST = 15.0
_LOADS = ("flat", "diurnal", "pod", "nab")


@dataclass(frozen=True, slots=True)
class Made:
    """A clean level (T,) as share of the first limit, which it reaches after `onset`, None if it never
    does. `limit` (T,) where it changes; `restart`, `rollout` are rows; `size` is the limit in counts;
    a run to the limit takes minutes `within` these bounds."""

    scene: Scene
    level: Series
    onset: int | None = None
    metric: str = "memory"
    limit: Series | None = None
    restart: int | None = None
    rollout: int | None = None
    size: float | None = None
    within: tuple[float, float] = (0.0, np.inf)


# Real series


@cache
def _pods(metric: str) -> list[Series]:
    """Pods that were seen for five hours and nearly always do something."""
    return [
        x for x in pods(metric) if len(x) > 300 and np.median(x) > 0.2 and (x > 0).mean() > 0.97
    ]


@cache
def _requests() -> list[tuple[Series, float]]:
    """Load from outside and its step in seconds, the highest peaks cut off."""
    names = ("elb_request_count_8c0756", "nyc_taxi", "ec2_network_in_257a54")
    found = [measured(name) for name in names]
    return [(np.minimum(values, np.percentile(values, 99.5)), step) for values, step in found]


def stretch(scene: Scene, values: Series, step: float) -> Series:
    """Some rows (T,) of a series at another step, mirrored where it is too short."""
    need = int(np.ceil(scene.lasts / step)) + 2
    while len(values) < need:
        values = np.concatenate([values, values[::-1]])
    first = int(scene.random.integers(0, len(values) - need + 1))
    return np.interp(scene.t, np.arange(need) * step, values[first : first + need])


# Building blocks


def wandering(scene: Scene, seconds: float, deviation: float) -> Series:
    """An Ornstein-Uhlenbeck path (T,) around 0."""
    keep = float(np.exp(-scene.step / seconds))
    shocks = scene.random.normal(0, deviation * np.sqrt(1 - keep * keep), scene.rows)
    return recursion(float(scene.random.normal(0, deviation)), keep, shocks)[1:]


def load_of(scene: Scene, kind: str | None = None) -> Series:
    """Intensity (T,) of a Cox process, mean 1."""
    random, t = scene.random, scene.t
    kind = kind or str(random.choice(_LOADS, p=[0.35, 0.25, 0.25, 0.15]))
    load: Series = np.ones(scene.rows)
    if kind == "diurnal":
        load = 1 + scene.draw(0.15, 0.8) * np.sin(2 * np.pi * (t / DAY + scene.draw(0, 1)))
        load = load + scene.draw(0, 0.2) * np.sin(4 * np.pi * (t / DAY + scene.draw(0, 1)))
    elif kind == "pod":
        source = _pods("cpu")
        load = stretch(scene, source[random.integers(len(source))], 60)
        load = np.minimum(load, 5 * np.median(load) + 1e-9)
    elif kind == "nab":
        requests = _requests()
        load = stretch(scene, *requests[random.integers(len(requests))])
    waves = wandering(scene, scene.scale(120, 2400), scene.scale(0.02, 0.3))
    load = np.maximum(load, 0.02 * load.mean() + 1e-9) * np.exp(waves)
    if scene.chance(0.25):  # flash crowds
        crowds = random.random(scene.rows) < scene.step / scene.scale(3 * HOUR, 12 * HOUR)
        for start in t[crowds]:
            height = load.mean() * scene.draw(0.3, 2)
            fall = np.exp(-scene.since(start) / scene.scale(120, 1500))
            load = load + height * np.where(t >= start, fall, 0)
    load /= load.mean()
    return load


def background(scene: Scene, level: float, swing: float | None = None) -> Series:
    """Memory of a real pod around a level: its deviations from the median, scaled to a share."""
    source = _pods("mem")
    real = stretch(scene, source[scene.random.integers(len(source))], 60)
    away = real - np.median(real)
    spread = max(float(np.percentile(away, 99) - np.percentile(away, 1)), 1e-6)
    swing = swing or scene.scale(0.005, 0.10)
    return level + np.clip(away / spread, -1.5, 1.5) * min(swing, spread / 100 * 10 + 0.003)


def stock(scene: Scene, arrivals: Series, stay: float, heavy: float = 0.0) -> Series:
    """M/G/inf: how many (T,) are there; a share `heavy` of them stays 12 times as long."""
    random, total = scene.random, np.zeros(scene.rows)
    for share, stays in ((1 - heavy, stay), (heavy, 12 * stay)):
        if share <= 0:
            continue
        keep = float(np.exp(-scene.step / stays))
        gain = stays * (1 - keep) / scene.step
        come = random.poisson(np.maximum(arrivals * share * scene.step * gain, 0))
        there = int(random.poisson(float(arrivals[0]) * share * stays))
        for i, more in enumerate(come.tolist()):
            there = int(random.binomial(there, keep)) + more
            total[i] += there
    return total


def leaked(scene: Scene, load: Series, rate: float, onset: int) -> Series:
    """Compound Poisson (T,): events of gamma size, thinned from the load, summed from the onset."""
    shape = scene.scale(0.2, 4)
    events = scene.random.poisson(load * rate * scene.step)
    events[:onset] = 0
    found: Series = np.cumsum(
        scene.random.gamma(np.maximum(events * shape, 1e-9)) * (events > 0), dtype=np.float64
    )
    return found


def renewal(scene: Scene, mean: float, shape: float) -> list[float]:
    """Seconds at which something comes again; the more regular, the larger `shape`."""
    at = scene.draw(0, mean)
    found: list[float] = []
    while at < scene.lasts:
        found.append(at)
        at += scene.random.gamma(shape, mean / shape)
    return found


def collected(scene: Scene, load: Series, period: float, height: float) -> Series:
    """Garbage (T,) that comes with the load until the threshold, redrawn each cycle, is reached."""
    random = scene.random
    spread, left = scene.scale(0.02, 0.25), scene.scale(0.01, 0.2)
    threshold = height * np.exp(random.normal(0, spread))
    garbage, found = scene.draw(0, height), np.empty(scene.rows)
    for i, more in enumerate((load * scene.step * height / period).tolist()):
        garbage += more
        if garbage >= threshold:
            over = (garbage - threshold) % max(threshold * 0.5, 1e-9)
            garbage = threshold * left * random.uniform(0.5, 1.5) + over
            threshold = min(height * np.exp(random.normal(0, spread)), height * 1.3)
        found[i] = min(garbage, height * 1.3)
    return found


def filled(scene: Scene, start: int, load: Series, seconds: float) -> Series:
    """Share of a bounded cache that is filled: keys in three classes of falling popularity, each miss
    fills a slot."""
    random, found, total = scene.random, np.zeros(scene.rows), 0
    for _ in range(3):
        slots = int(scene.scale(300, 5000))
        total += slots
        empty, takes = slots, seconds * scene.scale(0.2, 2.5)
        for i in range(start, scene.rows):
            if empty:
                missed = -float(np.expm1(-float(load[i]) * scene.step / takes))
                empty -= int(random.binomial(empty, missed))
            found[i] += slots - empty
    found /= total
    return found


def reaching(rest: Series, shape: Series, row: int, limit: float = 1.0) -> Series:
    """`rest` (T,) with so much of `shape` (T,) that it meets the limit at `row`."""
    size = (limit - float(rest[row])) / max(float(shape[row]), 1e-12)
    return rest + size * shape


def scene_of(random: Random, long: float = 0.1) -> Scene:
    """Six to twelve hours, a share `long` three days."""
    if random.random() < long:
        step = float(random.choice([15, 30, 60], p=[0.15, 0.35, 0.5]))
        return Scene(random, step, int(3 * DAY / step))
    step = float(random.choice([15, 30, 60], p=[0.35, 0.35, 0.3]))
    return Scene(random, step, int(random.uniform(6, 12) * 3600 / step))


def rise_within(scene: Scene, least: float, most: float) -> tuple[int, int]:
    """Rows of the onset and of the crossing, `least` to `most` hours apart."""
    total = scene.lasts / 3600
    hours = scene.scale(least, min(most, total * 0.93))
    onset = scene.draw(0.02 * total, max(total * 0.98 - hours, 0.03 * total))
    crossing = int((onset + hours) * 3600 / scene.step)
    return int(onset * 3600 / scene.step), min(crossing, scene.rows - 3)


def connection_limit(random: Random) -> float:
    return float(random.choice([100, 150, 200, 300, 500, 1000, 1024, 2000, 4096, 16384]))


def process_limit(random: Random) -> float:
    return float(random.choice([128, 256, 512, 1024, 2048, 4096, 8192]))


# Core: what ends


def leak_linear(random: Random) -> Made:
    scene = scene_of(random)
    onset, end = rise_within(scene, 1.5, 48)
    level = background(scene, scene.draw(0.15, 0.65))
    load = load_of(scene)
    lost = leaked(scene, load, scene.scale(0.003, 2), onset)
    return Made(scene, reaching(level, lost, end), onset)


def leak_gc_ripple(random: Random) -> Made:
    scene = scene_of(random)
    onset, end = rise_within(scene, 1.5, 40)
    load = load_of(scene)
    level = background(scene, scene.draw(0.15, 0.55))
    level = level + collected(scene, load, scene.scale(90, 2700), scene.scale(0.02, 0.18))
    lost = leaked(scene, load, scene.scale(0.01, 2), onset)
    return Made(scene, reaching(level, lost, end), onset)


def leak_accelerating(random: Random) -> Made:
    """A Yule process with immigration: what has leaked makes the next leak likelier."""
    scene = scene_of(random)
    onset, end = rise_within(scene, 1.5, 14)
    load = load_of(scene)
    growth = scene.draw(1.2, 4) / max((end - onset) * scene.step, 1)
    arrivals = scene.scale(5, 80) * growth
    count, lost = 0.0, np.zeros(scene.rows)
    for i in range(onset, scene.rows):
        rate = float(load[i]) * scene.step * (arrivals + growth * count)
        count += int(random.poisson(min(rate, 1e9)))
        lost[i] = count
    level = background(scene, scene.draw(0.2, 0.65))
    return Made(scene, reaching(level, lost, end), onset)


def leak_staircase(random: Random) -> Made:
    """Each job leaves its result behind, loaded over some minutes."""
    scene = scene_of(random)
    onset, end = rise_within(scene, 2.5, 50)
    every = min(scene.scale(480, 4500), (end - onset) * scene.step / 4)
    takes, lost = scene.scale(30, 600), np.zeros(scene.rows)
    for at in renewal(scene, every, scene.scale(1, 30)):
        if at >= onset * scene.step:
            lost += random.lognormal(0, 0.4) * np.clip((scene.t - at) / takes, 0, 1)
    level = background(scene, scene.draw(0.2, 0.6))
    return Made(scene, reaching(level, lost, end), onset)


def leak_fast_queue(random: Random) -> Made:
    """A queue in memory after its consumer slows down: 25 to 70 minutes to the limit."""
    scene = scene_of(random, 0.03)
    takes = scene.draw(25, 70) * 60 / scene.step
    onset = int(scene.draw(0.25, 0.85) * (scene.rows - takes))
    end = int(onset + takes)
    load = load_of(scene, str(random.choice(["flat", "pod", "diurnal"])))
    rate = scene.scale(0.5, 30)
    served = np.full(scene.rows, 2.5 * rate) * max(float(load.max()) / 2.2, 1)
    served[onset:] = rate * load[onset:end].mean() * scene.draw(0.1, 0.8)
    come, go = random.poisson(load * rate * scene.step), random.poisson(served * scene.step)
    waiting, queue = 0, np.zeros(scene.rows)
    for i, more in enumerate((come - go).tolist()):
        waiting = max(0, waiting + more)
        queue[i] = waiting
    level = background(scene, scene.draw(0.25, 0.7))
    return Made(scene, reaching(level, queue, end), onset, within=(22, 75))


def leak_unbounded_cache(random: Random) -> Made:
    """An entry per distinct key, of heavy-tailed popularity: growth slows and never stops."""
    scene = scene_of(random)
    onset, end = rise_within(scene, 2, 30)
    load = load_of(scene)
    load[:onset] = 0
    asked = np.cumsum(load) * scene.step
    power = scene.draw(0.5, 0.85)
    fresh = np.diff(np.concatenate([[0], np.maximum(asked, 0) ** power]))
    kept = np.cumsum(random.poisson(fresh * scene.scale(0.2, 5))).astype(np.float64)
    level = background(scene, scene.draw(0.2, 0.5))
    return Made(scene, reaching(level, kept, end), onset)


def conn_leak(random: Random) -> Made:
    scene = scene_of(random)
    onset, end = rise_within(scene, 0.8, 20)
    size = connection_limit(random)
    load, stay = load_of(scene), scene.scale(5, 600)
    busy = stock(scene, load * size * scene.draw(0.1, 0.5) / stay, stay)
    lost = np.zeros(scene.rows, dtype=np.int64)
    if busy[end] < size:
        asked = max(float(load[onset:end].sum()) * scene.step, 1)
        lost[:] = random.poisson(load * scene.step * (size - busy[end]) / asked)
    lost[:onset] = 0
    return Made(scene, (busy + np.cumsum(lost)) / size, onset, "connections", size=size)


def proc_leak(random: Random) -> Made:
    """A job every minute or so forks children; some hang for ever."""
    scene = scene_of(random)
    onset, end = rise_within(scene, 0.8, 20)
    size, stay = process_limit(random), scene.scale(10, 240)
    load = load_of(scene, "flat")
    busy = stock(scene, load * size * scene.draw(0.05, 0.4) / stay, stay, 0.05)
    hung, every = np.zeros(scene.rows, dtype=np.int64), scene.scale(60, 900)
    each = max(size - busy[end], 1) / max((end - onset) * scene.step / every, 1)
    for at in renewal(scene, every, 200):
        if at >= onset * scene.step:
            hung[int(at / scene.step)] += random.poisson(each)
    return Made(scene, (busy + np.cumsum(hung)) / size, onset, "connections", size=size)


def disk_fill(random: Random) -> Made:
    """Logs written with the load, segments deleted by compaction, filling up."""
    scene = _disk(random, (14, 72), (9, 16))
    onset, end = rise_within(scene, 5, 66)
    load = load_of(scene)
    lost = leaked(scene, load, scene.scale(0.01, 3), onset)
    base = scene.draw(0.2, 0.75)
    level = base + collected(scene, load, scene.scale(900, 14400), scene.scale(0.002, 0.05))
    return Made(scene, reaching(level, lost, end), onset, "volume")


def _disk(random: Random, long: tuple[float, float], short: tuple[float, float]) -> Scene:
    step = float(random.choice([30, 60]))
    hours = random.uniform(*long) if random.random() < 0.5 else random.uniform(*short)
    return Scene(random, step, int(hours * 3600 / step))


# Core: what does not end


def quiet(random: Random) -> Made:
    scene = scene_of(random, 0.15)
    return Made(scene, background(scene, scene.draw(0.1, 0.88)))


def _between(scene: Scene, base: float, top: float, share: Series, most: float = 0.03) -> Made:
    """From `base` to `top` by a share (T,), on a real background that swings by `most` at most."""
    level = background(scene, base, scene.scale(0.003, most))
    return Made(scene, level + (top - base) * share)


def _bounds(
    scene: Scene, top: tuple[float, float], base: tuple[float, float]
) -> tuple[float, float]:
    """A base, drawn as a share of a top, and the top."""
    high = scene.draw(*top)
    return scene.draw(*base) * high, high


def warm_up(random: Random) -> Made:
    scene = scene_of(random)
    start = int(scene.draw(0, 0.6) * scene.rows) if scene.chance(0.6) else 0
    base, top = _bounds(scene, (0.45, 0.96), (0.1, 0.75))
    load = load_of(scene)
    return _between(scene, base, top, filled(scene, start, load, scene.scale(300, 9000)))


def periodic(random: Random) -> Made:
    """Sessions under a load that comes and goes, not quite regularly."""
    scene = scene_of(random, 0.05)
    period = scene.scale(1200, 8 * HOUR)
    pace = np.exp(wandering(scene, 7200, scene.draw(0.0, 0.15)))
    phase = np.cumsum(pace) * scene.step / period + scene.draw(0, 1)
    load = 1 + scene.draw(0.2, 0.95) * np.sin(2 * np.pi * phase)
    load = load * np.exp(wandering(scene, 600, 0.08))
    count, stay = scene.scale(30, 2000), scene.scale(20, 1800)
    busy = stock(scene, load * count / stay, stay)
    base, top = _bounds(scene, (0.4, 0.95), (0.2, 0.8))
    return _between(scene, base, top, busy / busy.max(), 0.02)


def steps(random: Random) -> Made:
    """Workers are added or removed: rare, large moves."""
    scene = scene_of(random)
    moved = np.zeros(scene.rows)
    for at in random.uniform(0.05, 0.95, int(random.integers(1, 4))) * scene.lasts:
        height = scene.pick(1, 1, -0.6) * scene.draw(0.4, 1)
        moved += height * np.clip((scene.t - at) / scene.scale(scene.step, 400), 0, 1)
    moved = (moved - moved.min()) / max(float(np.ptp(moved)), 1e-9)
    base, top = _bounds(scene, (0.5, 0.96), (0.3, 0.85))
    return _between(scene, base, top, moved)


def gc_saw(random: Random) -> Made:
    scene = scene_of(random)
    top = scene.draw(0.5, 0.97)
    height = min(scene.scale(0.05, 0.55), top - 0.1)
    load = load_of(scene)
    garbage = collected(scene, load, scene.scale(300, 3 * HOUR), height / 1.3)
    return Made(scene, background(scene, top - height, scene.scale(0.002, 0.015)) + garbage)


def bursts(random: Random) -> Made:
    """Shot noise: heavy jobs come at random and hold memory for a while."""
    scene = scene_of(random)
    stay, every = scene.scale(60, 2400), scene.scale(900, 4 * HOUR)
    held = np.zeros(scene.rows)
    for at in renewal(scene, every, 1):
        takes, rise = random.exponential(stay) + 60, scene.scale(15, 600)
        risen = random.lognormal(0, 0.6) * np.clip((scene.t - at) / rise, 0, 1)
        held += risen * np.exp(-np.maximum(scene.t - at - rise - takes, 0) / (stay * 0.3))
    base, top = _bounds(scene, (0.4, 0.96), (0.2, 0.8))
    return _between(scene, base, top, held / max(float(held.max()), 1e-9))


def high_plateau(random: Random) -> Made:
    scene = scene_of(random)
    level = scene.draw(0.8, 0.97)
    return Made(scene, background(scene, level, scene.scale(0.002, 0.6 * (1 - level) + 0.003)))


def high_water(random: Random) -> Made:
    """An allocator that gives little back: the highest number of requests so far, slowly trimmed."""
    scene = scene_of(random)
    load, stay = load_of(scene), scene.scale(5, 300)
    busy = stock(scene, load * scene.scale(20, 500) / stay, stay)
    keep = float(np.exp(-scene.step / scene.scale(4 * HOUR, 80 * HOUR)))
    high, kept = 0.0, np.empty(scene.rows)
    for i in range(scene.rows):
        high = max(float(busy[i]), high * keep)
        kept[i] = high
    base, top = _bounds(scene, (0.4, 0.93), (0.2, 0.7))
    return _between(scene, base, top, kept / kept.max(), 0.02)


def conn_pool(random: Random) -> Made:
    scene = scene_of(random)
    size, stay = connection_limit(random), scene.scale(5, 1200)
    load = load_of(scene)
    arrivals = load * size * scene.draw(0.1, 0.8) / stay
    busy = stock(scene, arrivals, stay, scene.pick(0, 0.05))
    return Made(scene, busy / size, metric="connections", size=size)


def proc_cron(random: Random) -> Made:
    """Timed jobs over what always runs."""
    scene = scene_of(random)
    size = process_limit(random)
    forked, stay = np.zeros(scene.rows, dtype=np.int64), scene.scale(30, 900)
    each = size * scene.draw(0.05, 0.5)
    for at in renewal(scene, scene.scale(300, 7200), 300):
        forked[int(at / scene.step)] += random.poisson(each)
    there, keep, found = 0, float(np.exp(-scene.step / stay)), np.empty(scene.rows)
    for i, more in enumerate(forked.tolist()):
        there = int(random.binomial(there, keep)) + more
        found[i] = there
    always = stock(scene, np.full(scene.rows, size * scene.draw(0.1, 0.4) / 60), 60)
    return Made(scene, (found + always) / size, metric="connections", size=size)


def disk_rotation(random: Random) -> Made:
    scene = _disk(random, (10, 72), (8, 14))
    top = scene.draw(0.5, 0.97)
    height = min(scene.scale(0.03, 0.5), top - 0.05)
    load = load_of(scene)
    written = collected(scene, load, scene.scale(HOUR, 30 * HOUR), height / 1.3)
    return Made(scene, top - height + written, metric="volume")


# Stress: collectors; what `ends` comes with its healthy likeness


def jvm(random: Random, ends: bool) -> Made | None:
    """Young garbage, promotion, full collections at a threshold; the live set leaks, or is a stock of
    sessions."""
    scene = scene_of(random, 0.05)
    load = load_of(scene)
    onset, end = rise_within(scene, 2.5, 60)
    threshold = scene.draw(0.6, 0.985)
    eden, base = scene.draw(0.02, 0.3) * threshold, scene.draw(0.15, 0.75) * threshold
    arrivals = load * scene.scale(30, 800) / 900
    sessions = stock(scene, arrivals, scene.scale(300, 3600))
    sessions = sessions / sessions.mean() * scene.scale(0.005, 0.08)
    live, full = base + sessions - sessions.mean(), scene.draw(0.95, 1.0)
    if ends:
        lost = leaked(scene, load, scene.scale(0.01, 2), onset)
        live = reaching(live, lost, end, full)
    elif live.max() > threshold - 0.04:
        return None
    over = np.flatnonzero(live >= full)
    until = int(over[0]) + 1 if ends and len(over) else scene.rows
    level = np.ones(scene.rows)
    level[:until] = _heap(scene, load, live[:until], threshold, eden, threshold - base)
    if ends and len(over):
        level[over[0]] = 1.0
    return Made(scene, level, onset) if ends else Made(scene, level)


def _heap(
    scene: Scene, load: Series, live: Series, threshold: float, eden: float, room: float
) -> Series:
    """Heap (T,) over its live set: young garbage up to `eden`, old garbage that fills `room`, which a
    full collection frees; two in five heaps mostly have mixed ones, which stay at the ceiling."""
    random = scene.random
    allocated = eden / scene.scale(10, 600)
    random.random()  # a draw that decides nothing
    promoted = room / scene.scale(120, 4 * HOUR)
    young, old, found = 0.0, scene.draw(0, max(room, 0)), np.empty(len(live))
    at, mixed = threshold, scene.chance(0.4)
    for i in range(len(live)):
        young += allocated * load[i] * scene.step
        old += promoted * load[i] * scene.step
        if young >= eden:
            young = young % eden * random.uniform(0.3, 1) + 0.03 * eden
        if live[i] + old + 0.3 * young >= at or live[i] + old + young >= 0.992:
            some = mixed and random.random() < 0.9
            old *= random.uniform(0.75, 0.97) if some else random.uniform(0, 0.06)
            young *= 0.3
            at = min(threshold * np.exp(random.normal(0, 0.01)), 0.99)
        found[i] = min(live[i] + old + young, 0.994)
    return found


def go(random: Random, ends: bool) -> Made:
    """The next collection comes at a multiple of what lives; pages are given back slowly or at once."""
    scene = scene_of(random, 0.1)
    load = load_of(scene)
    onset, end = rise_within(scene, 1.5, 48)
    share = scene.pick(0.5, 1, 1, 1, 2)
    peak = scene.draw(0.3, 0.75) if ends else scene.draw(0.4, 0.94)
    base = scene.draw(0.02, 0.15)
    arrivals = load * scene.scale(40, 2000) / 600
    sessions = stock(scene, arrivals, scene.scale(60, 2400))
    sessions = sessions / (sessions.mean() if ends else sessions.max()) - 1
    first = (peak - base) / (1 + share)
    sway = scene.scale(0.02, 0.2) if ends else scene.draw(0.1, 0.7)
    live = first * (1 + sway * sessions)
    if ends:
        lost = leaked(scene, load, scene.scale(0.01, 2), onset)
        live = live + ((1 - base) / (1 + share) - first) / max(float(lost[end]), 1e-9) * lost
    level = _paced(scene, load, np.maximum(live, 0.005), first, share)
    level = background(scene, base, 0.006) + level
    return Made(scene, level, onset) if ends else Made(scene, level)


def _paced(scene: Scene, load: Series, live: Series, first: float, share: float) -> Series:
    """Heap (T,) that is collected when it has grown by `share` of what lived at the last time."""
    each = first * share / scene.scale(40, 3600) * load * scene.step
    keep = float(np.exp(-scene.step / scene.scale(30, 3000))) if scene.chance(0.5) else 0.0
    heap, at = float(live[0]), float(live[0]) * (1 + share)
    before, held, found = heap, 0.0, np.empty(scene.rows)
    for i, (lives, more) in enumerate(zip(live.tolist(), each.tolist(), strict=True)):
        heap += more + max(lives - before, 0)
        before = lives
        if heap >= at:
            over, at = heap - at, lives * (1 + share)
            heap = lives + over % max(at - lives, 1e-9)
        held = max(heap, held * keep)
        found[i] = held
    return found


# Stress: fast ones


def fork_bomb(random: Random) -> Made:
    """Two to 25 minutes from the first fork to the limit, straight or exponentially."""
    scene = Scene(random, _FAST, int(random.uniform(1.5, 8) * 240))
    size, takes = process_limit(random), scene.scale(2, 25) * 4
    onset = int(scene.draw(0.4, 0.95) * (scene.rows - takes - 5))
    stay = scene.scale(20, 300)
    load = load_of(scene, "flat")
    busy = stock(scene, load * size * scene.draw(0.03, 0.5) / stay, stay)
    doubles, room = scene.chance(0.5), max(size - busy[onset], 1)
    begins = max(size * 0.01, 2)
    growth = float(np.expm1(np.log(room / begins + 1) / takes))
    count, forked = begins if doubles else 0.0, np.zeros(scene.rows)
    for i in range(onset, scene.rows):
        count += random.poisson(min(count * growth, 1e7) if doubles else room / takes)
        forked[i] = count
        if count > size:
            forked[i:] = count
            break
    return Made(scene, (busy + forked) / size, onset, "connections", size=size)


def surge(random: Random, ends: bool) -> Made | None:
    """A dependency hangs and callers retry: connections climb to a new equilibrium, above or below the
    limit."""
    scene = Scene(random, _FAST, int(random.uniform(2, 9) * 240))
    size, stay = connection_limit(random), scene.scale(10, 300)
    share, onset = scene.draw(0.05, 0.5), int(scene.draw(0.3, 0.85) * scene.rows)
    arrivals = load_of(scene, str(random.choice(["flat", "pod"]))) * size * share / stay
    reached = scene.draw(1.15, 3.5) if ends else scene.draw(0.55, 0.96)
    slow = scene.scale(150, 3000)
    until = scene.rows if ends else onset + int(scene.scale(300, 7200) / scene.step)
    waves = np.exp(wandering(scene, 300, scene.scale(0.01, 0.1)))
    arrivals[onset:until] = reached * size / slow * waves[onset:until]
    there, found = int(size * share), np.empty(scene.rows)
    rates: list[float] = arrivals.tolist()
    for i, rate in enumerate(rates):
        stays = slow if onset <= i < until else stay
        keep = float(np.exp(-scene.step / stays))
        there = int(random.binomial(there, keep)) + int(random.poisson(rate * stays * (1 - keep)))
        found[i] = there
    if ends and (found >= size).any() and np.argmax(found >= size) - onset < 8:
        return None  # at least two minutes
    return Made(scene, found / size, onset if ends else None, "connections", size=size)


# Stress: repeats


def jobs(scene: Scene, starts: list[float], takes: float, jitter: float) -> Series:
    """Share (T,) of the room that jobs fill: each loads records, works, lets go."""
    random, rows, step = scene.random, scene.rows, scene.step
    found, hold = np.zeros(rows), scene.draw(0.02, 0.8)
    for start in starts:
        own = takes * np.exp(random.normal(0, jitter))
        first, last = int(start / step), int((start + own) / step)
        if last <= first or first >= rows:
            continue
        records = random.poisson(scene.scale(2, 50), max(last - first, 1)).cumsum()
        filled_up = records / records[-1] * random.uniform(1 - 2 * jitter, 1)
        end, held = min(last, rows), int(own * hold / step)
        found[first:end] = np.maximum(found[first:end], filled_up[: end - first])
        found[end : end + held] = np.maximum(found[end : end + held], filled_up[-1])
        after = np.arange(max(rows - end - held, 0)) * step
        left = filled_up[-1] * np.exp(-after / scene.scale(20, 200))
        found[end + held :] = np.maximum(found[end + held :], left)
    return found


def batch_repeat(random: Random) -> Made:
    """A job that comes again every one to eight hours."""
    scene = scene_of(random, 0.05)
    base, top = _bounds(scene, (0.45, 0.97), (0.15, 0.8))
    every = scene.scale(1, 8) * HOUR
    starts = renewal(scene, every, scene.scale(20, 2000))
    takes = min(scene.scale(300, 4 * HOUR), 0.6 * every)
    level = background(scene, base, scene.scale(0.002, 0.02))
    return Made(scene, level + jobs(scene, starts, takes, scene.scale(0.01, 0.1)) * (top - base))


def nightly_job(random: Random) -> Made:
    step = float(random.choice([30, 60]))
    scene = Scene(random, step, int(3 * DAY / step))
    base, top = _bounds(scene, (0.5, 0.97), (0.2, 0.8))
    first = scene.draw(0, DAY)
    nights = [first + DAY * k for k in range(-1, 3)]
    starts = [at + random.normal(0, 300) for at in nights if at > 600]
    level = background(scene, base, scene.scale(0.003, 0.03))
    takes, jitter = scene.scale(1800, 5 * HOUR), scene.scale(0.01, 0.08)
    return Made(scene, level + jobs(scene, starts, takes, jitter) * (top - base))


def backup_disk(random: Random) -> Made:
    """Dumps that are written, shipped and deleted."""
    scene = Scene(random, 60.0, int(random.uniform(20, 72) * 60))
    base, top = _bounds(scene, (0.75, 0.98), (0.3, 0.85))
    every = scene.pick(6, 8, 12, 24) * HOUR
    planned = np.arange(scene.draw(0, every), scene.lasts, every)
    starts = planned + random.normal(0, 120, len(planned))
    slow = base + 0.02 * np.cumsum(load_of(scene)) / scene.rows
    takes = min(scene.scale(1800, 6 * HOUR), 0.7 * every)
    dumps = jobs(scene, starts[starts > 0].tolist(), takes, scene.scale(0.005, 0.04))
    return Made(scene, slow + dumps * (top - 0.03 - base), metric="volume")


def traffic(random: Random) -> Made:
    """Memory of sessions that follow the load."""
    scene = scene_of(random, 0.15)
    load = load_of(scene, str(random.choice(["diurnal", "nab"], p=[0.7, 0.3])))
    stay = scene.scale(60, 3600)
    busy = stock(scene, load * scene.scale(60, 3000) / stay, stay)
    base, top = _bounds(scene, (0.65, 0.97), (0.15, 0.7))
    return _between(scene, base, top, busy / busy.max(), 0.02)


# Stress: rollouts, pauses, limits, caps


def rollout_warm_up(random: Random) -> Made:
    scene = scene_of(random, 0.05)
    row = int(scene.draw(0.15, 0.75) * scene.rows)
    base, top = _bounds(scene, (0.55, 0.95), (0.15, 0.7))
    load = load_of(scene)
    share = filled(scene, row, load, scene.scale(400, 9000))
    share[:row] = scene.draw(0.5, 1)
    made = _between(scene, base, top, share, 0.02)
    return Made(scene, made.level, restart=row, rollout=row)


def step_ramp(random: Random) -> Made:
    """Sessions move over from a drained instance: a step that takes its time."""
    scene = scene_of(random, 0.05)
    row, takes = int(scene.draw(0.15, 0.85) * scene.rows), scene.scale(600, 3600)
    count, moved = int(scene.scale(50, 3000)), np.zeros(scene.rows)
    left, steady = count, scene.chance(0.5)
    for i in range(row, scene.rows):
        if steady:
            left -= min(left, int(random.poisson(count / (takes * 1.5 / scene.step))))
        else:
            left -= int(random.binomial(left, -float(np.expm1(-scene.step / takes))))
        moved[i] = count - left
    base, top = _bounds(scene, (0.55, 0.95), (0.3, 0.85))
    told = scene.chance(0.4)
    made = _between(scene, base, top, moved / count, 0.02)
    return Made(scene, made.level, rollout=row if told else None)


def rollout_leak(random: Random) -> Made:
    """A leak that came with a rollout, behind the warm-up of its cache."""
    scene = scene_of(random, 0.06)
    onset, end = rise_within(scene, 0.8, 30)
    onset = max(onset, int(1200 / scene.step))
    load = load_of(scene)
    lost = leaked(scene, load, scene.scale(0.005, 2), onset)
    warm = filled(scene, onset, load, scene.scale(200, 2400)) * scene.draw(0.05, 0.2)
    warm[:onset] = warm[-1] * scene.draw(0.6, 1)
    level = background(scene, scene.draw(0.2, 0.55)) + warm
    if scene.chance(0.4):
        period, height = scene.scale(90, 2700), scene.scale(0.02, 0.15)
        level = level + collected(scene, load, period, height)
    return Made(scene, reaching(level, lost, end), onset, restart=onset, rollout=onset)


def pause_leak(random: Random) -> Made:
    """Load that is on and off by turns, and the leak with it."""
    scene = scene_of(random, 0.15)
    onset, end = rise_within(scene, 3, 60)
    load = load_of(scene, "flat")
    on, off = scene.scale(1500, 4 * HOUR), scene.scale(1200, 3 * HOUR)
    shape, idle, row = scene.scale(1, 12), scene.draw(0, 0.1), 0
    while row < scene.rows:
        row += int(random.gamma(shape, on / shape) / scene.step) + 1
        rests = int(random.gamma(shape, off / shape) / scene.step) + 1
        load[row : row + rests] *= idle
        row += rests
    lost = leaked(scene, load, scene.scale(0.02, 2), onset)
    work = stock(scene, load * 2, scene.scale(20, 200))
    work = work / work.max() * scene.scale(0.005, 0.1)
    level = background(scene, scene.draw(0.2, 0.6)) + work
    return Made(scene, reaching(level, lost, end), onset)


@dataclass(frozen=True, slots=True)
class Raise:
    """The higher limit, the level at which somebody sets it, and what lies under it."""

    limit: float
    seen_at: float
    level: Series
    load: Series


def _raise(scene: Scene) -> Raise:
    limit = scene.pick(1.25, 1.5, 2, scene.scale(1.15, 2.2))
    level = background(scene, scene.draw(0.2, 0.6))
    load = load_of(scene)
    return Raise(limit, scene.draw(0.65, 0.96), level, load)


def _seen(scene: Scene, level: Series, seen_at: float) -> int | None:
    """Row at which the limit is raised; None if that is never, or too near an end of the series."""
    rows = np.flatnonzero(level >= seen_at)
    return int(rows[0]) if len(rows) and 20 <= rows[0] < scene.rows - 20 else None


def _raised(scene: Scene, level: Series, row: int, limit: float, again: Series | None) -> Made:
    """The level under a limit that is raised at `row`; by a rollout where it begins `again` (T,)."""
    limits = np.where(np.arange(scene.rows) >= row, limit, 1.0)
    if again is None:
        return Made(scene, level, limit=limits)
    level = np.concatenate([level[:row], again[: scene.rows - row]])
    return Made(scene, level, limit=limits[: len(level)], restart=row, rollout=row)


def raised_cross(random: Random) -> Made | None:
    """A leak under a limit that somebody raises; later it reaches the new one, too."""
    scene = scene_of(random, 0.08)
    higher = _raise(scene)
    onset, end = rise_within(scene, 2.5, 50)
    lost = leaked(scene, higher.load, scene.scale(0.005, 2), onset)
    level = reaching(higher.level, lost, end, higher.limit)
    row = _seen(scene, level, higher.seen_at)
    if row is None:
        return None
    again = level[onset // 2 :] if scene.chance(0.4) else None
    made = _raised(scene, level, row, higher.limit, again)
    return replace(made, onset=onset if again is None else row)


def raised_safe(random: Random) -> Made | None:
    """It was a bounded cache all along, or the raise came with the mend."""
    scene = scene_of(random, 0.08)
    higher = _raise(scene)
    level, load = higher.level, higher.load
    onset, end = rise_within(scene, 1, 30)
    cached = scene.chance(0.5)
    if cached:
        share = filled(scene, onset, load, max((end - onset) * scene.step / 2.5, 300))
        grown = level + (scene.draw(1.0, 0.95 * higher.limit) - level[0]) * share
    else:
        lost = leaked(scene, load, scene.scale(0.005, 2), onset)
        grown = reaching(level, lost, end, higher.seen_at + 0.02)
    row = _seen(scene, grown, higher.seen_at)
    if row is None:
        return None
    if not cached:
        rest = replace(scene, rows=scene.rows - row)
        little = leaked(rest, load[row:], 0.01, 0)
        grown[row:] = grown[row] + (level[row:] - level[row]) + 0.01 * little / scene.rows
    again = None
    if scene.chance(0.4):
        again = grown[onset // 2 :] if cached else level[row:]
    return _raised(scene, grown, row, higher.limit, again)


def cap_hold(random: Random) -> Made:
    """A bounded buffer with a writer faster than its reader: straight growth, then full and held."""
    scene = scene_of(random, 0.08)
    onset = int(scene.draw(0.02, 0.5) * scene.rows)
    takes = min(scene.scale(0.4, 10) * HOUR, (0.92 * scene.rows - onset) * scene.step)
    cap = scene.draw(0.60, 0.95)
    base, slots = scene.draw(0.1, 0.75) * cap, int(scene.scale(100, 20000))
    load = load_of(scene, str(random.choice(["flat", "pod", "diurnal"], p=[0.6, 0.2, 0.2])))
    written = random.poisson(load * slots / takes * scene.step)
    written[:onset] = 0
    share = np.minimum(np.cumsum(written), slots) / slots
    level = background(scene, base, scene.scale(0.002, 0.012))
    return Made(scene, level + (cap - base) * share)


# From a level to what is measured


def _measured(
    kind: str, stress: bool, make: Callable[[Random], Made | None], random: Random
) -> Case | None:
    """A case, None where the path does not do what its kind says."""
    made = make(random)
    if made is None:
        return None
    scene, level = made.scene, np.maximum(made.level, 0)
    limit = np.ones(len(level)) if made.limit is None else made.limit
    over = np.flatnonzero(level >= limit)
    crossing = int(over[0]) if len(over) else None
    if not _as_told(made, crossing):
        return None
    rows, again = len(level), np.zeros(0)
    if crossing is not None:
        rows, again = _ended(made, level, crossing)
        limit = np.concatenate([limit[:rows], np.full(len(again), limit[crossing])])
        level = np.concatenate([level[:rows], again])
    values, limit = _in_units(made, level, limit)
    values[_lost(random, len(values))] = np.nan
    if made.onset is not None and crossing is not None:
        low, high = made.within
        if not low <= (crossing - made.onset) * scene.step / 60 <= high:
            return None
    marks = np.zeros((2, len(values)), dtype=np.bool_)
    marks[:, :rows] = marked(rows, made.restart), marked(rows, made.rollout)
    marks[0, rows : rows + 1] = True  # after a kill
    return Case(
        kind, stress, values, limit, scene.step, HORIZONS[made.metric], made.metric, crossing,
        marks[0], marks[1], made.onset,
    )  # fmt: skip


def _as_told(made: Made, crossing: int | None) -> bool:
    """Whether the limit is met just when there is an onset, and not at once."""
    if crossing is None or made.onset is None:
        return crossing is None and made.onset is None
    early = 1200 if made.scene.step == _FAST else 3600
    return crossing * made.scene.step >= early and crossing > made.onset + 1


def _ended(made: Made, level: Series, crossing: int) -> tuple[int, Series]:
    """Rows until the series ends at the limit, and what follows where it is killed: the same process
    begins anew."""
    scene = made.scene
    rows = crossing + int(scene.random.integers(1, 5))
    if scene.chance(0.5) or made.metric == "volume":
        return min(len(level), rows), np.zeros(0)
    more = int(scene.draw(0.1, 2) * 3600 / scene.step)
    if rows > len(level):
        return len(level), np.zeros(0)
    return rows, level[: min(more, crossing // 2)]


def _in_units(made: Made, level: Series, limit: Series) -> tuple[Series, Series]:
    """Values and limits with measuring noise in bytes (whole pages), whole counts or per cent."""
    scene = made.scene
    unit = made.size or _unit(scene.random, made.metric)
    values = level
    if made.metric == "memory":
        noise = scene.scale(0.0005, 0.006)
        values = level + scene.random.normal(0, noise, len(level))
    elif made.metric == "volume":
        noise = scene.scale(0.00005, 0.001)
        values = level + scene.random.normal(0, noise, len(level))
    most = np.where(level >= limit, limit * 1.02, limit * 0.9995)
    values = np.clip(values, 0, most) * unit
    if made.metric == "connections":
        values = np.round(values)
    elif unit <= 100:
        values = np.round(values, 2)
    else:
        values = np.round(values / _PAGE) * _PAGE
    return values, limit * unit


def _unit(random: Random, metric: str) -> float:
    """A limit of memory or of a disk, in bytes or per cent."""
    if metric == "memory":
        if random.random() < 0.25:
            return 100.0
        sizes = [256, 512, 768, 1024, 1536, 2048, 4096, 8192, 16384]
        return float(random.choice(sizes)) * 2**20
    if random.random() < 0.4:
        return 100.0 * float(random.choice([0.85, 0.9, 0.95]))
    size = float(random.choice([8, 20, 50, 100, 200, 500])) * 2**30
    return size * float(random.choice([0.85, 0.9]))


def _lost(random: Random, rows: int) -> Mask:
    """Scrapes (T,) that are lost: 1 %, half of them in runs of two to ten."""
    lost = random.random(rows) < 0.005
    for row in np.flatnonzero(random.random(rows) < 0.005 / 6):
        lost[row : row + int(random.integers(2, 11))] = True
    return lost


# The mixes: kind -> maker and share of the cases

_Table = dict[str, tuple[Callable[[Random], Made | None], float]]
CORE: _Table = {
    "leak-linear": (leak_linear, 0.09),
    "leak-gc-ripple": (leak_gc_ripple, 0.08),
    "leak-accelerating": (leak_accelerating, 0.05),
    "leak-staircase": (leak_staircase, 0.05),
    "leak-fast-queue": (leak_fast_queue, 0.05),
    "leak-unbounded-cache": (leak_unbounded_cache, 0.02),
    "conn-leak": (conn_leak, 0.025),
    "proc-leak": (proc_leak, 0.015),
    "disk-fill": (disk_fill, 0.02),
    "quiet": (quiet, 0.075),
    "warm-up": (warm_up, 0.10),
    "periodic": (periodic, 0.095),
    "step": (steps, 0.09),
    "gc-saw": (gc_saw, 0.07),
    "bursts": (bursts, 0.06),
    "high-plateau": (high_plateau, 0.045),
    "high-water": (high_water, 0.015),
    "conn-pool": (conn_pool, 0.02),
    "proc-cron": (proc_cron, 0.01),
    "disk-rotation": (disk_rotation, 0.02),
}
STRESS: _Table = {
    "jvm-creep": (partial(jvm, ends=True), 0.08),
    "go-creep": (partial(go, ends=True), 0.06),
    "fork-bomb": (fork_bomb, 0.05),
    "conn-surge": (partial(surge, ends=True), 0.04),
    "rollout-leak": (rollout_leak, 0.06),
    "pause-leak": (pause_leak, 0.06),
    "raised-cross": (raised_cross, 0.05),
    "jvm-saw": (partial(jvm, ends=False), 0.09),
    "go-saw": (partial(go, ends=False), 0.06),
    "surge-below": (partial(surge, ends=False), 0.07),
    "batch-repeat": (batch_repeat, 0.07),
    "nightly-job": (nightly_job, 0.03),
    "backup-disk": (backup_disk, 0.03),
    "traffic": (traffic, 0.055),
    "rollout-warm-up": (rollout_warm_up, 0.055),
    "step-ramp": (step_ramp, 0.04),
    "raised-safe": (raised_safe, 0.05),
    "cap-hold": (cap_hold, 0.05),
}


def core(seed: int, count: int) -> list[Case]:
    """`count` cases of everyday kinds; the same for the same arguments."""
    return _mixed(CORE, seed, count, stress=False)


def stress(seed: int, count: int) -> list[Case]:
    """`count` cases of kinds that are hard to tell apart; the same for the same arguments."""
    return _mixed(STRESS, seed + _STRESS_SEED, count, stress=True)


def _mixed(table: _Table, seed: int, count: int, stress: bool) -> list[Case]:
    """Quotas by the shares, rounded by the largest remainder, in random order."""
    random = np.random.default_rng(seed)
    whole = sum(share for _, share in table.values())
    wanted = np.array([share for _, share in table.values()]) * count / whole
    each = np.floor(wanted).astype(int)
    left = count - int(each.sum())
    each[np.argsort(each - wanted, kind="stable")[:left]] += 1
    rows = list(table.items())
    order: list[int] = random.permutation(np.repeat(np.arange(len(table)), each)).tolist()
    chosen = [rows[i] for i in order]
    return drawn((partial(_measured, kind, stress, make) for kind, (make, _) in chosen), random)
