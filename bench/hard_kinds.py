"""The second generator: kinds of series that are hard to tell apart, on real backgrounds.

Leaks and what only looks like one come in pairs: a heap whose floor creeps and one whose floor
holds, a job that leaks and one that repeats, a warm-up after a rollout and a leak that came with it.
Steps of 15, 30 and 60 s; a quarter of the series last three days. One scrape in a hundred is lost.
Levels are made as shares of the limit and then given in units of their own (bytes, connections).

Constants are the bounds of draws; none was chosen by what Akeso says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from unit.predictors.injected import Case, pods

Series = NDArray[np.float64]

_LOST = 0.01
_HOUR, _DAY = 3600.0, 86400.0


@dataclass(frozen=True, slots=True)
class Made:
    """A level (T,) as share of the limit, which counts as 1 from `onset` on if it is a leak; `cap`
    (T,) where the limit changes; `rollout` is the first row after one."""

    level: Series
    onset: int | None = None
    cap: Series | None = None
    rollout: int | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """What every kind draws from: `t` (T,) seconds from the start, `real` (T,) the background
    around 1, `random`."""

    t: Series
    step: float
    real: Series
    random: np.random.Generator

    def draw(self, low: float, high: float) -> float:
        return float(self.random.uniform(low, high))

    def seconds(self, low: float, high: float) -> float:
        """Between two lengths, as likely to be short as to be long."""
        return float(np.exp(self.draw(np.log(low), np.log(high))))

    def onset(self, takes: float) -> int:
        """A row from which a rise of `takes` seconds ends before the series does."""
        last = max(len(self.t) - int(takes / self.step) - 8, 21)
        return int(self.random.integers(20, last))

    def since(self, row: int) -> Series:
        gone: Series = np.maximum(self.t - self.t[row], 0)
        return gone

    def teeth(self, period: float, wear: float = 0.1) -> tuple[Series, Series]:
        """Phase 0..1 and number of the tooth, periods vary by `wear`."""
        count = int(self.t[-1] / period / (1 - wear)) + 3
        lengths = period * self.random.uniform(1 - wear, 1 + wear, count)
        ends = np.cumsum(lengths) - self.draw(0, period)
        which = np.searchsorted(ends, self.t, side="right").clip(0, count - 1)
        return 1 - (ends[which] - self.t) / lengths[which], which.astype(np.float64)

    def daily(self, peak: float) -> Series:
        """Traffic of a day, 0..1, its peak at `peak` seconds, sharper by day than by night."""
        wave = (1 + np.cos(2 * np.pi * (self.t - peak) / _DAY)) / 2
        shaped: Series = np.power(wave, 1.5)
        return shaped


def jvm(scene: Scene, creep: float = 0.0) -> Made:
    """Young collections let the heap swing between its floor and its ceiling; a full one now and then
    goes down to what lives."""
    ceiling, floor = scene.draw(0.82, 0.96), scene.draw(0.25, 0.55)
    onset = scene.onset((1 - floor) / creep) if creep else None
    live = floor + (0 if onset is None else creep * scene.since(onset))
    young, _ = scene.teeth(scene.seconds(240, 1500), 0.3)
    full, _ = scene.teeth(scene.seconds(2400, 9000), 0.3)
    garbage = 0.6 * full**0.5 + 0.4 * young
    level = live + np.maximum(ceiling - live, 0) * garbage
    return Made(np.maximum(level, live), onset)


def jvm_creep(scene: Scene) -> Made:
    return jvm(scene, scene.draw(0.5, 0.75) / scene.seconds(2.5 * _HOUR, 8 * _HOUR))


def go_heap(scene: Scene, growth: float = 0.0) -> Made:
    """The next collection comes when the heap has grown by a share of what lives."""
    share, live = scene.draw(0.3, 1.0), scene.draw(0.2, 0.4)
    onset = scene.onset((1 / (1 + share) - live) / growth) if growth else None
    lives = live + (0 if onset is None else growth * scene.since(onset))
    phase, _ = scene.teeth(scene.seconds(180, 2400))
    return Made(lives * (1 + share * phase), onset)


def go_leak(scene: Scene) -> Made:
    return go_heap(scene, 0.3 / scene.seconds(1.5 * _HOUR, 6 * _HOUR))


def process_bomb(scene: Scene) -> Made:
    base, fold = scene.draw(0.03, 0.3), scene.draw(40, 150)
    onset = scene.onset(fold * np.log(1 / base))
    return Made(base * scene.real * np.exp((scene.since(onset) / fold).clip(max=5)), onset)


def surge(scene: Scene) -> Made:
    base, takes = scene.draw(0.05, 0.5), scene.seconds(150, 900)
    onset = scene.onset(takes)
    return Made(base * scene.real + (1.03 - base) * scene.since(onset) / takes, onset)


def surge_that_holds(scene: Scene) -> Made:
    base, top, takes = scene.draw(0.05, 0.4), scene.draw(0.5, 0.85), scene.seconds(60, 400)
    share = (scene.since(scene.onset(takes)) / takes).clip(max=1)
    return Made(base * scene.real + (top - base) * share)


def pool(scene: Scene, leak: float = 0.0) -> Made:
    """Connections follow the traffic and are counted in whole ones."""
    size, base = scene.draw(50, 400), scene.draw(0.2, 0.5)
    onset = scene.onset((1 - base) / leak) if leak else None
    traffic = base * (
        1 + scene.draw(0.1, 0.4) * np.sin(2 * np.pi * scene.t / scene.seconds(1800, 14400))
    )
    leaked = 0 if onset is None else leak * scene.since(onset)
    # Neighbouring scrapes see mostly the same connections.
    walk = np.convolve(scene.random.normal(size=len(scene.t) + 15), np.ones(16) / 4, "valid")
    return Made(np.round(traffic * size * (1 + 0.04 * walk)).clip(0) / size + leaked, onset)


def pool_leak(scene: Scene) -> Made:
    return pool(scene, 0.6 / scene.seconds(0.5 * _HOUR, 2.5 * _HOUR))


def batch(scene: Scene) -> Made:
    """A job that fills memory, ends and comes again."""
    rest, top = scene.draw(0.15, 0.4), scene.draw(0.7, 0.95)
    phase, which = scene.teeth(scene.seconds(2400, 9000), 0.05)
    busy = scene.draw(0.3, 0.9)
    tops = top * scene.random.uniform(0.97, 1.02, 400)[which.astype(int) % 400]
    return Made(np.where(phase < busy, rest + (tops - rest) * phase / busy, rest) * scene.real)


def batch_leak(scene: Scene) -> Made:
    """The same job, but what it keeps grows from run to run."""
    made, takes = batch(scene), scene.seconds(2 * _HOUR, 6 * _HOUR)
    onset = scene.onset(takes)
    return Made(made.level + scene.draw(0.5, 0.8) * scene.since(onset) / takes, onset)


def nightly(scene: Scene, rest: float = 0.0) -> Made:
    base = rest or scene.draw(0.25, 0.5)
    top, takes = scene.draw(0.75, 0.95), scene.seconds(0.7 * _HOUR, 3 * _HOUR)
    start = scene.draw(0, 0.8 * _DAY)
    into = (scene.t - start) % _DAY
    tops = top * scene.random.uniform(0.97, 1.02, 5)[((scene.t - start) // _DAY).astype(int)]
    return Made(np.where(into < takes, base + (tops - base) * into / takes, base) * scene.real)


def nightly_leak(scene: Scene) -> Made:
    made, takes = nightly(scene), scene.seconds(3 * _HOUR, 20 * _HOUR)
    onset = scene.onset(takes)
    return Made(made.level + 0.8 * scene.since(onset) / takes, onset)


def follows_traffic(scene: Scene) -> Made:
    base, top = scene.draw(0.2, 0.5), scene.draw(0.7, 0.93)
    wave = scene.daily(scene.draw(0, _DAY))
    return Made((base + (top - base) * wave) * scene.real)


def traffic_leak(scene: Scene) -> Made:
    base, takes = scene.draw(0.2, 0.4), scene.seconds(4 * _HOUR, 24 * _HOUR)
    onset = scene.onset(takes)
    wave = scene.daily(scene.draw(0, _DAY)) * scene.draw(0.1, 0.3)
    return Made((base + wave) * scene.real + 0.8 * scene.since(onset) / takes, onset)


def warm_up_after_rollout(scene: Scene) -> Made:
    before, start = scene.draw(0.4, 0.7), scene.draw(0.1, 0.4)
    top, takes = scene.draw(0.55, 0.92), scene.seconds(300, 3600)
    row = scene.onset(2 * takes)
    age = scene.since(row) / takes
    share = -np.expm1(-3 * age) if scene.random.random() < 0.6 else age.clip(max=1)
    level = np.where(scene.t < scene.t[row], before, start + (top - start) * share)
    return Made(level * scene.real, rollout=row)


def leak_with_rollout(scene: Scene) -> Made:
    before, start, takes = (
        scene.draw(0.3, 0.6),
        scene.draw(0.1, 0.5),
        scene.seconds(0.7 * _HOUR, 5 * _HOUR),
    )
    row = scene.onset(takes)
    risen = start + (1.03 - start) * scene.since(row) / takes
    return Made(np.where(scene.t < scene.t[row], before, risen) * scene.real, row, rollout=row)


def step_that_ramps(scene: Scene) -> Made:
    low, high, takes = scene.draw(0.25, 0.55), scene.draw(0.65, 0.93), scene.seconds(300, 3000)
    share = (scene.since(scene.onset(takes)) / takes).clip(max=1)
    return Made((low + (high - low) * share) * scene.real)


def growth_to_a_cap(scene: Scene) -> Made:
    low, cap, takes = (
        scene.draw(0.2, 0.5),
        scene.draw(0.65, 0.93),
        scene.seconds(1.5 * _HOUR, 5 * _HOUR),
    )
    share = (scene.since(scene.onset(takes)) / takes).clip(max=1)
    return Made((low + (cap - low) * share) * scene.real)


def pausing_leak(scene: Scene) -> Made:
    """What leaks with each request rests while there are none."""
    low, takes = scene.draw(0.2, 0.5), scene.seconds(1.5 * _HOUR, 4 * _HOUR)
    onset = scene.onset(2 * takes)
    busy, period = scene.draw(0.4, 0.7), scene.seconds(1200, 5400)
    works = (scene.since(onset) > 0) & ((scene.since(onset) % period) < busy * period)
    risen = np.cumsum(works) * scene.step / takes / busy
    return Made((low + (1.03 - low) * risen / 1.5) * scene.real, onset)


def raised_limit(scene: Scene) -> Made:
    """A leak under a limit that is raised when two thirds of the way are gone."""
    low, takes, more = (
        scene.draw(0.2, 0.45),
        scene.seconds(1.5 * _HOUR, 4 * _HOUR),
        scene.draw(1.25, 1.5),
    )
    onset = scene.onset(takes * more * 1.2)
    level = low * scene.real + (1.03 - low) * scene.since(onset) / takes
    late = scene.since(onset) > 0.6 * takes
    return Made(level, onset, np.where(late, more, 1.0))


def raised_in_time(scene: Scene) -> Made:
    """Growth to a cap below a limit that was raised while it went on."""
    made, more = growth_to_a_cap(scene), scene.draw(1.2, 1.5)
    level = made.level * scene.draw(1.0, 1.15)
    grown = int(np.flatnonzero(level >= 0.75 * level.max())[0])
    return Made(level, cap=np.where(np.arange(len(level)) >= grown, more, 1.0))


def disk_fills(scene: Scene) -> Made:
    low, takes = scene.draw(0.2, 0.6), scene.seconds(16 * _HOUR, 44 * _HOUR)
    onset = scene.onset(takes)
    return Made(low + (1.01 - low) * scene.since(onset) / takes, onset)


def rotating_logs(scene: Scene) -> Made:
    base, height = scene.draw(0.3, 0.6), scene.draw(0.1, 0.35)
    phase, _ = scene.teeth(scene.seconds(3 * _HOUR, 24 * _HOUR), 0.1)
    return Made(base + height * phase)


def backup(scene: Scene) -> Made:
    """A dump is written each night, shipped and deleted."""
    return nightly(replace(scene, real=np.ones(len(scene.t))), scene.draw(0.4, 0.65))


def quiet(scene: Scene) -> Made:
    return Made(scene.draw(0.2, 0.9) * np.ones(len(scene.t)))


# Kind, maker, class of metric, steps it is seen at, how long it is seen, horizon.
_SHORT, _LONG = 10 * _HOUR, 3 * _DAY
_SLOW, _FAST = (15.0, 30.0, 60.0), (15.0,)
_Kind = tuple[Callable[[Scene], Made], str, tuple[float, ...], float, float]
KINDS: dict[str, _Kind] = {
    "jvm creep": (jvm_creep, "memory", _SLOW, _SHORT, _HOUR),
    "go leak": (go_leak, "memory", _SLOW, _SHORT, _HOUR),
    "process bomb": (process_bomb, "connections", _FAST, 2 * _HOUR, 1800.0),
    "surge": (surge, "connections", _FAST, 2 * _HOUR, 1800.0),
    "pool leak": (pool_leak, "connections", (15.0, 30.0), 6 * _HOUR, _HOUR),
    "batch leak": (batch_leak, "memory", _SLOW, _SHORT, _HOUR),
    "nightly leak": (nightly_leak, "memory", (60.0,), _LONG, _HOUR),
    "traffic leak": (traffic_leak, "memory", (60.0,), _LONG, _HOUR),
    "leak with rollout": (leak_with_rollout, "memory", _SLOW, _SHORT, _HOUR),
    "pausing leak": (pausing_leak, "memory", _SLOW, _SHORT, _HOUR),
    "raised limit": (raised_limit, "memory", _SLOW, _SHORT, _HOUR),
    "disk fills": (disk_fills, "volume", (60.0,), _LONG, 4 * _HOUR),
    "- jvm": (jvm, "memory", _SLOW, _SHORT, _HOUR),
    "- go": (go_heap, "memory", _SLOW, _SHORT, _HOUR),
    "- surge holds": (surge_that_holds, "connections", _FAST, 2 * _HOUR, 1800.0),
    "- pool": (pool, "connections", (15.0, 30.0), 6 * _HOUR, _HOUR),
    "- batch": (batch, "memory", _SLOW, _SHORT, _HOUR),
    "- nightly": (nightly, "memory", (60.0,), _LONG, _HOUR),
    "- traffic": (follows_traffic, "memory", (60.0,), _LONG, _HOUR),
    "- rollout": (warm_up_after_rollout, "memory", _SLOW, _SHORT, _HOUR),
    "- step ramps": (step_that_ramps, "memory", _SLOW, _SHORT, _HOUR),
    "- cap": (growth_to_a_cap, "memory", _SLOW, _SHORT, _HOUR),
    "- raised in time": (raised_in_time, "memory", _SLOW, _SHORT, _HOUR),
    "- logs": (rotating_logs, "volume", (60.0,), _LONG, 4 * _HOUR),
    "- back-up": (backup, "volume", (60.0,), _LONG, 4 * _HOUR),
    "- quiet": (quiet, "memory", _SLOW, _SHORT, _HOUR),
}  # fmt: skip
_UNITS = {"memory": 512 * 2.0**20, "connections": 200.0, "volume": 20 * 2.0**30}


def hard_cases(each: int, seed: int, held_out: bool = False) -> list[Case]:
    """`each` cases of every kind; the same for the same arguments."""
    real = [x for x in pods(held_out=held_out).values() if x.max() > 1 and np.median(x) > 0]
    found: list[Case] = []
    for number, (kind, recipe) in enumerate(KINDS.items()):
        random = np.random.default_rng([seed, int(held_out), number])
        found += [_case(kind, recipe, i, random, real) for i in range(each)]
    return found


def _case(
    kind: str, recipe: _Kind, i: int, random: np.random.Generator, real: list[Series]
) -> Case:
    make, metric, steps, lasts, horizon = recipe
    step = steps[i % len(steps)]
    t = np.arange(0.0, lasts, step)
    while True:
        scene = Scene(t, step, _background(random, real, t), random)
        made = make(scene)
        level = made.level + random.normal(0, random.uniform(0.0005, 0.004), len(t))
        cap = np.ones(len(t)) if made.cap is None else made.cap
        over = np.flatnonzero(level >= cap)
        crossing = int(over[0]) if len(over) else None
        if (made.onset is None) == (crossing is None) and (
            crossing is None or made.onset is None or crossing > made.onset
        ):
            break
    unit = _UNITS[metric]
    restart = None
    if crossing is not None:
        rest = len(t) - crossing - 3
        level[crossing + 1 :] = np.nan
        if i % 3 == 0 and rest > 0:
            restart = crossing + 3
            level[restart:] = 0.3 + random.normal(0, 0.002, rest)
    values = np.where(random.random(len(t)) < _LOST, np.nan, np.maximum(level, 0) * unit)
    return Case(
        kind, values, made.onset, crossing, restart, cap * unit, made.rollout, metric, step, horizon
    )


def _background(random: np.random.Generator, real: list[Series], t: Series) -> Series:
    """A stretch of a real series around 1 at the times `t`, forwards and backwards if it is short."""
    whole = real[random.integers(len(real))]
    ring = np.concatenate([whole, whole[::-1]]) / np.median(whole)
    start = random.integers(len(ring))
    minutes = t / 60 + start
    left = minutes.astype(int)
    share = minutes - left
    mixed = (1 - share) * ring[left % len(ring)] + share * ring[(left + 1) % len(ring)]
    # A swing of more than a tenth is an event of its own, and belongs to another kind.
    shaped: Series = (mixed / np.median(mixed)).clip(0.95, 1.05)
    return shaped
