"""What outcomes have taught about probabilities and times: a small value that is handed in and out.

Probabilities are corrected by an isotonic map per class of metrics (pool adjacent violators, with
each block drawn to its centre, Oron and Flournoy 2017, so that the map stays increasing); times to
the limit by split-conformal shifts per class and horizon (Romano et al. 2019, one-sided for each
quantile). Both are kept as sums over bins, so that learning goes on where it left off, what is old
fades, and no outcome is stored. Few outcomes move little: each bin begins with a prior on the
identity.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

import numpy as np

from akeso_predictors.checks import Floats, InputError, Ints

VERSION = 1
# Edges of the bins of probability; below the first one nothing was claimed.
CLAIM = 0.01
EDGES = np.array(
    [CLAIM, 0.02, 0.05, *(round(0.05 * i, 2) for i in range(2, 20)), 0.98, 1.0], dtype=np.float64
)
# Outcomes that each bin is taken to have seen on the identity, in independent ones.
PRIOR = 2.0
# Independent outcomes of a class beyond which what is old fades: the last few hundred series.
MEMORY = 500.0
# Times are compared as powers of two: this many bins to each octave, so many octaves to either side.
_FINE, _OCTAVES = 4, 4
TIME_BINS = 2 * _FINE * _OCTAVES
# Limits that must have been reached before times are corrected by half of what was seen.
PRIOR_TIMES = 10.0
SHARES = (0.1, 0.5, 0.9)
_MOST = 1e9  # outcomes: far beyond what is ever kept
_MOST_OCTAVES = 40  # of a horizon in seconds: longer than anybody looks

Sums = tuple[tuple[float, ...], ...]


def _nothing(rows: int, width: int) -> Sums:
    return ((0.0,) * width,) * rows


@dataclass(frozen=True, slots=True)
class ClassCalibration:
    """Sums of one class. `claims`: per bin of probability the weight, the weighted probability and
    the weighted truth; `times`: per octave of the horizon in seconds the weight of each bin of
    log2(actual / foreseen time), for each of the three quantiles."""

    claims: Sums = field(default_factory=lambda: _nothing(len(EDGES) - 1, 3))
    times: tuple[tuple[int, Sums], ...] = ()

    @property
    def weight(self) -> float:
        """How many independent outcomes it stands on."""
        return sum(row[0] for row in self.claims)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Corrections by class of metrics; empty, it corrects nothing. `to_json` and `from_json` are
    exact. Never mutated: `learned` returns another one."""

    classes: tuple[tuple[str, ClassCalibration], ...] = ()

    def of(self, metric_class: str) -> ClassCalibration:
        """What is known of a class; empty where nothing is."""
        return dict(self.classes).get(metric_class, _EMPTY)

    def probability(self, metric_class: str, raw: Floats) -> Floats:
        """Corrected probabilities of any shape: monotone, 0 stays 0, and 1 (a limit that is
        reached) stays 1."""
        own = self.of(metric_class)
        if own.weight == 0:
            return raw
        x, y = _knots(own.claims)
        corrected = np.interp(raw, x, y).astype(raw.dtype)
        return np.where(raw >= 1, raw, corrected)

    def ttf(self, metric_class: str, horizon_seconds: Floats | float, raw: Floats) -> Floats:
        """Corrected quantiles (N, 3) of the time to the limit, in whatever unit they came;
        `horizon_seconds` (N,) or a scalar."""
        times = dict(self.of(metric_class).times)
        if not times:
            return raw
        octaves = np.broadcast_to(_octaves(horizon_seconds), raw.shape[:1])
        factors = np.ones((len(raw), len(SHARES)))
        for octave in np.unique(octaves).tolist():
            if octave in times:
                factors[octaves == octave] = _factors(times[octave])
        # A lower quantile never passes a higher one.
        return np.maximum.accumulate(raw * factors, axis=-1).astype(raw.dtype)

    def learned(
        self, metric_class: str, claims: Floats, times: Floats, step_seconds: float = 1.0
    ) -> Calibration:
        """With more outcomes. `claims` (N, 3): raw probability, whether the limit was reached (0 or
        1) and weight; `times` (M, 6): the three raw quantiles, the actual time, weight and horizon,
        in steps."""
        own = self.of(metric_class)
        sums = np.array(own.claims)
        inside = claims[(claims[:, 0] >= CLAIM) & (claims[:, 0] < 1)]
        bins = np.searchsorted(EDGES, inside[:, 0], side="right") - 1
        p, y, w = inside.T
        np.add.at(sums, bins, np.stack([w, w * p, w * y], axis=1))
        fade = min(1.0, MEMORY / max(float(sums[:, 0].sum()), 1.0))
        known = dict(own.times)
        octaves = _octaves(times[:, 5] * step_seconds)
        for octave in np.unique(octaves).tolist():
            known[octave] = _timed(known.get(octave), times[octaves == octave])
        after = ClassCalibration(_rounded(sums * fade), tuple(sorted(known.items())))
        return self.joined(Calibration(((metric_class, after),)))

    def joined(self, other: Calibration) -> Calibration:
        """With the classes that another knows, in place of what is known of them here."""
        return Calibration(tuple(sorted({**dict(self.classes), **dict(other.classes)}.items())))

    def only(self, metric_class: str) -> Calibration:
        """What is known of one class."""
        return Calibration(tuple(item for item in self.classes if item[0] == metric_class))

    def to_json(self) -> str:
        """Compact JSON; some hundred bytes per class. Read back it is equal."""
        classes = {
            name: {
                "claims": {str(i): row for i, row in enumerate(own.claims) if row[0]},
                "times": {str(octave): _sparse(rows) for octave, rows in own.times},
            }
            for name, own in self.classes
        }
        whole = {"akeso": "calibration", "version": VERSION, "classes": classes}
        return json.dumps(whole, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """Read what `to_json` wrote. Raises `InputError` that says what is wrong with `text`."""
        try:
            raw: Any = json.loads(text)
        except (ValueError, TypeError, RecursionError) as error:
            raise InputError(f"calibration is no JSON: {error}") from None
        if not isinstance(raw, dict) or cast(Any, raw).get("akeso") != "calibration":
            raise InputError('calibration must be an object with "akeso": "calibration"')
        whole = cast(dict[str, Any], raw)
        if whole.get("version") != VERSION:
            raise InputError(
                f"calibration has version {whole.get('version')!r}; this Akeso reads {VERSION}"
            )
        return cls(_classes(whole.get("classes")))


_EMPTY = ClassCalibration()


def given(name: str, argument: object) -> Calibration:
    """A calibration that a caller passed; None corrects nothing."""
    if argument is None:
        return Calibration()
    if not isinstance(argument, Calibration):
        raise InputError(
            f"{name} must be a Calibration (Calibration.from_json reads one), not"
            f" {type(argument).__name__}"
        )
    return argument


# -- the map of probabilities ----------------------------------------------------------------------


@lru_cache(maxsize=64)
def _knots(claims: Sums) -> tuple[Floats, Floats]:
    """The map as knots x, y, both increasing, from (0, 0) on."""
    sums = np.array(claims)
    prior = PRIOR * (EDGES[:-1] + EDGES[1:]) / 2
    weight = sums[:, 0] + PRIOR
    x, y = _centred((sums[:, 1] + prior) / weight, (sums[:, 2] + prior) / weight, weight)
    # Beyond the last block it goes on as the identity would.
    end = min(1.0, float(y[-1] + 1 - x[-1]))
    return np.concatenate([[0.0], x, [1.0]]), np.concatenate([[0.0], y, [end]])


def _centred(x: Floats, y: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Isotonic regression by pooling adjacent violators; each pool is one point at its centre."""
    pools: list[tuple[float, float, float]] = []
    for point in zip(x.tolist(), y.tolist(), weight.tolist(), strict=True):
        pools.append(point)
        while len(pools) > 1 and pools[-2][1] >= pools[-1][1]:
            (x1, y1, w1), (x2, y2, w2) = pools[-2:]
            w = w1 + w2
            pools[-2:] = [((x1 * w1 + x2 * w2) / w, (y1 * w1 + y2 * w2) / w, w)]
    return np.array([p[0] for p in pools]), np.array([p[1] for p in pools])


# -- times to the limit ----------------------------------------------------------------------------


def _octaves(horizon_seconds: Floats | float) -> Ints:
    """The octave of each horizon: what is learned of 30 min is no news of a day."""
    octaves = np.rint(np.log2(np.maximum(np.asarray(horizon_seconds, np.float64), 1)))
    return octaves.astype(np.int64).clip(0, _MOST_OCTAVES - 1)


def _timed(before: Sums | None, times: Floats) -> Sums:
    """The histograms with more times (M, 5)."""
    counts = np.zeros((len(SHARES), TIME_BINS)) if before is None else np.array(before)
    for i in range(len(SHARES)):
        late = np.log2(np.maximum(times[:, 3], 0.5) / np.maximum(times[:, i], 0.5))
        bins = (np.floor(late * _FINE) + TIME_BINS // 2).clip(0, TIME_BINS - 1)
        np.add.at(counts[i], bins.astype(np.int64), times[:, 4])
    fade = min(1.0, MEMORY / max(float(counts[0].sum()), 1.0))
    return _rounded(counts * fade)


@lru_cache(maxsize=256)
def _factors(rows: Sums) -> Floats:
    """What each quantile is multiplied with so that it covers, drawn to 1 while few limits were
    reached."""
    shifts: list[float] = []
    for share, row in zip(SHARES, rows, strict=True):
        counts = np.array(row)
        total = float(counts.sum())
        # Finite samples: the outcome to come is one of n + 1.
        outward = share + (share - 0.5) / max(total, 1.0) if share != 0.5 else share
        below = np.concatenate([[0.0], np.cumsum(counts)])
        edges = np.arange(TIME_BINS + 1) / _FINE - _OCTAVES
        wanted = min(max(outward, 0.0), 1.0) * total
        shift = float(np.interp(wanted, below + 1e-9 * np.arange(TIME_BINS + 1), edges))
        shifts.append(shift * total / (total + PRIOR_TIMES))
    factors: Floats = np.exp2(np.array(shifts))
    return factors


# -- JSON ------------------------------------------------------------------------------------------


def _rounded(sums: Floats) -> Sums:
    """Five digits are enough, and make for short JSON."""
    return tuple(tuple(float(f"{cell:.5g}") for cell in row) for row in sums.tolist())


def _sparse(rows: Sums) -> list[dict[str, float]]:
    return [{str(i): cell for i, cell in enumerate(row) if cell} for row in rows]


def _is_list(raw: object) -> bool:
    return isinstance(raw, list)


def _row(what: str, raw: Any, width: int) -> tuple[float, ...]:
    cells: list[Any] = raw if _is_list(raw) else []
    if len(cells) != width:
        raise InputError(f"calibration: {what} must be a list of {width} numbers")
    for cell in cells:
        if isinstance(cell, bool) or not isinstance(cell, int | float):
            raise InputError(f"calibration: {what} holds {cell!r}, which is no number")
        if not 0 <= cell < _MOST:  # NaN is not, either
            raise InputError(f"calibration: {what} must be finite and not negative: {cell!r}")
    return tuple(float(cell) for cell in cells)


def _place(what: str, name: str, count: int) -> int:
    at = int(name) if name.isdecimal() and len(name) < 4 else count
    if at >= count:
        raise InputError(f"calibration: {what} has no bin {name!r}")
    return at


def _claims(what: str, raw: Any) -> Sums:
    rows = list(_EMPTY.claims)
    for name, cells in _items(what, raw):
        weight, probability, truth = row = _row(f"{what}.{name}", cells, 3)
        if max(probability, truth) > weight * 1.001:
            raise InputError(f"calibration: {what}.{name} holds more truth than weight")
        rows[_place(what, name, len(rows))] = row
    return tuple(rows)


def _histograms(what: str, raw: Any) -> Sums:
    rows: list[Any] = raw if _is_list(raw) else []
    if len(rows) != len(SHARES):
        raise InputError(f"calibration: {what} must be a list of {len(SHARES)}")
    found: list[tuple[float, ...]] = []
    for row in rows:
        cells = [0.0] * TIME_BINS
        for name, cell in _items(what, row):
            cells[_place(what, name, TIME_BINS)] = _row(f"{what}.{name}", [cell], 1)[0]
        found.append(tuple(cells))
    return tuple(found)


def _items(what: str, raw: Any) -> list[tuple[str, Any]]:
    if not isinstance(raw, dict):
        raise InputError(f"calibration: {what} must be an object, not {type(raw).__name__}")
    return list(cast(dict[str, Any], raw).items())


def _classes(raw: Any) -> tuple[tuple[str, ClassCalibration], ...]:
    found: dict[str, ClassCalibration] = {}
    for name, given in _items("classes", raw):
        own, where = dict(_items(f"classes.{name}", given)), f"classes.{name}"
        times: dict[int, Sums] = {}
        for octave, rows in _items(f"{where}.times", own.get("times", {})):
            at = _place(f"{where}.times", octave, _MOST_OCTAVES)
            times[at] = _histograms(f"{where}.times.{octave}", rows)
        claims = _claims(f"{where}.claims", own.get("claims", {}))
        found[name] = ClassCalibration(claims, tuple(sorted(times.items())))
    return tuple(sorted(found.items()))
