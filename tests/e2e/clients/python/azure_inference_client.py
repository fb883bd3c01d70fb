"""azure-ai-inference."""

from azure.ai.inference import EmbeddingsClient, load_client
from azure.core.credentials import AzureKeyCredential

from tests.e2e.clients.python.protocol import Answer, Command, serve


def _client(command: Command) -> EmbeddingsClient:
    retries = {} if command.retry else {"retry_total": 0}
    return EmbeddingsClient(endpoint=command.origin, credential=AzureKeyCredential(command.key), **retries)


def embed(command: Command) -> Answer:
    """Through `EmbeddingsClient.embed`."""
    texts = [command.input] if isinstance(command.input, str) else command.input
    with _client(command) as client:
        reply = client.embed(input=texts, **command.given("model", "dimensions", "encoding_format"))
    return Answer(vectors=[item.embedding for item in reply.data], usage=reply.usage.prompt_tokens)


def models(command: Command) -> Answer:
    """What `load_client` finds behind the endpoint: it refuses one that does not say that it embeds."""
    with load_client(endpoint=command.origin, credential=AzureKeyCredential(command.key)) as client:
        return Answer(names=[type(client).__name__, client.get_model_info().model_type])


if __name__ == "__main__":
    serve("azure-ai-inference", embed=embed, models=models)
