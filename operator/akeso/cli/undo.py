"""`akeso undo`: asks the operator to take a healing back, as far as it can be."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

from akeso.api.conditions import get_condition
from akeso.api.healing import Healing
from akeso.cli import usage
from akeso.cli.flags import CONNECTION, OWN_NAMESPACE, add_settings, settings_of
from akeso.cli.follow import Follower, add_waiting, patience, teller, undo_over
from akeso.cli.heal import NO_REASON, reason_of, warn_of_silence
from akeso.cli.kubeconfig import current_namespace
from akeso.cli.output import add_output, show
from akeso.cli.parser import Options
from akeso.cli.past import past_of
from akeso.errors import AkesoError
from akeso.settings import Settings

EXAMPLES = """\
examples:
  akeso undo shop-memory-3f1c9a2b70 -n shop --reason "we scale up instead"
  akeso undo shop-memory-3f1c9a2b70 --wait        until it is taken back, or can't be

The names are those of `akeso history`. A healing under way ends, and what it did is brought back; an
eviction can't be. For a day the same healer leaves that workload alone. It is asked for once, and
can't be taken back. Exit code 0: asked (with --wait: taken back, or nothing was left to be); 1: it
could not be asked (with --wait: it could not be taken back, or not in time).
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("healing", metavar="HEALING", help="the Healing's name")
    parser.add_argument(
        "-n", "--namespace", help="its namespace (default: that of the kubeconfig's context)"
    )
    parser.add_argument("--reason", metavar="TEXT", default=NO_REASON, help="everybody will see it")
    add_waiting(parser, "it is taken back")
    add_output(parser)
    add_settings(parser, (*CONNECTION, "namespace"), OWN_NAMESPACE)


@dataclass
class Asked:
    """Which Healing, and why; `made` holds it once its undo is asked for."""

    namespace: str
    name: str
    reason: str
    made: list[Healing] = field(default_factory=list[Healing])


def run(options: Options) -> int:
    within = patience(options)
    usage.check_names({"HEALING": options.healing})
    settings = settings_of(options)
    namespace = options.namespace or current_namespace(settings.kubeconfig)
    asked = Asked(namespace, options.healing, reason_of(options.reason))
    try:
        healing = asyncio.run(_ask(asked, settings, options, within))
    except (KeyboardInterrupt, AkesoError):
        if asked.made:
            print("akeso: the undo is asked for all the same.", file=sys.stderr)
        raise
    data = past_of(healing).model_dump(mode="json", by_alias=True)
    show(options, data, lambda console: _render(console, healing, options.wait))
    return 0 if not options.wait or _taken_back(healing) else 1


async def _ask(asked: Asked, settings: Settings, options: Options, within: float | None) -> Healing:
    from akeso.wiring import open_view

    settings = settings.model_copy(update={"watch_namespaces": (asked.namespace,)})
    async with open_view(settings, load=False) as view:
        healing = await view.take_back(asked.namespace, asked.name, asked.reason)
        asked.made.append(healing)
        await warn_of_silence(view, settings)
        if not options.wait:
            return healing
        follower = Follower(view.records, healing, teller(options.output))
        await follower.until(undo_over, within)
        return follower.healing


def _taken_back(healing: Healing) -> bool:
    undone = get_condition(healing.status.conditions, "Undone")
    return undone is not None and (undone.status == "True" or undone.reason == "NothingToUndo")


def _render(console: Console, healing: Healing, wait: bool) -> None:
    meta, undo = healing.metadata, healing.spec.undo
    if wait and undo_over(healing):
        return
    why = f"{undo.requested_by}: {undo.reason}" if undo else ""
    where = f"kubectl -n {meta.namespace} get heal {meta.name} -o yaml"
    told = Text("Not over yet: " if wait else "")
    told.append(f"the undo of Healing {meta.name} is asked for by {why}.")
    console.print(told.append(f"\nThe operator carries it out; condition Undone: {where}"))
