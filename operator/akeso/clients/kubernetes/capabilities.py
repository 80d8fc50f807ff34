"""What this cluster and this installation can do, asked of the API server and not assumed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from akeso.api.control import Capability, CapabilityName
from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.kubernetes.paths import CORE
from akeso.clients.kubernetes.raw import part, parts, text
from akeso.errors import GoneError, PermanentError

ADMISSION = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"


@dataclass(frozen=True, slots=True)
class Policy:
    """An admission policy of the chart: the promise it makes, and the weaker one without it."""

    name: CapabilityName
    object: str
    promise: str
    weaker: str


POLICIES = (
    Policy(
        CapabilityName.FENCING,
        "akeso-fence",
        "the API server refuses writes of a replica that does not lead",
        "that a former leader writes nothing rests on its own look at the Lease before each write",
    ),
    Policy(
        CapabilityName.LENDING,
        "akeso-lending",
        "a policy with mode Heal lends only rights that its author has",
        "whoever may write policies in a namespace has the enabled healers' rights there",
    ),
    Policy(
        CapabilityName.ORIGIN,
        "akeso-origin",
        "a Healing's origin and requester can't be forged",
        "the origin and the requester of a Healing are claims of whoever may create one",
    ),
)


async def capabilities(api: ApiServer, namespace: str) -> tuple[Capability, ...]:
    """All of them, for an installation in `namespace`. TransientError where nobody answers."""
    found = await asyncio.gather(_resize(api), *(_policy(api, p, namespace) for p in POLICIES))
    return tuple(found)


async def resizes(api: ApiServer) -> bool:
    """Whether pods have the resize sub-resource: Kubernetes 1.33 and newer."""
    found = await api.get(f"/{CORE}")
    return "pods/resize" in {text(resource, "name") for resource in parts(found, "resources")}


async def _resize(api: ApiServer) -> Capability:
    there = await resizes(api)
    return Capability(
        name=CapabilityName.IN_PLACE_RESIZE,
        available="True" if there else "False",
        message="limits of a running pod can be changed"
        if there
        else "RaiseMemory is refused: limits of a running pod can be changed from Kubernetes 1.33 on",
    )


async def _policy(api: ApiServer, policy: Policy, namespace: str) -> Capability:
    name = f"{policy.object}.{namespace}"
    try:
        binding = await api.get(f"{ADMISSION}/{name}")
    except GoneError:
        why = f"there is no ValidatingAdmissionPolicyBinding {name}"
        return _without(policy, "False", f"{why} (chart value admissionPolicies.enabled)")
    except PermanentError:
        return _without(policy, "Unknown", f"ValidatingAdmissionPolicyBinding {name} can't be read")
    if "Deny" not in part(binding, "spec").get("validationActions", ()):
        return _without(policy, "False", f"ValidatingAdmissionPolicyBinding {name} denies nothing")
    return Capability(name=policy.name, available="True", message=policy.promise)


def _without(policy: Policy, available: str, why: str) -> Capability:
    said = {"name": policy.name, "available": available, "message": f"{why}: {policy.weaker}"}
    return Capability.model_validate(said)
