"""How well Akeso foresees exhaustion in histories that its authors did not make.

    python bench/foreign.py [--quick] [-o FILE.json]

Three generators, each by another author, who knew only the list of kinds and the opponent's figures:
`grafana_cases.py` (histories as seen on dashboards), `queueing_cases.py` (histories from small
simulations of queues and collectors) and `postmortem_cases.py` (mechanisms as in incident
post-mortems). Each has a core mix and a stress part. Beside Akeso the gated predict_linear that the
authors were told of; every alarm is scored by `foreign_scoring.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # figures are for one core
_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT / name) for name in ("operator", "predictors", "tests")]

import grafana_cases
import numpy as np
import postmortem_cases
import queueing_cases
from exhaustion import calibration
from foreign_cases import Case, Mask
from foreign_scoring import Score, gated, judged, scored
from numpy.typing import NDArray

from akeso_predictors import DecisionSettings, replay

AUTHORS = {
    "grafana": grafana_cases,
    "queueing": queueing_cases,
    "postmortem": postmortem_cases,
}
PARTS = ("core", "stress")
_BOTH = "both"
METHODS = ("akeso", "gated")
_SEEDS, _CASES = (101, 102), 400
_QUICK_SEEDS, _QUICK_CASES = (101,), 60


def made(author: str, part: str, quick: bool) -> list[Case]:
    """Cases of one part of one author, of all seeds."""
    draw = AUTHORS[author].core if part == "core" else AUTHORS[author].stress
    count = _QUICK_CASES if quick else _CASES
    return [case for seed in (_QUICK_SEEDS if quick else _SEEDS) for case in draw(seed, count)]


Said = tuple[Mask, NDArray[Any], Mask]  # alarm, probability and where it abstained, (T,) each


def replayed(cases: list[Case], settings: DecisionSettings | None = None) -> list[Said]:
    """What Akeso would have decided of each case; those of one kind of history are run together."""
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for i, case in enumerate(cases):
        groups[case.metric_class, case.step, case.horizon, len(case.values)].append(i)
    found: dict[int, Said] = {}
    for (metric, step, horizon, _), members in groups.items():
        some = [cases[i] for i in members]
        said = replay(
            np.stack([case.values for case in some], axis=1),
            np.stack([case.limit for case in some], axis=1),
            step, horizon, metric_class=metric,
            restarts=np.stack([case.restarts for case in some], axis=1),
            breaks=np.stack([case.breaks for case in some], axis=1), settings=settings,
        )  # fmt: skip
        for s, i in enumerate(members):
            found[i] = said.alarm[:, s], said.probability[:, s], said.abstained[:, s]
    return [found[i] for i in range(len(cases))]


def claims(cases: list[Case], said: list[Said]) -> tuple[NDArray[Any], Mask]:
    """Probabilities and what came true, of every row before the crossing that is not abstained."""
    p: list[NDArray[Any]] = []
    truth: list[Mask] = []
    for case, (_, probability, abstained) in zip(cases, said, strict=True):
        crossing = np.inf if case.crossing is None else case.crossing
        ahead = (crossing - np.arange(len(case.values))) * case.step
        live = (ahead > 0) & ~abstained
        p.append(probability[live])
        truth.append((ahead <= case.horizon)[live])
    return np.concatenate(p), np.concatenate(truth)


def compared(cases: list[Case], said: list[Said]) -> dict[str, Any]:
    """Akeso and its opponent on the same cases, altogether and by kind."""
    rule: list[Said] = [
        (alarm, alarm.astype(np.float64), np.zeros_like(alarm)) for alarm in map(gated, cases)
    ]
    scores = {
        name: [scored(case, one[0]) for case, one in zip(cases, of, strict=True)]
        for name, of in (("akeso", said), ("gated", rule))
    }
    found = {name: judged(of) | {"kinds": _kinds(cases, of)} for name, of in scores.items()}
    # A rule has no probability; an alarm of it is one of 1.
    silence = calibration(*claims(cases, rule))["brier_skill_silence"]
    probability = calibration(*claims(cases, said)) | {"brier_skill_silence_gated": silence}
    return {**found, "probability": probability}


def _kinds(cases: list[Case], scores: list[Score]) -> dict[str, dict[str, Any]]:
    own: dict[str, list[Score]] = defaultdict(list)
    for case, score in zip(cases, scores, strict=True):
        own[case.kind].append(score)
    return {kind: judged(some) for kind, some in sorted(own.items())}


def measure(quick: bool) -> dict[str, Any]:
    """By author and part, and by author of both parts together."""
    found: dict[str, Any] = {}
    for author in AUTHORS:
        cases = {part: made(author, part, quick) for part in PARTS}
        said = {part: replayed(of) for part, of in cases.items()}
        cases[_BOTH] = [case for part in PARTS for case in cases[part]]
        said[_BOTH] = [one for part in PARTS for one in said[part]]
        found[author] = {part: compared(of, said[part]) for part, of in cases.items()}
    return found


_FIGURES = ("precision", "recall", "lead_median_min", "false_per_series_day")


def table(result: dict[str, Any]) -> str:
    """The figures of Akeso beside those of the rule; then by kind."""
    rows: list[str] = []
    for author, parts in result.items():
        for part, found in parts.items():
            cases, ends = found["akeso"]["cases"], found["akeso"]["ends"]
            title = f"{author} {part}, {cases} cases, {ends} end"
            rows.append(f"{title:40}" + "".join(f"{name:>9}" for name in METHODS))
            for key in _FIGURES:
                line = "".join(f"{found[name][key]:9.3f}" for name in METHODS)
                rows.append(f"  {key:38}{line}")
            rows.append("  " + "  ".join(f"{k} {v:.3f}" for k, v in found["probability"].items()))
    rows.append("leaks hit of all | false alarms")
    for author, parts in result.items():
        for part in PARTS:
            found = parts[part]
            rows.append(f"{f'{author} {part}':40}" + "".join(f"{m:>9}" for m in METHODS * 2))
            rows += [_kind(kind, found) for kind in found["akeso"]["kinds"]]
    return "\n".join(rows)


def _kind(kind: str, found: dict[str, Any]) -> str:
    own = [found[name]["kinds"][kind] for name in METHODS]
    hit = [f"{one['hits']}/{one['ends']}" if one["ends"] else "-" for one in own]
    return f"  {kind:38}" + "".join(f"{x:>9}" for x in (*hit, *(one["false"] for one in own)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a fraction of the cases, in seconds")
    parser.add_argument("-o", "--output", type=Path, help="write the figures as JSON")
    given = parser.parse_args()
    result = measure(given.quick)
    print(table(result))
    if given.output:
        given.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
