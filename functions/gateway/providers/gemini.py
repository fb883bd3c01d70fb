"""Google's Gemini API: https://ai.google.dev/api/embeddings. It lets nobody choose a region."""

from urllib.parse import quote

from gateway.core.ports import ProviderCall
from gateway.outbound.messages import HttpCall
from gateway.providers._google import PURPOSES, content, read_error, read_reply
from gateway.providers._vendor import HttpSettings, address, encode_body, purpose_word, said

__all__ = ["ACCEPTS_TITLE", "ACCEPTS_TOKENS", "PURPOSES", "Settings", "build_call", "read_error", "read_reply"]

URL = "https://generativelanguage.googleapis.com/v1"
ACCEPTS_TITLE, ACCEPTS_TOKENS = True, False


class Settings(HttpSettings, frozen=True):
    auth_header: str = "x-goog-api-key"


def build_call(call: ProviderCall, settings: Settings) -> HttpCall:
    model, task = call.route.vendor_model.removeprefix("models/"), purpose_word(call, PURPOSES, settings)
    options = said(taskType=task, title=call.title, outputDimensionality=call.dimensions)
    requests = [{"model": f"models/{model}", "content": content(text), **options} for text in call.inputs]
    path = settings.path or f"/models/{quote(model, safe='')}:batchEmbedContents"
    return HttpCall(url=address(call, URL, path), body=encode_body({"requests": requests}, call))
