"""`akeso backtest` against a Prometheus over HTTP."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from akeso.cli import main
from unit.backtest.prometheus_server import Server, serving

START, END = 1_790_000_040.0, 1_790_000_040.0 + 12 * 3600
MIB = 2.0**20
APP = {"namespace": "shop", "pod": "web-6f7c9d4b8-x2k4z", "container": "app"}
KILLED = START + 8 * 3600


def leaking(time: float) -> float | None:
    """A leak of four hours to the limit of 100 MiB, and what dies of it."""
    if not KILLED - 8 * 3600 <= time < KILLED:
        return None
    return (40 + 60 * max(0.0, 1 - (KILLED - time) / 14_400)) * MIB


def after(time: float) -> float | None:
    return 20 * MIB if time >= KILLED else None


@pytest.fixture
def server() -> Generator[Server]:
    series: dict[str, Any] = {
        "working_set_bytes": [({**APP, "id": "/a"}, leaking), ({**APP, "id": "/b"}, after)],
        "resource_limits": [(APP, lambda _: 100 * MIB)],
        "pool_used": [({"pool": "a", "namespace": "shop"}, lambda _: 50.0)],
        "of_pods": [({"pod": "p", "namespace": "shop"}, lambda _: 50.0)],
        "process_open_fds": [({"pod": "p", "namespace": "shop"}, lambda _: 50.0)],
        "pool_size": [({"pool": "a"}, lambda _: 100.0)],
    }
    with serving(Server(series)) as found:
        yield found


@pytest.fixture
def given(server: Server, tmp_path: Path) -> list[str]:
    span = ["--start", "2026-09-21T14:14:00Z", "--end", "2026-09-22T02:14:00Z"]
    return ["--prometheus-url", server.url, *span, "--cache", str(tmp_path / "cache")]


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["backtest", *arguments, "-o", "json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_leak_that_killed_is_foreseen(
    capsys: pytest.CaptureFixture[str], server: Server, given: list[str]
):
    found = asked(capsys, *given)
    assert [s["name"] for s in found["series"]] == ["shop/web-6f7c9d4b8-x2k4z/app"]
    (failure,) = found["series"][0]["failures"]
    assert failure["kind"] == "Killed"
    assert failure["akesoLeadSeconds"] >= 900
    assert failure["limit"] == 100 * MIB
    assert found["workloads"][0]["name"] == "shop/web"
    assert "namespace: shop" in found["policy"]
    assert not server.of("restarts_total")  # labels told the restart


def test_the_table_speaks_of_bytes(capsys: pytest.CaptureFixture[str], given: list[str]):
    assert main(["backtest", *given]) == 0
    assert "of 100 MiB; Akeso" in capsys.readouterr().out


def test_a_query_of_ones_own_has_its_own_limits(
    capsys: pytest.CaptureFixture[str], server: Server, given: list[str]
):
    query = ["--query", "pool_used", "--limit-query", "pool_size", "--class", "connections"]
    found = asked(capsys, *given, *query)
    assert found["series"][0]["name"] == '{namespace="shop", pool="a"}'
    assert found["series"][0]["limit"] == 100
    assert (found["query"], found["limitQuery"]) == ("pool_used", "pool_size")
    assert found["policy"] is None  # a limit that varies is no threshold
    varying = asked(capsys, *given, "--query", "of_pods", "--limit-query", "pool_size")
    assert "compared with one number" in varying["advice"][0]
    limited = asked(capsys, *given, "--query", "of_pods", "--limit", "80")
    assert "query: of_pods" in limited["policy"] and "podLabel: pod" in limited["policy"]
    nobodys = asked(capsys, *given, "--query", "pool_used", "--limit", "80")
    assert nobodys["policy"] is None and "by (namespace, pod)" in nobodys["advice"][0]


def test_classes_with_a_query_of_ours_need_none(
    capsys: pytest.CaptureFixture[str], server: Server, given: list[str]
):
    found = asked(capsys, *given, "--class", "connections", "-n", "shop")
    assert found["query"].startswith("100 * max by (namespace, pod) (process_open_fds")
    assert found["series"][0]["limit"] == 90
    assert "builtin: DescriptorExhaustion" in found["policy"]
    assert "threshold" not in found["policy"]
    other = asked(capsys, *given, "--class", "connections", "--limit", "75")
    assert "value: '75'" in other["policy"]
    assert main(["backtest", *given, "--class", "connections", "-n", "other"]) == 1
    assert "has nothing" in capsys.readouterr().err


def test_the_settings_of_the_operator_hold(
    capsys: pytest.CaptureFixture[str], server: Server, given: list[str], tmp_path: Path
):
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    access = ["--prometheus-token-file", str(token), "--prometheus-tenant", "me"]
    asked(capsys, *given, *access, "--memory-metric", "my_working_set_bytes", "-n", "shop")
    assert all(h["Authorization"] == "Bearer s3cret" for h in server.headers)
    assert all(h["X-Scope-OrgID"] == "me" for h in server.headers)
    query = server.asked[0][0]
    assert "my_working_set_bytes" in query and 'namespace="shop"' in query
    kept = b"".join(f.read_bytes() for f in (tmp_path / "cache").rglob("*") if f.is_file())
    assert b"s3cret" not in kept


def test_without_a_cache_nothing_is_written(
    capsys: pytest.CaptureFixture[str], given: list[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    asked(capsys, *given[:-2], "--no-cache")
    assert list(tmp_path.iterdir()) == []
    asked(capsys, *given[:-2])
    folders = list((tmp_path / "own" / "akeso" / "backtest").iterdir())
    assert len(folders) == 2  # values and limits
    assert all(folder.stat().st_mode & 0o077 == 0 for folder in folders)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--query", "nothing_there", "--limit", "5"), 1, "has nothing for that time"),
        (("--query", "pool_used"), 1, "no limits of its own: give --limit NUMBER or --limit-query"),
        (("--class", "queue"), 1, "Class queue has no query of its own here (these have: memory, "),
        (("--last", "5d"), 2, "--last and --start exclude each other"),
        (("--limit-query", "x"), 2, "--limit-query needs --query"),
        (("--query", "x", "-n", "shop"), 2, "-n is for the class's own query"),
        (("--start", "2026-13-01"), 2, "--start '2026-13-01' is no time"),
        (("--start", "2027-01-01"), 2, "is no time"),
        (("--csv", "x.csv"), 2, "is for Prometheus; leave it out, or the file"),
    ],
)
def test_what_can_not_be_done_is_one_sentence_with_its_remedy(
    capsys: pytest.CaptureFixture[str], given: list[str], arguments: tuple[str, ...], code: int,
    said: str,
):  # fmt: skip
    assert main(["backtest", *given, *arguments]) == code
    out, err = capsys.readouterr()
    assert out == "" and said in err and ".." not in err and "kubectl" not in err


def test_a_prometheus_that_is_not_there_is_said_at_once(capsys: pytest.CaptureFixture[str]):
    assert main(["backtest", "--prometheus-url", "http://127.0.0.1:9", "--no-cache"]) == 1
    assert "nothing listens there" in capsys.readouterr().err


def test_containers_without_limits_are_said_to_have_none(
    capsys: pytest.CaptureFixture[str], server: Server, given: list[str]
):
    server.series = {k: v for k, v in server.series.items() if k != "resource_limits"}
    assert main(["backtest", *given]) == 1
    assert "has no limits for that time" in capsys.readouterr().err
