"""Every cause in every dialect: a row, a rendering its clients can read, and a request that provokes it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from gateway.app import ROUTERS
from gateway.core import errors
from gateway.core.embedding import EmbeddingResult
from gateway.core.errors import GatewayError
from infra.openapi.causes import CAUSES
from tests.fakes.echo_provider import EchoProvider
from tests.fakes.models import make_model, make_route
from tests.unit.dialects.stage import KEY, STRANGERS_KEY, Stage


def every_cause(cause: type[GatewayError] = GatewayError) -> list[type[GatewayError]]:
    return [found for child in cause.__subclasses__() for found in (child, *every_cause(child))]


DIALECTS = {router.dialect.name: router.dialect for router in ROUTERS}

SAMPLES: Mapping[type[GatewayError], GatewayError] = {type(cause.error): cause.error for cause in CAUSES}

each_dialect = pytest.mark.parametrize("name", DIALECTS)
each_cause = pytest.mark.parametrize("cause", every_cause(), ids=lambda cause: cause.__name__)


@each_dialect
def test_a_dialect_has_a_row_for_every_cause_and_no_other(name: str) -> None:
    assert set(DIALECTS[name].wire_errors) == set(every_cause())


@each_dialect
@each_cause
def test_a_rendering_is_one_that_every_client_can_read(name: str, cause: type[GatewayError]) -> None:
    """Every SDK looks for a string `message` in an object `error`."""
    answer = DIALECTS[name].render_error(SAMPLES[cause])

    body = httpx.Response(answer.status, content=answer.body).json()
    assert 400 <= answer.status < 600
    assert SAMPLES[cause].message in body["error"]["message"]


@each_dialect
@each_cause
def test_only_causes_that_waiting_mends_say_when_to_try_again(name: str, cause: type[GatewayError]) -> None:
    """azure-core tries every error again that carries Retry-After."""
    answer = DIALECTS[name].render_error(SAMPLES[cause])

    mends = answer.status == 429 or cause is errors.StoreUnavailable
    assert ("retry-after" in answer.headers) == mends


@each_dialect
@pytest.mark.parametrize(("seconds", "shown"), [(0.1, "1"), (2.5, "3"), (90, "60")])
def test_a_wait_is_one_that_clients_heed(name: str, seconds: float, shown: str) -> None:
    """Npm clients ignore more than 60 seconds."""
    answer = DIALECTS[name].render_error(errors.ProviderThrottled("m", retry_after=seconds))

    assert answer.headers["retry-after"] == shown


@dataclass
class Asker:
    """How a dialect's client asks for the embedding of texts."""

    path: str
    body: Callable[[list[str]], dict[str, Any]]
    headers: dict[str, str] = field(default_factory=lambda: {"authorization": f"Bearer {KEY}"})

    @property
    def unknown_path(self) -> str:
        """One that begins like the dialect's own."""
        return f"/{self.path.split('/')[1]}/nothing"

    async def ask(self, stage: Stage, *texts: str, **extra: Any) -> httpx.Response:
        return await stage.send("POST", self.path, headers=self.headers, json=self.body(list(texts)) | extra)


def _openai_body(texts: list[str]) -> dict[str, Any]:
    return {"model": "echo", "input": texts}


def _gemini_body(texts: list[str]) -> dict[str, Any]:
    return {"requests": [{"content": {"parts": [{"text": text}]}} for text in texts]}


UNLIKE_OPENAI = {"gemini": Asker("/v1beta/models/echo:batchEmbedContents", _gemini_body)}


def asker_of(name: str) -> Asker:
    """OpenAI's body at the dialect's first path, unless its clients ask in another way."""
    method, path = DIALECTS[name].paths[0].split()
    assert method == "POST"
    return UNLIKE_OPENAI.get(name) or Asker(re.sub(r"\{.+?\}", "echo", path), _openai_body)


Provocation = Callable[[Asker], Any]  # an awaitable httpx response


def failing(error: GatewayError) -> Provocation:
    return lambda asker: asker.ask(Stage(provider=EchoProvider(fails=lambda _: error)), "a")


def failing_keys(error: Exception) -> Provocation:
    def fail() -> None:
        raise error

    return lambda asker: asker.ask(Stage(fails=fail), "a")


async def _wrong_dimensions(asker: Asker) -> httpx.Response:
    if asker.path.endswith("batchEmbedContents"):
        requests = [{"outputDimensionality": 9, "content": {"parts": [{"text": "a"}]}}]
        return await Stage().send("POST", asker.path, headers=asker.headers, json={"requests": requests})
    return await asker.ask(Stage(), "a", dimensions=9)


PROVOCATIONS: Mapping[type[GatewayError], Provocation] = {
    errors.InvalidRequest: lambda asker: asker.ask(Stage(), ""),
    errors.UnsupportedParameter: _wrong_dimensions,
    errors.InputTooLong: lambda asker: asker.ask(Stage(models=[make_model(max_tokens=2)]), "a", "b c d e"),
    errors.RequestTooLarge: lambda asker: asker.ask(Stage(models=[make_model(max_inputs=1)]), "a", "b"),
    errors.BodyTooLarge: lambda asker: asker.ask(Stage(), "a" * 5_300_000),
    errors.WrongContentType: lambda asker: Stage().send(
        "POST", asker.path, headers={**asker.headers, "content-type": "text/plain"}, content=b"{}"
    ),
    errors.Unauthenticated: lambda asker: Stage().send(
        "POST", asker.path, headers={"api-key": STRANGERS_KEY}, json=asker.body(["a"])
    ),
    errors.NotPermitted: lambda asker: asker.ask(Stage(key_record={"models": frozenset({"other"})}), "a"),
    errors.WrongRegion: lambda asker: asker.ask(Stage(models=[make_model(routes=(make_route(region="us"),))]), "a"),
    errors.ModelNotFound: lambda asker: asker.ask(Stage(models=[make_model(name="other")]), "a"),
    errors.ResourceNotFound: lambda asker: Stage().send("POST", asker.unknown_path, headers=asker.headers),
    errors.MethodNotAllowed: lambda asker: Stage().send("PUT", asker.path, headers=asker.headers),
    errors.AllowanceExhausted: lambda asker: asker.ask(
        Stage(throttles=errors.AllowanceExhausted("m", retry_after=3, limited_by="requests")), "a"
    ),
    errors.ProviderRefused: failing(errors.ProviderRefused("m", status=400)),
    errors.ProviderThrottled: failing(errors.ProviderThrottled("m")),
    errors.ProviderMisconfigured: failing(errors.ProviderMisconfigured("m")),
    errors.ProviderUnavailable: failing(errors.ProviderUnavailable("m")),
    errors.ProviderTimeout: failing(errors.ProviderTimeout("m")),
    errors.ProviderMisbehaved: lambda asker: asker.ask(
        Stage(provider=EchoProvider(spoils=lambda _: EmbeddingResult(vectors=()))), "a"
    ),
    errors.StoreUnavailable: failing_keys(errors.StoreUnavailable("m")),
    errors.InternalError: failing_keys(ZeroDivisionError()),
}


@each_dialect
@each_cause
async def test_every_cause_is_met_by_some_request(name: str, cause: type[GatewayError]) -> None:
    response = await PROVOCATIONS[cause](asker_of(name))

    row = DIALECTS[name].wire_errors[cause]
    assert response.status_code == row[0]
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    assert row[-1] in response.text
