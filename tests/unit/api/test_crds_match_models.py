"""The CRDs are the contract, the models follow it: compared in both directions, field by field."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from akeso.api.control import HealingControl
from akeso.api.healing import ActionType, Healing
from akeso.api.meta import GROUP, VERSION
from akeso.api.policy import HealingPolicy
from akeso.domain.action import Action

CRDS = Path(__file__).parents[3] / "crds"
KINDS = (HealingPolicy, Healing, HealingControl)

# Everything the two schemas may say about a value. What is not listed here (descriptions, integer
# formats, CEL rules) has no counterpart in a model.
COMPARED = (
    "type",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
)
# Integers that count, or say which; every other one names its unit.
COUNTS = (
    *("successes", "Limit", "PerHour", "minUnhealthy", "minAvailable", "minReady", "maxReplicas"),
    *("rung", "targets", "healing", "observedGeneration", "workloads", "containers"),
    *("good", "bad", "inconclusive", "errors"),
    *("Seconds.p10", "Seconds.p50", "Seconds.p90"),
)
SERVER_OWNED = {"apiVersion", "kind", "metadata"}


def crd(kind) -> dict[str, Any]:
    return yaml.safe_load((CRDS / f"{kind.PLURAL}.yaml").read_text())


def crd_schema(kind) -> dict[str, Any]:
    (version,) = crd(kind)["spec"]["versions"]
    assert version["name"] == VERSION
    return version["schema"]["openAPIV3Schema"]


def model_schema(kind) -> dict[str, Any]:
    raw = kind.model_json_schema(by_alias=True)
    return resolve(raw, raw["$defs"])


def resolve(schema: Any, defs: dict[str, Any]) -> Any:
    """Puts referenced schemas in place and takes "or null" away: unset is not a value on the wire."""
    if isinstance(schema, list):
        return [resolve(item, defs) for item in schema]
    if not isinstance(schema, dict):
        return schema
    merged = dict(schema)
    if "$ref" in merged:
        merged = {**defs[merged.pop("$ref").removeprefix("#/$defs/")], **merged}
    if "anyOf" in merged:
        (only,) = (option for option in merged.pop("anyOf") if option != {"type": "null"})
        merged = {**only, **merged}
        return resolve(merged, defs)
    return {key: resolve(value, defs) for key, value in merged.items()}


def without_empty(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kept = {key: without_empty(item) for key, item in value.items()}
    return {key: item for key, item in kept.items() if item not in (None, [], {})}


def default_of(schema: dict[str, Any]) -> Any:
    """What an absent value becomes; an object's default takes its fields' defaults in."""
    default = schema.get("default")
    if isinstance(default, dict):
        nested = {k: default_of(s) for k, s in schema.get("properties", {}).items()}
        default = without_empty({**nested, **default})
    return None if default in (None, [], {}) else default


def differences(crd: dict[str, Any], model: dict[str, Any], path: str = "") -> list[str]:
    found = [
        f"{path}: {key} is {crd.get(key)} in the CRD, {model.get(key)} in the model"
        for key in COMPARED
        if crd.get(key) != model.get(key)
    ]
    for what, of_crd, of_model in (
        ("required", sorted(crd.get("required", [])), sorted(model.get("required", []))),
        ("default", default_of(crd), default_of(model)),
        ("time", crd.get("format") == "date-time", model.get("format") == "date-time"),
    ):
        if of_crd != of_model:
            found.append(f"{path}: {what} is {of_crd} in the CRD, {of_model} in the model")
    return found + differences_below(crd, model, path)


def differences_below(crd: dict[str, Any], model: dict[str, Any], path: str) -> list[str]:
    fields, known = crd.get("properties", {}), model.get("properties", {})
    found = [f"{path}.{name}: only in the CRD" for name in fields.keys() - known.keys()]
    found += [f"{path}.{name}: only in the model" for name in known.keys() - fields.keys()]
    for name in fields.keys() & known.keys():
        found += differences(fields[name], known[name], f"{path}.{name}")
    for nested in ("items", "additionalProperties"):
        if isinstance(crd.get(nested), dict) or isinstance(model.get(nested), dict):
            found += differences(crd.get(nested, {}), model.get(nested, {}), f"{path}[]")
    return found


def below_root(schema: dict[str, Any]) -> dict[str, Any]:
    fields = {k: v for k, v in schema["properties"].items() if k not in SERVER_OWNED}
    required = [name for name in schema.get("required", []) if name not in SERVER_OWNED]
    return {**schema, "properties": fields, "required": required}


def compared(kind, crd: dict[str, Any]) -> list[str]:
    return differences(below_root(crd), below_root(model_schema(kind)))


def every_property(schema: dict[str, Any], path: str = ""):
    for name, found in schema.get("properties", {}).items():
        yield f"{path}.{name}", found
        yield from every_property(found, f"{path}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from every_property(schema["items"], f"{path}[]")


@pytest.mark.parametrize("kind", KINDS)
def test_every_crd_property_is_a_model_field_with_the_same_meaning_and_the_other_way_round(kind):
    assert compared(kind, crd_schema(kind)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_names_the_same_kind_as_its_crd(kind):
    spec = crd(kind)["spec"]
    assert crd(kind)["metadata"]["name"] == f"{kind.PLURAL}.{GROUP}"
    assert spec["group"] == GROUP
    assert spec["names"]["plural"] == kind.PLURAL
    assert spec["names"]["kind"] == kind.model_fields["kind"].default
    assert set(model_schema(kind)["properties"]) >= SERVER_OWNED


def test_each_crd_has_a_model():
    assert {path.stem for path in CRDS.iterdir()} == {kind.PLURAL for kind in KINDS}


@pytest.mark.parametrize(
    ("where", "change", "complaint"),
    [
        (("guardrails", "cooldownSeconds"), {"default": 601}, "default is 601"),
        (("guardrails", "cooldownSeconds"), {"maximum": 1}, "maximum is 1"),
        (("guardrails",), {"default": None}, "default is None"),
        (("mode",), {"enum": ["Observe"]}, "enum is ['Observe']"),
        (("targets",), {"x-kubernetes-list-type": "atomic"}, "list-type is atomic"),
        (("targets",), {"maxItems": 33}, "maxItems is 33"),
        (("verify",), {"properties": {}}, "only in the model"),
        (("verify",), {"required": ["successes"]}, "required is ['successes']"),
    ],
)
def test_the_comparison_finds_a_difference_of_each_sort(where, change, complaint):
    changed = copy.deepcopy(crd_schema(HealingPolicy))
    place = changed["properties"]["spec"]
    for name in where:
        place = place["properties"][name]
    place.update(change)
    assert complaint in " ".join(compared(HealingPolicy, changed))


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_described_and_names_its_default(kind):
    for path, schema in every_property(crd_schema(kind)):
        if path == ".metadata":  # the API server describes it
            continue
        assert schema.get("description"), f"{path} has no description"
        default = schema.get("default")
        if isinstance(default, str | int):
            said = str(default).lower() if isinstance(default, bool) else str(default)
            assert f"Default {said}" in schema["description"], f"{path} hides its default"


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_names_its_unit_in_its_name_or_counts_something(kind):
    for path, schema in every_property(crd_schema(kind)):
        if schema.get("type") == "integer":
            assert path.endswith(("Seconds", "Percent", *COUNTS)), path


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_in_a_crd_is_unbounded_so_that_rules_stay_cheap(kind):
    for path, schema in every_property(crd_schema(kind)):
        if path in (".apiVersion", ".kind", ".metadata"):
            continue
        if schema.get("type") == "array":
            assert "maxItems" in schema, path
        if schema.get("type") == "string" and not {"enum", "format"} & schema.keys():
            assert "maxLength" in schema, path
        if "additionalProperties" in schema:
            assert "maxProperties" in schema, path


def test_actions_on_record_are_the_actions_of_the_domain():
    assert {kind.__name__ for kind in get_args(Action)} == set(ActionType)
