"""Completion in a real bash, and Akeso as kubectl's plugin."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from akeso.cli.completion import SHELLS, script
from akeso.cli.parser import COMMANDS, called, parser_of

KUBECTL = """\
#!/bin/sh
echo "$*" >> "$0.asked"
case "$*" in
*namespaces*) echo namespace/shop ;;
*deployments*) echo deployment.apps/cart; echo statefulset.apps/db ;;
*healings*) echo healing.akeso.dev/cart-memory-1 ;;
esac
"""


@pytest.fixture(scope="module")
def bash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script, beside a kubectl that answers from a list."""
    folder = tmp_path_factory.mktemp("completion")
    (folder / "akeso.bash").write_text(script("bash"))
    (folder / "kubectl").write_text(KUBECTL)
    (folder / "kubectl").chmod(0o755)
    return folder


def completed(bash: Path, *words: str, path: str | None = None) -> list[str]:
    """What bash would offer for the last word."""
    quoted = " ".join(f"'{word}'" for word in ("akeso", *words))
    lines = (
        f"source {bash / 'akeso.bash'}",
        f"COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; COMP_LINE='akeso'",
        "complete -p akeso | sed 's/.*-F \\([^ ]*\\).*/\\1/' > /dev/null",
        'function_of=$(complete -p akeso | sed "s/.*-F //; s/ .*//")',
        '"$function_of" akeso "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"',
        'printf "%s\\n" "${COMPREPLY[@]}"',
    )
    environment = {"PATH": f"{bash}:{path or os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_commands_are_completed(bash: Path):
    assert set(completed(bash, "")) >= {command.name for command in COMMANDS}
    assert completed(bash, "he") == ["heal"]


def test_flags_and_their_choices_are_completed(bash: Path):
    assert completed(bash, "heal", "--rea") == ["--reason"]
    assert set(completed(bash, "status", "-o", "")) == {"table", "json", "yaml"}


def test_workloads_and_healings_are_asked_for_in_the_namespace_on_the_line(bash: Path):
    assert completed(bash, "heal", "-n", "shop", "dep") == ["deployment/cart"]
    assert "-n shop get deployments" in (bash / "kubectl.asked").read_text()
    assert completed(bash, "undo", "cart") == ["cart-memory-1"]
    assert completed(bash, "status", "-n", "") == ["shop"]


def test_without_kubectl_there_is_nothing_to_offer_and_no_complaint(bash: Path, tmp_path: Path):
    shutil.copy(bash / "akeso.bash", tmp_path)
    (tmp_path / "kubectl").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "kubectl").chmod(0o755)
    assert completed(tmp_path, "heal", "x") == []


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_and_flag_is_in_the_script(shell: str):
    text = script(shell)
    for command in COMMANDS:
        assert command.name in text
    assert "--as-operator" in text and "_akeso_workloads" in text


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh to read it")
def test_zsh_can_read_the_script(tmp_path: Path):
    (tmp_path / "_akeso").write_text(script("zsh"))
    subprocess.run(["zsh", "-n", str(tmp_path / "_akeso")], check=True)


def test_it_is_called_by_the_name_of_its_file():
    assert called("/usr/bin/kubectl-akeso") == "kubectl akeso"
    assert called("/usr/bin/akeso") == called("-m") == called("") == "akeso"


def test_help_and_errors_of_the_plugin_name_kubectl(tmp_path: Path):
    plugin = tmp_path / "kubectl-akeso"
    plugin.write_text(
        f"#!{sys.executable}\nimport sys\nfrom akeso.cli import main\nsys.exit(main())\n"
    )
    plugin.chmod(0o755)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {"PYTHONPATH": ":".join(sys.path), "COLUMNS": "100"}
        command = [str(plugin), *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    told = run("heal", "--help").stdout
    assert told.startswith("usage: kubectl akeso heal")
    assert "  kubectl akeso heal deployment/shop -n shop" in told
    assert run("config", "--help").stdout.startswith("usage: kubectl akeso config [-o FORMAT]")
    wrong = run("heal", "pod/x")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("kubectl akeso: 'pod/x' names no workload")
    assert "See: kubectl akeso heal --help" in wrong.stderr


def test_the_reference_is_written_for_the_command_itself():
    assert "kubectl akeso" not in parser_of("heal").format_help()
