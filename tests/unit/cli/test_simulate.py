"""`akeso simulate`: the story, what is different from the recording, and the exit code of each."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from akeso.cli import main
from unit.engine.scenes import leak
from unit.engine.sim import MEMORY
from unit.simulation.recording import Recorded

POLICY = """\
apiVersion: akeso.dev/v1alpha1
kind: HealingPolicy
metadata: {name: shop}
spec:
  mode: Heal
  targets: [{name: all, selector: {}}]
  signals: [{name: memory, builtin: MemoryExhaustion, ladder: []}]
"""


@pytest.fixture(scope="module")
def healed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world, _ = leak(replicas=2)
    recorded = Recorded(world, tmp_path_factory.mktemp("healed"), "jsonl.gz")
    return asyncio.run(recorded.until(world.completed()))[0]


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world, _ = leak(replicas=2)
    world.policy(dict(MEMORY), mode="Observe")
    recorded = Recorded(world, tmp_path_factory.mktemp("observed"))
    return asyncio.run(recorded.run(120))[0]


def test_the_same_decisions_are_told_and_are_exit_code_0(
    healed: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["simulate", str(healed)]) == 0
    said = capsys.readouterr()
    assert "2027-01-15 08:00:00 UTC" in said.out and "Akeso 1.2.3" in said.out
    for decision in ("Opened", "Planned", "Wrote", "Verified"):
        assert decision in said.out
    assert said.out.rstrip().endswith("decisions, the same as recorded.")
    assert said.err == ""


def test_the_json_has_these_keys(healed: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["simulate", str(healed), "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {
        *("began", "seconds", "cycles", "runs", "recordedBy", "whatIf", "decisions"),
        *("recordedDecisions", "same", "differences", "departure", "remarks"),
    }
    assert (told["same"], told["differences"], told["departure"]) == (True, [], None)
    assert set(told["decisions"][0]) == {
        *("afterSeconds", "at", "decision", "reason", "target", "signal", "policy", "healer"),
        *("healing", "message", "beyondRecording"),
    }


def test_other_decisions_than_recorded_are_shown_side_by_side_and_are_exit_code_1(
    healed: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    """As if another version had recorded it, which said something else."""
    import gzip

    text = (
        gzip.decompress(healed.read_bytes()).decode().replace('"what":"Opened"', '"what":"Found"')
    )
    (tmp_path / "other").write_text(text)
    assert main(["simulate", str(tmp_path / "other")]) == 1
    said = capsys.readouterr().out
    assert "- recorded" in said and "Found" in said
    assert "+ replayed" in said and "Opened" in said
    assert said.rstrip().endswith("they differ.")


def test_a_what_if_is_told_up_to_where_the_recording_ends_and_is_exit_code_0(
    observed: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["simulate", str(observed), "--mode", "Heal"]) == 0
    said = capsys.readouterr().out
    assert "From decision 4 on" in said
    assert "the recording no longer tells what would have followed" in said
    assert "another policy, other decisions." in said


def test_another_policy_takes_the_place_of_the_recorded_one(
    healed: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    assert main(["simulate", str(healed), "--policy", str(file), "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["whatIf"] and not told["same"]
    assert "Wrote" not in {d["decision"] for d in told["decisions"]}
    assert "NeedsHuman" in {d["decision"] for d in told["decisions"]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no file"),
        ("", "holds no HealingPolicy"),
        ("{[", "is not YAML"),
        ("kind: Pod", "holds a Pod where a HealingPolicy is expected"),
        ("- 1", "holds something else where a HealingPolicy is expected"),
        (POLICY.replace("mode: Heal", "mode: Maybe"), "spec.mode"),
        (POLICY.replace("name: shop", "name: other"), "has no HealingPolicy other"),
        (f"{POLICY}---\n{POLICY}", "HealingPolicy shop is given twice"),
    ],
)
def test_a_policy_that_will_not_do_is_one_sentence(
    content: str | None,
    said: str,
    observed: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    file = tmp_path / "policy.yaml"
    if content is not None:
        file.write_text(content)
    assert main(["simulate", str(observed), "--policy", str(file)]) == 1
    caught = capsys.readouterr()
    assert said in caught.err and caught.err.startswith("akeso: ") and caught.out == ""
    assert caught.err.count("\n") == 1


def test_what_is_no_incident_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    assert main(["simulate", str(file)]) == 1
    assert capsys.readouterr().err == (
        f"akeso: {file} is not a recorded incident: it begins with 'apiVersion: akeso.dev/v1alpha1'."
        " Record one with: akeso operator --record-path FILE\n"
    )
