"""Lets clients do what the matrix is about, several at a time, and keeps what their users would have got."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from tests.e2e.clients.drivers import Driver, Drivers, Outcome
from tests.e2e.clients.registry import Client
from tests.e2e.clients.stage import OWN_LIMIT, OWN_MODEL, Stage
from tests.e2e.clients.vendor import VENDOR_LIMIT, VENDOR_MODEL

DIMENSIONS = 256
UNKNOWN_MODEL = "no-such-model"

AT_ONCE = 3
"""Clients that work side by side: two cores are there."""

# The 429s are made in this part of a minute (in seconds): all clients must meet one before it ends, and some of them
# do not wait for a whole one.
EXHAUSTED_BETWEEN = (2, 40)


class Behaviour(StrEnum):
    """What each client is asked to do."""

    ONE_TEXT = "one text"
    MANY_TEXTS = "many texts"
    DIMENSIONS = "dimensions"
    WRONG_KEY = "wrong key"
    UNKNOWN_MODEL = "unknown model"
    TOO_LONG = "over-long input"
    THROTTLED = "429, told not to retry"
    THROTTLED_BY_DEFAULT = "429"


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """What one client made of everything."""

    version: str
    texts: tuple[str, ...]
    outcomes: Mapping[Behaviour, Outcome]


def play(clients: Sequence[Client], drivers: Drivers, stage: Stage) -> dict[Client, Performance]:
    """Every client's performance; all end with the 429s, which they meet, and wait for, together."""
    with ThreadPoolExecutor(max_workers=AT_ONCE) as few, ThreadPoolExecutor(max_workers=len(clients)) as everyone:
        firsts = list(few.map(lambda client: _embed_and_fail(drivers[client.program], stage, client), clients))
        _wait_for_second(*EXHAUSTED_BETWEEN)
        stage.exhaust()
        lasts = list(everyone.map(lambda client: _be_throttled(drivers[client.program], stage, client), clients))
    return {
        client: Performance(version=drivers[client.program].version, texts=_texts(stage, client), outcomes=first | last)
        for client, first, last in zip(clients, firsts, lasts, strict=True)
    }


def _texts(stage: Stage, client: Client) -> tuple[str, ...]:
    """Texts nobody else embeds, so that each client's come from the vendor and not from the cache."""
    who = f"{stage.marker} {client.title} {client.program.environment} {' '.join(client.program.words)}"
    return tuple(f"{who} says {word}" for word in ("alpha", "beta", "gamma", "delta"))


def _embed_and_fail(driver: Driver, stage: Stage, client: Client) -> dict[Behaviour, Outcome]:
    texts = _texts(stage, client)
    usual = {"key": stage.workspace.key, "model": VENDOR_MODEL, "input": texts[0]}
    return {
        Behaviour.ONE_TEXT: driver.embed(**usual),
        Behaviour.MANY_TEXTS: driver.embed(**usual | {"input": list(texts)}),
        Behaviour.DIMENSIONS: driver.embed(**usual, dimensions=DIMENSIONS),
        Behaviour.WRONG_KEY: driver.embed(**usual | {"key": stage.workspace.wrong_key}),
        Behaviour.UNKNOWN_MODEL: driver.embed(**usual | {"model": UNKNOWN_MODEL}),
        Behaviour.TOO_LONG: driver.embed(**usual | _too_long(stage, client)),
    }


def _too_long(stage: Stage, client: Client) -> dict[str, str]:
    """More than our own model reads; for clients that cut texts for OpenAI's models, more than these read."""
    model, limit = (VENDOR_MODEL, VENDOR_LIMIT) if client.splits else (OWN_MODEL, OWN_LIMIT)
    return {"model": model, "input": f"{stage.marker} {'word ' * limit}"}


def _wait_for_second(earliest: int, latest: int) -> None:
    now = time.time() % 60
    if not earliest <= now <= latest:
        time.sleep((earliest - now) % 60)


def _be_throttled(driver: Driver, stage: Stage, client: Client) -> dict[Behaviour, Outcome]:
    usual = {"key": stage.limited.key, "model": VENDOR_MODEL, "input": _texts(stage, client)[0]}
    told_not_to = None if client.insists else driver.embed(**usual, retry=False)
    by_default = driver.embed(**usual)
    return {Behaviour.THROTTLED: told_not_to or by_default, Behaviour.THROTTLED_BY_DEFAULT: by_default}
