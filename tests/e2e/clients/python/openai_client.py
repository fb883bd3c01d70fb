"""openai-python: `OpenAI` by default, `AzureOpenAI` when started with the word azure."""

import sys

from openai import DEFAULT_MAX_RETRIES, AzureOpenAI, OpenAI

from tests.e2e.clients.python.protocol import Answer, Command, serve

AZURE_API_VERSION = "2024-10-21"


def _client(command: Command) -> OpenAI:
    retries = DEFAULT_MAX_RETRIES if command.retry else 0
    if sys.argv[1:] == ["azure"]:
        return AzureOpenAI(
            azure_endpoint=command.origin,
            api_version=AZURE_API_VERSION,
            api_key=command.key,
            max_retries=retries,
        )
    return OpenAI(base_url=f"{command.origin}/v1", api_key=command.key, max_retries=retries)


def embed(command: Command) -> Answer:
    """Through `embeddings.create`."""
    with _client(command) as client:
        reply = client.embeddings.create(**command.given("model", "input", "dimensions", "encoding_format"))
    return Answer(vectors=[item.embedding for item in reply.data], usage=reply.usage.prompt_tokens)


def models(command: Command) -> Answer:
    """All that `models.list` gives, and the one that `models.retrieve` gives."""
    with _client(command) as client:
        listed, one = list(client.models.list()), client.models.retrieve(command.model)
    return Answer(names=[*(model.id for model in listed), one.id])


if __name__ == "__main__":
    serve("openai", embed=embed, models=models)
