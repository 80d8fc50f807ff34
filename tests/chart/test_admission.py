"""The admission policies of the chart, judged by a real API server."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from akeso.api.meta import API_VERSION
from akeso_lab import Lab
from akeso_lab.errors import LabError
from akeso_lab.kubectl import Kubectl
from akeso_lab.processes import local_environment
from chart.conftest import Eventually, temporary, user
from chart.helm import TAKE_OVER, Helm, Json
from chart.installed import AsPod, Pod, as_pod, pods_of

pytestmark = pytest.mark.every_kubernetes

THEN = "2026-01-01T00:00:00Z"
RBAC = "rbac.authorization.k8s.io"
HEALERS = ["RestartPods", "Rollback", "ScaleOut", "RaiseMemory", "RaiseMemoryTemplate"]


class Person:
    """Somebody with a kubeconfig of their own."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.name = name
        self.kubeconfig = user(lab, name)
        self._lab = lab

    def does(self, *arguments: str, stdin: str | None = None) -> str:
        lab = self._lab
        kubectl = Kubectl(lab.bin / "kubectl", self.kubeconfig, lab.state, local_environment())
        return kubectl.run(*arguments, stdin=stdin)

    def applies(self, item: Json) -> str:
        return self.does("apply", "--server-side", "-f", "-", stdin=json.dumps(item))

    def refused(self, item: Json) -> str:
        with pytest.raises(LabError) as error:
            self.applies(item)
        return str(error.value)


def grant(lab: Lab, person: str, place: str, *rules: Json, role: str = "") -> None:
    """Rules of their own, or a ClusterRole there is, in one namespace."""
    ref = {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}
    if rules:
        ref = {"apiGroup": RBAC, "kind": "Role", "name": f"of-{person}"}
        meta = {"name": f"of-{person}", "namespace": place}
        lab.apply(
            {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": meta, "rules": list(rules)}
        )
    lab.apply(
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": f"{person}-{role or 'own'}", "namespace": place},
            "roleRef": ref,
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": person}],
        }
    )


def policy(
    place: str, healer: str, mode: str = "Heal", kinds: tuple[str, ...] = ("Deployment",)
) -> Json:
    signal = {"name": "rollout", "builtin": "RolloutFailing", "ladder": [{"healer": healer}]}
    if healer in ("RaiseMemory", "RaiseMemoryTemplate"):
        signal = {
            "name": "memory",
            "builtin": "MemoryExhaustion",
            "ladder": [{"healer": healer, "ceiling": "1Gi"}],
        }
    if healer == "ScaleOut":
        rung = {"healer": healer, "maxReplicas": 5}
        signal = {"name": "load", "builtin": "CPUSaturation", "ladder": [rung]}
    return {
        "apiVersion": API_VERSION,
        "kind": "HealingPolicy",
        "metadata": {"name": f"care-by-{healer.lower()}", "namespace": place},
        "spec": {
            "mode": mode,
            "targets": [{"name": "all", "kinds": list(kinds), "selector": {}}],
            "signals": [signal],
        },
    }


def healing(place: str, name: str, origin: str = "Request", **more: object) -> Json:
    return {
        "apiVersion": API_VERSION,
        "kind": "Healing",
        "metadata": {"name": name, "namespace": place},
        "spec": {
            "policyRef": {"name": "care", "uid": "1"},
            "target": {"kind": "Deployment", "name": "web", "uid": "2"},
            "signal": "rollout",
            "fingerprint": "f",
            "origin": origin,
            "evidence": {"message": "as they say", "sampledAt": THEN, "since": THEN},
            **more,
        },
    }


@pytest.fixture(scope="module")
def shop(lab: Lab) -> Iterator[str]:
    """A namespace with workloads to look after, for all tests here."""
    yield from temporary(lab, "shop")


