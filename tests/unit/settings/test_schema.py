"""The chart's schema of settings, and the list of those that need a restart."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from akeso.settings import Settings
from akeso.settings.changes import RELOADED
from akeso.settings.names import key_of

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def made() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vs", ROOT / "docs" / "values_schema.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def nodes(schema: Any) -> Any:
    yield schema
    for value in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(value, dict | list):
            yield from nodes(value)


def test_it_has_a_described_field_for_every_setting_and_no_other_and_no_reference(made: Any):
    schema = made.settings_schema()
    keys = {key_of(name) for name in set(Settings.model_fields) - set(made.NOT_IN_FILES)}
    assert set(schema["properties"]) == keys
    assert schema["additionalProperties"] is False
    assert all(field["description"] for field in schema["properties"].values())
    for node in nodes(schema):
        if isinstance(node, dict):
            assert not {"$ref", "$defs", "anyOf", "reloadable"} & set(node)


def test_what_may_be_unset_may_be_null(made: Any):
    fields = made.settings_schema()["properties"]
    for name, field in Settings.model_fields.items():
        if name not in made.NOT_IN_FILES:
            nullable = "null" in fields[key_of(name)]["type"]
            assert nullable == (field.default is None), name


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("healers", {"type": ["array", "null"], "maxItems": 32}),
        ("prometheusUrl", {"type": ["string", "null"]}),
        ("logLevel", {"enum": ["DEBUG", "INFO", "WARNING", "ERROR"]}),
        ("errorRatio", {"exclusiveMinimum": 0, "maximum": 1, "type": "number"}),
        ("cycleSeconds", {"maximum": 86400, "type": ["number", "null"]}),
    ],
)
def test_limits_are_those_of_the_settings(key: str, part: dict[str, Any], made: Any):
    assert made.settings_schema()["properties"][key].items() >= part.items()


def test_the_rest_of_the_charts_schema_is_left_alone(made: Any):
    before: dict[str, Any] = {
        "type": "object",
        "properties": {"image": {"type": "object"}, "settings": {}},
    }
    after = json.loads(made.spliced(json.dumps(before)))
    assert after["properties"]["image"] == before["properties"]["image"]
    assert after["properties"]["settings"] == made.settings_schema()
    assert made.spliced(json.dumps(after)) == made.spliced(json.dumps(before))


def test_the_chart_knows_what_needs_a_restart(made: Any):
    keys = yaml.safe_load((ROOT / "charts/akeso/files/restart-settings.yaml").read_text())
    wanted = set(Settings.model_fields) - RELOADED - set(made.NOT_IN_FILES)
    assert sorted(keys) == sorted(map(key_of, wanted))
    assert "leaseSeconds" in keys and "errorRatio" not in keys
