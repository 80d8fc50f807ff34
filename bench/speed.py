"""What a cycle of forecasts costs on one core: parse, ingest, evaluate.

    python bench/speed.py [--quick] [-o result.json]

CPU seconds, so that other work on the machine does not count. Each size in a process of its own, with full rings: 1,440 rows up to 20,000 series, above that as many as
the longest window needs, so that 200,000 fit into this machine. An answer of Prometheus holds the three newest samples
of each series, as the operator asks for. In `usual` one series in twenty leaks; in `all leak` each one
is fitted. Beside it, for the same arithmetic alone: predict_linear over an hour of the same values, vectorised, and
statsmodels' ETS(A,Ad,N) fitted to some series of 240 rows, extrapolated to all. Last, `replay` of a million rows of
one series.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # figures are for one core
_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT / name) for name in ("operator", "predictors", "tests")]

import numpy as np
from numpy.typing import NDArray

from akeso.clients.prometheus import usages
from akeso.domain.forecast import Sample, SeriesKey
from akeso.engine.garbage import uncollected
from akeso.protocols import Usage
from akeso_predictors import DecisionSettings, ExhaustionPredictor, forecast, replay

Array = NDArray[Any]
STEP, HORIZON, START = 15.0, 1800.0, 1_700_000_000.0
_SIZES = (1_000, 10_000, 100_000, 200_000)
_MOST_WITH_A_DAY = 20_000
_HISTORY = 1_000_000
_FITTED = 8  # series that statsmodels is timed on


def values(series: int, rows: int, leaking: float) -> Array:
    """Levels (rows, series) as shares of the limit, float32; leaks reach 90 % with the last row."""
    random = np.random.default_rng(0)
    level = random.uniform(0.2, 0.5, series).astype(np.float32)
    rate = ((0.9 - level) / 200 * (random.random(series) < leaking)).astype(np.float32)
    risen = np.maximum(np.arange(rows, dtype=np.float32) - rows + 200, 0)
    made = random.standard_normal((rows, series), dtype=np.float32) * np.float32(0.003)
    made += level + rate * risen[:, None]
    return made


def answer(keys: list[SeriesKey], recent: Array, end: float) -> bytes:
    """Prometheus' answer with the samples `recent` (3, S), the newest at `end`."""
    found = []
    for s, key in enumerate(keys):
        labels = {"namespace": key.namespace, "pod": key.pod, "container": key.container}
        times = (end - 2 * STEP, end - STEP, end)
        own = [[at, str(float(v))] for at, v in zip(times, recent[:, s], strict=True)]
        found.append({"metric": labels, "values": own})
    return json.dumps({"status": "success", "data": {"result": found}}).encode()


def samples(found: list[Usage]) -> Iterator[Sample]:
    """As the operator's `Observer` makes them: one key for the samples of a container."""
    for name, run in groupby(found, attrgetter("namespace", "pod", "container")):
        key = SeriesKey(*name)
        for usage in run:
            yield Sample(key, usage.time, usage.value, 1.0, usage.pod)


def cycle(predictor: ExhaustionPredictor, raw: bytes, now: float) -> tuple[float, float, float]:
    """Seconds to parse, to ingest, to evaluate."""
    begun = time.process_time()
    with uncollected():
        found = list(usages(json.loads(raw)["data"]["result"]))
    parsed = time.process_time()
    with uncollected():
        predictor.ingest(samples(found))
    ingested = time.process_time()
    with uncollected():
        predictor.evaluate(now, HORIZON)
    return parsed - begun, ingested - parsed, time.process_time() - ingested


def measured(series: int, leaking: float, cycles: int) -> dict[str, float]:
    """Median cycle with full rings, and the memory of this process."""
    settings = DecisionSettings()
    if series > _MOST_WITH_A_DAY:
        settings = DecisionSettings(capacity_rows=settings.trend.window_rows)
    rows = settings.capacity_rows
    keys = [SeriesKey("shop", f"pod-{i}", "app") for i in range(series)]
    predictor = ExhaustionPredictor(STEP, settings)
    made = values(series, rows + cycles, leaking)
    times = START + STEP * np.arange(rows + cycles)
    for part in range(0, series, 5_000):
        own = slice(part, part + 5_000)
        names = [key.pod for key in keys[own]]
        predictor.ingest_columns(keys[own], times[:rows], made[:rows, own], 1.0, names)
    made = made[rows - 61 :].copy()
    predictor.evaluate(float(times[rows - 1]), HORIZON)
    took = []
    for k in range(cycles):
        end = float(times[rows + k])
        took.append(cycle(predictor, answer(keys, made[k + 59 : k + 62], end), end))
    middle = np.median(np.array(took), axis=0)
    return {
        "rows": float(rows), "parse_s": float(middle[0]), "ingest_s": float(middle[1]),
        "evaluate_s": float(middle[2]), "cycle_s": float(np.median(np.sum(took, axis=1))),
        "predict_linear_s": straight(made), "rss_mib": resident(),
    }  # fmt: skip


