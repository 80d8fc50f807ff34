"""The part of the chart's values schema that is about settings, made from `akeso.settings`.

Helm reads values.schema.json with the chart's values; what the operator would refuse at its start
is refused before anything is installed.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

Schema = dict[str, Any]

# What is not the chart's to set: the file itself, and what it takes from the pod.
NOT_IN_FILES = ("settings_file", "namespace", "kubeconfig", "identity")
# Of pydantic's schema: what says nothing to Helm, or what a default already says elsewhere.
SILENT = ("title", "reloadable", "default", "$comment")


def settings_schema() -> Schema:
    """JSON Schema (draft 7) of a settings file: its keys, without references."""
    settings: Any = import_module("akeso.settings").Settings
    names: Any = import_module("akeso.settings.names")
    found: Schema = settings.model_json_schema(by_alias=False)
    if "$defs" in found:
        raise ValueError("a setting's type has a schema of its own; Helm wants none: inline it")
    fields: Schema = found["properties"]
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            names.key_of(name): _field(field)
            for name, field in fields.items()
            if name not in NOT_IN_FILES
        },
    }


def restart_keys() -> list[str]:
    """Keys of the settings that hold only from a start on."""
    settings: Any = import_module("akeso.settings").Settings
    names: Any = import_module("akeso.settings.names")
    changes: Any = import_module("akeso.settings.changes")
    return [
        names.key_of(name)
        for name in settings.model_fields
        if name not in NOT_IN_FILES and name not in changes.RELOADED
    ]


def spliced(text: str) -> str:
    """A values.schema.json with `properties.settings` as it must be, and the rest as it is."""
    whole: Schema = json.loads(text)
    properties: Schema = whole.setdefault("properties", {})
    said = {k: v for k, v in properties.get("settings", {}).items() if k == "description"}
    properties["settings"] = said | settings_schema()
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _field(field: Schema) -> Schema:
    """The field as a person reads it: `a or null` of a plain type is one type, or null."""
    kept = {key: value for key, value in field.items() if key not in SILENT}
    choices = kept.get("anyOf")
    if choices is None or len(choices) != 2 or choices[1] != {"type": "null"}:
        return kept
    inner = {key: value for key, value in choices[0].items() if key not in SILENT}
    if "enum" in inner:
        inner["enum"] = [*inner["enum"], None]
    rest = {key: value for key, value in kept.items() if key != "anyOf"}
    return {**rest, **inner, "type": [inner["type"], "null"]}
