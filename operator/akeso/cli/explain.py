"""`akeso explain`: why Akeso does, or does not, act on one workload. Asks, never acts."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.text import Text

from akeso.api.control import HealingControl
from akeso.cli import usage, words
from akeso.cli.account import Account, GuardTold, PlanTold, SignalTold, account
from akeso.cli.flags import (
    CONNECTION,
    JUDGING,
    OWN_NAMESPACE,
    add_settings,
    given,
    settings_of,
)
from akeso.cli.kubeconfig import current_namespace
from akeso.cli.output import add_output, hanging, indented, show
from akeso.cli.parser import Options
from akeso.domain.workload import Kind
from akeso.engine.words import seconds_of
from akeso.settings import Settings

if TYPE_CHECKING:
    from akeso.wiring import View

EXAMPLES = """\
examples:
  akeso explain deployment/shop -n shop
  akeso explain sts/db                    in the namespace of your kubeconfig's context
  akeso explain shop --prometheus-url http://localhost:9090
  akeso explain shop -o json

It looks with your own credentials and from where you are: give the operator's Prometheus with
--prometheus-url (a port-forward will do), and its Alertmanager with --alertmanager-url; without it
silences are not looked at. The scrape interval is taken from the HealingControl.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "akeso explain [-n NAMESPACE] [-o FORMAT] [--SETTING VALUE ...] TARGET"
    parser.add_argument("target", metavar="TARGET", help="deployment/NAME, sts/NAME or NAME")
    parser.add_argument(
        "-n", "--namespace", help="its namespace (default: that of the kubeconfig's context)"
    )
    add_output(parser)
    add_settings(parser, (*CONNECTION, "namespace", *JUDGING), OWN_NAMESPACE)


def run(options: Options) -> int:
    kind, name = usage.workload(options.target)
    settings = settings_of(options)
    namespace = options.namespace or current_namespace(settings.kubeconfig)
    own_interval = not given(options, "scrape_interval_seconds")
    asked = _Asked(kind, namespace, name)
    found = asyncio.run(_ask(asked, settings, own_interval))
    data = found.model_dump(mode="json", by_alias=True)
    return show(options, data, lambda console: render(console, found))


@dataclass(frozen=True, slots=True)
class _Asked:
    """The workload a person means; `kind` None: whatever has the name."""

    kind: Kind | None
    namespace: str
    name: str


async def _ask(asked: _Asked, settings: Settings, own_interval: bool) -> Account:
    from akeso.wiring import open_view

    settings = settings.model_copy(update={"watch_namespaces": (asked.namespace,)})
    async with open_view(settings) as view:
        interval = _interval(view.records.control()) if own_interval else None
        if interval in (None, settings.scrape_interval_seconds):
            return await _look(view, asked)
    settings = settings.model_copy(update={"scrape_interval_seconds": interval})
    async with open_view(settings) as view:
        return await _look(view, asked)


async def _look(view: View, asked: _Asked) -> Account:
    found = await view.explain(asked.kind, asked.namespace, asked.name)
    return account(found, view.records.healings())


def _interval(control: HealingControl | None) -> float | None:
    """How often the operator's source takes samples, as the operator itself says."""
    seconds = control.status.scrape_interval_seconds if control else None
    return None if not seconds else float(seconds)


def render(console: Console, found: Account) -> None:
    """The account from what is seen to what follows from it."""
    title = f"{found.kind} {found.namespace}/{found.name}"
    console.print(Text(title, style="bold").append(f"  {_state(found)}", style="not bold"))
    for owner in found.owners:
        console.print(Text(f"owned by {owner}", style="dim"))
    if not found.signals:
        console.print(
            f"\nNo HealingPolicy in namespace {found.namespace} selects it, so Akeso leaves it"
            " alone. Compare its labels with the policies' selectors:"
            f" kubectl get healingpolicies -n {found.namespace} -o yaml",
            markup=False,
        )
    for signal in found.signals:
        _render_signal(console, signal)


def _state(found: Account) -> str:
    revision = f", revision {found.revision}" if found.revision else ""
    return f"{found.ready} of {words.many(found.replicas, 'pod')} ready{revision}"


def _render_signal(console: Console, signal: SignalTold) -> None:
    console.print()
    console.print(
        Text(f"Signal {signal.signal}", style="bold").append(
            f" ({signal.about}) of HealingPolicy {signal.policy}, mode {signal.mode}",
            style="not bold",
        )
    )
    for fact in signal.facts:
        console.print(indented(Text(fact, style="dim")))
    if signal.acts_from_percent is not None:
        bar = f"a forecast counts from a probability of {signal.acts_from_percent}% on"
        console.print(indented(Text(bar, style="dim")))
    if signal.problem is not None:
        console.print(indented(Text(f"Found: {signal.problem}", style="yellow")))
    quiet = signal.problem is None and signal.healing is None
    style = "bold green" if signal.allowed or quiet else "bold yellow"
    console.print(indented(Text(signal.conclusion, style=style)))
    if signal.plan is not None:
        for line in _plan_lines(signal.plan):
            console.print(indented(Text(line)))
    said = {guard.message for guard in signal.guards}
    for proposal in (p for p in signal.proposals if p not in said):
        console.print(indented(Text(f"Left to you: {proposal}", style="yellow")))
    for guard in signal.guards:
        console.print(_guard_line(guard))


def _plan_lines(plan: PlanTold) -> Iterator[str]:
    effect = {"buysTime": "this buys time", "removesCause": "this removes the cause"}
    yield f"What would be done: {plan.healer}: {plan.summary} ({effect[plan.effect]})"
    yield f"Step by step: {'; '.join(plan.actions)}"
    yield f"Undo: {'; '.join(plan.undo) or 'none needed or possible'}"
    yield f"At most {words.many(plan.blast_radius, 'pod')} affected"


def _guard_line(guard: GuardTold) -> RenderableType:
    if guard.allowed:
        return hanging(Text("✓", style="green"), Text(guard.message, style="dim"), by=2)
    wait = guard.retry_after_seconds
    when = f" (worth asking again in {seconds_of(wait)})" if wait is not None else ""
    return hanging(Text("✗", style="red"), Text(f"{guard.message}{when}"), by=2)
