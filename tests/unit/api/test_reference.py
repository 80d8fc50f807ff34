"""The reference that users read is generated: it can't differ from the CRDs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_about_resources_is_what_the_crds_say(generate):
    page = ROOT / "docs" / "reference" / "resources.md"
    assert page.read_text() == generate.resources(), "run python docs/generate.py"


@pytest.mark.parametrize(
    "told",
    [
        "| `minUnhealthy` | integer, up to 1000 | `3` | So many targets may always fail",
        "| `selector` | object | required |",
        "| `mode` | `Observe` or `Heal` | `Observe` |",
        "| `guardrails` | object | those of its fields |",
        "| `pauseReasons` | set, up to 16 entries, each string, 1 to 256 characters |",
        "- only RolloutFailing takes a query, the other builtins measure by themselves",
        "- a healer stands in a ladder once",
        "- Akeso reads only the HealingControl named akeso",
        "### Healing `status.attempts[].checks`",
    ],
)
def test_each_sort_of_fact_is_told(generate, told):
    assert told in generate.resources()


def test_a_page_that_is_out_of_date_fails_the_check_and_is_left_alone(
    generate, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "PAGES", tmp_path / "reference")
    monkeypatch.setattr(generate, "PAGE_OF", {"a.md": lambda: "new"})
    assert generate.main(["--check"]) == 1
    assert "reference/a.md is out of date: run python docs/generate.py" in capsys.readouterr().err
    assert not (tmp_path / "reference").exists()
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
