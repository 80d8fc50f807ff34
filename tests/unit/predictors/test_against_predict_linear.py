"""At recall no lower, at most a third of the false alarms of gated predict_linear."""

from __future__ import annotations

import numpy as np

from akeso_predictors import replay
from unit.predictors.injected import STEP, cases
from unit.predictors.scoring import gated, judged


def test_exhaustion_on_real_backgrounds_is_told_apart_better_than_by_gated_predict_linear():
    made = cases(100, seed=7)
    values = np.stack([case.values for case in made], axis=1)
    ours = judged(made, replay(values, 1.0, STEP, 3600.0).alarm.T)
    theirs = judged(made, gated(values).T)
    assert ours["recall"] >= max(theirs["recall"], 0.93)
    assert ours["precision"] >= 0.9
    assert ours["lead_median_min"] >= 40
    assert ours["false_per_series_day"] <= theirs["false_per_series_day"] / 3
