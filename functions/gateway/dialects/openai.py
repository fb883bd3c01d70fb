"""OpenAI's embeddings, as OpenAI, Clovis and Langdock spell them.

https://platform.openai.com/docs/api-reference/embeddings
"""

from gateway.dialects import _openai_shape as shape
from gateway.dialects import ctyun
from gateway.dialects._context import Dialect
from gateway.dialects._openai_batches import add_batch_routes
from gateway.dialects._openai_errors import WIRE_ERRORS, render_error
from gateway.dialects._openai_files import add_file_routes
from gateway.dialects._openai_models import add_model_routes
from gateway.dialects._response import Response
from gateway.dialects._router import Context, DialectRouter

DIALECT = Dialect(
    name="openai",
    description="OpenAI, and Clovis and Langdock, who speak its words.",
    wire_errors=WIRE_ERRORS,
    error=shape.OpenAIError,
    render_error=render_error,
    follows_redirects=True,
    paths=(
        "POST /v1/embeddings",
        "GET /v1/models",
        "GET /v1/models/{model}",
        "/v1/files and /v1/batches, as OpenAI has them",
        "and the same under /openai/{region}/v1 and /api/public/openai/{region}/v1",
    ),
)

router = DialectRouter(DIALECT)

BASE = "/v1"
"""Ctyun's customers share it: their keys say so."""

REGIONAL = ("/openai/{region}/v1", "/api/public/openai/{region}/v1")
"""Langdock's, whatever the key."""


@router.endpoint(
    "POST",
    f"{BASE}/embeddings",
    shared_with=ctyun.DIALECT,
    summary="Embed texts",
    operation_id="createEmbeddings",
    body=shape.EmbeddingsBody,
    answer=shape.Embeddings,
)
@router.endpoint(
    "POST",
    *(f"{base}/embeddings" for base in REGIONAL),
    summary="Embed texts in the region of this address",
    operation_id="createRegionalEmbeddings",
    body=shape.EmbeddingsBody,
    answer=shape.Embeddings,
)
async def embeddings(context: Context) -> Response:
    """One vector per input, in input order."""
    body = context.read(shape.EmbeddingsBody)
    embedded = await context.embed(shape.to_core(body, context.cache_use(), model=body.model))
    return shape.from_core(embedded, body.encoding_format or "float", fields=context.dialect.vector_fields)


add_model_routes(router, BASE)
add_file_routes(router, BASE)
add_batch_routes(router, BASE)
add_model_routes(router, *REGIONAL, whose="Regional")
