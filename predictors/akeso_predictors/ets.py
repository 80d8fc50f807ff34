"""Maximum-likelihood models by statsmodels, for when seconds do not matter.

statsmodels is imported when this is called and not before: the idle operator must not carry it.
Additive errors only: multiplicative ones give intervals of 10^3 to 10^58. A `Job` and `fit` can be
pickled, so any executor may run them; `akeso_predictors.ladder` keeps to a budget.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akeso_predictors.checks import Floats
from akeso_predictors.ensemble import Blend
from akeso_predictors.smoothing import Grid, variance_growth

# ETSModel estimates a state per row of the season: longer ones take it minutes, and are STL's.
LONGEST = 48
_FEWEST = 10
# A fit that has not converged by then is as good as it gets.
_STEPS = 60


@dataclass(frozen=True, slots=True)
class Job:
    """One series (T,), NaN where missing, to be forecast `horizon` rows ahead by `method` "ets" or
    "stl"; rows of its season, 0 for none."""

    series: Floats
    horizon: int
    season: int = 0
    method: str = "ets"


@dataclass(frozen=True, slots=True)
class Fit:
    """Mean and standard deviation (H,) and the name of the model; NaN and "none" without one."""

    mean: Floats
    deviation: Floats
    model: str


def fit(job: Job) -> Fit:
    """Fit and forecast one series. Never raises for what the series holds."""
    known = np.isfinite(job.series)
    nothing = np.full(job.horizon, np.nan)
    if known.sum() < _FEWEST:
        return Fit(nothing, nothing, "none")
    season = job.season if 2 * job.season <= len(job.series) else 0
    by_stl = season > 0 and (job.method == "stl" or season > LONGEST)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # Convergence on a flat series is no news: the result is checked by its intervals.
            warnings.simplefilter("ignore")
            whole = bridged(job.series)
            if by_stl:
                mean, deviation = _stl(whole, job.horizon, season)
            else:
                mean, deviation = _ets(whole, job.horizon, season)
    except (ValueError, np.linalg.LinAlgError):
        return Fit(nothing, nothing, "none")
    if not (np.isfinite(mean).all() and np.isfinite(deviation).all()):
        return Fit(nothing, nothing, "none")
    return Fit(mean, deviation, "STL" if by_stl else "ETS(A,Ad,A)" if season else "ETS(A,Ad,N)")


def fitted(
    method: str, values: Floats, horizon: int, levels: tuple[float, ...], season: int
) -> Blend:
    """The same for all columns (T, S), here and now, with normal intervals of `levels` per cent."""
    fits = [fit(Job(series, horizon, season, method)) for series in values.T]
    mean = np.stack([one.mean for one in fits], axis=1)
    deviation = np.stack([one.deviation for one in fits], axis=1)
    z = np.array([NormalDist().inv_cdf(0.5 + level / 200) for level in levels])[:, None, None]
    names: NDArray[np.str_] = np.array([one.model for one in fits], dtype="U32")
    return Blend(mean, mean - z * deviation, mean + z * deviation, names)


def bridged(series: Floats) -> Floats:
    """A series (T,) with its holes bridged linearly: statsmodels knows no missing values here."""
    rows = np.arange(len(series))
    known = np.isfinite(series)
    return np.interp(rows, rows[known], series[known])


def _ets(whole: Floats, horizon: int, season: int) -> tuple[Floats, Floats]:
    from statsmodels.tsa.exponential_smoothing.ets import (  # pyright: ignore[reportMissingTypeStubs]
        ETSModel,
    )

    base, scale = float(whole[0]), float(np.ptp(whole))
    if scale <= 1e-12 * float(np.abs(whole).max()):
        return np.full(horizon, base), np.zeros(horizon)
    model: Any = ETSModel(
        (whole - base) / scale, error="add", trend="add", damped_trend=True,
        seasonal="add" if season else None, seasonal_periods=season or None,
    )  # fmt: skip
    found = model.fit(disp=False, maxiter=_STEPS)
    mean = np.asarray(found.forecast(horizon), dtype=np.float64)
    values = dict(zip(found.model.param_names, np.asarray(found.params).tolist(), strict=True))
    # get_prediction wants pandas; the closed form for additive errors needs only the parameters.
    names = ("smoothing_level", "smoothing_trend", "smoothing_seasonal", "damping_trend")
    alpha, beta, gamma, phi = (np.array([values.get(name, 0.0)]) for name in names)
    settings = Grid(alpha, beta, gamma, phi, np.ones(1), ("ets",))
    growth = variance_growth(settings, horizon, season)[0]
    return mean * scale + base, np.sqrt(float(found.mse) * growth) * scale


def _stl(whole: Floats, horizon: int, season: int) -> tuple[Floats, Floats]:
    """What STLForecast does, with the intervals of ETS for what the season leaves."""
    import statsmodels.tsa.seasonal as decomposition  # pyright: ignore[reportMissingTypeStubs]

    package: Any = decomposition
    parts: Any = package.STL(whole, period=season, robust=True).fit()
    shape = np.asarray(parts.seasonal, dtype=np.float64)
    mean, deviation = _ets(whole - shape, horizon, 0)
    again = shape[len(shape) - season + np.arange(horizon) % season]
    return mean + again, deviation
