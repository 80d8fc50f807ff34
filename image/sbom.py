#!/usr/bin/env python3
"""Joins the image's Python packages and Debian packages in one bill of materials.

    sbom.py PYTHON.json DPKG-STATUS OUTPUT.json

PYTHON.json is CycloneDX 1.6, as cyclonedx-py writes it, with Akeso as the component that all is
for. DPKG-STATUS is the final stage's /var/lib/dpkg/status. What is written has been validated.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

RELEASE = "debian-12"


def debian(status: str) -> Iterator[Component]:
    """One component for each installed package of dpkg's ``status`` file."""
    for paragraph in status.strip().split("\n\n"):
        fields = Parser().parsestr(paragraph, headersonly=True)
        if not fields["Status"].endswith(" installed"):
            continue
        name, version = fields["Package"], fields["Version"]
        qualifiers = {"arch": fields["Architecture"], "distro": RELEASE}
        # A scanner knows advisories by source package.
        source = (fields["Source"] or name).partition(" ")[0]
        purl = PackageURL("deb", "debian", name, version, qualifiers)
        yield Component(
            name=name,
            version=version,
            type=ComponentType.LIBRARY,
            bom_ref=purl.to_string(),
            purl=purl,
            properties=[Property(name="debian:source", value=source)],
        )


def joined(python: str, status: str) -> str:
    """The bill of materials as JSON; ValueError where CycloneDX's schema refuses it."""
    bom = Bom.from_json(json.loads(python))
    assert isinstance(bom, Bom) and bom.metadata.component is not None
    packages = list(debian(status))
    bom.components.update(packages)
    bom.register_dependency(bom.metadata.component, packages)
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    # No time and no random number, neither of them required: the same image has the same bytes.
    document.pop("serialNumber", None)
    document["metadata"].pop("timestamp", None)
    text = json.dumps(document, indent=2)
    if refused := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"not a valid CycloneDX document: {refused}")
    return text


if __name__ == "__main__":
    source_of_python, source_of_debian, output = map(Path, sys.argv[1:])
    output.write_text(joined(source_of_python.read_text(), source_of_debian.read_text()))
