"""What is inside the image, with versions and licences: a CycloneDX 1.6 document on stdout.

Runs inside the image while it is built, on the interpreter whose packages it lists, and reads what is
installed: the packages' metadata and Debian's database. No time stamp and no random serial number, so that
two builds of one commit write the same bytes.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

Component = dict[str, Any]
DEBIAN_DOCS = Path("/usr/share/doc")


def main() -> None:
    components = sorted([*python_packages(), *debian_packages()], key=lambda part: part["purl"])
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "container",
                "name": "sagemaker-nmt-container",
                "licenses": licences(["GPL-3.0-only"]),
            }
        },
        "components": components,
    }
    json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
    print()


def component(kind: str, name: str, version: str, found: list[str], qualifier: str = "") -> Component:
    purl = f"pkg:{kind}/{name}@{version.replace('+', '%2B')}{qualifier}"
    part: Component = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if found:
        part["licenses"] = licences(found)
    return part


def licences(names: list[str]) -> list[dict[str, Any]]:
    return [{"license": {"name": name}} for name in names]


def python_packages() -> list[Component]:
    """Every package of this interpreter."""
    return [
        component("pypi", re.sub(r"[-_.]+", "-", part.name).lower(), part.version, python_licences(part.metadata))
        for part in metadata.distributions()
    ]


def python_licences(fields: metadata.PackageMetadata) -> list[str]:
    """By preference: the SPDX expression, the trove classifiers, the free text where it is a name, not a text."""
    if "License-Expression" in fields:
        return [fields["License-Expression"]]
    classifiers = [line for line in fields.get_all("Classifier") or [] if line.startswith("License :: ")]
    named = sorted({line.rpartition(" :: ")[2] for line in classifiers} - {"OSI Approved"})
    text = fields["License"].strip() if "License" in fields else ""
    return named or ([text] if text and "\n" not in text and len(text) < 80 else [])


def debian_packages() -> list[Component]:
    """Every Debian package of the image; none where there is no dpkg."""
    form = "${binary:Package}\t${Version}\t${Architecture}\n"
    try:
        listed = subprocess.run(["dpkg-query", "--show", f"--showformat={form}"], capture_output=True, text=True)
    except FileNotFoundError:
        return []
    rows = (line.split("\t") for line in listed.stdout.splitlines())
    return [
        component("deb/debian", name.partition(":")[0], version, debian_licences(name), f"?arch={architecture}")
        for name, version, architecture in rows
    ]


def debian_licences(package: str) -> list[str]:
    """The licence names of a machine-readable copyright file; older files have none."""
    file = DEBIAN_DOCS / package.partition(":")[0] / "copyright"
    if not file.is_file():
        return []
    text = file.read_text(encoding="utf-8", errors="replace")
    return sorted(set(re.findall(r"^License: +(\S.*?)\s*$", text, re.MULTILINE)))


if __name__ == "__main__":
    main()