@pytest.fixture(scope="module")
def installed(lab: Lab, helm: Helm, shop: str, eventually: Eventually) -> Iterator[str]:
    """Akeso, which looks after `shop`, once the API server knows its policies."""
    for home in temporary(lab, "home"):
        values = {"settings": {"watchNamespaces": [shop], "healers": HEALERS}}
        helm.install(home, values, *TAKE_OVER)
        eventually(lambda: _forgery_refused(lab, shop))
        yield home
        helm.uninstall(home)


def _forgery_refused(lab: Lab, shop: str) -> None:
    forged = json.dumps(healing(shop, "forged", "Forecast"))
    with pytest.raises(LabError, match="operator's word"):
        lab.kubectl("create", "--dry-run=server", "-f", "-", stdin=forged)


NEEDED: dict[str, Json] = {
    "RestartPods": {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]},
    "RaiseMemory": {"apiGroups": [""], "resources": ["pods/resize"], "verbs": ["patch"]},
    "ScaleOut": {
        "apiGroups": ["autoscaling"],
        "resources": ["horizontalpodautoscalers"],
        "verbs": ["get", "patch"],
    },
    "Rollback": {"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]},
    "RaiseMemoryTemplate": {
        "apiGroups": ["apps"],
        "resources": ["deployments"],
        "verbs": ["patch"],
    },
}
DEPLOYMENTS = {
    "apiGroups": ["apps"],
    "resources": ["deployments", "deployments/scale"],
    "verbs": ["patch"],
}
STATEFUL = {
    "apiGroups": ["apps"],
    "resources": ["statefulsets", "statefulsets/scale"],
    "verbs": ["patch"],
}
AUTHOR = {"apiGroups": ["akeso.dev"], "resources": ["healingpolicies"], "verbs": ["*"]}


@pytest.mark.parametrize("healer", HEALERS)
def test_a_policy_that_heals_lends_only_what_its_author_has(
    lab: Lab, installed: str, shop: str, healer: str, eventually: Eventually
) -> None:
    needed = NEEDED[healer]
    rest = [] if healer == "RaiseMemoryTemplate" else [DEPLOYMENTS]
    author = Person(lab, f"author-of-{healer.lower()}")
    grant(lab, author.name, shop, AUTHOR, *rest)
    wanted = policy(shop, healer)

    eventually(lambda: author.applies(policy(shop, healer, mode="Observe")))

    said = author.refused(wanted)  # a change of mode is looked at as well
    assert f"with mode Heal the healer {healer} may {needed['verbs'][0]}" in said, said
    assert f"in namespace {shop}" in said
    assert f"{author.name} may not" in said
    assert "or leave it in mode Observe" in said
    grant(lab, author.name, shop, AUTHOR, *rest, needed)
    eventually(lambda: author.applies(wanted))


def test_rights_on_kinds_that_a_policy_does_not_name_are_not_asked_for(
    lab: Lab, installed: str, shop: str, eventually: Eventually
) -> None:
    author = Person(lab, "author-of-one-kind")
    grant(lab, author.name, shop, AUTHOR, DEPLOYMENTS, NEEDED["Rollback"])

    eventually(lambda: author.applies(policy(shop, "Rollback")))

    said = author.refused(policy(shop, "Rollback", kinds=("Deployment", "StatefulSet")))
    assert "patch statefulsets.apps" in said


def test_whoever_may_not_heal_may_still_touch_what_others_wrote(
    lab: Lab, installed: str, shop: str, eventually: Eventually
) -> None:
    """Labels and status of a policy with mode Heal: only what it lends is judged."""
    lab.apply(policy(shop, "Rollback"))
    author = Person(lab, "somebody-else")
    grant(lab, author.name, shop, AUTHOR)
    eventually(
        lambda: author.does("-n", shop, "label", "healingpolicy", "care-by-rollback", "team=web")
    )
    with pytest.raises(LabError, match="may not"):
        author.does(
            "-n", shop, "patch", "hp", "care-by-rollback", "--type=merge", "-p",
            '{"spec":{"signals":[{"name":"more","builtin":"RolloutFailing","ladder":[{"healer":"Rollback"}]}]}}',
        )  # fmt: skip


