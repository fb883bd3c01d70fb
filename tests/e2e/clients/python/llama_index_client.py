"""llama-index-embeddings-openai."""

from llama_index.embeddings.openai import OpenAIEmbedding

from tests.e2e.clients.python.protocol import Answer, Command, serve


def embed(command: Command) -> Answer:
    """Through `get_text_embedding` for one text, `get_text_embedding_batch` for several."""
    embedding = OpenAIEmbedding(
        api_base=f"{command.origin}/v1",
        api_key=command.key,
        **command.given("dimensions", model="model_name"),
        **({} if command.retry else {"max_retries": 0}),
    )
    if isinstance(command.input, str):
        return Answer(vectors=[embedding.get_text_embedding(command.input)])
    return Answer(vectors=embedding.get_text_embedding_batch(command.input))


if __name__ == "__main__":
    serve("llama-index-embeddings-openai", embed=embed)
