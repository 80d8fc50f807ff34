"""Installing, upgrading and removing the chart, as the API server sees it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from akeso.api.meta import API_VERSION
from akeso_lab import Lab
from chart.conftest import Eventually, user
from chart.helm import CHART, TAKE_OVER, Helm, HelmError, Json
from chart.installed import pods_of
from chart.test_render import EVERYTHING, HEALERS

RBAC = "rbac.authorization.k8s.io"
# Of the Prometheus operator, whose kinds are not on this cluster.
FOREIGN = {"serviceMonitor": {"enabled": False}, "prometheusRule": {"enabled": False}}
CLUSTER_SCOPED = (
    "clusterroles,clusterrolebindings,validatingadmissionpolicies,"
    "validatingadmissionpolicybindings,priorityclasses"
)
INSIDE = (
    "all,configmaps,serviceaccounts,roles,rolebindings,leases,poddisruptionbudgets,networkpolicies"
)

pytestmark = pytest.mark.every_kubernetes


# Roles for people are the same for all installations, so those of one test would go with another.
def watching(shop: str, **settings: Any) -> Json:
    return {"settings": {"watchNamespaces": [shop], **settings}, "people": {"create": False}}


def left(lab: Lab, home: str) -> list[str]:
    """Everything of this installation that is there, but for the kinds, which are kept."""
    label = ("-l", f"akeso.dev/namespace={home}", "-o", "name")
    inside = lab.kubectl("get", INSIDE, "-A", *label)
    return [*lab.kubectl("get", CLUSTER_SCOPED, *label).split(), *inside.split()]


def test_the_strictest_pod_security_accepts_everything_without_a_warning(
    lab: Lab, helm: Helm, home: str, shop: str
) -> None:
    values = {**EVERYTHING, **FOREIGN, "people": {"create": False}}
    values["settings"] = {**EVERYTHING["settings"], "watchNamespaces": [shop]}
    for name, kind in (("prometheus", "secret generic"), ("company-ca", "configmap")):
        lab.kubectl("-n", home, "create", *kind.split(), name, "--from-literal=key=value")
    values["priorityClass"], values["priorityClassName"] = {"create": True}, f"akeso-{home}"

    said = helm.install(home, values, *TAKE_OVER)

    assert "warning" not in said.lower(), said
    assert len(pods_of(lab, home)) == 2
    helm.uninstall(home)


def test_an_upgrade_brings_new_kinds_and_keeps_every_object(
    lab: Lab, helm: Helm, home: str, shop: str, tmp_path: Path, eventually: Eventually
) -> None:
    older = tmp_path / "akeso"
    shutil.copytree(CHART, older)
    file = older / "files" / "crds" / "healingpolicies.yaml"
    crd = yaml.safe_load(file.read_text())
    [version] = crd["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    del spec["properties"]["guardrails"]["properties"]["pauseReasons"]
    file.write_text(yaml.safe_dump(crd))
    helm.of_chart(older).install(home, watching(shop, healers=["RestartPods"]), *TAKE_OVER)
    policy = {
        "apiVersion": API_VERSION,
        "kind": "HealingPolicy",
        "metadata": {"name": "care", "namespace": shop},
        "spec": {
            "targets": [{"name": "all", "selector": {}}],
            "signals": [{"name": "rollout", "builtin": "RolloutFailing"}],
            "guardrails": {"pauseReasons": ["a sale"]},
        },
    }

    def stored() -> Json:
        return dict(json.loads(lab.kubectl("-n", shop, "get", "hp", "care", "-o", "json")))

    apply = ("apply", "--validate=warn", "-f", "-")
    eventually(lambda: lab.kubectl(*apply, stdin=json.dumps(policy)))
    before = stored()
    pods = {pod.uid for pod in pods_of(lab, home)}
    assert "pauseReasons" not in before["spec"]["guardrails"]  # version N does not know it

    newer = tmp_path / "newer"
    shutil.copytree(CHART, newer)
    about = yaml.safe_load((newer / "Chart.yaml").read_text()) | {
        "version": "0.1.1",
        "appVersion": "0.1.1",
    }
    (newer / "Chart.yaml").write_text(yaml.safe_dump(about))
    said = helm.of_chart(newer).upgrade(home, watching(shop, healers=["RestartPods", "Rollback"]))

    assert "warning" not in said.lower(), said
    assert stored()["metadata"]["uid"] == before["metadata"]["uid"]

    def known() -> None:
        lab.kubectl("apply", "-f", "-", stdin=json.dumps(policy))
        assert stored()["spec"]["guardrails"]["pauseReasons"] == ["a sale"]

    eventually(known)
    role = json.loads(
        lab.kubectl("-n", shop, "get", "role", f"akeso-operator-rollback.{home}", "-o", "json")
    )
    assert role["rules"]

    def replaced() -> None:
        assert not pods & {pod.uid for pod in pods_of(lab, home)}

    eventually(replaced)
    helm.uninstall(home)


@pytest.mark.parametrize("first", ["helm", "namespace"])
def test_nothing_hangs_and_nothing_is_left_with_the_operator_dead(
    lab: Lab, helm: Helm, home: str, shop: str, first: str
) -> None:
    """No operator has ever run here: whatever goes away must go away without one."""
    helm.install(home, watching(shop, healers=HEALERS), *TAKE_OVER)
    control = {"apiVersion": API_VERSION, "kind": "HealingControl", "spec": {}}
    lab.apply({**control, "metadata": {"name": "akeso", "namespace": home}})

    if first == "helm":
        said = helm.uninstall(home)
        lab.kubectl("delete", "namespace", home, "--timeout=60s")
        assert "kept due to the resource policy" in said
    else:
        lab.kubectl("delete", "namespace", home, "--timeout=60s")
        with pytest.raises(HelmError, match="not found"):  # its record went with the namespace
            helm.uninstall(home)
        # As docs/install.md says.
        lab.kubectl("delete", CLUSTER_SCOPED, "-l", f"akeso.dev/namespace={home}")
        lab.kubectl("-n", shop, "delete", "roles,rolebindings", "-l", f"akeso.dev/namespace={home}")

    assert left(lab, home) == []


def test_a_tenant_installs_it_with_the_rights_of_a_namespace(
    lab: Lab, helm: Helm, home: str, shop: str, tmp_path: Path, eventually: Eventually
) -> None:
    """Namespaced mode: the cluster's administrator has brought the kinds, and nothing else."""
    helm.install(home, watching(shop), *TAKE_OVER)
    helm.uninstall(home)
    tenant = user(lab, f"tenant-{home}")
    for place in (home, shop):
        lab.apply(
            {
                "apiVersion": f"{RBAC}/v1",
                "kind": "RoleBinding",
                "metadata": {"name": "tenant", "namespace": place},
                "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "admin"},
                "subjects": [{"apiGroup": RBAC, "kind": "User", "name": f"tenant-{home}"}],
            }
        )
    lab.kubectl("get", "clusterrole", "admin")
    theirs = Helm(helm.binary, tenant, tmp_path)
    values = watching(shop, healers=["RestartPods"]) | {
        "crds": {"install": False},
        "admissionPolicies": {"enabled": False},
    }

    eventually(lambda: theirs.text(values))
    with pytest.raises(HelmError, match="forbidden"):
        theirs.install(home, watching(shop))  # kinds and policies are not theirs to bring
    _approver(lab, home, shop)
    said = theirs.upgrade(home, values, "--install")

    assert "warning" not in said.lower(), said
    assert len(pods_of(lab, home)) == 2
    theirs.uninstall(home)


def _approver(lab: Lab, home: str, shop: str) -> None:
    """Nobody may grant what they lack: the tenant needs the rights that Akeso gets."""
    rules = [
        {
            "apiGroups": ["akeso.dev", "events.k8s.io", "metrics.k8s.io"],
            "resources": ["*"],
            "verbs": ["*"],
        },
        {"apiGroups": ["apps"], "resources": ["*"], "verbs": ["*"]},
        {
            "apiGroups": [""],
            "resources": ["limitranges", "resourcequotas", "pods", "pods/eviction"],
            "verbs": ["*"],
        },
        {
            "apiGroups": ["policy", "autoscaling", "coordination.k8s.io"],
            "resources": ["*"],
            "verbs": ["*"],
        },
    ]
    for place in (home, shop):
        lab.apply(
            {
                "apiVersion": f"{RBAC}/v1",
                "kind": "Role",
                "metadata": {"name": "tenant", "namespace": place},
                "rules": rules,
            },
            {
                "apiVersion": f"{RBAC}/v1",
                "kind": "RoleBinding",
                "metadata": {"name": "tenant-more", "namespace": place},
                "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "tenant"},
                "subjects": [{"apiGroup": RBAC, "kind": "User", "name": f"tenant-{home}"}],
            },
        )
