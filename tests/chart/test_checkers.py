"""What checkers of manifests say of the chart: nothing, or an exception with its reason."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from akeso_lab import Lab
from chart.helm import Helm, Json
from chart.test_render import EVERYTHING

VALUES: dict[str, Json] = {"as it comes": {}, "all of it": EVERYTHING}
NAMESPACED: Json = {"settings": {"watchNamespaces": ["a", "b"], "healers": ["Rollback"]}}
# kube-score's checks that the chart does not meet, each on purpose.
EXCEPTIONS = {
    # A throttled leader can't renew its Lease in time; the memory limit is there.
    "CPU limit is not set",
    # A version's image does not change, and a registry that is down must not keep a pod from
    # starting on a node that has it; image.digest pins it, image.pullPolicy changes it.
    "ImagePullPolicy is not set to Always",
}


def manifest(helm: Helm, values: Json, folder: Path) -> Path:
    file = folder / "all.yaml"
    file.write_text(helm.text(values))
    return file


@pytest.mark.parametrize("values", [*VALUES.values(), NAMESPACED], ids=[*VALUES, "namespaced"])
def test_every_object_is_what_its_kind_allows(
    lab: Lab, helm: Helm, values: Json, tmp_path: Path
) -> None:
    quiet = {**values, "serviceMonitor": {"enabled": False}, "prometheusRule": {"enabled": False}}
    file = manifest(helm, quiet, tmp_path)
    done = subprocess.run(
        [str(lab.kubectl_validate()), str(file), "-o", "json", "--version", "1.30"],
        capture_output=True,
        text=True,
        check=False,
    )
    [found] = json.loads(done.stdout).values()
    assert len(found) == len(helm.objects(quiet))
    assert [f for f in found if f["status"] != "Success"] == [], done.stderr


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_good_practice_is_met_but_for_what_is_argued(
    lab: Lab, helm: Helm, values: Json, tmp_path: Path
) -> None:
    file = manifest(helm, values, tmp_path)
    done = subprocess.run(
        [str(lab.kube_score()), "score", "--kubernetes-version", "v1.33", "-o", "json", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = {
        comment["summary"]
        for scored in json.loads(done.stdout)
        for check in scored["checks"] or ()
        if not check["skipped"] and check["grade"] < 10
        for comment in check["comments"] or ()
    }
    assert complaints == EXCEPTIONS
