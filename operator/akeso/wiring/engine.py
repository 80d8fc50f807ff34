"""The engine, put together on its ports: the same one in an operator and in a replay."""

from __future__ import annotations

from akeso.engine.experience import Experience
from akeso.engine.heal import Healer
from akeso.engine.judge import Judge
from akeso.engine.loop import Loop
from akeso.engine.observe import Observer
from akeso.engine.report import Reporter
from akeso.engine.restore import Restorer
from akeso.settings import Settings
from akeso.simulation.ports import Ports
from akeso.telemetry.metrics import Metrics
from akeso.wiring.parts import healers
from akeso_predictors import Forecaster
from akeso_predictors.outlook import Fitter


def engine(
    ports: Ports, settings: Settings, metrics: Metrics, fitter: Fitter | None = None
) -> Loop:
    """One engine with nothing in its memory yet."""
    judge = Judge(healers(settings), settings)
    predictor = Forecaster(settings.scrape_interval_seconds, fitter=fitter)
    experience = Experience(predictor, metrics)
    healer = Healer(
        ports.cluster,
        ports.records,
        judge,
        predictor,
        ports.notifier,
        ports.clock,
        settings,
        ports.alerts,
    )
    restorer = Restorer(ports.cluster, ports.records, judge, ports.notifier, ports.clock, settings)
    observer = Observer(
        ports.cluster, ports.metrics, predictor, ports.clock, settings, ports.alerts
    )
    reporter = Reporter(
        ports.records,
        ports.metrics.kind,
        tuple(judge.healers),
        ports.informers.problems,
        ports.clock,
        settings,
        ports.messages,
        experience,
    )
    return Loop(
        ports.records,
        observer,
        healer,
        restorer,
        reporter,
        metrics,
        ports.clock,
        settings,
        experience,
    )
