"""How a driver in Python talks with the tests: a command per line comes in, a result per line goes out, in JSON.

The first line out names the client's version, and tells that the driver is ready.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, TextIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One thing to do, at one address, with one key. `input` is a text, texts, token ids or arrays of these."""

    origin: str
    key: str
    model: str
    do: str = "embed"
    # Any: whatever the client takes as its input.
    input: Any = None
    dimensions: int | None = None
    encoding_format: str | None = None
    retry: bool = True

    def given(self, *names: str, **renamed: str) -> dict[str, Any]:
        """Those of the named fields that are set, as keyword arguments; `ours="theirs"` renames."""
        names_of_theirs = {name: name for name in names} | renamed
        fields = {theirs: getattr(self, ours) for ours, theirs in names_of_theirs.items()}
        return {theirs: value for theirs, value in fields.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the client handed to its user."""

    vectors: Iterable[Any] = ()
    """One per input: sequences of numbers, or the text that an explicit encoding asks for."""
    usage: int | None = None
    """Prompt tokens, where the client tells."""
    names: Sequence[str] = ()
    """Of the models that were asked for."""


Operation = Callable[[Command], Answer]


def serve(package: str, **operations: Operation) -> None:
    """Answer commands until the input ends; a command's `do` names the operation."""
    out = _own_output()
    _write(out, {"version": version(package)})
    for line in sys.stdin:
        command = Command(**json.loads(line))
        _write(out, _result(operations[command.do], command))


def _own_output() -> TextIO:
    """The real output, for results only: what a client prints goes to the log."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return out


def _write(out: TextIO, message: Mapping[str, object]) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


def _result(operation: Operation, command: Command) -> dict[str, object]:
    started = time.monotonic()
    try:
        answer = operation(command)
    except Exception as error:  # noqa: BLE001 - whatever the client raises is the result
        return {"error": describe(error), "elapsed": time.monotonic() - started}
    vectors = [_plain(vector) for vector in answer.vectors]
    told = {"vectors": vectors, "usage": answer.usage, "names": list(answer.names)}
    return {**told, "elapsed": time.monotonic() - started}


def _plain(vector: Any) -> object:
    return vector if isinstance(vector, str) else [float(component) for component in vector]


def describe(error: Exception) -> dict[str, object]:
    """A client's error as its user meets it: class, HTTP status, message, code."""
    return {
        "class": type(error).__name__,
        "status": _status(error),
        "message": getattr(error, "message", None) or str(error),
        "code": _text(getattr(error, "code", None)),
        "type": _text(getattr(error, "type", None)),
        "param": _text(getattr(error, "param", None)),
    }


def _status(error: Exception) -> int | None:
    # google-genai keeps the HTTP status in `code`.
    found = getattr(error, "status_code", None) or getattr(error, "code", None)
    return found if isinstance(found, int) else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
