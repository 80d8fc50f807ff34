"""The bank of trend shapes: how a level may move, and how likely each is given what was seen.

Each shape f has two parameters, level and amplitude, so all shapes are fitted to all series by
least squares in three matrix products. Shapes are weighted by their marginal likelihood in the
form of BIC (Schwarz 1978; Bayesian model averaging: Hoeting et al. 1999), computed for the
effective number of independent samples n (1 - r) / (1 + r), where r is the lag-1 autocorrelation
of the residuals (Bartlett 1946): a saw-tooth or a random walk says less than white noise does.
Because e^{t/tau} keeps its form when the origin moves, no shape needs to know where the leg began.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np

from akeso_predictors.checks import Bools, Floats, Ints
from akeso_predictors.grid import Grid
from akeso_predictors.settings import TrendSettings

# Rows ahead at which first passage is tabulated: finer where it is near, up to 4,096 rows.
AHEAD: Floats = np.concatenate([[0.0], np.geomspace(1, 4096, 37)]).astype(np.float32)

# Breaks lie densely where the newest rows are: one row off there looks like growth.
_NEAR = tuple(range(1, 13))
_FAR = (
    14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 232, 280, 340, 410, 490, 590, 710, 850,
    1020, 1220,
)  # fmt: skip
_STEPS = _NEAR + _FAR
_STOPS = _NEAR[1:] + _FAR
_RAMP_WIDTHS = (2, 4, 8, 16)
_RAMP_ENDS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 288, 432, 648, 960)
_DECAYS = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
# 12 % apart: with coarser onsets, a straight rise is mistaken for a bent one from the next onset.
_ONSETS = (
    *range(6, 15), 16, 18, 20, 22, 25, 28, 32, 36, 40, 45, 50, 56, 63, 70, 80, 90, 100, 112, 126, 140,
    160, 180, 200, 224, 252, 284, 320, 360, 404, 454, 510, 574, 646, 728, 820, 920, 1036, 1166,
)  # fmt: skip
# Time constants of a rise after a rest, as share of the time since it began.
_BENDS = (0.33, 1.0)
_GROWTHS = (6.0, 12.0, 32.0, 96.0, 288.0)
# Rows that a shape must have on both sides of its break, to be more than a fit to noise.
_SIDE = 3
_TINY = np.float32(1e-12)


@dataclass(frozen=True, slots=True)
class Moments:
    """Of K shapes over the rows of N windows, (N, K): mean, sum of squares about it (not zero), and
    whether the shape moves at all there."""

    mean: Floats
    spread: Floats
    moves: Bools

    def take(self, which: Ints) -> Moments:
        """Of some of the windows."""
        return Moments(self.mean[which], self.spread[which], self.moves[which])

    def put(self, which: Bools, other: Moments) -> None:
        """Overwrite those of some windows in place."""
        self.mean[which], self.spread[which], self.moves[which] = (
            other.mean,
            other.spread,
            other.moves,
        )


def moments(w: Floats, past: Floats) -> Moments:
    """Of shapes (W, K) over windows (N, W) of ones and zeros, all in float64."""
    n = w.sum(axis=1)[:, None]
    mean = w @ past
    mean /= n
    offset = n * mean**2
    spread: Floats = w @ past**2
    spread -= offset
    offset *= 1e-5
    offset += _TINY
    return Moments(mean, np.maximum(spread, _TINY), spread > offset)


@dataclass(frozen=True, slots=True)
class Bank:
    """K shapes on `grid`: values at its points (W, K), rise after the newest row (G, K) at `AHEAD`, log prior
    (K,), whether that prior is spread over the age of the leg (K,), least age of a leg in rows
    (K,), since when each shape grows in rows (K,; 0: as long as the leg, NaN: it does not grow).
    `ramps` and `stops` are the columns of the rises that ended, from a rest and since the leg began.
    `wide` is `past` in float64, `recent` its moments over the newest 1 ... W points (W, K), which is what
    most windows hold."""

    grid: Grid
    past: Floats
    rise: Floats
    log_prior: Floats
    spread: Floats
    least_age: Floats
    since: Floats
    ramps: slice
    stops: slice
    wide: Floats
    recent: Moments


class _Columns:
    """Collects the shapes; a break may lie anywhere in the leg, so each of a family of breaks has
    the prior of the rows that it stands for, over the age of the leg."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.rows = np.arange(-grid.reach + 1, 1, dtype=np.float64)
        self.ahead = AHEAD.astype(np.float64)
        self.still = np.zeros_like(self.ahead)
        self.kept: list[tuple[Floats, Floats, float, float, float, float]] = []
        self.families: dict[str, slice] = {}

    def family(self, name: str, first: int) -> None:
        """What was added from the `first` column on has a name."""
        self.families[name] = slice(first, len(self.kept))

    def trend(self, past: Floats, rise: Floats, prior: float) -> None:
        """A shape without a break, which lasts as long as the leg."""
        self.kept.append((past, rise, prior, 0, 0, 0))

    def rest(self, prior: float) -> None:
        """Nothing happens."""
        self.kept.append((np.zeros_like(self.rows), self.still, prior, 0, 0, np.nan))

    def broken(
        self, past: Floats, rise: Floats | None, prior: float, back: float, rows: float
    ) -> None:
        """A shape with a break `back` rows ago that stands for `rows` possible ones."""
        since = np.nan if rise is None else back
        risen = self.still if rise is None else rise
        self.kept.append((past, risen, prior * rows, 1, back + _SIDE, since))

    def bank(self, total: float) -> Bank:
        past, rise, prior, spread, age, since = zip(*self.kept, strict=True)
        # Zero at the newest row: in a short leg no digits are lost to a common offset.
        anchored = np.stack(past, axis=1)
        anchored -= anchored[-1]
        kept = self.grid.means(anchored).astype(np.float32)
        wide = kept.astype(np.float64)
        made = Bank(
            grid=self.grid,
            past=kept,
            rise=np.stack(rise, axis=1).astype(np.float32),
            log_prior=np.log(np.maximum(np.array(prior) / total, 1e-12)).astype(np.float32),
            spread=np.array(spread, dtype=np.float32),
            least_age=np.array(age, dtype=np.float32),
            since=np.array(since, dtype=np.float32),
            ramps=self.families["ramps"],
            stops=self.families["stops"],
            wide=wide,
            recent=moments(np.tri(len(wide))[:, ::-1], wide),
        )
        for part in (made, made.recent):
            for field in fields(part):
                if isinstance(array := getattr(part, field.name), np.ndarray):
                    array.setflags(write=False)
        return made


