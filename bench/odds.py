"""Fits the trees that revise the odds of rises, and shows what they are worth.

    python bench/odds.py            each author's histories, judged by trees that never saw them
    python bench/odds.py --write    fit on all of them and write predictors/akeso_predictors/trees.json
    python bench/odds.py --check    fit and fail where that file says something else

Histories: the development half of both generators of bench/exhaustion.py and those by other authors
(bench/foreign.py), with seeds that no other bench uses. Scikit-learn's HistGradientBoostingClassifier is asked
once here; the predictor itself needs NumPy only.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # figures are for one core
_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT / name) for name in ("operator", "predictors", "tests")]

import foreign
import numpy as np
from foreign_cases import Case
from hard_kinds import hard_cases
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from akeso_predictors.checks import Floats
from akeso_predictors.engine import looked
from akeso_predictors.odds import TRAITS
from akeso_predictors.replay import read, windows_at
from akeso_predictors.settings import DecisionSettings
from akeso_predictors.shapes import bank
from akeso_predictors.trees import DEPTH, Trees
from unit.predictors.injected import cases

TARGET = _ROOT / "predictors" / "akeso_predictors" / "trees.json"
OWN = "akeso"
_SEEDS, _CASES = (201, 202), 400
_OWN_SEEDS, _OWN_CASES, _OWN_EACH = (21, 22), 900, 24
# One evaluation in so many: neighbours say the same.
_EVERY = 4
_BATCH = 256
# How much a row counts. Hard kinds are rarer in clusters than in these histories, and our own core is a
# twelfth of all rows. More for it, and ramps become leaks; less, and fast leaks are told late.
_CORE, _OWN_CORE, _OWN_STRESS = 4.0, 4.0, 6.0
# Chosen by what trees say of authors that they never saw (of depth 3, 60 and 120 at a rate of .1 say somewhat
# less), the rate by how smooth they are where ramps and leaks meet.
_LEAVES, _TREES, _RATE, _FEWEST, _SHRINK = 12, 150, 0.06, 400, 5.0
# Width of a decision, in standard deviations of its trait.
_WIDTH = 0.05
# Below this, first passage claims nothing that is worth revising.
_CLAIM = 1e-4
# By how much two fits may differ: the last digits of a sum of products depend on the processor.
_SAME = 0.005


@dataclass(frozen=True, slots=True)
class Rows:
    """Evaluations (N,): the probability that first passage gave, traits (N, K), whether the limit was reached
    within the horizon, weight."""

    likely: Floats
    traits: Floats
    truth: NDArray[np.bool_]
    weight: Floats


def drawn(author: str, part: str, quick: bool) -> list[Case]:
    """Histories to learn from; a sixth of them if it must be `quick`."""
    share = 6 if quick else 1
    if author != OWN:
        draw = getattr(foreign.AUTHORS[author], part)
        return [case for seed in _SEEDS for case in draw(seed, _CASES // share)]
    return [
        _as_case(case, part)
        for seed in _OWN_SEEDS
        for case in (
            cases(_OWN_CASES // share, seed=seed, held_out=False)
            if part == "core"
            else hard_cases(_OWN_EACH // share, seed, False)
        )
    ]


def _as_case(case: Any, part: str) -> Case:
    rows = len(case.values)
    marks = np.zeros((2, rows), dtype=np.bool_)
    for mark, row in zip(marks, (case.restart, case.rollout), strict=True):
        if row is not None:
            mark[row] = True
    return Case(
        case.kind, part != "core", case.values, np.broadcast_to(case.limit, rows), case.step, case.horizon, case.metric,
        case.crossing, marks[0], marks[1], case.onset,
    )  # fmt: skip


def sampled(author: str, part: str, quick: bool) -> Rows:
    """What first passage says of some rows of one part of one author's histories, and what came of it."""
    groups: dict[tuple[Any, ...], list[Case]] = defaultdict(list)
    for case in drawn(author, part, quick):
        groups[case.metric_class, case.step, case.horizon, len(case.values)].append(case)
    if part == "core":
        counts = _CORE * (_OWN_CORE if author == OWN else 1.0)
    else:
        counts = _OWN_STRESS if author == OWN else 1.0
    found = _joined(rows for members in groups.values() for rows in _looked(members))
    return replace(found, weight=counts * found.weight)


