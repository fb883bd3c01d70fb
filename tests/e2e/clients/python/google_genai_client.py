"""google-genai. It retries nothing unless its user asks for that, so `retry` changes nothing here."""

from google import genai
from google.genai.types import EmbedContentConfig, HttpOptions

from tests.e2e.clients.python.protocol import Answer, Command, serve


def _client(command: Command) -> genai.Client:
    return genai.Client(api_key=command.key, http_options=HttpOptions(base_url=command.origin))


def embed(command: Command) -> Answer:
    """Through `models.embed_content`."""
    client = _client(command)  # kept by name: a client that nobody holds closes itself
    config = EmbedContentConfig(**command.given(dimensions="output_dimensionality"))
    reply = client.models.embed_content(model=command.model, contents=command.input, config=config)
    return Answer(vectors=[embedding.values for embedding in reply.embeddings])


def models(command: Command) -> Answer:
    """All that `models.list` gives, two at a time, and the one that `models.get` gives."""
    client = _client(command)
    listed, one = list(client.models.list(config={"page_size": 2})), client.models.get(model=command.model)
    return Answer(names=[*(model.name for model in listed), one.name])


if __name__ == "__main__":
    serve("google-genai", embed=embed, models=models)
