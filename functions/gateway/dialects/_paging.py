"""Pages of lists, as OpenAI's clients turn them: `limit` objects after the one whose id is `after`."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from gateway.core.errors import InvalidRequest
from gateway.dialects._context import RequestContext
from gateway.dialects._response import Response


def page_limit(context: RequestContext, usual: int, most: int) -> int:
    """The query's `limit`: from 1 to `most`; raises `InvalidRequest`."""
    given = context.query_value("limit")
    if given is None:
        return usual
    if not given.isascii() or not given.isdigit() or not 1 <= int(given[:9]) <= most:
        raise InvalidRequest(f"'limit' must be an integer from 1 to {most}.", param="limit")
    return int(given)


def page(data: Sequence[Mapping[str, Any]], *, has_more: bool) -> Response:
    """A page of objects that have an `id`."""
    ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
    return Response(body=orjson.dumps({"object": "list", "data": data, **ends, "has_more": has_more}))
