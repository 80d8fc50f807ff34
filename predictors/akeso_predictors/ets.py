"""Maximum-likelihood exponential smoothing by statsmodels, for when seconds do not matter.

statsmodels is imported when this is called and not before: the idle operator must not carry it.
Additive errors only: multiplicative ones give intervals of 10^3 to 10^58 (predict.md).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akeso_predictors.checks import Floats
from akeso_predictors.smoothing import Grid, variance_growth


def fitted(
    values: Floats, horizon: int, season: int | None
) -> tuple[Floats, Floats, NDArray[np.str_]]:
    """Mean and standard deviation (H, S) and model (S,) of ETS(A,Ad,A) or (A,Ad,N) per series."""
    mean: Floats = np.full((horizon, values.shape[1]), np.nan)
    deviation: Floats = np.full_like(mean, np.nan)
    for s in range(values.shape[1]):
        series = values[:, s]
        if np.isfinite(series).sum() >= 10:
            mean[:, s], deviation[:, s] = one(series, horizon, season)
    name = "ETS(A,Ad,A)" if season else "ETS(A,Ad,N)"
    return mean, deviation, np.array([name] * len(mean[0]))


def one(series: Floats, horizon: int, season: int | None = None) -> tuple[Floats, Floats]:
    """Mean and standard deviation (H,) of one series (T,); holes are bridged linearly, because
    ETSModel knows no missing values."""
    from statsmodels.tsa.exponential_smoothing.ets import (  # pyright: ignore[reportMissingTypeStubs]
        ETSModel,
    )

    rows = np.arange(len(series))
    known = np.isfinite(series)
    whole = np.interp(rows, rows[known], series[known])
    scale = float(np.ptp(whole)) or 1.0
    model: Any = ETSModel(
        whole / scale, error="add", trend="add", damped_trend=True,
        seasonal="add" if season else None, seasonal_periods=season,
    )  # fmt: skip
    with warnings.catch_warnings():
        # Convergence on a flat series is no news: the result is checked by its intervals.
        warnings.simplefilter("ignore")
        found = model.fit(disp=False, maxiter=60)
        mean = np.asarray(found.forecast(horizon), dtype=np.float64)
    values = dict(zip(found.model.param_names, np.asarray(found.params).tolist(), strict=True))
    # get_prediction wants pandas; the closed form for additive errors needs only the parameters.
    names = ("smoothing_level", "smoothing_trend", "smoothing_seasonal", "damping_trend")
    alpha, beta, gamma, phi = (np.array([values.get(name, 0.0)]) for name in names)
    growth = variance_growth(Grid(alpha, beta, gamma, phi, ("ets",)), horizon, season)[0]
    return mean * scale, np.sqrt(float(found.mse) * growth) * scale