def _joined(parts: Iterable[Rows]) -> Rows:
    some = list(parts)
    return Rows(*(np.concatenate([getattr(r, f.name) for r in some]) for f in fields(Rows)))


def _looked(members: Sequence[Case]) -> Iterator[Rows]:
    """Rows of one kind of history, each of which weighs as much as its own odds do beside former rises."""
    one = members[0]
    column = {
        name: np.stack([getattr(case, name) for case in members], axis=1)
        for name in ("values", "limit", "restarts", "breaks")
    }
    history = read(
        column["values"], column["limit"], one.step, column["restarts"], one.metric_class, column["breaks"], None,
    )  # fmt: skip
    legs, settings = history.legs, history.settings
    rows = history.values.shape[1]
    level = history.values / legs.limit
    crossing = np.array([np.inf if case.crossing is None else case.crossing for case in members])
    ahead = (crossing[:, None] - np.arange(rows)) * one.step
    wanted = np.isfinite(level) & (level < 1) & (legs.samples >= settings.min_samples) & (ahead > 0)
    wanted[:, np.arange(rows) % _EVERY != 0] = False
    which, windows = np.flatnonzero(wanted.ravel()), windows_at(history)
    truth = (ahead <= one.horizon).ravel()[which]
    for start in range(0, len(which), _BATCH):
        batch = slice(start, start + _BATCH)
        part = windows(which[batch])
        spans = np.full(len(part.limit), one.horizon / one.step, np.float32)
        look = looked(part, spans, bank(settings.trend), settings, one.step)
        claims = ~look.silent & (look.ends > _CLAIM)
        share = 1 / (1 + look.told.at_limit + look.told.below)
        yield Rows(look.ends[claims], look.traits[claims], truth[batch][claims], share[claims])


Sample = Mapping[tuple[str, str], Rows]


def every(quick: bool) -> Sample:
    """Rows of all authors and parts, in two processes."""
    parts = [(author, part) for author in (*foreign.AUTHORS, OWN) for part in foreign.PARTS]
    with ProcessPoolExecutor(2) as pool:
        return dict(
            zip(
                parts,
                pool.map(partial(sampled, quick=quick), *zip(*parts, strict=True)),
                strict=True,
            )
        )


def fitted(rows: Iterable[Rows]) -> Trees:
    """Trees that say how often such rises came true."""
    known = _joined(rows)
    model = HistGradientBoostingClassifier(
        max_iter=_TREES, learning_rate=_RATE, max_depth=DEPTH, max_leaf_nodes=_LEAVES, min_samples_leaf=_FEWEST,
        l2_regularization=_SHRINK, early_stopping=False, random_state=0,
        monotonic_cst=[int(name == "odds") for name in TRAITS],
    )  # fmt: skip
    model.fit(known.traits, known.truth, known.weight)
    nodes = [predictor[0].nodes for predictor in model._predictors]
    trait, above, leaf = (np.stack(part) for part in zip(*map(_complete, nodes), strict=True))
    base = float(np.ravel(model._baseline_prediction)[0])
    width = np.maximum(_WIDTH * known.traits.std(axis=0), 1e-6)
    return Trees.from_json(Trees(TRAITS, trait, above, leaf, base, width).to_json())


def _complete(nodes: Any) -> tuple[NDArray[Any], Floats, Floats]:
    """A tree of scikit-learn's with all decisions of `DEPTH` levels: a leaf above goes left for ever."""
    inner = 2**DEPTH - 1
    trait, above = np.zeros(inner, np.int64), np.full(inner, 1e30, np.float32)
    leaf = np.zeros(inner + 1, np.float32)
    place = {0: 0}
    for spot in range(2 * inner + 1):
        node = nodes[place[spot]]
        if spot >= inner:
            leaf[spot - inner] = node["value"]
        elif node["is_leaf"]:
            place[2 * spot + 1] = place[2 * spot + 2] = place[spot]
        else:
            trait[spot], above[spot] = node["feature_idx"], node["num_threshold"]
            place[2 * spot + 1], place[2 * spot + 2] = int(node["left"]), int(node["right"])
    return trait, above, leaf


