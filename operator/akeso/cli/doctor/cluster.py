"""The API server: whether it answers, what it can do, what time it has, and its CRDs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from akeso.api.meta import GROUP
from akeso.cli.crds import CRDS, differences
from akeso.cli.doctor.checks import Check, Checks, failure, ok, skipped, warning
from akeso.clients import shipped
from akeso.clients.kubernetes.capabilities import resizes
from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.kubernetes.raw import Json, part, parts, text
from akeso.engine.words import seconds_of
from akeso.errors import GoneError

SERVER, CLOCK, RESIZE, RESOURCES = (
    "API server",
    "Clock of the API server",
    "In-place resize",
    "Custom resources",
)
# Rules in CRDs (CEL) are stable from here on.
# https://kubernetes.io/docs/reference/using-api/deprecation-guide/, feature CustomResourceValidationExpressions
OLDEST = (1, 29)
# The header has whole seconds, and the answer took its time.
CLOCKS_AGREE = 5.0
APPLY = "Run: akeso crds | kubectl apply --server-side -f -"


async def server(api: ApiServer) -> Checks:
    """Its version, and its clock beside this machine's. Raises where it does not answer."""
    before = datetime.now(UTC)
    found, date = await api.version()
    after = datetime.now(UTC)
    return version(found), clock(date, before, after)


def version(found: Json) -> Check:
    told = text(found, "gitVersion")
    numbers = re.match(r"v?(\d+)\.(\d+)", told)
    if numbers is None:
        return warning(SERVER, f"It answers, but its version is {told!r}.", "Is it Kubernetes?")
    if (int(numbers[1]), int(numbers[2])) < OLDEST:
        least = ".".join(map(str, OLDEST))
        return failure(
            SERVER,
            f"It answers, but it is Kubernetes {told}; the custom resources need {least}.",
            f"Use a cluster of Kubernetes {least} or newer.",
        )
    return ok(SERVER, f"It answers: Kubernetes {told}.")


def clock(date: str, before: datetime, after: datetime) -> Check:
    """`date` is the Date header of an answer that was asked for and came at these moments."""
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return skipped(CLOCK, "Its answer carries no date.")
    # Whole seconds, cut off: it was somewhere in the second that follows.
    early = (before - theirs).total_seconds() - 1.0
    late = (theirs - after).total_seconds()
    apart = max(0.0, early, late)
    if apart <= CLOCKS_AGREE:
        return ok(CLOCK, "It agrees with this machine's.")
    which = "behind" if early > late else "ahead of"
    return warning(
        CLOCK,
        f"It is {seconds_of(apart)} {which} this machine's.",
        "Set both by NTP: times in Healings and the Lease are compared with the clock of whoever"
        " reads them.",
    )


async def resize(api: ApiServer) -> Checks:
    """Whether pods can be resized without a restart of theirs."""
    if await resizes(api):
        return (ok(RESIZE, "Pods can be resized in place (pods/resize)."),)
    return (
        warning(
            RESIZE,
            "This cluster can't resize pods in place (no pods/resize): a healer that needs it is"
            " refused.",
            "Kubernetes 1.33 and newer can; leave such healers out of the ladders until then.",
        ),
    )


async def resources(api: ApiServer) -> Checks:
    """The CRDs in the cluster beside those of this version."""
    checks: list[Check] = []
    for plural, crd in shipped.crds().items():
        name = f"{plural}.{GROUP}"
        try:
            checks.append(resource(name, crd, await api.get(f"/{CRDS}/{name}")))
        except GoneError:
            checks.append(failure(f"{RESOURCES}: {plural}", f"{name} is not installed.", APPLY))
    if all(check.result == "ok" for check in checks):
        names = ", ".join(shipped.crds())
        return (ok(RESOURCES, f"They are installed as in this version: {names}."),)
    return tuple(check for check in checks if check.result != "ok")


def resource(name: str, wanted: Mapping[str, Any], there: Json) -> Check:
    title = f"{RESOURCES}: {name.partition('.')[0]}"
    stands = {
        text(c, "type"): text(c, "status") for c in parts(part(there, "status"), "conditions")
    }
    if stands.get("Established") != "True":
        return failure(
            title, f"{name} is not served yet.", f"See: kubectl describe crd {name}. {APPLY}"
        )
    found = list(differences(wanted, there))
    if not found:
        return ok(title, f"{name} is as in this version.")
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return warning(
        title,
        f"{name} is not the one of this version: {found[0]}{more}.",
        f"{APPLY}; all differences: akeso crds --diff",
    )
