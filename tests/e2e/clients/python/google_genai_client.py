"""google-genai. It retries nothing unless its user asks for that, so `retry` changes nothing here."""

from google import genai
from google.genai.types import EmbedContentConfig, HttpOptions

from tests.e2e.clients.python.protocol import Answer, Command, serve


def embed(command: Command) -> Answer:
    """Through `models.embed_content`."""
    client = genai.Client(api_key=command.key, http_options=HttpOptions(base_url=command.origin))
    config = EmbedContentConfig(**command.given(dimensions="output_dimensionality"))
    reply = client.models.embed_content(model=command.model, contents=command.input, config=config)
    return Answer(vectors=[embedding.values for embedding in reply.embeddings])


if __name__ == "__main__":
    serve("google-genai", embed)
