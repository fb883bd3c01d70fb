"""The OpenAPI document and the page that shows it: files, read when they are asked for.

`openapi.json` is built by `python -m infra.openapi`. Swagger UI comes from the package `fastapi-swagger`, which is not
imported: only the files it carries are served.
"""

import gzip
from importlib.util import find_spec
from pathlib import Path

from fastapi import Request, Response
from starlette.routing import Route

FOLDER = Path(__file__).parent

FILES = {
    "/openapi.json": ("openapi.json", "application/json"),
    "/docs": ("docs.html", "text/html; charset=utf-8"),
    "/docs/start.js": ("start.js", "text/javascript; charset=utf-8"),
    "/docs/swagger-ui.js": ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    "/docs/swagger-ui.css": ("swagger-ui.css", "text/css; charset=utf-8"),
}
"""By path: a file of this folder or of Swagger UI's, and its media type."""

HEADERS = {
    "cache-control": "public, max-age=300",
    # The page loads from this origin only, and sends what is typed to this origin only.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "vary": "accept-encoding",
    "x-content-type-options": "nosniff",
}


async def show(request: Request) -> Response:
    """The file of that path, compressed for clients that accept gzip."""
    name, media_type = FILES[request.url.path]
    content = _place(name).read_bytes()
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(content, headers=HEADERS, media_type=media_type)
    headers = {**HEADERS, "content-encoding": "gzip"}
    return Response(gzip.compress(content, mtime=0), headers=headers, media_type=media_type)


def _place(name: str) -> Path:
    package = find_spec("fastapi_swagger") if name.startswith("swagger-ui") else None
    return Path(package.origin).parent / "resources" / name if package and package.origin else FOLDER / name


routes = [Route(path, show, methods=["GET"], include_in_schema=False) for path in FILES]
