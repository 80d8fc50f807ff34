"""A report of what a real operator did, from a real API server and a real Prometheus."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from cluster.harness import World
from cluster.operators import SOURCES
from cluster.workloads import policy, query_signal, workload

NOBODY = "http://127.0.0.1:9"  # refuses


async def akeso(here: World, *words: str, url: str | None = None) -> tuple[int, bytes, str]:
    """`akeso report` as a person runs it: exit code, standard output, standard error."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AKESO_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "akeso", "report", *words, "-n", here.name),
        *("--kubeconfig", str(here.stage.lab.kubeconfig), "--akeso-namespace", here.own),
        *("--prometheus-url", url or str(here.stage.lab.prometheus)),
        env={**environment, "PYTHONPATH": os.pathsep.join(SOURCES)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out, err.decode()


async def test_what_was_measured_done_and_found_is_told_with_and_without_prometheus(
    here: World, tmp_path: Path
) -> None:
    await here.apply(workload(replicas=2))
    await here.rolled_out("Deployment")
    await here.apply(policy(query_signal(here.name)))
    here.operator.start()
    await here.condition("Ready", "True")
    tired = {pod["metadata"]["name"] for pod in await here.pods()}
    rested = f'count_over_time(fatigue{{namespace="{here.name}"}}[1m]) >= 4'

    async def measured() -> bool:  # the report is to show what was before, every 2 s
        return len(await asyncio.to_thread(here.stage.lab.query, rested)) == 2

    await here.until(measured)
    await here.tire()
    [healing] = await here.healed()
    name = healing["metadata"]["name"]
    await here.quiet()  # what happened is told in Events, a moment later
    before = here.audit_position()

    code, out, err = await akeso(here, "latest", "-o", "json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["name"], told["badge"], told["notes"]) == (name, "Verified", [])
    [panel] = told["panels"]
    assert (panel["query"], panel["threshold"]) == (f'fatigue{{namespace="{here.name}"}}', 0.5)
    concerned = [s for s in panel["series"] if s["role"] == "concerned"]
    assert {s["label"] for s in concerned} == tired
    assert [{v for _, v in s["points"]} for s in concerned] == [{0.0, 1.0}] * 2, str(panel)
    fresh = [s for s in panel["series"] if s["role"] == "successor"]
    assert len(fresh) == 2 and all({v for _, v in s["points"]} == {0.0} for s in fresh)
    whats = [m["what"] for m in told["moments"]]
    assert whats.count("Done") == 2 and whats[-1] == "Verified"

    page, image = tmp_path / "page.html", tmp_path / "image.png"
    assert await akeso(here, name, "--html", str(page)) == (0, f"{page}\n".encode(), "")
    text = page.read_text()
    assert all(pod in text for pod in tired)
    assert await akeso(here, name, "--png", str(image)) == (0, f"{image}\n".encode(), "")
    assert image.read_bytes().startswith(b"\x89PNG")

    code, out, err = await akeso(here, name, "--html", "-", url=NOBODY)
    assert code == 0 and out.rstrip().endswith(b"</html>")
    assert err.startswith("Signal fatigue of web is not shown: ") and "Traceback" not in err
    code, _, err = await akeso(here, "nothing")
    assert code == 1 and err.endswith(f"the latest there: {name}.\n")

    await here.quiet()
    assert here.audited(before) == []
    maps = Path(f"/proc/{here.operator.pid}/maps").read_text()
    assert "numpy" in maps and "matplotlib" not in maps
