"""Makes the file of a vocabulary from tiktoken's own: `python -m infra.vocabulary cl100k_base cl100k_base.tiktoken`.

OpenAI publishes these files under the MIT licence; several packages on PyPI carry them, litellm and llama-index-core
among them, under the name 9b5ad71b2ce5302211f9c61530b329a4922fc6a4.
"""

import base64
import hashlib
import sys
from pathlib import Path

from gateway.vocabularies import FOLDER, packed

PUBLISHED = {"cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"}
"""SHA-256 of the files as tiktoken expects them, by vocabulary."""


def convert(name: str, published: bytes) -> bytes:
    """The file's content; raises `ValueError` if it is not the published one."""
    if hashlib.sha256(published).hexdigest() != PUBLISHED[name]:
        raise ValueError(f"This is not the published file of {name}.")
    ranks = (line.split() for line in published.splitlines() if line)
    by_id = sorted((int(rank), base64.b64decode(token)) for token, rank in ranks)
    if [number for number, _ in by_id] != list(range(len(by_id))):
        raise ValueError("The ids are not those from 0 on, each once.")
    return packed([token for _, token in by_id])


if __name__ == "__main__":
    _, wanted, source = sys.argv
    place = FOLDER / f"{wanted}.bin"
    place.write_bytes(convert(wanted, Path(source).read_bytes()))
    print(f"Wrote {place}.")
