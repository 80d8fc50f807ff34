"""Other policies than the recorded ones, for `akeso simulate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from akeso.api.policy import HealingPolicy, Mode
from akeso.errors import PermanentError


class WhatIf:
    """Puts specs in the place of recorded ones, and remembers whether there was one to replace."""

    def __init__(self, policies: Sequence[HealingPolicy], mode: Mode | None) -> None:
        self._policies = policies
        self._mode = mode
        self._met: set[tuple[str, str]] = set()
        names = [_name(p) for p in policies]
        twice = next((n for n in names if names.count(n) > 1), None)
        if twice:
            raise PermanentError(f"HealingPolicy {twice} is given twice; give it once.")

    @property
    def asked(self) -> bool:
        """Whether anything is to be different from what was recorded."""
        return bool(self._policies) or self._mode is not None

    def change(self, policy: HealingPolicy) -> HealingPolicy:
        """The policy as it is to be."""
        meta = policy.metadata
        self._met.add((meta.namespace, meta.name))
        other = next((p for p in self._policies if _replaces(p, meta.namespace, meta.name)), None)
        spec = policy.spec if other is None else other.spec
        if self._mode is not None:
            spec = spec.model_copy(update={"mode": self._mode})
        return policy if spec is policy.spec else policy.model_copy(update={"spec": spec})

    def check(self) -> None:
        """After the replay: PermanentError for a policy that took nobody's place."""
        for policy in self._policies:
            if not any(_replaces(policy, *met) for met in self._met):
                known = ", ".join(sorted("/".join(met) for met in self._met)) or "none"
                raise PermanentError(
                    f"--policy: the recording has no HealingPolicy {_name(policy)} that it could"
                    f" take the place of; those it has: {known}."
                )


def _replaces(policy: HealingPolicy, namespace: str, name: str) -> bool:
    return policy.metadata.name == name and policy.metadata.namespace in ("", namespace)


def _name(policy: HealingPolicy) -> str:
    meta = policy.metadata
    return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name


def policies_in(path: Path) -> list[HealingPolicy]:
    """The HealingPolicies of a YAML or JSON file; PermanentError says what is wrong with it."""
    import yaml

    try:
        found = list(yaml.safe_load_all(path.read_text()))
    except FileNotFoundError:
        raise PermanentError(f"--policy: there is no file {path}.") from None
    except OSError as error:
        raise PermanentError(f"--policy: {path} can't be read: {error.strerror}.") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())
        raise PermanentError(f"--policy: {path} is not YAML: {said}") from None
    policies = [_policy(raw, path) for raw in found if raw is not None]
    if not policies:
        raise PermanentError(f"--policy: {path} holds no HealingPolicy.")
    return policies


def _policy(raw: Any, path: Path) -> HealingPolicy:
    fields = cast(dict[str, Any], raw) if isinstance(raw, dict) else {}
    kind = fields.get("kind")
    if kind != "HealingPolicy":
        what = f"a {kind}" if kind else "something else"
        raise PermanentError(f"--policy: {path} holds {what} where a HealingPolicy is expected.")
    try:
        return HealingPolicy.parse(fields)
    except PermanentError as error:
        # The remedy of the model speaks of an object in a cluster.
        said = str(error).partition("; correct it")[0]
        raise PermanentError(f"--policy {path}: {said}; correct it in the file") from None
