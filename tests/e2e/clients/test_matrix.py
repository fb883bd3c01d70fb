"""Every client does with the gateway what it does with the service it was made for.

It is told nothing but a base URL and a key. What all of them did is a table in docs/clients.md.
"""

import math
from collections.abc import Mapping, Sequence

import pytest

from tests.e2e.clients.drivers import Outcome
from tests.e2e.clients.play import DIMENSIONS, UNKNOWN_MODEL, Behaviour, Performance
from tests.e2e.clients.registry import CLIENTS, Client
from tests.e2e.clients.stage import OWN_LIMIT
from tests.e2e.clients.table import ROWS, replace_table
from tests.e2e.clients.vendor import expected_vector

every_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.program.id)

Performances = Mapping[Client, Performance]


@every_client
def test_one_text_becomes_its_vector(client: Client, performances: Performances) -> None:
    performance = performances[client]

    outcome = performance.outcomes[Behaviour.ONE_TEXT]

    assert outcome.error is None
    assert_vectors(outcome, sent_inputs(client, outcome, performance.texts[:1]))


@every_client
def test_many_texts_become_their_vectors_in_order(client: Client, performances: Performances) -> None:
    performance = performances[client]

    outcome = performance.outcomes[Behaviour.MANY_TEXTS]

    assert outcome.error is None
    assert_vectors(outcome, sent_inputs(client, outcome, performance.texts))


@every_client
def test_fewer_dimensions_are_the_first_ones_renormalised(client: Client, performances: Performances) -> None:
    whole = performances[client].outcomes[Behaviour.ONE_TEXT].vectors[0]

    outcome = performances[client].outcomes[Behaviour.DIMENSIONS]

    assert outcome.error is None
    length = math.hypot(*whole[:DIMENSIONS])
    assert outcome.vectors[0] == pytest.approx([component / length for component in whole[:DIMENSIONS]], abs=1e-6)


@every_client
def test_client_gets_the_encoding_that_it_asks_for_by_default(client: Client, performances: Performances) -> None:
    """That it was understood is shown by the vectors; this is about what was asked."""
    outcome = performances[client].outcomes[Behaviour.ONE_TEXT]

    assert [exchange.json.get("encoding_format") for exchange in outcome.exchanges] == [client.encoding]


@every_client
def test_wrong_key_is_the_clients_own_authentication_error(client: Client, performances: Performances) -> None:
    outcome = performances[client].outcomes[Behaviour.WRONG_KEY]

    status = 400 if client.wire == "Gemini" else 401  # Google's own choice

    assert_refused(outcome, client.errors.authentication, status, saying="API key")


@every_client
def test_unknown_model_is_the_clients_own_not_found(client: Client, performances: Performances) -> None:
    outcome = performances[client].outcomes[Behaviour.UNKNOWN_MODEL]

    assert_refused(outcome, client.errors.not_found, 404, saying=UNKNOWN_MODEL)


@every_client
def test_too_long_a_text_is_the_clients_own_bad_request(client: Client, performances: Performances) -> None:
    """Or is cut by the client, where that is what it does with OpenAI."""
    outcome = performances[client].outcomes[Behaviour.TOO_LONG]

    if client.splits:
        assert [len(exchange.json["input"]) for exchange in outcome.exchanges] == [2]
        assert len(outcome.vectors) == 1
    else:
        assert_refused(outcome, client.errors.bad_request, 400, saying=str(OWN_LIMIT))


@every_client
def test_throttled_client_that_may_not_retry_says_so_in_its_own_words(
    client: Client, performances: Performances
) -> None:
    outcome = performances[client].outcomes[Behaviour.THROTTLED]

    if client.insists:
        assert_waited(outcome)
    else:
        assert_refused(outcome, client.errors.throttled, 429, saying="per minute")


@every_client
def test_throttled_client_does_what_it_does_with_retry_after(client: Client, performances: Performances) -> None:
    outcome = performances[client].outcomes[Behaviour.THROTTLED_BY_DEFAULT]

    if client.waits:
        assert_waited(outcome)
    else:
        assert_refused(outcome, client.errors.throttled, 429, saying="per minute")


def test_table_of_clients_is_what_they_did(performances: Performances) -> None:
    """The table is written by this test: if it fails, look at what changed, and commit the pages."""
    before = {page: page.read_text(encoding="utf-8") for page in ROWS}

    after = {page: replace_table(before[page], performances, rows) for page, rows in ROWS.items()}

    for page, text in after.items():
        page.write_text(text, encoding="utf-8")
    assert after == before


def sent_inputs(client: Client, outcome: Outcome, texts: Sequence[str]) -> Sequence[str | list[int]]:
    """What the vendor was to embed: the texts, or the token ids that the client made of them."""
    return outcome.exchanges[0].json["input"] if client.splits else texts


def assert_vectors(outcome: Outcome, inputs: Sequence[str | list[int]]) -> None:
    """One vector per input, in their order, as the vendor made them."""
    assert len(outcome.vectors) == len(inputs)
    for vector, item in zip(outcome.vectors, inputs, strict=True):
        assert vector == pytest.approx(expected_vector(item), abs=1e-6)


def assert_refused(outcome: Outcome, kind: str, status: int, *, saying: str) -> None:
    """One request, one error of the client's own kind, our message in it."""
    assert outcome.error
    assert outcome.error.kind == kind
    assert saying in outcome.error.message
    assert [exchange.status for exchange in outcome.exchanges] == [status]


def assert_waited(outcome: Outcome) -> None:
    """A 429 that tells how long to wait, a wait of that length, an answer."""
    first, last = outcome.exchanges[0], outcome.exchanges[-1]
    assert first.status == 429
    assert 1 <= int(first.headers["retry-after"]) <= 60
    # retry-after-ms may spare the client what is left of a second.
    assert outcome.elapsed > int(first.headers["retry-after"]) - 1
    assert last.status == 200
    assert outcome.error is None
    assert len(outcome.vectors) == 1
