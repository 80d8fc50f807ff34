"""Gradient-boosted trees (Friedman 2001, Ann. Stat. 29), as `bench/odds.py` fits them: read and asked, never fitted here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np

from akeso_predictors.checks import Floats, Ints

# Decisions from the root to a leaf.
DEPTH = 4
# Others may cast doubt on what a series shows, and confirm it; more than so many times as likely as its own way
# makes it nothing becomes.
_MOST = 1.3


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """T complete trees. `trait` and `above` (T, 2 ** DEPTH - 1): which of the named `traits` each node asks for, and the
    value above which it goes right, level by level; `leaf` (T, 2 ** DEPTH) in log-odds, which `base` begins.
    Within `width` (K,) around that value a rise goes both ways in part: no last digit decides."""

    traits: tuple[str, ...]
    trait: Ints
    above: Floats
    leaf: Floats
    base: float
    width: Floats

    def revised(self, likely: Floats, traits: Floats) -> Floats:
        """Probabilities (N,) of what was `likely` (N,) and has these `traits` (N, K); 0 stays 0."""
        right = traits[:, self.trait]
        right -= self.above
        right /= self.width[self.trait]
        right += 0.5
        np.clip(right, 0, 1, out=right)
        value = self.leaf[None]
        for level in reversed(range(DEPTH)):
            share = right[:, :, 2**level - 1 : 2 ** (level + 1) - 1]
            value = value[..., ::2] + share * (value[..., 1::2] - value[..., ::2])
        odds = self.base + value[..., 0].sum(axis=1)
        found: Floats = np.minimum(1 / (1 + np.exp(-odds)), _MOST * likely).astype(np.float32)
        return found

    def to_json(self) -> str:
        """A line per tree."""
        lines = [
            json.dumps({"trait": t.tolist(), "above": _short(a), "leaf": _short(v)})
            for t, a, v in zip(self.trait, self.above, self.leaf, strict=True)
        ]
        head = (
            f'{{"traits": {json.dumps(self.traits)}, "width": {_short(self.width)},'
            f' "base": {_short([self.base])[0]}, "trees": ['
        )
        return head + "\n" + ",\n".join(lines) + "\n]}\n"

    @staticmethod
    def from_json(text: str) -> Trees:
        """Raises `ValueError` or `KeyError` where this is no forest."""
        known = json.loads(text)
        trees = known["trees"]
        return Trees(
            tuple(known["traits"]),
            np.array([tree["trait"] for tree in trees], dtype=np.int64),
            np.array([tree["above"] for tree in trees], dtype=np.float32),
            np.array([tree["leaf"] for tree in trees], dtype=np.float32),
            float(known["base"]),
            np.array(known["width"], dtype=np.float32),
        )


def _short(values: Floats | list[float]) -> list[float]:
    """Five digits: fewer than float32 has, so that a text says all."""
    return [float(f"{value:.5g}") for value in values]


@lru_cache(maxsize=1)
def shipped() -> Trees:
    """The trees that come with the package."""
    return Trees.from_json(
        resources.files("akeso_predictors").joinpath("trees.json").read_text(encoding="utf-8")
    )
