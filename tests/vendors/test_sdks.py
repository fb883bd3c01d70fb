"""The fakes are trusted because the vendors' own SDKs take them for the real ones. Run: make vendors.

What each SDK sent is kept in tests/fixtures/vendors, and tests/unit/providers/test_recorded.py sends it again wherever
the SDKs are not installed. RECORD=1 writes what is sent now.
"""

import json
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import google.genai
import huggingface_hub
import ollama
import pytest
from google.genai import errors, types

from tests.fakes import vendors
from tests.fakes.openai_vendor import vector
from tests.fakes.serving import served

RECORDS = Path(__file__).parents[1] / "fixtures" / "vendors"
WRITES = os.environ.get("RECORD") == "1"


@contextmanager
def recorded(kind: str) -> Iterator[str]:
    """Serves the fake, and compares what it was asked with the record."""
    fake, file = vendors.Vendor(kind), RECORDS / f"{kind}.json"
    with served(fake) as url:
        yield url
    asked = [{"path": asked.path, "body": asked.body} for asked in fake.asked]
    if WRITES:
        file.write_text(json.dumps(asked, indent=2) + "\n", encoding="utf-8")
    assert asked == json.loads(file.read_text(encoding="utf-8"))


def as_float32(numbers: object) -> bytes:
    values: list[float] = list(numbers)  # type: ignore[call-overload]  # whatever an SDK makes of an array
    return struct.pack(f"<{len(values)}f", *values)


def test_google_s_sdk_takes_the_fake_for_the_gemini_api() -> None:
    with recorded("gemini") as url:
        options = types.HttpOptions(base_url=url, api_version="v1")
        config = types.EmbedContentConfig(task_type="RETRIEVAL_DOCUMENT", title="T", output_dimensionality=256)
        with google.genai.Client(api_key=vendors.KEY, http_options=options) as client:
            answer = client.models.embed_content(model="gemini-embedding-001", contents=["one", "two"], config=config)
            with pytest.raises(errors.ClientError, match="at most 100"):
                client.models.embed_content(model="gemini-embedding-001", contents=["one"] * 101)

    assert [as_float32(found.values) for found in answer.embeddings or ()] == [
        as_float32(vector(text, 3072)[:256]) for text in ("one", "two")
    ]


def test_ollama_s_sdk_takes_the_fake_for_its_server() -> None:
    key = {"authorization": f"Bearer {vendors.KEY}"}
    with recorded("ollama") as url, ollama.Client(host=url, headers=key) as client:
        answer = client.embed(model="nomic-embed-text", input=["one", "two"], truncate=False, dimensions=8)
        with pytest.raises(ollama.ResponseError, match="context length"):
            client.embed(model="nomic-embed-text", input="a" * 10_000, truncate=False)

    assert [as_float32(found) for found in answer.embeddings] == [
        as_float32(vector(text, 8)) for text in ("one", "two")
    ]
    assert answer.prompt_eval_count == 2


def test_hugging_face_s_client_takes_the_fake_for_a_tei_server() -> None:
    with recorded("tei") as url:
        client = huggingface_hub.InferenceClient(model=f"{url}/embed", token=vendors.KEY)
        answer = client.feature_extraction("one", normalize=True, truncate=False, prompt_name="query")
        with pytest.raises(huggingface_hub.errors.HfHubHTTPError):
            client.feature_extraction("a" * 10_000, truncate=False)
        huggingface_hub.close_session()

    assert [as_float32(found) for found in answer] == [as_float32(vector("one", 8))]