def told(author: str, trees: Trees | None, quick: bool) -> dict[str, dict[str, float]]:
    """By part, and of both: how one author's histories of bench/foreign.py are told with these trees."""
    settings = replace(DecisionSettings(), trees=trees)
    cases = {part: foreign.made(author, part, quick) for part in foreign.PARTS}
    said = {part: foreign.replayed(of, settings) for part, of in cases.items()}
    cases["both"] = [case for part in foreign.PARTS for case in cases[part]]
    said["both"] = [one for part in foreign.PARTS for one in said[part]]
    return {part: _figures(foreign.compared(of, said[part])) for part, of in cases.items()}


def _figures(found: Mapping[str, Any]) -> dict[str, float]:
    own, rule, known = found["akeso"], found["gated"], found["probability"]
    return {
        "recall": own["recall"],
        "false_per_series_day": own["false_per_series_day"],
        "of_the_rule": own["false_per_series_day"] / rule["false_per_series_day"],
        "lead_median_min": own["lead_median_min"],
        "skill": known["brier_skill_hot"],
        "ece": known["ece_claims"],
    }


def shown(sample: Sample, quick: bool) -> dict[str, Any]:
    """Of each author: told without trees, and with those fitted to all but him."""
    authors = list(foreign.AUTHORS)
    forests = [fitted(r for (who, _), r in sample.items() if who != author) for author in authors]
    with ProcessPoolExecutor(2) as pool:
        plain = pool.map(partial(told, quick=quick), authors, [None] * len(authors))
        revised = pool.map(partial(told, quick=quick), authors, forests)
        return {
            author: {"without": before, "with": after}
            for author, before, after in zip(authors, plain, revised, strict=True)
        }


def table(found: Mapping[str, Any]) -> str:
    lines = [
        f"{'':34}{'recall':>9}{'false/day':>11}{'of rule':>9}{'lead':>7}{'skill':>8}{'ECE':>7}"
    ]
    for author, ways in found.items():
        for part in (*foreign.PARTS, "both"):
            for way, parts in ways.items():
                f = parts[part]
                lines.append(
                    f"{f'{author}, {part}, {way} trees':34}{f['recall']:9.3f}{f['false_per_series_day']:11.3f}"
                    f"{f['of_the_rule']:9.2f}{f['lead_median_min']:7.1f}{f['skill']:8.3f}{f['ece']:7.3f}"
                )
    return "\n".join(lines)


def check(sample: Sample) -> int:
    """Whether the trees that ship say what a new fit says."""
    shipped = Trees.from_json(TARGET.read_text(encoding="utf-8"))
    anew = fitted(sample.values())
    apart = max(
        float(np.abs(shipped.revised(r.likely, r.traits) - anew.revised(r.likely, r.traits)).mean())
        for r in sample.values()
    )
    if shipped.traits != TRAITS or apart > _SAME:
        print(
            f"{TARGET.name} says something else than a fit ({apart:.4f} apart): python bench/odds.py --write",
            file=sys.stderr,
        )
        return 1
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write the trees that ship")
    parser.add_argument(
        "--check", action="store_true", help="fail where they are not what a fit says"
    )
    parser.add_argument(
        "--quick", action="store_true", help="a sixth of the histories; writes and checks nothing"
    )
    parser.add_argument("-o", "--output", type=Path, help="write the figures to this file as JSON")
    args = parser.parse_args()
    if args.quick and (args.write or args.check):
        parser.error("--quick is for a look: trees that ship are fitted to all histories")
    sample = every(args.quick)
    if args.check:
        sys.exit(check(sample))
    if args.write:
        TARGET.write_text(fitted(sample.values()).to_json(), encoding="utf-8")
        return
    found = shown(sample, args.quick)
    print(table(found))
    if args.output:
        args.output.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
