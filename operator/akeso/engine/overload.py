"""Whether a workload bears, or will bear, more than it may: what is found, and in what words. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from akeso.api.policy import Signal
from akeso.domain.finding import Evidence, Origin
from akeso.domain.finding import Signal as About
from akeso.domain.workload import PodRef
from akeso.engine.load import Load, Measured
from akeso.engine.volumes import CLAIM, OF, SPACE
from akeso.engine.words import seconds_of

Found = tuple[Origin, Evidence, tuple[PodRef, ...]]


def overloaded(signal: Signal, loads: Sequence[Load], now: float) -> Found | None:
    """Beyond its bound for as long as the signal says, else forecast to be."""
    bound = signal.bound
    if bound is None:
        return None
    beyond = [
        (load.since, load)
        for load in loads
        if load.since is not None and now - load.since >= bound.for_seconds
    ]
    if beyond:
        since, worst = min(beyond, key=lambda hit: (hit[0], _names(hit[1])))
        message = f"{sentence(signal, worst)} for {seconds_of(now - since)}"
        return Origin.THRESHOLD, _evidence(worst, message, since), _pods([ld for _, ld in beyond])
    return forecast_of(signal, loads)


def forecast_of(signal: Signal, loads: Sequence[Load]) -> Found | None:
    """The load that will be beyond its bound first."""
    coming = [(_time_left(load), load) for load in loads if load.foreseen]
    if not coming:
        return None
    worst = min(coming, key=lambda hit: (hit[0], _names(hit[1])))[1]
    evidence = _evidence(worst, sentence(signal, worst), worst.measured.time)
    return Origin.FORECAST, evidence, _pods([load for _, load in coming])


def sentence(signal: Signal, load: Load) -> str:
    """One sentence on where a load is and where it goes."""
    is_now, forecast = _is(signal, load.measured), load.forecast
    if load.measured.crossed or forecast is None:
        return is_now
    if forecast.probability is None or forecast.ttf is None:
        return f"{is_now}; no forecast ({forecast.readiness})"
    where = _bound(signal, load.measured)
    likely = f"with probability {forecast.probability:.0%} within {seconds_of(forecast.horizon)}"
    low, middle, high = forecast.ttf
    if middle == float("inf"):
        return f"{is_now} and reaches {where} {likely}"
    return (
        f"{is_now} and reaches {where} in about {seconds_of(middle)}"
        f" ({seconds_of(low)} to {seconds_of(high)}), {likely}"
    )


def _is(signal: Signal, m: Measured) -> str:
    if signal.about is About.CPU_SATURATION and m.whole is not None:
        share = 100 * m.value / m.whole
        used = f"CPU use of all pods is {m.value:.3g} of {m.whole:.3g} cores ({share:.0f} %)"
        return f"{used}, above {_bound(signal, m)}" if m.crossed else used
    if signal.about is About.VOLUME_FILLING:
        labels = dict(m.key.labels)
        what = "full" if labels[OF] == SPACE else "out of inodes"
        side = f", above {_bound(signal, m)}" if m.crossed else ""
        return f"volume {labels[CLAIM]} is {m.value:.1f} % {what}{side}"
    of = f" of pod {m.key.pod}" if m.key.pod else ""
    side = f", {m.bound.operator.lower()} {_bound(signal, m)}" if m.crossed else ""
    if signal.standard is not None:
        return f"{signal.standard.told(m.value, m.key.pod)}{side}"
    return f"signal {signal.name}{of} is {m.value:.4g}{side}"


def _bound(signal: Signal, m: Measured) -> str:
    if m.whole is not None:
        return f"{100 * m.bound.value / m.whole:.3g} %"
    if signal.about is About.VOLUME_FILLING:
        return f"{m.bound.value:g} %"
    return f"{m.bound.value:g}{signal.standard.unit if signal.standard is not None else ''}"


def _time_left(load: Load) -> float:
    """Seconds, most probably, until a load that was foreseen is there."""
    forecast = load.forecast
    if load.measured.crossed or forecast is None or forecast.ttf is None:
        return 0.0
    return forecast.ttf[1]


def _evidence(load: Load, message: str, since: float) -> Evidence:
    m, forecast = load.measured, load.forecast
    coming = forecast if forecast is not None and not m.crossed else None
    return Evidence(
        message=message,
        sampled_at=m.time,
        since=since,
        value=m.value,
        threshold=m.bound.value,
        probability=coming.probability if coming else None,
        ttf=coming.ttf if coming else None,
    )


def _pods(loads: Sequence[Load]) -> tuple[PodRef, ...]:
    return tuple(dict.fromkeys(pod for load in loads for pod in load.measured.pods))


def _names(load: Load) -> tuple[str, list[tuple[str, str]]]:
    """Loads that are equally bad go by their names."""
    return load.measured.key.pod, sorted(load.measured.key.labels)
