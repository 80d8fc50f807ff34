"""What outcomes have taught the predictor, across the lives of the operator.

It is kept in the status of the HealingControl, so that nothing else need be written or read, and a
recording, which has that, begins with what was known.
"""

from __future__ import annotations

import logging
from collections import Counter

from akeso.api.control import MAX_CALIBRATION, HealingControl
from akeso.errors import PermanentError
from akeso.protocols import Predictor
from akeso.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

# How often it is stored at most, in seconds: what a crash loses, against a write for everybody who
# watches the HealingControl.
STORED_EVERY = 600.0


class Experience:
    """Recalls once, stores now and then; keeps in RAM only when it stored last."""

    def __init__(self, predictor: Predictor, metrics: Metrics) -> None:
        self._predictor = predictor
        self._metrics = metrics
        self._recalled = False
        self._stored_at: float | None = None
        self._counted: Counter[tuple[str, str]] = Counter()

    def recall(self, control: HealingControl | None) -> None:
        """What an earlier life had learned, once, before anything is forecast. What can't be read
        is left where it is until there is something to put in its place."""
        if self._recalled or control is None:
            return
        self._recalled = True
        stored = control.status.calibration
        if stored is None:
            return
        try:
            self._predictor.learn_from(stored)
        except PermanentError as error:
            log.warning(
                "What forecasts' outcomes had taught can't be read, so it is learned anew"
                " (HealingControl, status.calibration): %s",
                error,
            )

    def to_store(self, control: HealingControl, now: float) -> str | None:
        """What is to be stored at this moment (Unix seconds); None: nothing new, or too soon."""
        if self._stored_at is None:
            self._stored_at = now
        if now - self._stored_at < STORED_EVERY:
            return None
        self._stored_at = now
        learned = self._predictor.learned
        if not learned or learned == control.status.calibration or len(learned) > MAX_CALIBRATION:
            return None
        return learned

    def count(self) -> None:
        """Tells the metrics what has matured since the last time."""
        for (name, outcome), count in self._predictor.matured.items():
            more = count - self._counted[name, outcome]
            self._counted[name, outcome] = count
            self._metrics.matured.labels(name, outcome).inc(more)
