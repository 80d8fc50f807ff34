"""Whose alarms are answered: what becomes of those series is no proof for or against a forecast. Pure.

Where Akeso heals, a leak is gone before it reaches its limit, and what is left to be counted are the
alarms that were false: a predictor that learned from them would fall silent because it is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from akeso.api.policy import HealingPolicy, Mode
from akeso.domain.finding import Signal as About
from akeso.domain.forecast import LoadKey, SeriesKey
from akeso.engine.load import source_of
from akeso.engine.selection import Selection


def acted_on(
    keys: Iterable[SeriesKey], selection: Selection, policies: Sequence[HealingPolicy]
) -> frozenset[SeriesKey]:
    """Those of the series that a policy which does more than observe has a signal for."""
    pods: set[tuple[str, str]] = set()
    loads: set[tuple[str, str]] = set()
    for policy in policies:
        if policy.spec.mode is Mode.OBSERVE:
            continue
        for seen in selection.targets.get(policy.metadata.uid, ()):
            for signal in policy.spec.signals:
                source = source_of(signal)
                if signal.about is About.MEMORY_EXHAUSTION:
                    pods.update((seen.ref.namespace, pod.ref.name) for pod in seen.present)
                elif source is not None:
                    loads.add((source, seen.ref.uid))
    return frozenset(
        key
        for key in keys
        if ((key.source, key.target) in loads if isinstance(key, LoadKey) else _pod(key) in pods)
    )


def _pod(key: SeriesKey) -> tuple[str, str]:
    return key.namespace, key.pod
