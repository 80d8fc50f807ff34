"""Faults can be written as text, and the proxy run from a shell."""

import asyncio
import inspect
import json
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from akeso_lab.errors import LabError
from akeso_lab.proxy import (
    Crash,
    Delay,
    DropEvent,
    Fault,
    Match,
    PrometheusValues,
    PrometheusWarnings,
    Reject,
    proxy_main,
)
from akeso_lab.proxy.spec import BY_NAME, parse_fault
from unit.lab.proxy.api import PODS, status_of


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("delay:seconds=2,verb=watch", Delay(seconds=2, match=Match(verbs=("watch",)))),
        ("crash:write=3,when=committed", Crash(write=3, when="committed")),
        (
            "reject:status=429,retry_after=2.5,method=PUT|PATCH,first=2",
            Reject(status=429, retry_after=2.5, match=Match(methods=("PUT", "PATCH"), first=2)),
        ),
        (r"drop-event:path=/a{1\,2}|b,nth=2", DropEvent(match=Match(path="/a{1,2}|b", nth=2))),
        ("prometheus-values:value=+Inf", PrometheusValues(value="+Inf")),
        ("prometheus-warnings:warnings=a|b", PrometheusWarnings(warnings=("a", "b"))),
    ],
)
def test_a_fault_can_be_written_as_text(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dealy:seconds=2", "use one of: delay, cut"),
        ("delay", "delay needs seconds"),
        ("delay:seconds=two", "seconds must be a number"),
        ("delay:seconds=1,before=lunch", "use one of: request, response"),
        ("delay:seconds=1,colour=red", "has no 'colour'"),
        ("delay:seconds", "write key=value"),
        ("cut:verb=wacth", "unknown verb"),
        ("cut:path=(", "correct the value"),
        ("cut:first=1,nth=2", "at most one"),
    ],
)
def test_a_mistake_in_the_text_is_answered_with_what_to_write(text: str, message: str) -> None:
    with pytest.raises(LabError) as refusal:
        parse_fault(text)
    assert message in str(refusal.value)


def test_every_fault_that_needs_no_moment_has_a_name() -> None:
    from akeso_lab import proxy

    classes = [getattr(proxy, name) for name in proxy.__all__]
    faults = {one for one in classes if isinstance(one, type) and issubclass(one, Fault)}
    abstract = {one for one in faults if one is Fault or inspect.isabstract(one)}
    assert set(BY_NAME.values()) == faults - abstract - {proxy.Stale}


def test_wrong_arguments_end_with_code_2_and_one_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert proxy_main(["--upstream", "http://127.0.0.1:1", "--fault", "delay"]) == 2
    assert "delay needs seconds" in capsys.readouterr().err
    assert proxy_main(["--kubeconfig", "/nowhere"]) == 2


async def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path, upstream: str) -> None:
    out = tmp_path / "kubeconfig"
    program = (
        "import sys; from akeso_lab.proxy import proxy_main; sys.exit(proxy_main(sys.argv[1:]))"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, "--upstream", upstream),
        *("--write-kubeconfig", str(out), "--fault", "crash:write=1"),
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert process.stdout is not None
    assert upstream in (await process.stdout.readline()).decode()
    address = json.loads(out.read_text())["clusters"][0]["cluster"]["server"]
    async with aiohttp.ClientSession(address) as client:
        with pytest.raises(aiohttp.ClientConnectionError):
            await status_of(client.post(PODS))
        assert b"crash at write 1" in await process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        while True:
            try:
                assert await status_of(client.post(PODS)) == 200
                break
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert b"1 of" in await process.stdout.readline()
    assert await process.wait() == 0
