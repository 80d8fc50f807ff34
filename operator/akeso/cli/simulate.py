"""`akeso simulate`: a recorded incident once more, without a cluster."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from akeso.api.policy import HealingPolicy, Mode
from akeso.cli.output import add_output, show
from akeso.cli.parser import Options
from akeso.cli.whatif import WhatIf, policies_in

if TYPE_CHECKING:
    from akeso.simulation.replay import Replay

EXAMPLES = """\
examples:
  akeso operator --record-path incident.jsonl.gz          record one
  akeso simulate incident.jsonl.gz                        does this version decide the same?
  akeso simulate incident.jsonl.gz*                       with the parts before it
  akeso simulate incident.jsonl.gz --mode Heal            what it would have done, had it been let
  akeso simulate incident.jsonl.gz --policy shop.yaml     with another policy of the same name
  akeso simulate incident.jsonl.gz -o json

It needs no cluster and no network. Exit code: 0 when the decisions are those that were recorded,
1 when they differ; with --mode or --policy, where they are meant to, 0.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="what `akeso operator --record-path FILE` wrote, plain or gzip; several parts, or"
        " several runs, are played in the order in which they were written",
    )
    parser.add_argument(
        "--policy",
        action="append",
        default=[],
        metavar="FILE",
        help="YAML or JSON of HealingPolicies that take the place of those recorded under the same"
        " names; may be repeated",
    )
    parser.add_argument(
        "--mode",
        choices=[mode.value for mode in Mode],
        help="puts all policies into this mode",
    )
    add_output(parser)


def run(options: Options) -> int:
    from akeso.cli import incident

    what_if = WhatIf(
        [p for name in options.policy for p in policies_in(Path(name))],
        Mode(options.mode) if options.mode else None,
    )
    replay = asyncio.run(_play([Path(name) for name in options.files], what_if.change))
    what_if.check()
    show(
        options,
        incident.data(replay, what_if.asked),
        lambda console: incident.tell(console, replay, what_if.asked),
    )
    return 0 if replay.same or what_if.asked else 1


async def _play(paths: list[Path], change: Callable[[HealingPolicy], HealingPolicy]) -> Replay:
    from akeso.wiring.simulate import simulate

    return await simulate(paths, change)
