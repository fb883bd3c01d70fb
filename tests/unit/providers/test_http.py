"""Calls over HTTP, from the port to a vendor on loopback and back, and what becomes of every way to fail."""

import asyncio
import gzip
import json
import socket
import zlib
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec
import pytest

from gateway import telemetry
from gateway.core import catalogue
from gateway.core.embedding import EmbeddingResult
from gateway.core.errors import (
    GatewayError,
    InputTooLong,
    ProviderMisbehaved,
    ProviderMisconfigured,
    ProviderRefused,
    ProviderThrottled,
    ProviderTimeout,
    ProviderUnavailable,
)
from gateway.core.ports import ProviderCall
from gateway.core.vectors import as_array
from gateway.outbound.client import HttpClient
from gateway.outbound.messages import HttpCall
from gateway.providers import openai
from gateway.providers._credentials import KeyCredentials
from gateway.providers._http import HttpProvider, reply_limit, with_headers
from gateway.providers._vendor import HttpSettings, read_settings
from tests.fakes.logs import log_lines
from tests.fakes.openai_vendor import KEY, vector
from tests.unit.outbound.servers import RunningVendor, listening
from tests.unit.providers.builders import Keys, a_call, a_provider, a_route

SECRET = "the-text-that-was-embedded"


def provider_with(keys: Keys, client: HttpClient) -> HttpProvider:
    return HttpProvider(vendor=openai, credentials=KeyCredentials(keys), client=client)


@pytest.fixture
def provider(client: HttpClient) -> HttpProvider:
    return provider_with(Keys(vendor=KEY, wrong="sk-wrong-key"), client)


def call_to(
    vendor: RunningVendor, model: str = "text-embedding-3-small", *inputs: str, key: str = "vendor", timeout: float = 5
) -> ProviderCall:
    row = a_provider(url=vendor.url, key=key, timeout=timeout)
    route = a_route(vendor_model=model)
    return a_call(*(inputs or (SECRET, "two")), provider=row, route=route, native_dimensions=1536)


def components(result: EmbeddingResult) -> list[list[float]]:
    return [as_array(item).tolist() for item in result.vectors]


@pytest.mark.parametrize("model", ["text-embedding-3-small", "shuffled-index", "chunked", "close-after"])
async def test_texts_become_vectors_in_their_order(vendor: RunningVendor, provider: HttpProvider, model: str) -> None:
    texts = [f"text {at}" for at in range(20)]

    result = await provider.embed(call_to(vendor, model, *texts))

    assert components(result) == [vector(text, 1536) for text in texts]
    assert result.tokens == 20
    assert vendor.vendor.seen["base64"] == 1


@pytest.mark.parametrize("model", ["floats-only", "mixed"])
async def test_floats_are_read_where_base64_was_asked(
    vendor: RunningVendor, provider: HttpProvider, model: str
) -> None:
    result = await provider.embed(call_to(vendor, model, "a", "b"))

    assert components(result) == [vector(text, 1536) for text in "ab"]


async def test_a_whole_request_of_short_texts_fits(vendor: RunningVendor, provider: HttpProvider) -> None:
    texts = [f"{at}" for at in range(2048)]

    result = await provider.embed(call_to(vendor, "floats-only", *texts))

    assert len(result.vectors) == 2048
    assert as_array(result.vectors[2047]).tolist() == vector("2047", 1536)


