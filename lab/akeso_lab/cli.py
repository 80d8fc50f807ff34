"""``python -m akeso_lab``: the command line."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from akeso_lab import lifecycle
from akeso_lab.build import build
from akeso_lab.errors import LabError
from akeso_lab.foreign import adopt
from akeso_lab.lab import Lab
from akeso_lab.operator_image import build_operator_image
from akeso_lab.parts import KUBERNETES, NEWEST, TOOLS, Tier, part_named, parts_of

_EXAMPLES = """
examples:
  python -m akeso_lab up                          a control plane with fake nodes, no root needed
  python -m akeso_lab up --name node --tier node  a real node as well: real pods, real leaks
  python -m akeso_lab up --name mine --kubeconfig ~/.kube/config --prometheus http://localhost:9090
  python -m akeso_lab up --name old --kubernetes 1.33   an older Kubernetes, without a node
  python -m akeso_lab build --tier node           build everything now, start nothing
  python -m akeso_lab status -o json
  python -m akeso_lab down --name node

Programs are built from source once, about 11 minutes on 2 cores, and kept in
${AKESO_LAB_CACHE:-${XDG_CACHE_HOME:-~/.cache}/akeso-lab}. A lab's files and logs are in
${AKESO_LAB_STATE:-/var/tmp/akeso-lab}/<name>.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when all is well, 1 when not, 2 for a wrong command line."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["proxy"]:  # it has a command line of its own, and needs aiohttp
        from akeso_lab.proxy.command import proxy_main

        return proxy_main(given[1:])
    options = _parser().parse_args(given)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; `down` removes what was started", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m akeso_lab",
        description="A Kubernetes cluster on this machine, from source, without Docker.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_up(commands.add_parser("up", help="start a lab, or make sure that it runs"))
    for name, run, about in (
        ("down", _down, "stop a lab and remove everything of it"),
        ("status", _status, "tell how a lab is; exit code 1 if it is not healthy"),
    ):
        command = commands.add_parser(name, help=about)
        _add_common(command)
        command.set_defaults(command=run)
    listing = commands.add_parser("list", help="name the labs on this machine")
    _add_output(listing)
    listing.set_defaults(command=_list)
    commands.add_parser(
        "proxy", help="put faults between a client and an API (docs/fault-proxy.md)"
    )
    building = commands.add_parser("build", help="build the programs, start nothing")
    _add_tier(building)
    _add_kubernetes(building)
    building.add_argument("part", nargs="*", help="only these programs")
    building.set_defaults(command=_build)
    imaging = commands.add_parser("image", help="build the operator's image, needs root on Linux")
    _add_output(imaging)
    imaging.set_defaults(command=_image)
    return parser


def _add_up(parser: argparse.ArgumentParser) -> None:
    _add_common(parser)
    _add_tier(parser)
    _add_kubernetes(parser)
    parser.add_argument(
        "--scrape-interval",
        type=int,
        default=lifecycle.DEFAULT_SCRAPE_INTERVAL_SECONDS,
        metavar="SECONDS",
        help="how often Prometheus scrapes (default: %(default)s)",
    )
    parser.add_argument("--kubeconfig", type=Path, help="use this cluster and start nothing")
    parser.add_argument("--prometheus", metavar="URL", help="with --kubeconfig: its Prometheus")
    parser.set_defaults(command=_up)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default="lab", help="which lab (default: %(default)s)")
    _add_output(parser)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")


def _add_tier(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tier",
        type=Tier,
        choices=tuple(Tier),
        default=Tier.CONTROL_PLANE,
        help="control-plane: API server, controllers, fake nodes, Prometheus, Alertmanager; "
        "node: a real node as well, needs root on Linux (default: %(default)s)",
    )


def _add_kubernetes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--kubernetes",
        choices=tuple(KUBERNETES),
        default=NEWEST,
        help="an older one has no node (default: %(default)s)",
    )


def _report(line: str) -> None:
    """Progress goes to stderr: stdout is the result."""
    print(line, file=sys.stderr, flush=True)


def _up(options: argparse.Namespace) -> int:
    started = time.monotonic()
    if options.kubeconfig is not None:
        lab = adopt(options.name, options.kubeconfig, options.prometheus)
    else:
        lab = lifecycle.up(
            options.name,
            options.tier,
            kubernetes=options.kubernetes,
            scrape_interval_seconds=options.scrape_interval,
            report=_report,
        )
    _report(f"{lab.name} is up after {time.monotonic() - started:.1f} s")
    print(lab.as_json() if options.output == "json" else _summary(lab))
    return 0


def _summary(lab: Lab) -> str:
    lines = [
        f"lab         {lab.name} ({lab.tier}, Kubernetes {lab.kubernetes})",
        f"API server  {lab.apiserver}",
        f"Prometheus  {lab.prometheus or 'none'}",
        f"Alerts      {lab.alertmanager or 'none'}",
        f"use it      export KUBECONFIG={lab.kubeconfig} PATH={lab.bin}:$PATH",
        f"files       {lab.state}",
    ]
    lines += [f"missing     {what}: {why}" for what, why in lab.missing.items()]
    return "\n".join(lines)


def _down(options: argparse.Namespace) -> int:
    lifecycle.down(options.name)
    text = f"{options.name} is down; nothing of it is left"
    print(json.dumps({"name": options.name}) if options.output == "json" else text)
    return 0


def _status(options: argparse.Namespace) -> int:
    found = lifecycle.status(options.name)
    if options.output == "json":
        print(json.dumps(asdict(found), indent=2, default=str))
    elif not found.exists:
        print(f"{found.name}: no such lab; `up --name {found.name}` starts it")
    else:
        print(f"{found.name}: {'healthy' if found.healthy else 'not healthy; `up` repairs it'}")
        print("\n".join(f"  {part:<24} {state}" for part, state in found.parts.items()))
        if found.lab is not None:
            print(_summary(found.lab))
    return 0 if found.healthy else 1


def _list(options: argparse.Namespace) -> int:
    names = lifecycle.names()
    print(json.dumps(names) if options.output == "json" else "\n".join(names) or "no labs")
    return 0


def _build(options: argparse.Namespace) -> int:
    chosen = [part_named(name, options.kubernetes) for name in options.part]
    tools = TOOLS if options.kubernetes == NEWEST else ()
    chosen = chosen or [*parts_of(options.tier, options.kubernetes), *tools]
    for name, path in build(chosen, _report).items():
        print(f"{name} {path}")
    return 0


def _image(options: argparse.Namespace) -> int:
    image = build_operator_image(_report)
    layers = image.layers()
    if options.output == "json":
        found = {"reference": image.reference, "archive": str(image.archive)}
        print(json.dumps(found | {"layers": [asdict(layer) for layer in layers]}, indent=2))
        return 0
    print(f"{image.reference}  {image.archive}")
    for layer in layers:
        print(f"{layer.size / 1e6:7.1f} MB  {layer.made_by[:80]}")
    print(f"{sum(layer.size for layer in layers) / 1e6:7.1f} MB  in all")
    return 0
