"""The clients of the matrix, and what each does by itself: its default encoding, its errors, whether it waits."""

from dataclasses import dataclass, replace

from tests.e2e.clients.drivers import Program


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorNames:
    """What a client calls the four errors that every user meets sooner or later."""

    authentication: str
    not_found: str
    bad_request: str
    """Here for a text that is too long, for which some have a class of its own."""
    throttled: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client, or a way of using one."""

    title: str
    wire: str
    """The wire format it speaks."""
    program: Program
    errors: ErrorNames
    encoding: str | None = None
    """The `encoding_format` it asks for when its user asks for none; `None` for clients that leave that open."""
    waits: bool = True
    """Whether it waits as long as `Retry-After` says and asks again."""
    insists: bool = False
    """Whether it does so even when told not to."""
    splits: bool = False
    """Whether it cuts a text that is too long for OpenAI into parts, and averages their vectors."""


def _same(name: str) -> ErrorNames:
    return ErrorNames(authentication=name, not_found=name, bad_request=name, throttled=name)


_OPENAI = ErrorNames(
    authentication="AuthenticationError",
    not_found="NotFoundError",
    bad_request="BadRequestError",
    throttled="RateLimitError",
)
_LANGCHAIN_JS = replace(_OPENAI, bad_request="ContextOverflowError")
_LITELLM = replace(_OPENAI, bad_request="ContextWindowExceededError")
_AZURE = ErrorNames(
    authentication="ClientAuthenticationError",
    not_found="ResourceNotFoundError",
    bad_request="HttpResponseError",
    throttled="HttpResponseError",
)
_AI_SDK = _same("AI_APICallError")


def _established(name: str, *words: str) -> Program:
    return Program(environment="established", name=name, words=words)


def _newest(name: str, *words: str) -> Program:
    return Program(environment="newest", name=name, words=words)


def _javascript(name: str, *words: str) -> Program:
    return Program(environment="javascript", name=name, words=words)


CLIENTS = (
    Client(
        title="openai (Python)",
        wire="OpenAI",
        program=_newest("openai_client"),
        errors=_OPENAI,
        encoding="base64",
    ),
    Client(
        title="openai (Python)",
        wire="OpenAI",
        program=_established("openai_client"),
        errors=_OPENAI,
        encoding="base64",
    ),
    Client(
        title="openai (Python), AzureOpenAI",
        wire="Azure OpenAI",
        program=_newest("openai_client", "azure"),
        errors=_OPENAI,
        encoding="base64",
    ),
    Client(
        title="openai (Python), AzureOpenAI",
        wire="Azure OpenAI",
        program=_established("openai_client", "azure"),
        errors=_OPENAI,
        encoding="base64",
    ),
    *(
        Client(
            title="openai (npm)",
            wire="OpenAI",
            program=_javascript("openai", generation),
            errors=_OPENAI,
            encoding="base64",
        )
        for generation in ("7", "6", "4")
    ),
    Client(
        title="langchain-openai, token ids",
        wire="OpenAI",
        program=_established("langchain_openai_client"),
        errors=_OPENAI,
        encoding="base64",
        splits=True,
    ),
    Client(
        title="langchain-openai, texts",
        wire="OpenAI",
        program=_established("langchain_openai_client", "texts"),
        errors=_OPENAI,
        encoding="base64",
    ),
    Client(
        title="@langchain/openai",
        wire="OpenAI",
        program=_javascript("langchain_openai"),
        errors=_LANGCHAIN_JS,
        encoding="base64",
    ),
    Client(
        title="llama-index-embeddings-openai",
        wire="OpenAI",
        program=_established("llama_index_client"),
        errors=_OPENAI,
        encoding="base64",
    ),
    Client(
        title="litellm, openai/",
        wire="OpenAI",
        program=_established("litellm_client", "openai"),
        errors=_LITELLM,
        insists=True,
    ),
    Client(
        title="litellm, azure/",
        wire="Azure OpenAI",
        program=_established("litellm_client", "azure"),
        errors=_LITELLM,
        encoding="base64",
        waits=False,
    ),
    Client(
        title="litellm, azure_ai/",
        wire="Azure AI",
        program=_established("litellm_client", "azure_ai"),
        errors=_LITELLM,
        insists=True,
    ),
    Client(
        title="litellm, gemini/",
        wire="Gemini",
        program=_established("litellm_client", "gemini"),
        errors=_LITELLM,
        waits=False,
    ),
    Client(
        title="@ai-sdk/openai",
        wire="OpenAI",
        program=_javascript("ai_sdk", "openai"),
        errors=_AI_SDK,
        encoding="float",
    ),
    Client(
        title="@ai-sdk/openai-compatible",
        wire="OpenAI",
        program=_javascript("ai_sdk", "openai-compatible"),
        errors=_AI_SDK,
        encoding="float",
    ),
    Client(
        title="@ai-sdk/azure",
        wire="Azure OpenAI",
        program=_javascript("ai_sdk", "azure"),
        errors=_AI_SDK,
        encoding="float",
    ),
    Client(
        title="azure-ai-inference",
        wire="Azure AI",
        program=_established("azure_inference_client"),
        errors=_AZURE,
    ),
    Client(
        title="@azure-rest/ai-inference",
        wire="Azure AI",
        program=_javascript("azure_rest"),
        errors=_same("isUnexpected"),
    ),
    Client(
        title="google-genai (Python)",
        wire="Gemini",
        program=_newest("google_genai_client"),
        errors=_same("ClientError"),
        waits=False,
    ),
    Client(
        title="google-genai (Python)",
        wire="Gemini",
        program=_established("google_genai_client"),
        errors=_same("ClientError"),
        waits=False,
    ),
    Client(
        title="@google/genai",
        wire="Gemini",
        program=_javascript("google_genai"),
        errors=_same("ApiError"),
        waits=False,
    ),
    Client(
        title="langchain-google-genai",
        wire="Gemini",
        program=_established("langchain_google_client"),
        errors=_same("GoogleGenerativeAIError"),
        waits=False,
    ),
    Client(
        title="@ai-sdk/google",
        wire="Gemini",
        program=_javascript("ai_sdk", "google"),
        errors=_AI_SDK,
    ),
)