FAILURES: dict[str, type[GatewayError]] = {
    "fail-400": ProviderRefused,
    "fail-401": ProviderMisconfigured,
    "fail-403": ProviderMisconfigured,
    "fail-404": ProviderMisconfigured,
    "fail-408": ProviderTimeout,
    "fail-422": ProviderRefused,
    "fail-429": ProviderThrottled,
    "fail-429-quota": ProviderMisconfigured,
    "fail-500": ProviderUnavailable,
    "fail-503": ProviderUnavailable,
    "fail-504": ProviderTimeout,
    "over-context": InputTooLong,
    "duplicate-index": ProviderMisbehaved,
    "index-out-of-range": ProviderMisbehaved,
    "wrong-count": ProviderMisbehaved,
    "short-vector": ProviderMisbehaved,
    "nan": ProviderMisbehaved,
    "html": ProviderMisbehaved,
    "html-502": ProviderUnavailable,
    "empty": ProviderMisbehaved,
    "not-json": ProviderMisbehaved,
    "redirect": ProviderMisconfigured,
    "hang-up": ProviderUnavailable,
    "cut-short": ProviderUnavailable,
    "gone": ProviderMisconfigured,
}


@pytest.mark.parametrize(("model", "expected"), FAILURES.items())
async def test_each_failure_has_its_cause_and_keeps_our_secrets(
    vendor: RunningVendor,
    provider: HttpProvider,
    caplog: pytest.LogCaptureFixture,
    model: str,
    expected: type[GatewayError],
) -> None:
    with pytest.raises(GatewayError) as caught:
        await provider.embed(call_to(vendor, model))

    assert type(caught.value) is expected
    for told in (caught.value.message, caplog.text, *map(str, log_lines(caplog))):
        assert KEY not in told
        assert SECRET not in told
        assert "127.0.0.1" not in told


async def test_a_throttled_call_says_when_to_return(vendor: RunningVendor, provider: HttpProvider) -> None:
    with pytest.raises(ProviderThrottled) as caught:
        await provider.embed(call_to(vendor, "fail-429-retry-after-2"))

    assert caught.value.retry_after == 2


async def test_a_vendor_that_recovers_is_asked_on_the_same_connection(
    vendor: RunningVendor, provider: HttpProvider
) -> None:
    with pytest.raises(ProviderUnavailable):
        await provider.embed(call_to(vendor, "fail-once-503"))

    result = await provider.embed(call_to(vendor, "fail-once-503"))

    assert len(result.vectors) == 2
    assert vendor.vendor.seen["connections"] == 1


async def test_a_key_the_vendor_refuses_is_told_to_the_operator_alone(
    vendor: RunningVendor, provider: HttpProvider, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ProviderMisconfigured) as caught:
        await provider.embed(call_to(vendor, key="wrong"))

    assert "key" not in caught.value.message
    (line,) = log_lines(caplog)
    assert (line["level"], line["message"]) == ("WARNING", "provider failed")
    assert (line["provider"], line["status"], line["code"]) == ("vendor", 401, "invalid_api_key")
    assert "sk-wrong" not in str(line)


async def test_the_end_of_a_line_is_no_part_of_a_key(vendor: RunningVendor, client: HttpClient) -> None:
    provider = provider_with(Keys(vendor=f" {KEY}\n"), client)

    result = await provider.embed(call_to(vendor))

    assert len(result.vectors) == 2


