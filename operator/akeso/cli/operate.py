"""`akeso operator`: the process that heals."""

from __future__ import annotations

import argparse
import asyncio
from functools import partial

from akeso.cli.parser import Options

EXAMPLES = """\
examples:
  akeso operator --prometheus-url http://prometheus.monitoring:9090
  akeso operator --watch-namespaces shop,backend --kubeconfig ~/.kube/config
  akeso operator --record-path /var/lib/akeso/incident.jsonl.gz     for `akeso simulate`
  AKESO_SCRAPE_INTERVAL_SECONDS=30 akeso operator
  akeso operator --settings-file settings.yaml

It logs one JSON object per line on standard error and ends with 0 when told to stop (SIGTERM),
with 1 when it lost its Lease or a part is beyond repair: whoever runs it starts it again.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    from akeso.cli.flags import add_settings

    parser.usage = "akeso operator [--SETTING VALUE ...]"
    add_settings(parser)


def run(options: Options) -> int:
    from akeso.cli.flags import settings_of
    from akeso.wiring.operator import run_operator

    return asyncio.run(run_operator(partial(settings_of, options)))
