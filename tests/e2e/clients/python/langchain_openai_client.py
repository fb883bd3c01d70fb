"""langchain-openai. As it comes, it sends token ids; started with the word texts, it sends texts."""

import sys

from langchain_openai import OpenAIEmbeddings

from tests.e2e.clients.python.protocol import Answer, Command, serve


def embed(command: Command) -> Answer:
    """Through `embed_query` for one text, `embed_documents` for several."""
    embeddings = OpenAIEmbeddings(
        base_url=f"{command.origin}/v1",
        api_key=command.key,
        check_embedding_ctx_length=sys.argv[1:] != ["texts"],
        **command.given("model", "dimensions"),
        **({} if command.retry else {"max_retries": 0}),
    )
    if isinstance(command.input, str):
        return Answer(vectors=[embeddings.embed_query(command.input)])
    return Answer(vectors=embeddings.embed_documents(command.input))


if __name__ == "__main__":
    serve("langchain-openai", embed=embed)
