"""The demo's objects: what examples/ say, in the demo's own place."""

from __future__ import annotations

from typing import Any

from akeso.api.policy import HealingPolicy, Mode
from akeso.cli.demo import manifests, names
from akeso.cli.demo.operator_process import command
from akeso.cli.demo.watcher import LIMIT
from akeso.cli.parser import Options, build
from akeso.domain.workload import Kind

ROOT = manifests.checkout_root()
OBJECTS = manifests.workloads(ROOT, "image:1")


def found(kind: str, name: str) -> Any:
    return next(o for o in OBJECTS if (o["kind"], o["metadata"]["name"]) == (kind, name))


def test_everything_is_in_the_demos_namespace_and_of_the_labs_image():
    assert {o["metadata"]["namespace"] for o in OBJECTS} == {names.NAMESPACE}
    deployments = [o for o in OBJECTS if o["kind"] == "Deployment"]
    images = {c["image"] for d in deployments for c in d["spec"]["template"]["spec"]["containers"]}
    assert images == {"image:1"}
    assert manifests.IMAGE not in str(OBJECTS)


def test_the_policy_selects_what_the_summary_says_is_protected_and_nothing_else():
    policy = HealingPolicy.parse(found("HealingPolicy", names.POLICY))
    assert policy.spec.mode is Mode.HEAL
    selected = {
        o["metadata"]["name"]
        for o in OBJECTS
        if o["kind"] == "Deployment"
        and policy.spec.selects(Kind.DEPLOYMENT, o["metadata"]["labels"])
    }
    assert selected == {names.LEAKY, names.CHECKOUT, names.HEALTHY}


def test_the_twin_differs_from_the_leaky_service_in_protection_only():
    def template(name: str) -> Any:
        spec = found("Deployment", name)["spec"]["template"]["spec"]
        return spec

    assert template(names.LEAKY) == template(names.TWIN)


def test_the_limit_is_the_one_that_bars_are_drawn_for():
    for name in (names.LEAKY, names.TWIN, names.CHECKOUT, names.HEALTHY):
        (container,) = found("Deployment", name)["spec"]["template"]["spec"]["containers"]
        assert container["resources"]["limits"]["memory"] == f"{LIMIT // 2**20}Mi"


def test_a_release_changes_the_version_and_its_errors_only():
    before = found("Deployment", names.CHECKOUT)
    after = manifests.release(ROOT, "image:1", "v2", "0.8")
    (container,) = after["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [
        {"name": "VERSION", "value": "v2"},
        {"name": "ERROR_RATIO", "value": "0.8"},
    ]
    container["env"] = before["spec"]["template"]["spec"]["containers"][0]["env"]
    assert after == before


def test_users_come_for_every_service_that_has_some():
    users = {o["metadata"]["name"] for o in OBJECTS if manifests.is_user(o)}
    wanted = {names.LEAKY, names.TWIN, names.CHECKOUT}
    assert users == {names.users_of(name) for name in wanted}


def test_the_rights_are_moved_as_a_whole_beside_any_other_installation():
    rights = manifests.rights(ROOT)
    assert "namespace': 'akeso'" not in str(rights)
    cluster_wide = [o for o in rights if o["kind"].startswith("ClusterRole")]
    assert {o["metadata"]["name"] for o in cluster_wide} == {names.SYSTEM}
    binding = next(o for o in rights if o["kind"] == "ClusterRoleBinding")
    assert binding["roleRef"]["name"] == names.SYSTEM
    assert binding["subjects"][0]["namespace"] == names.SYSTEM


def test_the_rights_hold_no_wildcard_and_no_write_that_no_healer_makes():
    rules = [r for o in manifests.rights(ROOT) for r in o.get("rules", ())]
    assert all("*" not in word for r in rules for words in r.values() for word in words)
    writes = {
        (verb, resource)
        for r in rules
        for verb in r["verbs"]
        for resource in r["resources"]
        if verb not in ("get", "list", "watch") and "akeso.dev" not in r["apiGroups"]
    }
    assert writes == {
        ("create", "pods/eviction"),
        ("delete", "pods"),
        ("patch", "pods/resize"),
        ("patch", "deployments/scale"),
        ("patch", "statefulsets/scale"),
        ("patch", "deployments"),
        ("patch", "statefulsets"),
        ("patch", "daemonsets"),
        ("create", "events"),
        ("patch", "leases"),
        ("patch", "horizontalpodautoscalers"),
    }


def test_the_examples_for_people_are_valid():
    for name in ("observe", "heal", "memory"):
        (example,) = manifests.load(ROOT / "examples" / f"{name}.yaml")
        policy = HealingPolicy.parse(example)
        assert policy.spec.mode is (Mode.OBSERVE if name == "observe" else Mode.HEAL)


def test_the_operator_is_started_with_flags_that_exist(tmp_path: Any):
    from akeso_lab import Lab, Tier

    lab = Lab("x", Tier.NODE, tmp_path, tmp_path, "https://x", tmp_path, prometheus="http://p")
    words = command(lab, tmp_path / "kubeconfig")
    options: Any = build().parse_args(words[words.index("operator") :], Options())
    assert options.setting_watch_namespaces == [names.NAMESPACE]
    assert options.setting_scrape_interval_seconds == "5"