def test_who_found_and_who_asked_cannot_be_forged(
    lab: Lab, installed: str, shop: str, eventually: Eventually
) -> None:
    asker = Person(lab, "asker")
    grant(lab, asker.name, shop, role="akeso-approver")

    eventually(lambda: asker.applies(healing(shop, "first", requestedBy="asker")))
    assert "is the operator's word" in asker.refused(healing(shop, "forged", "Forecast"))
    said = asker.refused(healing(shop, "of-another", requestedBy="boss"))
    assert "spec.requestedBy must be who asks: asker" in said
    asker.applies(healing(shop, "own", requestedBy="asker"))

    undo = {"requestedBy": "boss", "reason": "I say so"}
    forged = healing(shop, "undone-at-once", requestedBy="asker", undo=undo)
    assert "spec.undo.requestedBy must be who asks" in asker.refused(forged)
    with pytest.raises(LabError, match="must be who asks: asker"):
        asker.does(
            "-n", shop, "patch", "healing", "own", "--type=merge", "-p",
            '{"spec":{"undo":{"requestedBy":"boss","reason":"I say so"}}}',
        )  # fmt: skip
    asker.does(
        "-n", shop, "patch", "healing", "own", "--type=merge", "-p",
        '{"spec":{"undo":{"requestedBy":"asker","reason":"I say so"}}}',
    )  # fmt: skip
    # Somebody else may go on with it: what is there is not judged again.
    lab.kubectl("-n", shop, "label", "healing", "own", "seen=yes")


def test_only_the_leader_writes_and_a_control_that_is_gone_stops_nobody(
    lab: Lab, installed: str, shop: str, tmp_path: Path, eventually: Eventually
) -> None:
    leader, standby = pods_of(lab, installed)
    control = {"apiVersion": API_VERSION, "kind": "HealingControl", "spec": {}}
    lab.apply({**control, "metadata": {"name": "akeso", "namespace": installed}})
    leads(lab, installed, leader)
    first, second = (as_pod(lab, installed, pod, tmp_path) for pod in (leader, standby))
    lab.kubectl("-n", shop, "run", "web", "--image=app:1")

    def late() -> str:
        return refused(second, healing(shop, f"late-{uuid.uuid4().hex}", "Threshold"))

    eventually(late)
    first.applies(healing(shop, "found", "Threshold"))

    assert f"not the leader: {leader.name} leads, and this is {standby.name}" in late()
    with pytest.raises(LabError, match="not the leader"):  # a sub-resource
        evict(second, shop)
    evict(first, shop)

    # Leadership passes on: what the first one writes from now on is too late.
    leads(lab, installed, standby)
    eventually(lambda: refused(first, healing(shop, f"f-{uuid.uuid4().hex}", "Threshold")))
    second.applies(healing(shop, "second", "Threshold"))

    lab.kubectl("-n", installed, "delete", "healingcontrol", "akeso")
    eventually(lambda: first.applies(healing(shop, "nobody-leads", "Threshold")))
    lab.kubectl("-n", shop, "create", "configmap", "anything")  # nor is anybody else held up


def evict(who: AsPod, place: str) -> None:
    path = f"/api/v1/namespaces/{place}/pods/web/eviction"
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction"}
    body = {**eviction, "metadata": {"name": "web", "namespace": place}}
    who.does("create", "--raw", path, "-f", "-", stdin=json.dumps(body))


def leads(lab: Lab, home: str, pod: Pod) -> None:
    """What a new leader writes first."""
    patch = f'{{"status":{{"leader":"{pod.name}"}}}}'
    at = ("-n", home, "patch", "healingcontrol", "akeso", "--subresource=status")
    lab.kubectl(*at, "--type=merge", "-p", patch)


def refused(who: AsPod, item: Json) -> str:
    said = who.refused(item)
    assert "not the leader" in said, said
    return said
