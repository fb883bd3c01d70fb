"""The fake Bedrock is trusted because boto3 takes it for the real one."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.fakes import vendors
from tests.fakes.openai_vendor import vector
from tests.fakes.serving import served

BODIES: dict[str, dict[str, Any]] = {
    "amazon.titan-embed-text-v2:0": {"inputText": "one", "dimensions": 256, "normalize": True},
    "cohere.embed-multilingual-v3": {"texts": ["one"], "input_type": "search_query", "truncate": "END"},
    "eu.cohere.embed-v4:0": {"texts": ["one"], "input_type": "search_query", "output_dimension": 256},
    "amazon.nova-2-multimodal-embeddings-v1:0": {
        "schemaVersion": "nova-multimodal-embed-v1",
        "taskType": "SINGLE_EMBEDDING",
        "singleEmbeddingParams": {
            "embeddingPurpose": "GENERIC_INDEX",
            "embeddingDimension": 256,
            "text": {"truncationMode": "END", "value": "one"},
        },
    },
}

READ: dict[str, Callable[[Any], list[float]]] = {
    "amazon.titan-embed-text-v2:0": lambda answer: answer["embedding"],
    "cohere.embed-multilingual-v3": lambda answer: answer["embeddings"][0],
    "eu.cohere.embed-v4:0": lambda answer: answer["embeddings"]["float"][0],
    "amazon.nova-2-multimodal-embeddings-v1:0": lambda answer: [x / 3 for x in answer["embeddings"][0]["embedding"]],
}
"""Where a family's reply has its vector."""


@pytest.fixture
def url() -> Iterator[str]:
    with served(vendors.Vendor("bedrock")) as url:
        yield url


def client(url: str, secret: str = vendors.KEY) -> Any:
    make: Any = boto3.client  # its stubs know no service of this name
    return make(
        "bedrock-runtime",
        endpoint_url=url,
        region_name="eu-central-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key=secret,
        aws_session_token="session/token==",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.mark.parametrize("model", BODIES)
def test_each_family_answers_what_its_model_would(url: str, model: str) -> None:
    answer = json.loads(client(url).invoke_model(modelId=model, body=json.dumps(BODIES[model]))["body"].read())

    expected = vector("one", 1024 if "v3" in model else 256)
    found = READ[model](answer)
    assert found == pytest.approx(expected)


REFUSED = {
    "another secret": ("amazon.titan-embed-text-v2:0", "another", {"inputText": "a"}, "AccessDeniedException"),
    "an unknown field": ("amazon.titan-embed-text-v2:0", vendors.KEY, {"text": "a"}, "ValidationException"),
    "an unknown model": ("amazon.titan-embed-text-v9:0", vendors.KEY, {"inputText": "a"}, "ValidationException"),
    "version 3's word in version 4": (
        "cohere.embed-v4:0",
        vendors.KEY,
        {"texts": ["a"], "input_type": "search_query", "truncate": "END"},
        "ValidationException",
    ),
}


@pytest.mark.parametrize(("model", "secret", "body", "code"), REFUSED.values(), ids=REFUSED)
def test_refusals_are_boto3_s_own_errors(url: str, model: str, secret: str, body: Any, code: str) -> None:
    with pytest.raises(ClientError) as caught:
        client(url, secret).invoke_model(modelId=model, body=json.dumps(body))

    assert caught.value.response["Error"]["Code"] == code
