"""Bare FastAPI + Mangum: the gateway's main route with nothing behind it, one vector made beforehand."""

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from mangum import Mangum
from pydantic import BaseModel


class EmbeddingsBody(BaseModel):
    """What OpenAI's clients send."""

    model: str
    input: str | list[str] | list[int] | list[list[int]]
    encoding_format: str = "float"
    dimensions: int | None = None
    user: str | None = None


app = FastAPI(openapi_url=None)
VECTORS: dict[str, str | list[float]] = {"base64": "zczMPc3M" * 1024, "float": [0.012345679] * 1536}


@app.post("/v1/embeddings")
async def embeddings(body: EmbeddingsBody) -> JSONResponse:
    """One vector, the same for every text."""
    item = {"object": "embedding", "index": 0, "embedding": VECTORS[body.encoding_format]}
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    return JSONResponse({"object": "list", "data": [item], "model": body.model, "usage": usage})


handler = Mangum(app, lifespan="off")
