"""Answers too large for the front door: in memory and in S3."""

import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from gateway.aws.s3 import Bucket
from gateway.core.ports import LargeAnswers
from gateway.stores.large_answers import BucketLargeAnswers
from tests.fakes.stores import MemoryAnswers


@dataclass
class Place:
    """A store, and the way in which a client without a key fetches an answer from it."""

    store: LargeAnswers
    fetch: Callable[[str], tuple[str, bytes]]


@pytest.fixture(params=["memory", "emulator"])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "memory":
        memory = MemoryAnswers()
        return Place(memory, memory.kept.__getitem__)
    aws, boto, unique = map(request.getfixturevalue, ("aws", "boto", "unique"))
    boto("s3").create_bucket(Bucket=unique, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return Place(BucketLargeAnswers(Bucket(aws, unique)), fetch)


def fetch(address: str) -> tuple[str, bytes]:
    with urllib.request.urlopen(address) as reply:
        return reply.headers["Content-Type"], reply.read()


@pytest.mark.parametrize("body", [b"{}", bytes(range(256)) * 40_000], ids=["small", "10 MB"])
async def test_an_answer_is_fetched_as_it_was_kept(place: Place, body: bytes) -> None:
    address = await place.store.keep(body, "application/json")

    fetched = place.fetch(address)

    assert fetched == ("application/json", body)


async def test_equal_answers_have_addresses_of_their_own(place: Place) -> None:
    addresses = {await place.store.keep(b"same", "text/plain") for _ in range(3)}

    assert len(addresses) == 3
