"""What counts against a workspace's requests: everything that a known caller asks to be embedded, once."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.app import ROUTERS
from gateway.core import errors
from gateway.core.caller import Limits
from gateway.core.errors import AllowanceExhausted, GatewayError
from gateway.core.rate_limit import Reservation
from gateway.stores import read_limits
from gateway.stores.read_limits import OwnReadLimits
from tests.fakes.logs import log_lines
from tests.unit.dialects.stage import KEY, STRANGERS_KEY, Stage
from tests.unit.dialects.test_completeness import Asker, asker_of

DIALECTS = {router.dialect.name: router.dialect for router in ROUTERS}
each_dialect = pytest.mark.parametrize("name", DIALECTS)

BODIES: dict[str, dict[str, Any]] = {
    "not JSON": {"content": b"{"},
    "an array": {"json": []},
    "no body": {},
    "an unknown name": {"json": {"colour": 1}},
    "an empty text": {"json": {"model": "echo", "input": ""}},
    "an unknown model": {"json": {"model": "nobody", "input": "a"}},
    "too large a body": {"content": b'"' + b"x" * 5_300_000 + b'"'},
    "another content type": {"content": b"{}", "headers": {"content-type": "text/plain"}},
}


async def refuse(asker: Asker, stage: Stage, request: dict[str, Any]) -> Any:  # an httpx response
    headers = {**asker.headers, **request.get("headers", {})}
    return await stage.send("POST", asker.path, **{**request, "headers": headers})


@each_dialect
@pytest.mark.parametrize("body", BODIES)
async def test_a_request_refused_for_its_body_counts_once_and_costs_no_tokens(name: str, body: str) -> None:
    stage = Stage()

    asker = asker_of(name)
    if body == "an unknown model":
        asker = replace(asker, path=asker.path.replace("/echo", "/nobody"))

    response = await refuse(asker, stage, BODIES[body])

    assert 400 <= response.status_code < 500
    assert stage.reserved == [0]
    assert response.headers["x-ratelimit-remaining-requests"] == "499"


def failing(error: GatewayError) -> Stage:
    stage = Stage()
    stage.provider.fails = lambda _: error
    return stage


@each_dialect
@pytest.mark.parametrize(
    ("stage", "counted"),
    [
        (lambda: Stage(key_record={"models": frozenset({"other"})}), [0]),
        (lambda: failing(errors.ProviderRefused("m", status=400)), [3]),
        (lambda: failing(errors.ProviderThrottled("m")), [3]),
        (lambda: failing(errors.ProviderUnavailable("m")), [3]),
        (Stage, [3]),
    ],
    ids=["not permitted", "refused by the provider", "throttled by the provider", "provider down", "served"],
)
async def test_what_reached_the_reservation_is_not_counted_again(name: str, stage: Any, counted: list[int]) -> None:
    asked: Stage = stage()

    await asker_of(name).ask(asked, "a")

    assert asked.reserved == counted


@each_dialect
async def test_our_own_429_is_not_counted(name: str) -> None:
    stage = Stage(throttles=AllowanceExhausted("Enough.", retry_after=3, limited_by="requests"))

    response = await asker_of(name).ask(stage, "a")

    assert (response.status_code, stage.reserved) == (429, [])


@each_dialect
@pytest.mark.parametrize("key", [None, STRANGERS_KEY])
async def test_a_stranger_has_nothing_to_count_against(name: str, key: str | None) -> None:
    asker, stage = asker_of(name), Stage()

    await stage.send("POST", asker.path, headers={"api-key": key} if key else {}, json={})

    assert stage.reserved == []


@each_dialect
async def test_a_refusal_beyond_the_allowance_is_a_429(name: str) -> None:
    stage = Stage(throttles=AllowanceExhausted("Enough.", retry_after=3, limited_by="requests"))

    response = await refuse(asker_of(name), stage, {"content": b"{"})

    assert response.status_code == 429
    assert response.headers["retry-after"] == "3"
    assert "Enough." in response.json()["error"]["message"]


@each_dialect
@pytest.mark.parametrize("error", [ZeroDivisionError("down"), errors.StoreUnavailable("down"), OSError("down")])
async def test_a_refusal_that_cannot_be_counted_says_what_was_wrong_with_the_request(
    name: str, error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_self: Stage, _workspace: str, _limits: Limits, _tokens: int) -> Reservation:
        raise error

    monkeypatch.setattr(Stage, "reserve", fail)

    response = await refuse(asker_of(name), Stage(), {"content": b"{"})

    assert response.status_code == 400
    assert "JSON" in response.json()["error"]["message"]
    assert [line["message"] for line in log_lines(caplog)] == ["unforeseen"]


READS = [
    (router.dialect.name, path.removeprefix("GET ").format(model="nobody", region="eu"))
    for router in ROUTERS
    for path in router.dialect.paths
    if path.startswith("GET ")
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("name", "path"), sorted(set(READS)))
async def test_reading_costs_no_request_and_has_a_limit_of_its_own(
    name: str, path: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_limits, "MOST", 3)
    stage = Stage(reads=OwnReadLimits(lambda: 1_030.0))
    headers = {"x-goog-api-key": KEY} if name == "gemini" else {"authorization": f"Bearer {KEY}"}

    statuses = [(await stage.send(method, path, headers=headers)).status_code for _ in range(4)]
    last = await stage.send(method, path, headers=headers)

    assert 429 not in statuses[:3]
    assert statuses[3] == 429
    assert last.headers["retry-after"] == "50"
    assert stage.reserved == []


async def test_reading_is_admitted_again_with_the_next_minute_and_apart_for_each_workspace() -> None:
    now = [0.0]
    reads = OwnReadLimits(lambda: now[0])
    for _ in range(read_limits.MOST):
        reads.take("acme")

    with pytest.raises(AllowanceExhausted):
        reads.take("acme")
    reads.take("other")
    now[0] = 60.0
    reads.take("acme")
