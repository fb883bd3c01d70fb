"""Every operation of every dialect: where it is, what it takes and gives. A test compares it with the app's routes."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.dialects import azure, azure_openai, ctyun, gemini, openai
from gateway.dialects._context import Dialect


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation at all its paths, as the app's routes write them. `body` and `answer` are names of schemas.

    `answers_elsewhere`: whether a large answer is left in a bucket for the client to fetch.
    `shared_with`: whose answers and errors some credentials get at the same paths.
    """

    dialect: Dialect
    name: str
    summary: str
    paths: tuple[str, ...]
    answer: str
    body: str | None = None
    parameters: tuple[str, ...] = ()
    description: str = ""
    answers_elsewhere: bool = False
    shared_with: Dialect | None = None

    @property
    def dialects(self) -> tuple[Dialect, ...]:
        return (self.dialect, self.shared_with) if self.shared_with else (self.dialect,)

    @property
    def method(self) -> str:
        return "post" if self.body else "get"


def _gemini_paths(bases: Sequence[str], end: str, kinds: Sequence[str] = ("models",)) -> tuple[str, ...]:
    return tuple(f"{base}/{kind}{end}" for base in bases for kind in kinds)


BASES = (*gemini.UNSHARED, gemini.SHARED)
KINDS = ("models", "tunedModels")

CTYUNS = "Keys marked as Ctyun's get that dialect's answers and errors here."

OPERATIONS = (
    Operation(
        dialect=openai.DIALECT,
        name="createEmbeddings",
        summary="Embed texts",
        description=CTYUNS,
        paths=("/v1/embeddings",),
        body="EmbeddingsRequest",
        answer="AnyEmbeddings",
        answers_elsewhere=True,
        shared_with=ctyun.DIALECT,
    ),
    Operation(
        dialect=openai.DIALECT,
        name="createRegionalEmbeddings",
        summary="Embed texts in the region of this address",
        paths=("/openai/{region}/v1/embeddings", "/api/public/openai/{region}/v1/embeddings"),
        body="EmbeddingsRequest",
        answer="Embeddings",
        answers_elsewhere=True,
    ),
    Operation(
        dialect=openai.DIALECT,
        name="listModels",
        summary="List models",
        description="With `x-goog-api-key` or `?key=` the answer is Gemini's, page by page (`pageSize`, `pageToken`).",
        paths=("/v1/models",),
        parameters=("pageSize", "pageToken"),
        answer="AnyModelList",
        shared_with=gemini.DIALECT,
    ),
    Operation(
        dialect=openai.DIALECT,
        name="listRegionalModels",
        summary="List models of the region of this address",
        paths=("/openai/{region}/v1/models", "/api/public/openai/{region}/v1/models"),
        answer="ModelList",
    ),
    Operation(
        dialect=openai.DIALECT,
        name="retrieveModel",
        summary="Show a model",
        description="With `x-goog-api-key` or `?key=` the answer is Gemini's.",
        paths=("/v1/models/{name:path}",),
        answer="AnyModel",
        shared_with=gemini.DIALECT,
    ),
    Operation(
        dialect=openai.DIALECT,
        name="retrieveRegionalModel",
        summary="Show a model of the region of this address",
        paths=("/openai/{region}/v1/models/{name:path}", "/api/public/openai/{region}/v1/models/{name:path}"),
        answer="Model",
    ),
    Operation(
        dialect=azure_openai.DIALECT,
        name="createDeploymentEmbeddings",
        summary="Embed texts with a deployment",
        description="The deployment is a model's name or alias.",
        paths=("/openai/deployments/{deployment:path}/embeddings",),
        parameters=("api-version",),
        body="DeploymentEmbeddingsRequest",
        answer="Embeddings",
        answers_elsewhere=True,
    ),
    Operation(
        dialect=azure_openai.DIALECT,
        name="createAzureEmbeddings",
        summary="Embed texts",
        paths=("/openai/v1/embeddings", "/openai/embeddings"),
        parameters=("api-version",),
        body="AzureEmbeddingsRequest",
        answer="Embeddings",
        answers_elsewhere=True,
    ),
    Operation(
        dialect=azure_openai.DIALECT,
        name="listAzureModels",
        summary="List models",
        paths=("/openai/models", "/openai/v1/models"),
        parameters=("api-version",),
        answer="AzureModelList",
    ),
    Operation(
        dialect=azure_openai.DIALECT,
        name="retrieveAzureModel",
        summary="Show a model",
        paths=("/openai/models/{name:path}", "/openai/v1/models/{name:path}"),
        parameters=("api-version",),
        answer="AzureModel",
    ),
    Operation(
        dialect=azure.DIALECT,
        name="createInferenceEmbeddings",
        summary="Embed texts, in any of six formats",
        paths=("/embeddings", "/models/embeddings"),
        parameters=("api-version", "extra-parameters", "azureml-model-deployment"),
        body="InferenceEmbeddingsRequest",
        answer="InferenceEmbeddings",
    ),
    Operation(
        dialect=azure.DIALECT,
        name="getModelInfo",
        summary="Tell what the address serves",
        paths=("/info", "/models/info"),
        parameters=("api-version", "model"),
        answer="ModelInfo",
    ),
    Operation(
        dialect=gemini.DIALECT,
        name="embedContent",
        summary="Embed one content",
        paths=_gemini_paths(BASES, "/{name:path}:embedContent", KINDS),
        body="EmbedContentRequest",
        answer="EmbedContentResponse",
    ),
    Operation(
        dialect=gemini.DIALECT,
        name="batchEmbedContents",
        summary="Embed several contents",
        description="Requests may differ in task type, title and length; those alike count as one request.",
        paths=_gemini_paths(BASES, "/{name:path}:batchEmbedContents", KINDS),
        body="BatchEmbedContentsRequest",
        answer="BatchEmbedContentsResponse",
    ),
    Operation(
        dialect=gemini.DIALECT,
        name="listGeminiModels",
        summary="List models",
        paths=_gemini_paths(gemini.UNSHARED, ""),
        parameters=("pageSize", "pageToken"),
        answer="GeminiModelList",
    ),
    Operation(
        dialect=gemini.DIALECT,
        name="getGeminiModel",
        summary="Show a model",
        paths=_gemini_paths(gemini.UNSHARED, "/{name:path}"),
        answer="GeminiModel",
    ),
    Operation(
        dialect=ctyun.DIALECT,
        name="createCtyunEmbeddings",
        summary="Embed texts",
        paths=("/ctyun/v1/embeddings",),
        body="EmbeddingsRequest",
        answer="CtyunEmbeddings",
        answers_elsewhere=True,
    ),
    Operation(
        dialect=ctyun.DIALECT,
        name="listCtyunModels",
        summary="List models",
        paths=("/ctyun/v1/models",),
        answer="ModelList",
    ),
    Operation(
        dialect=ctyun.DIALECT,
        name="retrieveCtyunModel",
        summary="Show a model",
        paths=("/ctyun/v1/models/{name:path}",),
        answer="Model",
    ),
)
