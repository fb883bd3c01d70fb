"""langchain-google-genai. It retries nothing, so `retry` changes nothing here."""

from langchain_google_genai import GoogleGenerativeAIEmbeddings

from tests.e2e.clients.python.protocol import Answer, Command, serve


def embed(command: Command) -> Answer:
    """Through `embed_query` for one text, `embed_documents` for several."""
    embeddings = GoogleGenerativeAIEmbeddings(
        base_url=command.origin,
        google_api_key=command.key,
        **command.given("model", dimensions="output_dimensionality"),
    )
    if isinstance(command.input, str):
        return Answer(vectors=[embeddings.embed_query(command.input)])
    return Answer(vectors=embeddings.embed_documents(command.input))


if __name__ == "__main__":
    serve("langchain-google-genai", embed=embed)