async def test_a_key_that_is_none_is_the_operator_s_fault(
    vendor: RunningVendor, client: HttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    provider = provider_with(Keys(vendor="two\nlines"), client)

    with pytest.raises(ProviderMisconfigured, match="not set up"):
        await provider.embed(call_to(vendor))

    (line,) = log_lines(caplog)
    assert line["message"] == "provider failed"
    assert "lines" not in str(line)


async def test_our_key_is_taken_out_of_what_a_vendor_repeats(client: HttpClient) -> None:
    async def parrot(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = b'{"error":{"message":"You sent ' + head.partition(b"Bearer ")[2].partition(b"\r")[0] + b'!"}}'
        writer.write(b"HTTP/1.1 400 No\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()

    provider = provider_with(Keys(vendor="opaque.token"), client)

    async with listening(parrot) as port:
        row = a_provider(url=f"http://127.0.0.1:{port}", key="vendor")
        with pytest.raises(ProviderRefused) as caught:
            await provider.embed(a_call(provider=row))

    assert caught.value.message == "You sent [key]!"


async def test_no_call_waits_longer_than_its_row_says(vendor: RunningVendor, provider: HttpProvider) -> None:
    with pytest.raises(ProviderTimeout):
        await asyncio.wait_for(provider.embed(call_to(vendor, "slow-30s", timeout=0.05)), 1)


async def test_what_the_key_took_is_not_granted_again(vendor: RunningVendor, client: HttpClient) -> None:
    class SlowKeys(Keys):
        async def key(self, name: str) -> str:
            await asyncio.sleep(0.3)
            return await super().key(name)

    provider = provider_with(SlowKeys(vendor=KEY), client)
    call = msgspec.structs.replace(call_to(vendor, "slow-30s"), timeout=0.2)

    with pytest.raises(ProviderTimeout):
        await asyncio.wait_for(provider.embed(call), 5)

    assert vendor.vendor.seen["requests"] == 0


def test_settings_that_python_takes_for_equal_are_told_apart() -> None:
    read = [read_settings(a_provider(settings={"body": {"n": n}}), openai.Settings).body["n"] for n in (1, True, 1.0)]

    assert [(type(n), n) for n in read] == [(int, 1), (bool, True), (float, 1.0)]


async def test_calls_of_a_request_are_under_way_side_by_side(vendor: RunningVendor, provider: HttpProvider) -> None:
    results = await asyncio.gather(*(provider.embed(call_to(vendor, "slow-0.1s", text)) for text in "abcdefgh"))

    assert [components(result) for result in results] == [[vector(text, 1536)] for text in "abcdefgh"]
    assert vendor.vendor.seen["connections"] == 8  # one after the other they would have shared one


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/v1", "https://user:hunter2@vendor.example", "ftp://vendor.example", "https://[::1"]
)
async def test_an_address_a_provider_may_not_have_is_told_to_the_operator_alone(
    provider: HttpProvider, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    with pytest.raises(ProviderMisconfigured) as caught:
        await provider.embed(a_call(provider=a_provider(url=url)))

    assert caught.value.message == "The provider of this model is not set up correctly."
    (line,) = log_lines(caplog)
    assert (line["level"], line["message"], line["provider"]) == ("WARNING", "provider failed", "vendor")
    assert "hunter2" not in str(line)


async def test_a_setting_nobody_knows_is_told_to_the_operator_alone(
    provider: HttpProvider, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ProviderMisconfigured, match="not set up"):
        await provider.embed(a_call(provider=a_provider(settings={"pth": "/x"})))

    (line,) = log_lines(caplog)
    assert "pth" in line["reason"]


@pytest.mark.parametrize(
    "row",
    [
        *({"url": f"https://{host}/v1"} for host in ("a..b", ".a", "a.b..", "x" * 64 + ".example", "-a.example")),
        *({"url": f"https://{host}/v1"} for host in ("bücher.example", "a b", "a\tb", "xn--", "", "[::1", "a:0x50")),
        {"url": "https://vendor.example/v1#a"},
        {"settings": {"path": "/a#b"}},
        {"settings": {"path": "/a\r\nhost: b"}},
        {"settings": {"path": "/a?b\r\nc"}},
        {"settings": {"path": "/\x00"}},
        *({"settings": {"headers": {name: "1"}}} for name in ("Host", "content-length", "Transfer-Encoding", "a b")),
        *({"settings": {"headers": {"x-a": value}}} for value in ("1\r\nx-b: 2", "東京", "\x00")),
        {"settings": {"auth_header": "host"}},
        {"settings": {"auth_scheme": "東京"}},
        {"settings": {"headers": "x"}},
    ],
    ids=str,
)
async def test_a_row_that_cannot_work_is_the_operators_fault_and_never_an_unforeseen_one(
    client: HttpClient, row: dict[str, Any]
) -> None:
    """The command refuses such rows; one that was written otherwise must not end as a bare 500."""
    provider = provider_with(Keys(vendor="sk-1"), client)
    usual = {"url": "https://vendor.example/v1", "key": "vendor"}

    with pytest.raises(ProviderMisconfigured, match="not set up"):
        await provider.embed(a_call(provider=a_provider(**{**usual, **row})))


async def test_a_vendor_that_cannot_be_reached_is_unavailable(
    provider: HttpProvider, caplog: pytest.LogCaptureFixture
) -> None:
    row = a_provider(url="http://127.0.0.1:9/v1")

    with pytest.raises(ProviderUnavailable, match="cannot be reached"):
        await provider.embed(a_call(provider=row))

    (line,) = log_lines(caplog)
    assert (line["level"], line["message"], line["provider"]) == ("WARNING", "provider failed", "vendor")


async def test_a_credential_is_given_the_call_as_it_is_sent(vendor: RunningVendor, client: HttpClient) -> None:
    """So that a signature can cover the address, the headers and the body."""

    @dataclass
    class Signing:
        signed: list[HttpCall] = field(default_factory=list)

        async def __call__(self, provider: catalogue.Provider, settings: HttpSettings) -> Self:
            return self

        def apply(self, call: HttpCall) -> HttpCall:
            self.signed.append(call)
            return msgspec.structs.replace(call, headers={**call.headers, "authorization": f"Bearer {KEY}"})

        def conceal(self, text: bytes) -> bytes:
            return text

    credentials = Signing()
    provider = HttpProvider(vendor=openai, credentials=credentials, client=client)

    result = await provider.embed(call_to(vendor))

    (signed,) = credentials.signed
    assert len(result.vectors) == 2
    assert signed.url == f"{vendor.url}/embeddings"
    assert signed.headers == {"content-type": "application/json", "accept": "application/json"}
    assert msgspec.json.decode(signed.body)["input"] == [SECRET, "two"]


def test_the_row_s_own_headers_win_over_the_sender_s() -> None:
    settings = openai.Settings(headers={"Accept": "application/x", "OpenAI-Organization": "org-1"})
    call = HttpCall(url="https://vendor.example", body=b"{}", headers={"content-type": "application/y"})

    sent = with_headers(call, settings)

    assert sent.headers == {
        "content-type": "application/y",
        "accept": "application/x",
        "openai-organization": "org-1",
    }


async def test_a_row_cannot_put_a_header_in_place_of_the_key(vendor: RunningVendor, provider: HttpProvider) -> None:
    row = a_provider(url=vendor.url, key="vendor", settings={"headers": {"Authorization": "Bearer sk-other"}})

    result = await provider.embed(a_call(provider=row, native_dimensions=1536))

    assert len(result.vectors) == 1


def test_a_reply_may_be_as_long_as_its_vectors_in_indented_json() -> None:
    call = a_call("a", "b", native_dimensions=3072)

    assert reply_limit(call) > 2 * 3072 * len("\n            -1.2345678901234567e-05,")
    assert reply_limit(call) < 2 * 1024 * 1024


async def answering(client: HttpClient, head: bytes, body: bytes, *texts: str) -> EmbeddingResult:
    """What is made of that answer to a call with these texts."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
        await writer.drain()

    async with listening(answer) as port:
        row = a_provider(url=f"http://127.0.0.1:{port}", key="vendor")
        return await provider_with(Keys(vendor=KEY), client).embed(a_call(*texts, provider=row, native_dimensions=1))


GOOD = b'{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[1]}],"usage":{"prompt_tokens":2}}'


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"200 OK\r\n", GOOD),
        (b"201 Created\r\n", GOOD),
        (b"203 Non-Authoritative\r\ncontent-type: text/plain\r\n", GOOD),
        (b"200 OK\r\n", b"\xef\xbb\xbf" + GOOD),
        (b"200 OK\r\n", b" \r\n" + GOOD + b"\n\n"),
        (b"200 OK\r\n", GOOD.replace(b'"index":0,', b"")),
        (b"200 OK\r\n", GOOD.replace(b'"index":0', b'"index":"0"').replace(b'"index":1', b'"index":1.0')),
        (b"200 OK\r\n", b'{"data":[{"embedding":[1]},{"embedding":[2]}]}'),
        (b"200 OK\r\ncontent-encoding: gzip\r\n", gzip.compress(GOOD)),
        (b"200 OK\r\ncontent-encoding: X-GZIP\r\n", gzip.compress(GOOD)),
        (b"200 OK\r\ncontent-encoding: deflate\r\n", zlib.compress(GOOD)),
    ],
)
async def test_a_good_answer_is_read_however_it_is_wrapped(client: HttpClient, head: bytes, body: bytes) -> None:
    result = await answering(client, head, body, "a", "b")

    assert components(result) == [[1.0], [2.0]]


@pytest.mark.parametrize(
    "body",
    [
        GOOD.replace(b'"index":1', b'"index":0'),
        GOOD.replace(b'"index":1', b'"index":2'),
        GOOD.replace(b'"index":0', b'"index":2'),
        GOOD.replace(b'"index":0', b'"index":-1'),
        GOOD.replace(b"[1]", b"[0]"),
        GOOD.replace(b"[1]", b"[-0.0]"),
        GOOD.replace(b"[1]", b"null"),
        GOOD.replace(b"[1]", b"[1,1]"),
    ],
)
async def test_an_answer_that_can_be_meant_two_ways_is_refused(client: HttpClient, body: bytes) -> None:
    with pytest.raises(ProviderMisbehaved):
        await answering(client, b"200 OK\r\n", body, "a", "b")


async def test_a_compressed_answer_cannot_take_more_memory_than_a_plain_one(client: HttpClient) -> None:
    bomb = gzip.compress(b" " * 50_000_000)

    with pytest.raises(ProviderMisbehaved, match="longer than"):
        await answering(client, b"200 OK\r\ncontent-encoding: gzip\r\n", bomb, "a")


async def test_the_operator_is_told_why_and_callers_texts_are_left_out(
    client: HttpClient, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.REQUEST_ID.set("r-1")
    body = b'{"error":{"message":"Bad text: the secret text.","code":"weird"}}'

    with pytest.raises(ProviderRefused):
        await answering(client, b"400 No\r\n", body, "the secret text")

    (line,) = log_lines(caplog)
    assert {name: line[name] for name in ("provider", "status", "code", "reason", "request_id")} == {
        "provider": "vendor",
        "status": 400,
        "code": "weird",
        "reason": "Bad text: [text].",
        "request_id": "r-1",
    }
    assert line["route"]
    metric = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (metric["ProviderFailures"], metric["provider"]) == ([1.0], "vendor")


@pytest.mark.parametrize("texts", [("t", "te", "text", "x", "[", "te"), ("text", "te", "x", "t", "[")])
async def test_texts_that_stand_in_each_other_are_left_out_once(
    client: HttpClient, caplog: pytest.LogCaptureFixture, texts: tuple[str, ...]
) -> None:
    body = b'{"error":{"message":"No: text, te."}}'

    with pytest.raises(ProviderRefused):
        await answering(client, b"400 No\r\n", body, *texts)

    (line,) = log_lines(caplog)
    assert line["reason"] == "No: [text], [text]."


@pytest.mark.parametrize("number", [socket.EAI_NONAME, socket.EAI_NODATA])
async def test_a_name_that_no_name_server_knows_is_the_operator_s(
    number: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(number, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    client = HttpClient()

    with pytest.raises(ProviderMisconfigured):
        await provider_with(Keys(), client).embed(a_call(provider=a_provider(url="https://misspelt.example.com/v1")))

    (line,) = log_lines(caplog)
    assert "misspelt.example.com" in line["reason"]
    await client.aclose()


async def test_a_name_server_that_does_not_answer_is_a_failure_that_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    client = HttpClient()

    with pytest.raises(ProviderUnavailable):
        await provider_with(Keys(), client).embed(a_call(provider=a_provider(url="https://api.example.com/v1")))
    await client.aclose()
