"""The text of a Gemini content: what its parts may hold, and what they may not.

https://ai.google.dev/api/caching#Part
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.core.errors import InvalidRequest, UnsupportedParameter

Part = Mapping[str, Any]
"""JSON as it came."""

OTHER_PARTS = {
    "inlineData": "inline media",
    "inline_data": "inline media",
    "fileData": "files",
    "file_data": "files",
    "functionCall": "function calls",
    "function_call": "function calls",
    "functionResponse": "function responses",
    "function_response": "function responses",
    "executableCode": "executable code",
    "executable_code": "executable code",
    "codeExecutionResult": "results of code",
    "code_execution_result": "results of code",
}
"""What a part may hold instead of text."""

BESIDE_TEXT = {"thought", "thoughtSignature", "thought_signature", "videoMetadata", "video_metadata"}
"""What says something about a part without being one."""

KNOWN = OTHER_PARTS.keys() | BESIDE_TEXT | {"text"}


def text_of(parts: Sequence[Part], path: str) -> str:
    """The text of a content: its parts are one input, a line each; raises `InvalidRequest`."""
    text = "\n".join(_part_text(part, f"{path}.parts[{index}]") for index, part in enumerate(parts))
    if not text:
        raise InvalidRequest(f"'{path}' has no text: give it at least one part with text.", param=path)
    return text


def _part_text(part: Part, path: str) -> str:
    for field, value in part.items():
        _check_field(field, value, path)
    text = part.get("text")
    if not isinstance(text, str) or not text:
        raise InvalidRequest(f"'{path}.text' must be a string, not empty.", param=f"{path}.text")
    return text


def _check_field(field: str, value: object, path: str) -> None:
    if field not in KNOWN:
        raise InvalidRequest(
            f"Invalid JSON payload received. Unknown name \"{field}\" at '{path}': Cannot find field.",
            param=f"{path}.{field}",
            unknown=True,
        )
    if field in OTHER_PARTS and value is not None:  # null means absent
        raise UnsupportedParameter(f"'{path}.{field}': only text is embedded, not {OTHER_PARTS[field]}.", param=path)
