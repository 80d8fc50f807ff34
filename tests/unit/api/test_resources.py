"""Objects on their way from the API server and back."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from akeso.api.control import HealingControl
from akeso.api.healing import Healing
from akeso.api.meta import API_VERSION
from akeso.api.policy import HealingPolicy
from akeso.api.scalars import ANY_NUMBER, format_decimal, parse_decimal, parse_memory, parse_time
from akeso.errors import PermanentError

CRDS = Path(__file__).parents[3] / "crds"


def policy(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "HealingPolicy",
        "metadata": {"name": "shop", "namespace": "web"},
        "spec": {
            "targets": [{"name": "all", "selector": {}}],
            "signals": [{"name": "memory", "builtin": "MemoryExhaustion"}],
            **spec,
        },
    }


def healing(**status: Any) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "Healing",
        "metadata": {"name": "cart-1", "namespace": "web", "resourceVersion": "7"},
        "spec": {
            "policyRef": {"name": "shop", "uid": "u-1"},
            "target": {"kind": "Deployment", "name": "cart", "uid": "u-2"},
            "signal": "memory",
            "fingerprint": "0123456789abcdef",
            "origin": "Forecast",
            "evidence": {
                "message": "cart runs out of memory in about 20 minutes",
                "value": "402653184",
                "threshold": "536870912",
                "probabilityPercent": 93,
                "timeToThresholdSeconds": {"p10": 900, "p50": 1200},
                "sampledAt": "2026-12-01T09:00:00Z",
                "since": "2026-12-01T08:40:00Z",
                "pods": [{"name": "cart-x", "uid": "u-3"}],
            },
        },
        "status": status,
    }


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Whatever a CRD's schema admits (its CEL rules aside)."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "object":
            return objects(schema)
        case "array":
            return lists(schema)
        case "integer":
            return st.integers(schema["minimum"], schema.get("maximum", 2**31 - 1))
        case "boolean":
            return st.booleans()
    return strings(schema)


def objects(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "additionalProperties" in schema:
        names = st.text("ab./", min_size=1)
        fewest = schema.get("minProperties", 0)
        return st.dictionaries(names, strings({"maxLength": 9}), min_size=fewest, max_size=2)
    fields = {name: values(found) for name, found in schema.get("properties", {}).items()}
    required = {name: fields.pop(name) for name in schema.get("required", [])}
    return st.fixed_dictionaries(required, optional=fields)


def lists(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    (key,) = schema.get("x-kubernetes-list-map-keys", [""])
    unique = {"map": lambda item: item[key], "set": lambda item: item}
    return st.lists(
        values(schema["items"]),
        min_size=schema.get("minItems", 0),
        max_size=2,
        unique_by=unique.get(schema["x-kubernetes-list-type"]),
    )


def strings(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return st.datetimes().map(lambda time: time.isoformat(timespec="seconds") + "Z")
    if schema.get("pattern") == ANY_NUMBER:
        return st.floats(allow_nan=False, allow_infinity=False).map(format_decimal)
    longest = schema["maxLength"]
    if "pattern" in schema:
        found = st.from_regex(schema["pattern"], fullmatch=True)
        return found.filter(lambda text: len(text) <= longest)
    return st.text(min_size=schema.get("minLength", 0), max_size=min(longest, 20))


@cache
def admitted(kind) -> st.SearchStrategy[dict[str, Any]]:
    crd = yaml.safe_load((CRDS / f"{kind.PLURAL}.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    return st.fixed_dictionaries(
        {
            "apiVersion": st.just(API_VERSION),
            "kind": st.just(crd["spec"]["names"]["kind"]),
            "metadata": st.just({"name": "akeso", "namespace": "web", "uid": "u"}),
            "spec": values(schema["spec"]),
        },
        optional={"status": values(schema["status"])},
    )


def missing(sent: Any, back: Any, path: str = "") -> list[str]:
    """What was sent and did not come back: numbers and times may come back in another form."""
    if isinstance(sent, dict):
        return [
            told
            for key, value in sent.items()
            if value not in ([], {})
            for told in missing(value, (back or {}).get(key), f"{path}.{key}")
        ]
    if isinstance(sent, list) and isinstance(back, list) and len(sent) == len(back):
        return [t for s, b in zip(sent, back, strict=True) for t in missing(s, b, f"{path}[]")]
    return [] if sent == back or same_text(sent, back) else [f"{path}: {sent!r} became {back!r}"]


def same_text(sent: Any, back: Any) -> bool:
    for parse in (parse_decimal, parse_memory, parse_time):
        try:
            return parse(sent) == parse(back)
        except (ValueError, TypeError):
            continue
    return False


relaxed = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)


@pytest.mark.parametrize("kind", [HealingPolicy, Healing, HealingControl])
@relaxed
@given(data=st.data())
def test_whatever_a_crd_admits_is_read_and_written_back_without_loss(kind, data):
    raw = data.draw(admitted(kind))
    read = kind.parse(raw)
    assert missing(raw, read.to_wire()) == []
    assert kind.parse(read.to_wire()) == read


def test_defaults_are_those_of_the_crd_even_before_the_server_saw_the_object():
    spec = HealingPolicy.parse(policy()).spec
    assert spec.mode == "Observe"
    assert spec.guardrails.breaker.max_unhealthy_percent == 49
    assert spec.verify.interval_seconds == 10


def test_a_field_of_a_newer_version_is_ignored_wherever_it_stands():
    raw = policy(targets=[{"name": "all", "selector": {"newer": 1}, "newer": 2}], newer={"a": 3})
    assert HealingPolicy.parse({**raw, "newer": 4}) == HealingPolicy.parse(policy())


def test_an_unreadable_object_is_named_with_field_and_remedy():
    raw = policy(
        signals=[{"name": "errors", "query": "q", "threshold": {"value": "5 %"}}], mode="Auto"
    )
    with pytest.raises(PermanentError) as caught:
        HealingPolicy.parse(raw)
    assert str(caught.value) == (
        "HealingPolicy web/shop can't be read: spec.mode"
        ": Input should be 'Observe' or 'Heal'; spec.signals[0].threshold.value: "
        "'5 %' is not a decimal number such as \"0.05\"; "
        "correct it with: kubectl -n web edit healingpolicies.akeso.dev shop"
    )


def test_the_remedy_for_a_healing_is_to_delete_it_because_its_spec_is_fixed():
    raw = healing()
    raw["spec"]["evidence"]["value"] = "1e999"
    with pytest.raises(PermanentError, match=r"kubectl -n web delete healings\.akeso\.dev cart-1"):
        Healing.parse(raw)


def test_many_faults_are_told_in_one_readable_line():
    with pytest.raises(PermanentError, match=r"\(and 3 more\)"):
        Healing.parse({"metadata": {"name": "x", "namespace": "y"}, "spec": {}})


@pytest.mark.parametrize("raw", [{}, {"metadata": None}, {"metadata": 3, "spec": []}, {"spec": 1}])
def test_rubbish_is_refused_with_the_same_error_as_everything_else(raw):
    with pytest.raises(PermanentError, match=r"HealingPolicy default/\(unnamed\) can't be read"):
        HealingPolicy.parse(raw)


def test_an_object_of_another_kind_is_refused():
    with pytest.raises(PermanentError, match="kind"):
        HealingControl.parse({**policy(), "spec": {}})


@pytest.mark.parametrize(
    "target", [{"targets": [{"name": "a", "selector": {}}] * 2}, {"signals": [{"name": "a"}] * 2}]
)
def test_two_entries_of_one_name_are_refused(target):
    with pytest.raises(PermanentError, match="'a' stands there twice; remove one"):
        HealingPolicy.parse(policy(**target))


def test_a_status_is_written_without_what_is_unset_and_with_zeros():
    raw = healing(
        guards=[{"guard": "mode", "allowed": False, "reason": "Observe", "message": "m"}],
        attempts=[
            {
                "healer": "RestartPods",
                "rung": 0,
                "intentKey": "k",
                "startedAt": "2026-12-01T09:00:00Z",
                "deadline": "2026-12-01T09:10:00Z",
                "undoing": False,
                "preState": {"replicas": "1"},
                "actions": [
                    {
                        "type": "Scale",
                        "name": "cart",
                        "from": "1",
                        "to": "2",
                        "settle": False,
                        "restore": False,
                        "afterwards": False,
                        "state": "Done",
                    }
                ],
            }
        ],
    )
    assert Healing.parse(raw).to_wire() == raw


def test_an_object_without_status_is_written_without_one():
    assert "status" not in Healing.parse(healing()).to_wire()


def test_an_empty_ladder_is_not_the_same_as_none():
    said = HealingPolicy.parse(
        policy(signals=[{"name": "m", "builtin": "MemoryExhaustion", "ladder": []}])
    )
    assert said.to_wire()["spec"]["signals"][0]["ladder"] == []
    assert "ladder" not in HealingPolicy.parse(policy()).to_wire()["spec"]["signals"][0]


def test_a_label_with_an_empty_value_is_kept():
    raw = healing()
    raw["metadata"]["labels"] = {"akeso.dev/policy": ""}
    assert Healing.parse(raw).to_wire()["metadata"]["labels"] == {"akeso.dev/policy": ""}
