"""The `input` of OpenAI-like bodies: a text, texts, token ids, or lists of token ids."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from gateway.core.embedding import Input, Tokens
from gateway.core.errors import InvalidRequest

MAX_TOKEN_ID = 2**31 - 1

_FORMS = "a string, an array of strings, an array of token ids, or an array of arrays of token ids"


def _refuse_others(value: Any) -> Any:  # JSON as it came
    if isinstance(value, bool | str):
        raise PydanticCustomError("int_type", "Input should be a valid integer")
    return value


WholeNumber = Annotated[int, Field(strict=False), BeforeValidator(_refuse_others)]
"""An integer of a body: 8, and 8.0 too, which JSON does not tell apart; no text, no truth value."""


def read_inputs(value: Any) -> tuple[Input, ...]:  # JSON as it came
    """The inputs of a request, in order; raises `InvalidRequest` naming the element that is wrong."""
    if isinstance(value, str):
        return (_text(value, "input"),)
    if not isinstance(value, list):
        raise InvalidRequest(f"Invalid 'input': it must be {_FORMS}.", param="input")
    if not value:
        raise InvalidRequest("Invalid 'input': it is an empty array; give at least one input.", param="input")
    first = value[0]
    if isinstance(first, str):
        return tuple(_text(item, f"input[{index}]") for index, item in enumerate(value))
    if isinstance(first, list):
        return tuple(_tokens(item, f"input[{index}]") for index, item in enumerate(value))
    if type(first) in {int, float}:
        return (_tokens(value, "input"),)
    raise InvalidRequest(f"Invalid 'input[0]': it must be {_FORMS}.", param="input[0]")


def _text(value: Any, path: str) -> str:  # JSON as it came
    if not isinstance(value, str):
        raise InvalidRequest(f"Invalid '{path}': the other inputs are strings, so it must be one too.", param=path)
    if not value:
        raise InvalidRequest(f"Invalid '{path}': it is an empty string, which has no meaning to embed.", param=path)
    return value


def _tokens(value: Any, path: str) -> Tokens:  # JSON as it came
    if not isinstance(value, list) or not value:
        raise InvalidRequest(f"Invalid '{path}': it must be an array of token ids, not empty.", param=path)
    for index, item in enumerate(value):
        if not _is_token(item):
            raise InvalidRequest(
                f"Invalid '{path}[{index}]': a token id is an integer from 0 to {MAX_TOKEN_ID}.",
                param=f"{path}[{index}]",
            )
    return tuple(map(int, value))


def _is_token(value: Any) -> bool:  # JSON as it came, where 8.0 is 8
    if type(value) is float:
        return value.is_integer() and 0 <= value <= MAX_TOKEN_ID
    return type(value) is int and 0 <= value <= MAX_TOKEN_ID
