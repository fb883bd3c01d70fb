"""Lambda: embeds texts with the model beside this file; `events.py` describes the events.

At the root of the artefact, the package `embedded_model` beside it: the handler is `app.handler`.
"""

from pathlib import Path
from typing import Any

from embedded_model.encoder import Encoder
from embedded_model.events import Answer, answer

encoder = Encoder.load(Path(__file__).parent / "model")


def handler(event: object, _context: Any) -> Answer:  # Lambda's context has no type of its own
    return answer(event, encoder)