@lru_cache(maxsize=8)  # every forecaster of a process has the same few
def bank(settings: TrendSettings) -> Bank:
    """The shapes on the points of `settings.grid`; row 0 is the newest. Read-only."""
    columns = _Columns(settings.grid)
    rows, ahead = columns.rows, columns.ahead
    columns.rest(settings.prior_flat)
    for c, apart in _spaced(_STEPS):
        columns.broken((rows > -c) * 1.0, None, settings.prior_step, c, apart)
    ramps = len(columns.kept)
    for width in _RAMP_WIDTHS:
        for end, apart in _spaced(_RAMP_ENDS):
            risen = ((rows + end + width) / width).clip(0, 1)
            columns.broken(risen, None, settings.prior_ramp / len(_RAMP_WIDTHS), width + end, apart)
    columns.family("ramps", ramps)
    stops = len(columns.kept)
    for c, apart in _spaced(_STOPS):
        columns.broken(np.minimum(rows, 1.0 - c), None, settings.prior_stop, c, apart)
    columns.family("stops", stops)
    for tau in _DECAYS:
        # Older rows than 20 tau are as good as infinitely far below; float32 could not hold them.
        past = -np.exp((-rows / tau).clip(max=20.0))
        columns.trend(past, 1.0 - np.exp(-ahead / tau), settings.prior_saturate / len(_DECAYS))
    columns.trend(rows, ahead, settings.prior_line)
    for c, apart in _spaced(_ONSETS):
        columns.broken(np.maximum(rows + c, 0), ahead, settings.prior_onset, c, apart)
        for ratio in _BENDS:
            # A rise that began c rows ago and bends: most warm-ups after a rest.
            tau = c * ratio
            bent = -np.expm1(-np.maximum(rows + c, 0) / tau)
            rise = np.exp(-c / tau) * -np.expm1(-ahead / tau)
            columns.broken(bent, rise, settings.prior_bend / len(_BENDS), c, apart)
        curved = np.maximum(rows + c, 0) ** 2 / c
        columns.broken(curved, (ahead + c) ** 2 / c - c, settings.prior_curve, c, apart)
    for tau in _GROWTHS:
        growth = np.expm1((ahead / tau).clip(max=20.0))
        columns.trend(np.exp(rows / tau), growth, settings.prior_accelerate / len(_GROWTHS))
    return columns.bank(settings.prior_total)


def _spaced(places: tuple[int, ...]) -> list[tuple[int, float]]:
    """Places with the number of rows that each stands for: half-way to both neighbours."""
    edges = np.concatenate(
        [[places[0] - 0.5], (np.array(places[1:]) + np.array(places[:-1])) / 2, [places[-1] * 1.1]]
    )
    return list(zip(places, np.diff(edges).tolist(), strict=True))
