"""The OpenAPI document and the page that shows it: files, read when they are asked for.

`openapi.json` is built by `python -m infra.openapi`; `interface/` holds Swagger UI, see `infra/openapi/interface.py`.
"""

import gzip
from pathlib import Path

from fastapi import Request, Response
from starlette.routing import Route

FOLDER = Path(__file__).parent

FILES = {
    "/openapi.json": ("openapi.json", "application/json"),
    "/docs": ("interface/docs.html", "text/html; charset=utf-8"),
    "/docs/start.js": ("interface/start.js", "text/javascript; charset=utf-8"),
    "/docs/swagger-ui.js": ("interface/swagger-ui-bundle.js.gz", "text/javascript; charset=utf-8"),
    "/docs/swagger-ui.css": ("interface/swagger-ui.css.gz", "text/css; charset=utf-8"),
}
"""By path: a file in this folder, and its media type."""

HEADERS = {
    "cache-control": "public, max-age=300",
    # Nothing is loaded from anywhere else, and what is typed into the page goes nowhere else.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "vary": "accept-encoding",
    "x-content-type-options": "nosniff",
}


async def show(request: Request) -> Response:
    """The file of that path, compressed for who takes it so."""
    name, media_type = FILES[request.url.path]
    compressed = _compressed(name)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(gzip.decompress(compressed), headers=HEADERS, media_type=media_type)
    return Response(compressed, headers={**HEADERS, "content-encoding": "gzip"}, media_type=media_type)


def _compressed(name: str) -> bytes:
    content = (FOLDER / name).read_bytes()
    return content if name.endswith(".gz") else gzip.compress(content)


routes = [Route(path, show, methods=["GET"], include_in_schema=False) for path in FILES]
