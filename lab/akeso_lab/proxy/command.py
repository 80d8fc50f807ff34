"""`python -m akeso_lab proxy`: a fault proxy in front of a cluster, from a shell."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from akeso_lab.errors import LabError
from akeso_lab.proxy.exchange import Fault
from akeso_lab.proxy.server import FaultProxy
from akeso_lab.proxy.spec import BY_NAME, parse_fault
from akeso_lab.proxy.traffic import RequestRecord
from akeso_lab.proxy.upstream import Listen


def proxy_main(argv: Sequence[str]) -> int:
    """Run the proxy until SIGINT or SIGTERM; SIGHUP disarms all faults and undoes a crash.

    Returns the exit code: 0, or 2 for something wrong with the arguments.
    """
    options = _parser().parse_args(argv)
    try:
        faults = [parse_fault(text) for text in options.fault]
        proxy = _proxy(options)
    except (LabError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    asyncio.run(_run(proxy, faults, options.write_kubeconfig))
    return 0


async def _run(proxy: FaultProxy, faults: Sequence[Fault], kubeconfig: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, proxy.reset)
    async with proxy:
        for fault in faults:
            proxy.add(fault)
        if kubeconfig is not None:
            proxy.kubeconfig(kubeconfig)
        print(f"fault proxy: {proxy.url} -> {proxy.upstream.url}", flush=True)
        await stop.wait()
    print(
        f"fault proxy: {len(proxy.requests)} requests,"
        f" {len(proxy.committed)} of {len(proxy.writes)} writes committed",
        flush=True,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m akeso_lab proxy",
        description="Stand between a client and the API server or Prometheus, and break things.",
        epilog=f"Faults: {', '.join(BY_NAME)}. See docs/fault-proxy.md.",
    )
    behind = parser.add_mutually_exclusive_group(required=True)
    behind.add_argument("--kubeconfig", type=Path, help="the cluster to stand in front of")
    behind.add_argument("--upstream", help="a URL to stand in front of, such as Prometheus'")
    parser.add_argument("--write-kubeconfig", type=Path, help="where to write one for clients")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1 (default: a free one)")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME:KEY=VALUE,...",
        help="may be repeated; for example delay:seconds=2,verb=watch",
    )
    return parser


def _proxy(options: argparse.Namespace) -> FaultProxy:
    listen = Listen(port=options.port)
    if options.kubeconfig is None:
        return FaultProxy(options.upstream, listen=listen, on_crash=_say_crash)
    return FaultProxy.for_kubeconfig(options.kubeconfig, listen=listen, on_crash=_say_crash)


def _say_crash(record: RequestRecord) -> None:
    print(
        f"fault proxy: crash at write {record.write_index}: {record.method} {record.path}."
        " Everything is refused until SIGHUP.",
        flush=True,
    )
