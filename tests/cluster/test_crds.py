"""The custom resources on a real API server: each rule, default, column and promise."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import config

from akeso.api.control import HealingControl
from akeso.api.healing import Healing
from akeso.api.meta import API_VERSION, GROUP, Resource
from akeso.api.policy import HealingPolicy, RungMode
from akeso.settings import Settings
from akeso.wiring import open_view
from akeso_lab import Lab, LabError

pytestmark = pytest.mark.every_kubernetes

CRDS = Path(__file__).parents[2] / "crds"
UNTIL = "2026-12-01T09:00:00Z"

THRESHOLD = {"value": "0.05"}
QUERY = {"name": "s", "query": "up", "threshold": THRESHOLD, "podLabel": "pod"}
MEMORY = {"name": "s", "builtin": "MemoryExhaustion"}
CPU = {"name": "s", "builtin": "CPUSaturation"}
CRASHES = {"name": "s", "builtin": "CrashLooping"}
VOLUMES = {"name": "s", "builtin": "VolumeFilling"}
STANDARD = ["CPUThrottling", "DescriptorExhaustion", "ErrorRatio", "AutoscalerCeiling"]
ROLLOUT = {"name": "s", "builtin": "RolloutFailing"}
ALERT = {"name": "s", "alert": {"matchLabels": {"alertname": "Slow"}}}


@pytest.fixture(scope="module", autouse=True)
def crds(lab: Lab) -> None:
    lab.apply_crds(CRDS)


@pytest.fixture(scope="module")
def namespace(lab: Lab) -> Iterator[str]:
    name = f"crds-{uuid.uuid4().hex[:8]}"
    lab.kubectl("create", "namespace", name)
    yield name
    lab.kubectl("delete", "namespace", name, "--wait=false")


def an_object(kind: str, name: str, spec: dict[str, Any], **more: Any) -> dict[str, Any]:
    meta = {"name": name}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": meta, "spec": spec, **more}


def policy(*signals: dict[str, Any], name: str = "shop", **spec: Any) -> dict[str, Any]:
    targets = [{"name": "all", "selector": {}}]
    return an_object(
        "HealingPolicy", name, {"targets": targets, "signals": signals or [MEMORY], **spec}
    )


def healing(name: str = "cart-1", **status: Any) -> dict[str, Any]:
    spec = {
        "policyRef": {"name": "shop", "uid": "u-1"},
        "target": {"kind": "Deployment", "name": "cart", "uid": "u-2"},
        "signal": "memory",
        "fingerprint": "0123456789abcdef",
        "origin": "Forecast",
        "evidence": {
            "message": "cart runs out of memory in about 20 minutes",
            "value": "402653184",
            "threshold": "1.5e+300",
            "sampledAt": UNTIL,
            "since": UNTIL,
        },
    }
    return an_object("Healing", name, spec, **({"status": status} if status else {}))


def control(name: str = "akeso", **spec: Any) -> dict[str, Any]:
    return an_object("HealingControl", name, spec)


def selecting(**requirement: Any) -> dict[str, Any]:
    selector = {"matchExpressions": [{"key": "tier", **requirement}]}
    return policy(targets=[{"name": "all", "selector": selector}])


def create(lab: Lab, namespace: str, raw: dict[str, Any], *flags: str) -> dict[str, Any]:
    out = lab.kubectl(
        *("create", "-n", namespace, "-o", "json", *flags, "-f", "-"), stdin=json.dumps(raw)
    )
    return dict(json.loads(out))


def tried(lab: Lab, namespace: str, raw: dict[str, Any]) -> dict[str, Any]:
    """The object as the API server would store it, without storing it."""
    return create(lab, namespace, raw, "--dry-run=server")


def replace_status(lab: Lab, namespace: str, found: Resource) -> None:
    wire = json.dumps(found.to_wire())
    lab.kubectl("replace", "-n", namespace, "--subresource=status", "-f", "-", stdin=wire)


# --- Rules -----------------------------------------------------------------------------------

REFUSED = [
    (policy({"name": "s"}), "a signal needs a source: set builtin"),
    (policy({**ALERT, **QUERY}), "an alert is a signal of its own: remove builtin and query"),
    (policy({**ALERT, **MEMORY}), "an alert is a signal of its own: remove builtin and query"),
    (policy({**ALERT, "workloadLabel": "a", "podLabel": "b"}), "keep workloadLabel or podLabel"),
    (
        policy({**ALERT, "ladder": [{"healer": "RestartPods", "timeoutSeconds": 300}]}),
        "a rung ends before the alert was away for quietSeconds",
    ),
    (policy({**ALERT, "threshold": THRESHOLD}), "threshold is what a query is compared with"),
    (policy({**ALERT, "forecast": {}}), "queries alone are forecast: remove forecast"),
    (policy({**QUERY, **MEMORY}), "only RolloutFailing takes a query, the other builtins measure"),
    (policy({"name": "s", "query": "up", "podLabel": "pod"}), "a query needs threshold and"),
    (policy({"name": "s", "query": "up", "threshold": THRESHOLD}), "a query needs threshold and"),
    (policy({**QUERY, "workloadLabel": "w"}), "a query needs threshold and exactly one of"),
    (policy({**ROLLOUT, "query": "up", "podLabel": "pod"}), "with a query, set podLabel and"),
    (policy({**ROLLOUT, "query": "up", "threshold": THRESHOLD}), "with a query, set podLabel"),
    (policy({**QUERY, **ROLLOUT, "workloadLabel": "w"}), "and remove workloadLabel"),
    (policy({**ROLLOUT, "forecast": {}}), "queries alone are forecast: remove forecast"),
    (policy({**QUERY, **ROLLOUT, "forecast": {}}), "queries alone are forecast: remove forecast"),
    (policy({**CRASHES, "forecast": {}}), "queries alone are forecast: remove forecast"),
    (policy({**CRASHES, "threshold": THRESHOLD}), "threshold is what a query is compared with"),
    (policy({**QUERY, **CPU}), "only RolloutFailing takes a query, the other builtins measure"),
    (policy({**MEMORY, "threshold": THRESHOLD}), "threshold is what a query is compared with"),
    (policy({**ROLLOUT, "threshold": THRESHOLD}), "threshold is what a query is compared with"),
    (policy({**CPU, "threshold": {"value": "0"}}), 'and set a value above "0"'),
    (policy({**CPU, "threshold": {"value": "-90"}}), 'and set a value above "0"'),
    (
        policy({**CPU, "threshold": {"value": "90", "operator": "Below"}}),
        "builtins find what is above a share: remove operator",
    ),
    (policy({**VOLUMES, "threshold": {"value": "-1"}}), 'and set a value above "0"'),
    (
        policy({"name": "s", "builtin": "ErrorRatio", "threshold": {"value": "0"}}),
        'and set a value above "0"',
    ),
    (policy({**MEMORY, "podLabel": "pod"}), "a query's result or of an alert: add query or alert"),
    (policy({**ROLLOUT, "workloadLabel": "w"}), "a query's result or of an alert: add query or"),
    (
        policy({**MEMORY, "ladder": [{"healer": "RestartPods"}] * 2}),
        "a healer stands in a ladder once",
    ),
    (
        policy({**CPU, "ladder": [{"healer": "ScaleOut"}]}),
        "healer ScaleOut needs to know how far it may go: add maxReplicas",
    ),
    (
        policy({**CPU, "ladder": [{"healer": "RestartPods", "maxReplicas": 5}]}),
        "maxReplicas are what only healer ScaleOut sets",
    ),
    (policy({**CPU, "ladder": [{"healer": "ScaleOut", "maxReplicas": 1}]}), "maxReplicas"),
    (
        policy({**MEMORY, "ladder": [{"healer": "RaiseMemory"}]}),
        "need to know how far they may go: add ceiling",
    ),
    (
        policy({**MEMORY, "ladder": [{"healer": "RaiseMemoryTemplate"}]}),
        "need to know how far they may go: add ceiling",
    ),
    (
        policy({**MEMORY, "ladder": [{"healer": "RestartPods", "mode": "Ask"}]}),
        'supported values: "Heal", "Propose"',
    ),
    (
        policy({**MEMORY, "ladder": [{"healer": "RestartPods", "ceiling": "1Gi"}]}),
        "ceiling is a memory limit, which only healers RaiseMemory and RaiseMemoryTemplate raise",
    ),
    (selecting(operator="In"), "In and NotIn compare with values: add at least one value"),
    (selecting(operator="NotIn", values=[]), "In and NotIn compare with values"),
    (selecting(operator="Exists", values=["a"]), "Exists and DoesNotExist look only at the key"),
    (selecting(operator="DoesNotExist", values=["a"]), "look only at the key: remove values"),
    (control("other"), "Akeso reads only the HealingControl named akeso"),
]
ADMITTED = [
    policy(MEMORY),
    policy({**CPU, "ladder": [{"healer": "ScaleOut", "maxReplicas": 5}]}),
    policy({**MEMORY, "forecast": {"horizonSeconds": 60}}),
    policy(ROLLOUT),
    policy({**QUERY, **ROLLOUT}),
    policy(CPU),
    policy(CRASHES),
    policy(VOLUMES),
    policy(*({"name": b.lower(), "builtin": b, "forecast": {}} for b in STANDARD)),
    policy({"name": "s", "builtin": "ErrorRatio", "threshold": {"value": "0.2"}}),
    policy({**VOLUMES, "threshold": {"value": "80"}, "forecast": {"horizonSeconds": 60}}),
    policy({**CPU, "threshold": {"value": "150.5"}, "forecast": {"horizonSeconds": 60}}),
    policy(QUERY),
    policy({**QUERY, "forecast": {}}),
    policy({"name": "s", "query": "up", "threshold": THRESHOLD, "workloadLabel": "deployment"}),
    policy({**QUERY, "ladder": []}),
    policy(ALERT),
    policy({**ALERT, "workloadLabel": "app"}),
    policy({**ALERT, "podLabel": "instance", "ladder": [{"healer": "RestartPods"}]}),
    policy({**QUERY, "ladder": [{"healer": "RestartPods"}, {"healer": "Rollback"}]}),
    policy({**MEMORY, "ladder": [{"healer": "RaiseMemory", "ceiling": "1Gi"}]}),
    policy(
        {
            **MEMORY,
            "ladder": [
                {"healer": "RaiseMemory", "ceiling": "1Gi", "mode": "Propose"},
                {"healer": "RaiseMemoryTemplate", "ceiling": "1Gi", "mode": "Heal"},
                {"healer": "RestartPods", "mode": "Heal"},
            ],
        }
    ),
    selecting(operator="In", values=["web"]),
    selecting(operator="NotIn", values=["web"]),
    selecting(operator="Exists"),
    selecting(operator="DoesNotExist", values=[]),
    healing(),
    control(paused={"reason": "stocktaking", "until": UNTIL}),
]


@pytest.mark.parametrize(("raw", "message"), REFUSED)
def test_a_combination_that_makes_no_sense_is_refused_with_the_remedy(lab, namespace, raw, message):
    with pytest.raises(LabError) as caught:
        tried(lab, namespace, raw)
    assert message in str(caught.value)
    assert f'The {raw["kind"]} "{raw["metadata"]["name"]}" is invalid' in str(caught.value)


@pytest.mark.parametrize("raw", ADMITTED)
def test_a_combination_that_makes_sense_is_admitted(lab, namespace, raw):
    tried(lab, namespace, raw)


@pytest.mark.parametrize("name", ["observe", "heal", "memory", "alerts", "demo/policy"])
def test_an_example_is_admitted_and_read(lab, namespace, name):
    raw = yaml.safe_load((CRDS.parent / "examples" / f"{name}.yaml").read_text())
    raw["metadata"].pop("namespace", None)
    assert HealingPolicy.parse(tried(lab, namespace, raw)).spec.signals


# Rules about a Healing's spec, with tests of their own below.
HEALING_SPEC = (
    "the spec of a Healing records what was found",
    "undo was asked for already",
    "requestedBy names who asked",
    "healer chooses a routine for a request",
)


def test_no_rule_is_without_a_test():
    proven = [message for _, message in REFUSED] + list(HEALING_SPEC)
    for rule in every_rule():
        assert any(message in rule["message"] for message in proven), rule["message"]


def every_rule() -> Iterator[dict[str, Any]]:
    for path in CRDS.iterdir():
        yield from rules_in(yaml.safe_load(path.read_text()))


def rules_in(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, list):
        for item in part:
            yield from rules_in(item)
    if isinstance(part, dict):
        yield from part.get("x-kubernetes-validations", [])
        for item in part.values():
            yield from rules_in(item)


def test_a_refusal_names_the_field(lab, namespace):
    with pytest.raises(LabError, match=r"spec\.signals\[1\]\.forecast: Forbidden"):
        tried(lab, namespace, policy(MEMORY, {**ROLLOUT, "name": "q", "forecast": {}}))


@pytest.mark.parametrize("value", ["5%", ".5", "1.", "1e3", "+1", "NaN", "0.05\n", ""])
def test_a_threshold_that_is_no_plain_decimal_number_is_refused(lab, namespace, value):
    with pytest.raises(LabError, match=r"spec\.signals\[0\]\.threshold\.value"):
        tried(lab, namespace, policy({**QUERY, "threshold": {"value": value}}))


@pytest.mark.parametrize("value", ["0.05", "-1", "99999999999999999999.5"])
def test_a_threshold_that_is_admitted_is_also_read(lab, namespace, value):
    stored = tried(lab, namespace, policy({**QUERY, "threshold": {"value": value}}))
    threshold = HealingPolicy.parse(stored).spec.signals[0].threshold
    assert threshold is not None
    assert threshold.value == float(value)


def test_a_misspelt_field_is_refused_and_not_silently_dropped(lab, namespace):
    with pytest.raises(LabError, match=r'unknown field "spec.guardrails.coolDownSeconds"'):
        tried(lab, namespace, policy(guardrails={"coolDownSeconds": 1}))


def test_two_signals_of_one_name_are_refused(lab, namespace):
    with pytest.raises(LabError, match=r"spec\.signals\[1\]: Duplicate value"):
        tried(lab, namespace, policy(MEMORY, MEMORY))


# --- Defaults --------------------------------------------------------------------------------


def test_a_policy_that_says_little_is_observed_only_and_gets_every_guardrail(lab, namespace):
    spec = tried(lab, namespace, policy())["spec"]
    assert spec == {
        "mode": "Observe",
        "targets": [
            {
                "name": "all",
                "kinds": ["Deployment", "StatefulSet", "DaemonSet"],
                "selector": {},
            }
        ],
        "signals": [MEMORY],
        "guardrails": {
            "cooldownSeconds": 600,
            "maxHealingsPerHour": 6,
            "breaker": {"maxUnhealthyPercent": 49, "minUnhealthy": 3},
            "minAvailable": 1,
        },
        "verify": {
            "initialDelaySeconds": 15,
            "intervalSeconds": 10,
            "successes": 3,
            "failureLimit": 2,
            "inconclusiveLimit": 3,
            "errorLimit": 4,
        },
    }


def test_an_explicit_null_or_empty_guardrail_still_gets_its_default(lab, namespace):
    raw = policy(guardrails={"breaker": {}, "cooldownSeconds": None}, verify=None)
    spec = tried(lab, namespace, raw)["spec"]
    assert spec["guardrails"]["breaker"] == {"maxUnhealthyPercent": 49, "minUnhealthy": 3}
    assert spec["guardrails"]["cooldownSeconds"] == 600
    assert spec["verify"]["successes"] == 3


def test_what_a_signal_says_is_completed(lab, namespace):
    query = {**QUERY, "name": "q", "ladder": [{"healer": "Rollback"}]}
    memory, errors = tried(lab, namespace, policy({**MEMORY, "forecast": {}}, query))["spec"][
        "signals"
    ]
    assert memory["forecast"] == {"horizonSeconds": 1800}
    assert errors["threshold"] == {"operator": "Above", "value": "0.05", "forSeconds": 0}
    assert errors["ladder"] == [{"healer": "Rollback", "timeoutSeconds": 600}]


def test_a_rung_without_a_mode_is_left_to_its_healer_and_stays_without(lab, namespace):
    lasting = {"healer": "RaiseMemoryTemplate", "ceiling": "1Gi"}
    ladder = [lasting, {"healer": "RestartPods", "mode": "Propose"}]
    stored = tried(lab, namespace, policy({**MEMORY, "ladder": ladder}))
    assert ["mode" in rung for rung in stored["spec"]["signals"][0]["ladder"]] == [False, True]
    [signal] = HealingPolicy.parse(stored).spec.signals
    assert [rung.mode for rung in signal.rungs] == [None, RungMode.PROPOSE]


def test_a_control_without_spec_protects_the_namespaces_that_carry_the_cluster(lab, namespace):
    raw = control()
    del raw["spec"]
    assert tried(lab, namespace, raw)["spec"] == {
        "protectedNamespaces": ["kube-system", "kube-public", "kube-node-lease"],
        "maxHealingsPerHour": 60,
    }


def test_an_attempt_is_completed_with_what_is_false_or_zero(lab, namespace):
    create(lab, namespace, healing("defaults"))
    attempt = {
        "healer": "RestartPods",
        "rung": 0,
        "intentKey": "k",
        "startedAt": UNTIL,
        "deadline": UNTIL,
        "actions": [{"type": "EvictPod", "name": "cart-x", "state": "Pending"}],
        "checks": {},
    }
    patch = json.dumps({"status": {"attempts": [attempt]}})
    out = lab.kubectl(
        *("patch", "heal", "defaults", "-n", namespace, "--subresource=status"),
        *("--type=merge", "-p", patch, "-o", "json"),
    )
    (stored,) = json.loads(out)["status"]["attempts"]
    assert stored["undoing"] is False
    assert stored["checks"] == {"good": 0, "bad": 0, "inconclusive": 0, "errors": 0}
    (action,) = stored["actions"]
    assert (action["restore"], action["settle"]) == (False, False)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (HealingPolicy, policy(QUERY, {**MEMORY, "name": "m", "forecast": {}, "ladder": []})),
        (Healing, healing()),
        (HealingControl, control()),
    ],
)
def test_the_model_of_an_object_before_it_was_stored_equals_the_one_after(
    lab, namespace, kind, raw
):
    assert kind.parse(tried(lab, namespace, raw)).spec == kind.parse(raw).spec


# --- Columns and names -----------------------------------------------------------------------


def get(lab: Lab, path: str, accept: str) -> dict[str, Any]:
    client = config.new_client_from_config(str(lab.kubeconfig))
    with client:
        url = f"{client.configuration.host}/apis/{API_VERSION}/{path}"
        answer = client.call_api("GET", url, header_params={"Accept": accept})
        return dict(json.loads(answer.read()))


def columns(lab: Lab, namespace: str, plural: str, name: str) -> dict[str, Any]:
    """The one row that `kubectl get` would show, by column name."""
    path = f"namespaces/{namespace}/{plural}/{name}"
    table = get(lab, path, "application/json;as=Table;v=v1;g=meta.k8s.io")
    (row,) = table["rows"]
    names = [column["name"] for column in table["columnDefinitions"]]
    shown = dict(zip(names, row["cells"], strict=True))
    assert shown.pop("Name") == name
    assert shown.pop("Age")
    return shown


def condition(type: str, status: str, reason: str) -> dict[str, Any]:
    return {
        "type": type,
        "status": status,
        "reason": reason,
        "message": "a sentence",
        "lastTransitionTime": UNTIL,
    }


def with_status(kind: type[Resource], stored: dict[str, Any], **status: Any) -> Resource:
    return kind.parse({**stored, "status": status})


def test_the_columns_of_a_policy_say_what_it_does(lab, namespace):
    stored = create(lab, namespace, policy(name="columns", mode="Heal"))
    conditions = [condition("Other", "False", "No"), condition("Ready", "True", "Watching")]
    found = with_status(HealingPolicy, stored, conditions=conditions, targets=12, healing=0)
    replace_status(lab, namespace, found)
    assert columns(lab, namespace, "healingpolicies", "columns") == {
        "Mode": "Heal",
        "Targets": 12,
        "Healing": 0,
        "Ready": "True",
        "Reason": "Watching",
    }


def test_the_columns_of_a_healing_show_the_healer_tried_last(lab, namespace):
    stored = create(lab, namespace, healing("columns"))
    times = {"startedAt": UNTIL, "deadline": UNTIL}
    attempts = [
        {"healer": "RestartPods", "rung": 0, "intentKey": "a", **times},
        {"healer": "Rollback", "rung": 1, "intentKey": "b", **times},
    ]
    found = with_status(
        Healing,
        stored,
        conditions=[condition("NeedsHuman", "True", "LadderUsedUp")],
        attempts=attempts,
        verdict="Failed",
        completedAt=UNTIL,
        message="a person has to look",
    )
    replace_status(lab, namespace, found)
    assert columns(lab, namespace, "healings", "columns") == {
        "Kind": "Deployment",
        "Target": "cart",
        "Signal": "memory",
        "Healer": "Rollback",
        "Verdict": "Failed",
        "NeedsHuman": "True",
        "Message": "a person has to look",
        "Ended": UNTIL,
    }


def test_a_healing_that_has_just_begun_has_empty_columns_and_no_error(lab, namespace):
    create(lab, namespace, healing("new"))
    shown = columns(lab, namespace, "healings", "new")
    assert {shown[name] for name in ("Healer", "Verdict", "NeedsHuman", "Ended")} <= {None, ""}


async def test_of_the_finished_healings_those_are_read_that_ended_last(lab, namespace):
    for name, hour in (("first", "07"), ("last", "09"), ("second", "08"), ("open", "")):
        stored = create(lab, namespace, healing(f"lately-{name}"))
        if hour:
            ended = {"verdict": "Verified", "completedAt": f"2026-12-02T{hour}:00:00Z"}
            replace_status(lab, namespace, with_status(Healing, stored, **ended))
    settings = Settings.model_validate(
        {"kubeconfig": str(lab.kubeconfig), "watch_namespaces": [namespace]}
    )
    async with open_view(settings, load=False) as view:
        await view.load(recent=2)
        read = {h.metadata.name.removeprefix("lately-"): h for h in view.records.healings()}
    # Other tests leave open ones of their own here.
    assert {name for name, h in read.items() if h.status.verdict} == {"last", "second"}
    assert "open" in read
    finished = lab.kubectl(
        *(
            "get",
            "heal",
            "-n",
            namespace,
            "--field-selector",
            "status.verdict=Verified",
            "-o",
            "name",
        )
    )
    assert finished.count("/lately-") == 3


def test_the_columns_of_the_control_show_the_kill_switch_and_what_can_be_foreseen(lab, namespace):
    stored = create(lab, namespace, control(paused={"reason": "stocktaking"}))
    found = with_status(
        HealingControl,
        stored,
        conditions=[condition("Ready", "False", "Paused")],
        metricsSource="None",
        leader="akeso-operator-1",
        capabilities=[{"name": "Fencing", "available": "Unknown", "message": "may not be read"}],
        shortestFailureSeconds=150,
    )
    replace_status(lab, namespace, found)
    assert columns(lab, namespace, "healingcontrols", "akeso") == {
        "Paused": "stocktaking",
        "Source": "None",
        "Shortest": 150,
        "Leader": "akeso-operator-1",
        "Ready": "False",
    }


def test_the_message_of_a_healing_is_shown_only_when_asked_for(lab, namespace):
    create(lab, namespace, healing("narrow"))
    assert "MESSAGE" not in lab.kubectl("get", "heal", "narrow", "-n", namespace)
    assert "MESSAGE" in lab.kubectl("get", "heal", "narrow", "-n", namespace, "-o", "wide")


def test_the_kinds_are_found_by_their_short_names_and_in_the_category(lab):
    found = get(lab, "", "application/json")["resources"]
    kinds = {r["name"]: r for r in found if "/" not in r["name"]}
    assert {name: kind["shortNames"] for name, kind in kinds.items()} == {
        "healingpolicies": ["hp"],
        "healings": ["heal"],
        "healingcontrols": ["hctl"],
    }
    assert all(kind["categories"] == ["akeso"] and kind["namespaced"] for kind in kinds.values())
    assert {r["name"] for r in found if "/" in r["name"]} == {f"{name}/status" for name in kinds}


def test_kubectl_get_akeso_shows_all_of_it(lab, namespace):
    create(lab, namespace, policy(name="category"))
    create(lab, namespace, healing("category"))
    shown = lab.kubectl("get", "akeso", "-n", namespace, "-o", "name")
    assert f"healingpolicy.{GROUP}/category" in shown
    assert f"healing.{GROUP}/category" in shown


def test_kubectl_explain_tells_each_field(lab):
    told = lab.kubectl("explain", "healingpolicies.spec.guardrails.breaker.minUnhealthy")
    assert "small" in told
    assert "namespaces" in told


# --- Promises --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [{"signal": "other"}, {"target": {"uid": "u-9"}}, {"evidence": {"value": "1"}}],
)
def test_the_spec_of_a_healing_never_changes(lab, namespace, change):
    name = f"fixed-{uuid.uuid4().hex[:6]}"
    create(lab, namespace, healing(name))
    with pytest.raises(LabError, match="the spec of a Healing records what was found"):
        lab.kubectl(
            *("patch", "heal", name, "-n", namespace, "--type=merge"),
            *("-p", json.dumps({"spec": change})),
        )


def test_a_person_may_ask_once_to_take_a_healing_back(lab, namespace):
    name = f"undo-{uuid.uuid4().hex[:6]}"
    create(lab, namespace, healing(name))

    def ask(who: str) -> None:
        change = {"spec": {"undo": {"requestedBy": who, "reason": "a mistake"}}}
        lab.kubectl(
            *("patch", "heal", name, "-n", namespace, "--type=merge", "-p", json.dumps(change))
        )

    ask("alice")
    ask("alice")  # the same again changes nothing
    with pytest.raises(LabError, match="undo was asked for already"):
        ask("bob")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"origin": "Request"}, "requestedBy names who asked"),
        ({"requestedBy": "alice"}, "requestedBy names who asked"),
        ({"healer": "RestartPods"}, "healer chooses a routine for a request"),
    ],
)
def test_only_a_request_names_who_asked_and_a_healer(lab, namespace, spec, said):
    raw = healing("asked")
    with pytest.raises(LabError, match=said):
        create(lab, namespace, {**raw, "spec": {**raw["spec"], **spec}})
    asked = {"origin": "Request", "requestedBy": "alice", "healer": "RestartPods"}
    name = f"asked-{uuid.uuid4().hex[:6]}"
    fine = healing(name)
    create(lab, namespace, {**fine, "spec": {**fine["spec"], **asked}})


def test_only_the_status_sub_resource_writes_the_status(lab, namespace):
    stored = create(lab, namespace, healing("status", message="forged"))
    assert "status" not in stored
    meant = {**stored, "status": {"message": "real"}}
    meant["spec"] = {**stored["spec"], "signal": "other"}
    replace_status(lab, namespace, Healing.parse(meant))
    after = json.loads(lab.kubectl("get", "heal", "status", "-n", namespace, "-o", "json"))
    assert (after["status"]["message"], after["spec"]["signal"]) == ("real", "memory")


def test_a_status_written_for_an_older_state_of_the_object_is_refused(lab, namespace):
    stored = create(lab, namespace, healing("stale"))
    replace_status(lab, namespace, with_status(Healing, stored, message="first"))
    with pytest.raises(LabError, match="Conflict"):
        replace_status(lab, namespace, with_status(Healing, stored, message="second"))


def test_two_teams_pause_and_resume_a_policy_without_undoing_each_other(lab, namespace):
    create(lab, namespace, policy(name="paused"))

    def apply(team: str, *reasons: str) -> list[str]:
        raw = an_object("HealingPolicy", "paused", {"guardrails": {"pauseReasons": reasons}})
        out = lab.kubectl(
            *("apply", "-n", namespace, "--server-side", f"--field-manager={team}"),
            *("--validate=false", "-o", "json", "-f", "-"),
            stdin=json.dumps(raw),
        )
        return list(json.loads(out)["spec"]["guardrails"].get("pauseReasons", []))

    apply("shop", "stocktaking")
    assert sorted(apply("platform", "upgrade")) == ["stocktaking", "upgrade"]
    assert apply("shop") == ["upgrade"]


def test_a_healing_as_large_as_the_bounds_allow_is_stored(lab, namespace):
    pods = [{"name": f"cart-{i}", "uid": f"u-{i}"} for i in range(100)]
    raw = healing("large")
    raw["spec"]["evidence"] |= {"message": "x" * 1024, "pods": pods}
    stored = create(lab, namespace, raw)
    actions = [{"type": "EvictPod", "name": f"cart-{i}", "state": "Done"} for i in range(256)]
    attempt = {"healer": "H", "rung": 0, "intentKey": "k", "startedAt": UNTIL, "deadline": UNTIL}
    found = with_status(Healing, stored, attempts=[{**attempt, "actions": actions}] * 8)
    replace_status(lab, namespace, found)


def test_everything_can_be_deleted_while_akeso_is_not_running(lab):
    name = f"crds-{uuid.uuid4().hex[:8]}"
    lab.kubectl("create", "namespace", name)
    for raw in (policy(), healing(), control()):
        assert "finalizers" not in create(lab, name, raw)["metadata"]
    lab.kubectl("delete", "hp,heal,hctl", "--all", "-n", name, "--wait", "--timeout=20s")
    lab.kubectl("delete", "namespace", name, "--wait", "--timeout=60s")
