"""The predictors of all classes of metrics behind one door: the key says whose a series is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from akeso.domain.forecast import Forecast, LoadKey, Sample, SeriesKey
from akeso_predictors.calibration import Calibration
from akeso_predictors.checks import Floats
from akeso_predictors.classes import for_metric
from akeso_predictors.exhaustion import ExhaustionPredictor
from akeso_predictors.outlook import Fitter, Outlook
from akeso_predictors.settings import DecisionSettings


def lasting(key: SeriesKey) -> bool:
    """Whether a series outlives its pods, so that days of it may be known."""
    return isinstance(key, LoadKey) and not key.pod


class Forecaster:
    """One predictor for each class of metrics, made when its first series comes: containers'
    memory, and whatever class a `LoadKey` names. `fitter` is asked about days of load (`Outlook`)."""

    def __init__(
        self,
        step_seconds: float,
        calibration: Calibration | None = None,
        fitter: Fitter | None = None,
    ) -> None:
        self._step = step_seconds
        self._known = calibration or Calibration()
        self._memory = ExhaustionPredictor(step_seconds, calibration=self._known)
        self._loads: dict[str, ExhaustionPredictor] = {}
        self._outlook = Outlook(fitter)

    @property
    def calibration(self) -> Calibration:
        """What was learned of all classes, as the next evaluation uses it."""
        found = self._known
        for predictor in self._predictors():
            found = found.joined(predictor.calibration.only(predictor.metric_class))
        return found

    @calibration.setter
    def calibration(self, known: Calibration) -> None:
        self._known = known
        for predictor in self._predictors():
            predictor.calibration = known

    @property
    def learned(self) -> str:
        """What was learned of all classes, as JSON; empty: nothing yet."""
        known = self.calibration
        return known.to_json() if known.classes else ""

    def learn_from(self, text: str) -> None:
        """Go on from what an earlier life had learned. Raises `InputError`; nothing changes then."""
        self.calibration = Calibration.from_json(text)

    @property
    def matured(self) -> dict[tuple[str, str], int]:
        """How many claims have matured, by class and by what became of them."""
        return {
            (predictor.metric_class, what): count
            for predictor in self._predictors()
            for what, count in predictor.matured.items()
        }

    def _predictors(self) -> Iterable[ExhaustionPredictor]:
        return (self._memory, *self._loads.values())

    def ingest(self, samples: Iterable[Sample]) -> None:
        """Add samples in any order, once or more often; also to back-fill."""
        loads: defaultdict[str, list[Sample]] = defaultdict(list)

        def others() -> Iterable[Sample]:
            for sample in samples:
                if isinstance(sample.key, LoadKey):
                    loads[sample.key.metric_class].append(sample)
                else:
                    yield sample

        self._memory.ingest(others())
        for name, some in loads.items():
            self._load(name).ingest(some)
            self._outlook.ingest(s for s in some if lasting(s.key))

    def belong(self, groups: Mapping[SeriesKey, str]) -> None:
        """See `ExhaustionPredictor.belong`; of containers' memory."""
        self._memory.belong(groups)

    def remember(self, samples: Iterable[Sample]) -> None:
        """Add what was measured days ago, at any step: for cycles of load, not for its trend."""
        self._outlook.ingest(s for s in samples if lasting(s.key))

    async def settled(self) -> None:
        """Wait for what is fitted elsewhere, for as long as its `fitter` waits: the next evaluation
        does not."""
        await self._outlook.settled()

    def evaluate(
        self, now: float, horizon: Mapping[SeriesKey, float] | float,
        threshold: Mapping[SeriesKey, float] | float | None = None,
        acted_on: Collection[SeriesKey] = (),
    ) -> dict[SeriesKey, Forecast]:  # fmt: skip
        """See `ExhaustionPredictor.evaluate`."""
        found: dict[SeriesKey, Forecast] = {}
        for predictor in self._predictors():
            found |= predictor.evaluate(now, horizon, threshold, acted_on)
        cyclic = {key: told for key, told in found.items() if lasting(key)}
        usual = self._memory.settings.bar
        bars = {
            key: threshold.get(key, usual) if isinstance(threshold, Mapping) else threshold or usual
            for key in cyclic
        }
        return found | self._outlook.corrected(cyclic, now, bars)

    def peek(
        self, key: SeriesKey, now: float, horizon: float, threshold: float | None = None
    ) -> Forecast:
        """See `ExhaustionPredictor.peek`."""
        return self._of(key).peek(key, now, horizon, threshold)

    def mark_action(self, key: SeriesKey, now: float) -> None:
        """See `ExhaustionPredictor.mark_action`."""
        self._of(key).mark_action(key, now)

    def mark_reached(self, key: SeriesKey, time: float) -> None:
        """See `ExhaustionPredictor.mark_reached`."""
        self._of(key).mark_reached(key, time)

    def history(self, key: SeriesKey) -> tuple[Floats, Floats]:
        """See `ExhaustionPredictor.history`."""
        return self._of(key).history(key)

    def forget(self, keys: Iterable[SeriesKey]) -> None:
        """See `ExhaustionPredictor.forget`."""
        for key in keys:
            self._of(key).forget([key])
            self._outlook.forget([key])

    def _of(self, key: SeriesKey) -> ExhaustionPredictor:
        return self._load(key.metric_class) if isinstance(key, LoadKey) else self._memory

    def _load(self, name: str) -> ExhaustionPredictor:
        found = self._loads.get(name)
        if found is None:
            settings = for_metric(name, DecisionSettings())
            found = ExhaustionPredictor(self._step, settings, name, self._known)
            self._loads[name] = found
        return found
