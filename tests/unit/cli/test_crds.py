"""The CRDs of this version: printed for kubectl, listed, and compared with a cluster's."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from akeso.api.meta import GROUP
from akeso.cli import main
from akeso.cli.crds import differences
from akeso.clients import shipped
from akeso.errors import GoneError
from akeso_healers import BUILT_IN

ROOT = Path(__file__).resolve().parents[3]


def test_what_is_printed_is_what_is_in_the_repository(capsys: pytest.CaptureFixture[str]):
    assert main(["crds"]) == 0
    found = list(yaml.safe_load_all(capsys.readouterr().out))
    files = [yaml.safe_load(path.read_text()) for path in (ROOT / "crds").glob("*.yaml")]
    by_name = {crd["metadata"]["name"]: crd for crd in files}
    assert {crd["metadata"]["name"]: crd for crd in found} == by_name


def test_as_json_it_is_one_list(capsys: pytest.CaptureFixture[str]):
    assert main(["crds", "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], len(found["items"])) == ("List", len(shipped.crds()))


def test_the_list_names_kind_and_version(capsys: pytest.CaptureFixture[str]):
    assert main(["crds", "--list", "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["crds"]
    assert found[0] == {
        "name": f"healingpolicies.{GROUP}",
        "kind": "HealingPolicy",
        "version": "v1alpha1",
        "shortName": "hp",
    }
    assert main(["crds", "--list"]) == 0
    assert f"healings.{GROUP}" in capsys.readouterr().out


class Cluster:
    """An API server that knows some CRDs."""

    def __init__(self, crds: dict[str, Any]) -> None:
        self.crds = crds

    async def get(self, path: str) -> dict[str, Any]:
        plural = path.rpartition("/")[2].partition(".")[0]
        if plural not in self.crds:
            raise GoneError(f"GET {path}: not found")
        return self.crds[plural]

    async def close(self) -> None:
        pass


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    crds = copy.deepcopy(dict(shipped.crds()))

    async def connect(_: object) -> Cluster:
        return Cluster(crds)

    monkeypatch.setattr("akeso.clients.kubernetes.connection.connect", connect)
    return crds


def test_the_same_is_exit_code_0(cluster: dict[str, Any], capsys: pytest.CaptureFixture[str]):
    cluster["healings"]["status"] = {"conditions": []}  # what the server adds does not count
    assert main(["crds", "--diff"]) == 0
    assert capsys.readouterr().out.count("as in this version") == len(cluster)


def test_what_differs_is_named_with_both_values_and_the_remedy(
    cluster: dict[str, Any], capsys: pytest.CaptureFixture[str]
):
    version = cluster["healingpolicies"]["spec"]["versions"][0]
    del version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["mode"]
    cluster["healingcontrols"]["spec"]["scope"] = "Cluster"
    del cluster["healings"]
    assert main(["crds", "--diff"]) == 1
    said = capsys.readouterr().out
    assert "properties.spec.properties.mode is not there" in said
    assert f"healingcontrols.{GROUP}: spec.scope is Cluster, in this version Namespaced" in said
    assert f"healings.{GROUP}: not installed" in said
    assert "akeso crds | kubectl apply --server-side -f -" in said
    assert main(["crds", "--diff", "-o", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["same"] is False


def test_a_list_that_is_longer_differs_as_a_whole():
    wanted = {"spec": {"group": "g", "scope": "s", "names": {}, "versions": [1]}}
    there = {"spec": {"group": "g", "scope": "s", "names": {}, "versions": [1, 2]}}
    assert list(differences(wanted, there)) == ["spec.versions is [1, 2], in this version [1]"]


def test_the_wheel_carries_crds_and_rights():
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert wheel["targets"]["wheel"]["force-include"] == {
        "crds": "akeso/crds",
        "charts/akeso/files/rights.yaml": "akeso/rights.yaml",
    }
    assert {"/crds", "/charts/akeso/files/rights.yaml"} <= set(wheel["targets"]["sdist"]["include"])


def test_the_rights_come_with_this_version_healer_by_healer():
    found = shipped.rights()
    assert set(found) == {"watch", "cluster", "own", "healers"}
    assert set(found["healers"]) == {healer.name for healer in BUILT_IN}