def history(rows: int, step: float, tooth: float) -> dict[str, float]:
    """CPU seconds of `replay` for one series of so many rows `step` seconds apart, horizon 1 h: a
    saw-tooth of so much of the limit, 400 rows long, under noise. By the minute it cannot get there
    and costs a glance, by the second every row is fitted."""
    random = np.random.default_rng(0)
    made = 0.3 + tooth * (np.arange(rows) % 400) / 400 + random.normal(0, 0.003, rows)
    begun = time.process_time()
    said = replay(made, 1.0, step, 3600.0)
    took = time.process_time() - begun
    return {"replay_s": took, "alarms": float(said.alarm.sum()), "rss_mib": resident()}


def straight(made: Array) -> float:
    """Seconds of predict_linear over the last hour (240 rows) of all series, vectorised."""
    window = np.ascontiguousarray(np.resize(made, (240, made.shape[1])))
    begun = time.process_time()
    t = np.arange(-239, 1, dtype=np.float32)
    slope = (t - t.mean()) @ window / np.float32(((t - t.mean()) ** 2).sum())
    passed = window.mean(axis=0) + slope * (HORIZON / STEP - t.mean()) > 1
    took = time.process_time() - begun
    assert passed.shape == (made.shape[1],)
    return took


def resident() -> float:
    """MiB of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def fitted() -> float:
    """Seconds per series of an ETS(A,Ad,N) with statsmodels."""
    made = values(_FITTED, 240, 0.5).astype(np.float64)
    forecast(made[:, :1], 1, method="ets")  # what is imported once is not counted
    begun = time.process_time()
    forecast(made, 120, method="ets")
    return (time.process_time() - begun) / _FITTED


def apart(what: str, *numbers: float) -> dict[str, float]:
    """`measured` or `history` in a process of its own."""
    command = [sys.executable, __file__, f"--{what}", *map(str, numbers)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(ran.stdout)
    return found


def measure(quick: bool) -> dict[str, Any]:
    sizes = _SIZES[:1] if quick else _SIZES
    usual = {str(n): apart("size", n, 0.05, 5 if n <= _MOST_WITH_A_DAY else 3) for n in sizes}
    worst = {str(n): apart("size", n, 1.0, 3) for n in sizes[:2]}
    each = fitted()
    for n, line in usual.items():
        line["ets_s"] = each * int(n)
    result: dict[str, Any] = {"usual": usual, "all leak": worst}
    rows = _HISTORY // 100 if quick else _HISTORY
    result["history"] = {
        f"{rows:,} rows, a glance": apart("history", rows, 60, 0.01),
        f"{rows:,} rows, all fitted": apart("history", rows, 1, 0.4),
    }
    if len(sizes) > 2:
        cost = np.log([usual[str(n)]["cycle_s"] for n in sizes[1:]])
        result["slope"] = float(np.polyfit(np.log(sizes[1:]), cost, 1)[0])
    return result


def table(result: dict[str, Any]) -> str:
    columns = (
        "rows",
        "parse_s",
        "ingest_s",
        "evaluate_s",
        "cycle_s",
        "predict_linear_s",
        "ets_s",
        "rss_mib",
    )
    rows = [f"{'':22}" + "".join(f"{name:>17}" for name in columns)]
    for mix in ("usual", "all leak"):
        for n, line in result[mix].items():
            cells = "".join(f"{line[c]:17.3f}" if c in line else f"{'':17}" for c in columns)
            rows.append(f"{mix} {int(n):>12,}".ljust(22) + cells)
    for name, line in result["history"].items():
        rows.append(f"replay, {name}: {line['replay_s']:.1f} s, {line['rss_mib']:.0f} MiB")
    if "slope" in result:
        rows.append(f"cost grows as series to the power of {result['slope']:.2f}")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="1,000 series only")
    parser.add_argument("--size", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--history", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("-o", "--output", type=Path, help="write the figures as JSON")
    given = parser.parse_args()
    if given.size:
        series, leaking, cycles = given.size
        print(json.dumps(measured(int(series), float(leaking), int(cycles))))
        return
    if given.history:
        rows, step, tooth = given.history
        print(json.dumps(history(int(rows), float(step), float(tooth))))
        return
    result = measure(given.quick)
    print(table(result))
    if given.output:
        given.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
