"""What belongs to others stays theirs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from akeso.domain.action import Action, SetAutoscalerBound
from akeso.domain.workload import Autoscaler, AutoscalerBound
from akeso.policy.chain import Guard
from akeso.policy.owners import autoscaler, controller, gitops
from unit.policy.cases import EVICTION, ROLLBACK, SURGE, case, denied
from unit.world import deployment

OPERATED = deployment(controller="Postgres/orders")
MANAGERS = [
    "argocd-controller",
    "argocd-application-controller",
    "kustomize-controller",
    "helm-controller",
]
WEB = Autoscaler("web", "uid-web-hpa", "1", 2, 10)
SCALED = deployment(autoscaler=WEB)


@pytest.mark.parametrize("actions", [SURGE, ROLLBACK])
def test_another_operators_workload_is_not_written(actions: tuple[Action, ...]) -> None:
    assert denied(controller(case(OPERATED, *actions)), "OwnedByController", "Postgres/orders")


def test_the_pods_of_another_operators_workload_may_be_evicted() -> None:
    verdict = controller(case(OPERATED, EVICTION))
    assert verdict.allowed and "Postgres/orders" in verdict.sentence


def test_replicas_that_an_autoscaler_owns_are_never_written() -> None:
    verdict = autoscaler(case(SCALED, *SURGE))
    assert denied(verdict, "AutoscalerOwnsReplicas", "HorizontalPodAutoscaler/web", "2 replicas")


@pytest.mark.parametrize("actions", [(EVICTION,), ROLLBACK])
def test_an_autoscaler_does_not_stop_what_leaves_replicas_alone(
    actions: tuple[Action, ...],
) -> None:
    assert autoscaler(case(SCALED, *actions)).allowed


FLOOR = SetAutoscalerBound("web", "uid-web-hpa", AutoscalerBound.FLOOR, 2, 4)


def test_the_bounds_of_an_autoscaler_are_the_way_to_change_replicas_it_owns() -> None:
    assert autoscaler(case(SCALED, FLOOR)).allowed
    assert gitops(case(SCALED, FLOOR)).allowed


@pytest.mark.parametrize(
    ("keeper", "remedy"),
    [
        ("ScaledObject/shop", "set minReplicaCount and maxReplicaCount of ScaledObject shop"),
        ("Shop/web", "set the bounds of Shop web"),
    ],
)
def test_an_autoscaler_that_another_controller_keeps_is_not_changed(
    keeper: str, remedy: str
) -> None:
    kept = deployment(autoscaler=replace(WEB, controller=keeper))
    assert denied(autoscaler(case(kept, FLOOR)), "AutoscalerOwnedByController", keeper, remedy)


def test_an_autoscaler_from_git_is_not_changed_whoever_applies_its_workload() -> None:
    from_git = replace(WEB, managers=("argocd-controller",))
    verdict = gitops(case(deployment(autoscaler=from_git), FLOOR))
    assert denied(verdict, "GitOpsOwnsManifest", "HorizontalPodAutoscaler/web", "in git")
    beside = deployment(autoscaler=WEB, managers=("argocd-controller",))
    assert gitops(case(beside, FLOOR)).allowed


@pytest.mark.parametrize("manager", MANAGERS)
@pytest.mark.parametrize("actions", [SURGE, ROLLBACK])
def test_a_manifest_applied_from_git_is_never_changed(
    manager: str, actions: tuple[Action, ...]
) -> None:
    verdict = gitops(case(deployment(managers=("kubectl", manager)), *actions))
    assert denied(verdict, "GitOpsOwnsManifest", manager, "in git")


def test_pods_of_a_manifest_applied_from_git_may_be_evicted() -> None:
    verdict = gitops(case(deployment(managers=("argocd-controller",)), EVICTION))
    assert verdict.allowed and "argocd-controller" in verdict.sentence


def test_helm_alone_is_no_owner() -> None:
    seen = deployment(managers=("helm",), labels={"app.kubernetes.io/managed-by": "Helm"})
    assert gitops(case(seen, *ROLLBACK)).allowed


@pytest.mark.parametrize("guard", [controller, autoscaler, gitops])
def test_nobody_elses_and_nothing_planned_are_allowed(guard: Guard) -> None:
    assert guard(case()).allowed
    owned = deployment(controller="A/a", autoscaler=WEB, managers=("helm-controller",))
    assert guard(case(owned, plan=None)).allowed
