"""Google's Vertex AI: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api.

A row's URL is the host of its region or multi-region: texts are read in that one.
"""

from urllib.parse import quote

from gateway.core.ports import ProviderCall
from gateway.outbound.messages import HttpCall
from gateway.providers import _vendor
from gateway.providers._google import PURPOSES, content, read_error, read_reply
from gateway.providers._vendor import HttpSettings, purpose_word, said

__all__ = ["ACCEPTS_TITLE", "ACCEPTS_TOKENS", "PURPOSES", "Settings", "build_call", "read_error", "read_reply"]

ACCEPTS_TITLE, ACCEPTS_TOKENS = True, False


class Settings(HttpSettings, frozen=True):
    project: str
    location: str


def build_call(call: ProviderCall, settings: Settings) -> HttpCall:
    model, task = call.route.vendor_model, purpose_word(call, PURPOSES, settings)
    verb, body = _by_content(call, task) if "gemini" in model else ("predict", _by_instance(call, task))
    place = f"projects/{quote(settings.project, safe='')}/locations/{quote(settings.location, safe='')}"
    path = f"/v1/{place}/publishers/google/models/{quote(model, safe='')}:{verb}"
    return HttpCall(url=_vendor.address(call, None, path), body=_vendor.encode_body(body, call))


def _by_content(call: ProviderCall, task: str | None) -> tuple[str, dict[str, object]]:
    config = said(taskType=task, title=call.title, outputDimensionality=call.dimensions, autoTruncate=call.truncate)
    requests: list[dict[str, object]] = [
        {"content": content(text), "embedContentConfig": config} for text in call.inputs
    ]
    return ("embedContent", requests[0]) if len(requests) == 1 else ("batchEmbedContents", {"requests": requests})


def _by_instance(call: ProviderCall, task: str | None) -> dict[str, object]:
    instances = [said(content=text, task_type=task, title=call.title) for text in call.inputs]
    return {
        "instances": instances,
        "parameters": said(outputDimensionality=call.dimensions, autoTruncate=call.truncate),
    }
