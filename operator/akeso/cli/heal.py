"""`akeso heal`: asks the operator to heal a workload. The operator decides, by the same guards."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from akeso.api.healing import Healing
from akeso.cli import usage
from akeso.cli.flags import CONNECTION, OWN_NAMESPACE, add_settings, settings_of
from akeso.cli.follow import Follower, add_waiting, patience, teller, verdict_known
from akeso.cli.kubeconfig import current_namespace
from akeso.cli.leader import find_leader
from akeso.cli.output import add_output, show
from akeso.cli.parser import Options
from akeso.cli.past import past_of
from akeso.domain.finding import Outcome
from akeso.domain.workload import Kind
from akeso.engine.request import REASON_LENGTH, Wish
from akeso.errors import AkesoError
from akeso.settings import Settings

if TYPE_CHECKING:
    from akeso.wiring import View

EXAMPLES = """\
examples:
  akeso heal deployment/shop -n shop --reason "slow since noon"
  akeso heal sts/db --healer RestartPods --wait      tell how it goes, until the verdict
  akeso heal shop --signal memory --wait --timeout 10m -o json

It asks; the operator decides. Every guard holds, and only healers that the signal's ladder names are
used. What no guard has allowed within the operator's --request-seconds (10 min) is given up. Exit
code 0: asked (with --wait: Verified); 1: it could not be asked (with --wait: any other verdict, or
none in time). Ctrl-C ends the waiting only: the request stands until you take it back.
"""

NO_REASON = "no reason was given"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", help="deployment/NAME, sts/NAME or NAME")
    parser.add_argument(
        "-n", "--namespace", help="its namespace (default: that of the kubeconfig's context)"
    )
    parser.add_argument("--reason", metavar="TEXT", default=NO_REASON, help="everybody will see it")
    parser.add_argument("--healer", metavar="NAME", help="try only this healer of the ladder")
    parser.add_argument("--signal", metavar="NAME", help="whose ladder to use, where it is unclear")
    parser.add_argument("--policy", metavar="NAME", help="whose signal, where it is unclear")
    add_waiting(parser, "the verdict")
    add_output(parser)
    add_settings(parser, (*CONNECTION, "namespace"), OWN_NAMESPACE)


@dataclass
class Asked:
    """What is asked for; `made` holds the Healing once it is there."""

    kind: Kind | None
    namespace: str
    name: str
    wish: Wish
    made: list[Healing] = field(default_factory=list[Healing])


def run(options: Options) -> int:
    kind, name = usage.workload(options.target)
    wait, within = options.wait, patience(options)
    wish = Wish(reason_of(options.reason), options.policy, options.signal, options.healer)
    settings = settings_of(options)
    asked = Asked(kind, options.namespace or current_namespace(settings.kubeconfig), name, wish)
    try:
        healing = asyncio.run(_ask(asked, settings, options, within))
    except (KeyboardInterrupt, AkesoError):
        for made in asked.made:
            print(stands(made), file=sys.stderr)
        raise
    data = past_of(healing).model_dump(mode="json", by_alias=True)
    show(options, data, lambda console: _render(console, healing, wait))
    return 0 if not wait or healing.status.verdict is Outcome.VERIFIED else 1


def reason_of(text: str) -> str:
    """Why, in a few words. UsageError where there are none, or too many."""
    if not text.strip():
        raise usage.UsageError("--reason is empty; say why, or leave it out.")
    if len(text.strip()) > REASON_LENGTH:
        raise usage.UsageError(f"--reason is longer than {REASON_LENGTH} characters; say it short.")
    return text.strip()


async def _ask(asked: Asked, settings: Settings, options: Options, within: float | None) -> Healing:
    from akeso.wiring import open_view

    settings = settings.model_copy(update={"watch_namespaces": (asked.namespace,)})
    async with open_view(settings, load=False) as view:
        healing = await view.ask(asked.kind, asked.namespace, asked.name, asked.wish)
        asked.made.append(healing)
        await warn_of_silence(view, settings)
        if not options.wait:
            return healing
        tell = teller(options.output)
        follower = Follower(view.records, healing, tell)
        await follower.until(verdict_known, within)
        return follower.healing


async def warn_of_silence(view: View, settings: Settings) -> None:
    """A request that nobody reads: said at once, for waiting would not tell."""
    now = datetime.now(UTC)
    leader = await find_leader(view.lease(), settings.lease_seconds, now)
    if leader.running is False:
        print(
            f"akeso: no operator is running in namespace {settings.namespace}, so nobody answers"
            " yet; start it (akeso operator), or name its namespace with --akeso-namespace.",
            file=sys.stderr,
        )


def stands(healing: Healing) -> str:
    """That leaving changes nothing, and how to take it back."""
    meta = healing.metadata
    return (
        f"akeso: the request stands: Healing {meta.name} in namespace {meta.namespace}."
        f" Take it back: akeso undo {meta.name} -n {meta.namespace}"
    )


def _render(console: Console, healing: Healing, wait: bool) -> None:
    meta, target = healing.metadata, healing.spec.target
    told = f"{target.kind.lower()}/{target.name}"
    if wait and healing.status.completed_at is not None:
        return
    if wait:
        console.print(Text(f"Not over yet; {stands(healing).removeprefix('akeso: ')}"))
        return
    console.print(
        Text(f"Asked for: Healing {meta.name} of {told}, signal {healing.spec.signal}.").append(
            f"\nThe operator decides. How it goes: akeso history {told} -n {meta.namespace}"
            f"\nTake it back: akeso undo {meta.name} -n {meta.namespace}"
        )
    )
