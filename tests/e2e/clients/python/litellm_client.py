"""litellm as a client; started with the provider whose wire format it is to speak: openai, azure, azure_ai, gemini."""

import sys

import litellm

from tests.e2e.clients.python.protocol import Answer, Command, serve

API_BASES = {"openai": "/v1", "azure": "", "azure_ai": "", "gemini": "/v1beta"}
PROVIDER = (sys.argv[1:] or ["openai"])[0]


def embed(command: Command) -> Answer:
    """Through `litellm.embedding`, the model named `provider/model`."""
    reply = litellm.embedding(
        model=f"{PROVIDER}/{command.model}",
        input=[command.input] if isinstance(command.input, str) else command.input,
        api_base=f"{command.origin}{API_BASES[PROVIDER]}",
        api_key=command.key,
        **command.given("dimensions"),
        **({"api_version": "2024-10-21"} if PROVIDER == "azure" else {}),
        **({} if command.retry else {"max_retries": 0}),
    )
    return Answer(vectors=[item["embedding"] for item in reply.data], usage=reply.usage.prompt_tokens)


if __name__ == "__main__":
    serve("litellm", embed=embed)
