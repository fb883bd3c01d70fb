"""Plain FastAPI + httpx under uvicorn, with no features: `python -m benchmarks.plain PORT UPSTREAM`.

What a competent afternoon gives: a typed body, a shared client, the vendor's JSON read and written once. No keys, no
limits, no cache, no checks, no logs.
"""

import sys

import httpx
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel


class EmbeddingsBody(BaseModel):
    """What OpenAI's clients send."""

    model: str
    input: str | list[str] | list[int] | list[list[int]]
    encoding_format: str = "float"
    dimensions: int | None = None
    user: str | None = None


def create_app(upstream: str) -> FastAPI:
    """The app in front of that vendor."""
    app = FastAPI(openapi_url=None)
    client = httpx.AsyncClient(base_url=upstream, headers={"authorization": "Bearer sk-benchmark"}, timeout=25)

    @app.post("/v1/embeddings")
    async def embeddings(body: EmbeddingsBody) -> JSONResponse:
        reply = await client.post("/embeddings", json=body.model_dump(exclude_none=True))
        return JSONResponse(reply.json(), status_code=reply.status_code)

    return app


if __name__ == "__main__":
    uvicorn.run(create_app(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="warning")
