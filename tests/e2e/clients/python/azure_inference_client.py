"""azure-ai-inference."""

from azure.ai.inference import EmbeddingsClient
from azure.core.credentials import AzureKeyCredential

from tests.e2e.clients.python.protocol import Answer, Command, serve


def embed(command: Command) -> Answer:
    """Through `EmbeddingsClient.embed`."""
    client = EmbeddingsClient(
        endpoint=command.origin,
        credential=AzureKeyCredential(command.key),
        **({} if command.retry else {"retry_total": 0}),
    )
    texts = [command.input] if isinstance(command.input, str) else command.input
    with client:
        reply = client.embed(input=texts, **command.given("model", "dimensions", "encoding_format"))
    return Answer(vectors=[item.embedding for item in reply.data], usage=reply.usage.prompt_tokens)


if __name__ == "__main__":
    serve("azure-ai-inference", embed)
