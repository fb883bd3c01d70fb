"""What we ask of Bedrock's families of models, signed by the function's role, and what comes back."""

from typing import Any

import pytest

from gateway.aws.errors import AwsUnavailable
from gateway.aws.signing import Credentials
from gateway.core.catalogue import Model
from gateway.core.embedding import EmbeddingResult, Purpose
from gateway.core.errors import (
    GatewayError,
    InputTooLong,
    ProviderMisbehaved,
    ProviderMisconfigured,
    ProviderThrottled,
    ProviderUnavailable,
    RequestTooLarge,
)
from gateway.core.vectors import as_array
from gateway.outbound.client import HttpClient
from gateway.providers import bedrock, check_route
from gateway.providers._aws_credentials import AwsCredentials
from gateway.providers._http import HttpProvider
from gateway.providers._vendor import BadRow
from tests.fakes import vendors
from tests.fakes.openai_vendor import count_tokens, vector
from tests.unit.providers.builders import a_call, a_provider, a_route, json_reply

TITAN, NOVA = "amazon.titan-embed-text-v2:0", "amazon.nova-2-multimodal-embeddings-v1:0"
COHERE_3, COHERE_4 = "cohere.embed-multilingual-v3", "eu.cohere.embed-v4:0"
NATIVE = {TITAN: 1024, NOVA: 3072, COHERE_3: 1024, COHERE_4: 1536}
ROLE = Credentials("AKIDEXAMPLE", vendors.KEY, "session/token==")


class Asking:
    def __init__(self, client: HttpClient, role: Credentials = ROLE) -> None:
        self.fake = vendors.Vendor("bedrock")
        self.provider = HttpProvider(vendor=bedrock, credentials=AwsCredentials(lambda: role), client=client)

    async def __call__(self, model: str, *inputs: Any, headers: Any = None, **changes: Any) -> EmbeddingResult:
        async with vendors.running(self.fake) as url:
            settings = {"region": "eu-central-1", "headers": headers or {}}
            row = a_provider(kind="bedrock", url=url, auth="aws", settings=settings)
            call = {"route": a_route(vendor_model=model), "provider": row, "native_dimensions": NATIVE.get(model, 2)}
            return await self.provider.embed(a_call(*inputs, **(call | changes)))

    @property
    def body(self) -> dict[str, Any]:
        return self.fake.asked[-1].body


@pytest.fixture
def ask(client: HttpClient) -> Asking:
    return Asking(client)


@pytest.mark.parametrize("model", NATIVE)
async def test_a_text_becomes_the_model_s_vector_of_length_one(ask: Asking, model: str) -> None:
    result = await ask(model, "a text, with an é")

    (found,) = map(as_array, result.vectors)
    assert float(found @ found) == pytest.approx(1, abs=1e-5)
    assert list(map(float, found)) == pytest.approx(vector("a text, with an é", NATIVE[model]), abs=1e-5)
    assert result.tokens == count_tokens("a text, with an é")


@pytest.mark.parametrize("model", [COHERE_3, COHERE_4])
async def test_cohere_takes_several_texts_and_keeps_their_order(ask: Asking, model: str) -> None:
    result = await ask(model, "a", "b")

    assert [list(map(float, as_array(found))) for found in result.vectors] == [
        pytest.approx(vector(text, NATIVE[model])) for text in "ab"
    ]


BODIES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "Titan": (TITAN, {}, {"inputText": "hello", "normalize": True, "embeddingTypes": ["float"]}),
    "a shorter Titan": (
        TITAN,
        {"dimensions": 256},
        {"inputText": "hello", "dimensions": 256, "normalize": True, "embeddingTypes": ["float"]},
    ),
    "Cohere 3": (
        COHERE_3,
        {"purpose": Purpose.QUERY},
        {"texts": ["hello"], "input_type": "search_query", "truncate": "NONE", "embedding_types": ["float"]},
    ),
    "Cohere 3 that may cut": (
        COHERE_3,
        {"truncate": True},
        {"texts": ["hello"], "input_type": "search_document", "truncate": "END", "embedding_types": ["float"]},
    ),
    "Cohere 4 that may cut": (
        COHERE_4,
        {"truncate": True, "dimensions": 512},
        {
            "texts": ["hello"],
            "input_type": "search_document",
            "truncate": "RIGHT",
            "embedding_types": ["float"],
            "output_dimension": 512,
        },
    ),
    "Nova": (
        NOVA,
        {"purpose": Purpose.QUERY},
        {
            "taskType": "SINGLE_EMBEDDING",
            "singleEmbeddingParams": {
                "embeddingPurpose": "GENERIC_RETRIEVAL",
                "embeddingDimension": 3072,
                "text": {"truncationMode": "NONE", "value": "hello"},
            },
        },
    ),
}


