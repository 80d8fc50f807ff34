"""Predictors: what a series of measurements will do, how likely, and when.

    replay(values, limits, step_seconds, horizon_seconds, ...)   what the operator would have decided
    calibrate(values, limits, step_seconds, horizon_seconds, ...) what outcomes teach: a Calibration
    forecast(values, horizon, season, levels, step_seconds)      values with prediction intervals
    ExhaustionPredictor(step_seconds)                            one class of metrics, series by series
    Forecaster(step_seconds)                                     all classes: what the operator runs

Pure: no clock, no input or output, no randomness. Importing this package loads NumPy only.
"""

from akeso_predictors.calibration import Calibration
from akeso_predictors.checks import InputError
from akeso_predictors.exhaustion import ExhaustionPredictor
from akeso_predictors.forecaster import Forecaster
from akeso_predictors.learning import calibrate
from akeso_predictors.replay import Replay, replay
from akeso_predictors.settings import DecisionSettings, TrendSettings
from akeso_predictors.values import Forecast, forecast

__all__ = [
    "Calibration",
    "DecisionSettings",
    "ExhaustionPredictor",
    "Forecast",
    "Forecaster",
    "InputError",
    "Replay",
    "TrendSettings",
    "calibrate",
    "forecast",
    "replay",
]
