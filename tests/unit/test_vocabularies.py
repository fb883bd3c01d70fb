"""Token ids for providers that take only text."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import InvalidRequest
from gateway.core.vocabulary import Vocabulary
from gateway.vocabularies import packed, unpacked, vocabulary_at_hand
from infra import vocabulary
from tests.fakes.models import make_model, make_route
from tests.unit.dialects.stage import Stage

TEXT_ONLY = make_model(routes=(make_route(accepts_tokens=False),), vocabulary="cl100k_base")


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        ((15339, 1917), "hello world"),
        ((57668, 53901), "你好"),
        ((9906, 11, 1917, 0), "Hello, world!"),
        ((198,), "\n"),
    ],
)
def test_cl100k_base_decodes_as_tiktoken_does(ids: tuple[int, ...], text: str) -> None:
    known = vocabulary_at_hand("cl100k_base")

    assert known is not None
    assert known.decode(ids, "input") == text


def test_cl100k_base_is_the_published_one() -> None:
    """Put back into tiktoken's own form it has the published hash."""
    known = vocabulary_at_hand("cl100k_base")
    assert known is not None

    lines = (b"%b %d\n" % (base64.b64encode(token), number) for number, token in enumerate(known.tokens))

    assert hashlib.sha256(b"".join(lines)).hexdigest() == vocabulary.PUBLISHED["cl100k_base"]


@given(st.lists(st.binary(min_size=1, max_size=255), max_size=50))
def test_a_file_holds_all_tokens_in_order(tokens: list[bytes]) -> None:
    assert list(unpacked(packed(tokens))) == tokens


def test_another_file_than_the_published_one_is_not_converted() -> None:
    with pytest.raises(ValueError, match="not the published file"):
        vocabulary.convert("cl100k_base", b"IQ== 0\n")


@pytest.mark.parametrize("name", ["unknown", "../cl100k_base", "", "cl100k_base.bin"])
def test_a_vocabulary_without_a_file_is_not_at_hand(name: str) -> None:
    assert vocabulary_at_hand(name) is None


def test_half_a_character_becomes_a_replacement() -> None:
    known = Vocabulary("halves", ("é".encode()[:1], "é".encode()[1:]))

    assert known.decode((0, 1), "input") == "é"
    assert known.decode((0,), "input") == "\ufffd"


def test_an_id_that_stands_for_no_text_is_refused_by_its_place() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Vocabulary("small", (b"a",)).decode((0, 1), "input[3]")

    assert caught.value.param == "input[3]"


async def test_langchains_token_arrays_reach_a_provider_of_texts_as_texts() -> None:
    stage = Stage(models=[TEXT_ONLY], vocabularies=vocabulary_at_hand)

    response = await stage.post("/v1/embeddings", model="echo", input=[[15339, 1917], [9906]])

    assert response.status_code == 200
    assert stage.provider.inputs == ["hello world", "Hello"]


async def test_a_text_and_its_tokens_share_a_place_in_the_cache() -> None:
    stage = Stage(models=[TEXT_ONLY], vocabularies=vocabulary_at_hand)

    await stage.post("/v1/embeddings", model="echo", input="hello world")
    again = await stage.post("/v1/embeddings", model="echo", input=[15339, 1917])

    assert again.headers["x-gateway-cache-hits"] == "1"


async def test_a_provider_of_token_ids_gets_them_as_they_are() -> None:
    stage = Stage(models=[make_model(vocabulary="cl100k_base")], vocabularies=vocabulary_at_hand)

    await stage.post("/v1/embeddings", model="echo", input=[15339, 1917])

    assert stage.provider.inputs == [(15339, 1917)]


@pytest.mark.parametrize("name", [None, "unknown"])
async def test_without_the_vocabulary_langchains_user_is_told_what_to_set(name: str | None) -> None:
    model = make_model(routes=(make_route(accepts_tokens=False),), vocabulary=name)

    response = await Stage(models=[model], vocabularies=vocabulary_at_hand).post(
        "/v1/embeddings", model="echo", input=[[1]]
    )

    assert response.status_code == 400
    assert "check_embedding_ctx_length=False" in response.json()["error"]["message"]
    assert response.json()["error"]["param"] == "input"