@pytest.mark.parametrize(("model", "asked", "body"), BODIES.values(), ids=BODIES)
async def test_the_body_is_the_family_s(ask: Asking, model: str, asked: dict[str, Any], body: dict[str, Any]) -> None:
    await ask(model, "hello", **asked)

    assert ask.body == body


async def test_a_role_with_another_secret_is_the_operator_s_affair(client: HttpClient) -> None:
    with pytest.raises(ProviderMisconfigured):
        await Asking(client, ROLE._replace(secret_access_key="another"))(TITAN, "a")


async def test_a_role_without_a_session_signs_too(client: HttpClient) -> None:
    assert await Asking(client, ROLE._replace(session_token=None))(TITAN, "a")


async def test_without_a_role_the_provider_is_unavailable(client: HttpClient) -> None:
    def nobody() -> Credentials:
        raise AwsUnavailable("There are no AWS credentials.")

    provider = HttpProvider(vendor=bedrock, credentials=AwsCredentials(nobody), client=client)
    row = a_provider(kind="bedrock", url="https://bedrock-runtime.eu-central-1.amazonaws.com", auth="aws")

    with pytest.raises(ProviderUnavailable):
        await provider.embed(a_call(provider=row, route=a_route(vendor_model=TITAN)))


@pytest.mark.parametrize("model", [TITAN, NOVA, COHERE_3])
async def test_a_text_that_is_too_long_is_refused_not_cut(ask: Asking, model: str) -> None:
    with pytest.raises(InputTooLong):
        await ask(model, "a" * 10_000)


async def test_more_texts_than_cohere_takes_are_too_large_a_request(ask: Asking) -> None:
    with pytest.raises(RequestTooLarge):
        await ask(COHERE_3, *["a"] * 97)


async def test_a_model_that_the_region_does_not_have_is_the_operator_s_affair(ask: Asking) -> None:
    with pytest.raises(ProviderMisconfigured):
        await ask("amazon.titan-embed-text-v2:9", "a")


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (400, "ServiceQuotaExceededException", ProviderThrottled),
        (400, "ServiceQuotaExceededException:http://internal.amazon.com/", ProviderThrottled),
        (429, "ThrottlingException", ProviderThrottled),
        (403, "AccessDeniedException", ProviderMisconfigured),
        (424, "ModelErrorException", ProviderUnavailable),
        (503, "ServiceUnavailableException", ProviderUnavailable),
    ],
)
def test_an_exception_becomes_its_cause(status: int, kind: str, expected: type[GatewayError]) -> None:
    error = bedrock.read_error(json_reply({"message": "No."}, status, x_amzn_errortype=kind), bedrock.Settings())

    assert type(error) is expected


@pytest.mark.parametrize("document", [{}, {"embeddings": []}, {"embeddings": {"int8": [[1, 2]]}}, {"embedding": "x"}])
@pytest.mark.parametrize("model", NATIVE)
def test_an_answer_that_does_not_fit_is_never_served(model: str, document: object) -> None:
    with pytest.raises(ProviderMisbehaved):
        bedrock.read_reply(a_call("a", route=a_route(vendor_model=model)), json_reply(document))


def test_the_plain_arrays_of_version_3_are_read_too() -> None:
    reply = json_reply({"embeddings": [[1, 2], [3, 4]], "response_type": "embeddings_floats"})

    assert len(bedrock.read_reply(a_call("a", "b", route=a_route(vendor_model=COHERE_3)), reply).vectors) == 2


ROWS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "several inputs for Titan": ({"vendor_model": TITAN}, {}, "set max_inputs to 1"),
    "several inputs for Nova": ({"vendor_model": NOVA}, {}, "set max_inputs to 1"),
    "a purpose for Titan": (
        {"vendor_model": TITAN, "max_inputs": 1},
        {"purposes": {Purpose.QUERY: "native"}},
        "no word for 'query'",
    ),
    "another family": ({"vendor_model": "meta.llama3"}, {}, "is none of"),
}


@pytest.mark.parametrize(("route", "model", "told"), ROWS.values(), ids=ROWS)
def test_a_row_that_bedrock_cannot_serve_is_refused_when_it_is_written(
    route: dict[str, Any], model: dict[str, Any], told: str
) -> None:
    row = a_provider(kind="bedrock", url="https://bedrock-runtime.eu-central-1.amazonaws.com", auth="aws")
    leads = a_route(**route)

    with pytest.raises(BadRow, match=told):
        check_route(Model(**{"name": "m", "dimensions": 2, "routes": (leads,), **model}), leads, row)
