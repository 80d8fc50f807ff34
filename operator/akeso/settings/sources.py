"""The settings file: YAML, keys as the chart's values have them, and no others."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic_settings import BaseSettings, YamlConfigSettingsSource

from akeso.errors import PermanentError
from akeso.settings.names import by_key, key_of, near

LARGEST = 2**20  # bytes; all settings with long values are a few KiB


class SettingsError(PermanentError):
    """Settings that can't hold; one line that names each. `in_file`: the file is at fault."""

    def __init__(self, message: str, in_file: bool = False) -> None:
        super().__init__(message)
        self.in_file = in_file


class FileSource(YamlConfigSettingsSource):
    """Values from one file. SettingsError says what is wrong with it as a whole, or with a key."""

    def __init__(self, settings: type[BaseSettings], path: str, known: Iterable[str]) -> None:
        self._known = by_key(known)
        super().__init__(settings, path)

    def _read_files(self, files: Any, deep_merge: bool = False) -> dict[str, Any]:
        """The library leaves out a file that is not there; who named one wants it."""
        return self._renamed(files, _mapping(files, _text(files)))

    def _renamed(self, file: str, found: dict[str, Any]) -> dict[str, Any]:
        wrong = [key for key in found if key not in self._known]
        if wrong:
            said = "; ".join(_no_such(key, self._known) for key in wrong)
            raise SettingsError(f"{file}: {said}", in_file=True)
        return {self._known[key]: value for key, value in found.items()}


def _text(file: str) -> str:
    try:
        with Path(file).expanduser().open("rb") as opened:
            raw = opened.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise SettingsError(f"{file}: larger than 1 MiB, so not settings.", in_file=True)
        return raw.decode()
    except OSError as e:
        said = f"{file}: the settings file can't be read: {e.strerror or e}."
        raise SettingsError(said, in_file=True) from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file}: not text in UTF-8.", in_file=True) from None


def _mapping(file: str, text: str) -> dict[str, Any]:
    try:
        found: Any = yaml.load(text, _Unique)  # a SafeLoader
    except yaml.MarkedYAMLError as e:
        line = f", line {e.problem_mark.line + 1}" if e.problem_mark else ""
        raise SettingsError(f"{file}{line}: not YAML: {e.problem}.", in_file=True) from None
    except (yaml.YAMLError, ValueError, RecursionError) as e:
        raise SettingsError(f"{file}: not YAML: {type(e).__name__}.", in_file=True) from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        kind = type(found).__name__
        said = f"{file}: must be a mapping of settings to values, but it is a {kind}."
        raise SettingsError(said, in_file=True)
    return cast(dict[str, Any], found)


class _Unique(yaml.SafeLoader):
    """A key that is there twice is an error: which of the two holds nobody sees."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for index, key in enumerate(keys):
            if any(key.value == other.value for other in keys[:index]):
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value} is there twice", problem_mark=key.start_mark
                )
        return super().construct_mapping(node, deep)


def _no_such(key: object, known: Iterable[str]) -> str:
    text = str(key)[:80]
    known = list(known)
    if text == key_of("settings_file"):
        return f"{text}: a file can't name another one."
    return f"{text}: there is no such setting{near(text, known)}"
