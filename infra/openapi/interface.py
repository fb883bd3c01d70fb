"""Swagger UI, which shows the OpenAPI document at /docs: one version, kept in the repository, checked by its hashes.

`python -m infra.openapi.interface` puts it there anew, from npm's `swagger-ui-dist`; only that needs npm. It is under
the Apache License 2.0; licence and notices lie beside it.
"""

import gzip
import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

from infra.openapi.document import ROOT

VERSION = "5.35.0"

FOLDER = ROOT / "functions" / "gateway" / "documents" / "interface"

COMPRESSED = {
    "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
}
"""SHA-256 by name; kept as gzip, because that is how browsers take them."""

BESIDE = {"LICENSE": "LICENSE", "NOTICE": "NOTICE", "swagger-ui-bundle.js.LICENSE.txt": "LICENSES.txt"}
"""By name in the package: name here."""


def fetch(folder: Path) -> None:
    """Put the files into the folder; raises `ValueError` if they are not those expected."""
    with tempfile.TemporaryDirectory() as place:
        command = ["npm", "pack", f"swagger-ui-dist@{VERSION}", "--silent", "--pack-destination", place]
        subprocess.run(command, check=True)
        (package,) = Path(place).glob("*.tgz")
        with tarfile.open(package) as archive:
            _keep(archive, folder)


def _keep(archive: tarfile.TarFile, folder: Path) -> None:
    for name, expected in COMPRESSED.items():
        content = _read(archive, name)
        if hashlib.sha256(content).hexdigest() != expected:
            raise ValueError(f"{name} is not that of version {VERSION}.")
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
    for name, here in BESIDE.items():
        (folder / here).write_bytes(_read(archive, name))


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(f"package/{name}")
    if file is None:
        raise ValueError(f"The package holds no {name}.")
    return file.read()


if __name__ == "__main__":
    fetch(FOLDER)
    print(f"Swagger UI {VERSION} is in {FOLDER}.")
