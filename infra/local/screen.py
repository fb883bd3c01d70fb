"""What `make run` prints."""

import sys

from infra.local.places import MODEL, Home

_SUCCESS = """
The gateway is running on this machine. Ctrl-C stops it.
The next start begins anew: keys, workspaces and cached vectors are then forgotten.

  Base URL   {base_url}     (OpenAI clients: {base_url}/v1)
  Key        {key}
  Model      {model}

With curl:

  curl {base_url}/v1/embeddings -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \
-d '{{"model": "{model}", "input": "Hello, world"}}'

With openai-python (pip install openai):

  from openai import OpenAI

  client = OpenAI(base_url="{base_url}/v1", api_key="{key}")
  answer = client.embeddings.create(model="{model}", input="Hello, world")
  print(len(answer.data[0].embedding), answer.data[0].embedding[:3])

README.md has the same for Gemini's, Azure's and LangChain's clients; their shell needs:

  source {gateway_env}

All that the gateway understands: {base_url}/docs
What each request did, as JSON lines: {logs}/functions.log (what the other parts say is beside it)
"""


def say(sentence: str) -> None:
    """Prints one line, flushed, so that a file shows it at once too."""
    print(sentence, flush=True)


def say_success(home: Home, base_url: str, key: str) -> None:
    """Prints all that is needed for a first vector."""
    say(_SUCCESS.format(base_url=base_url, key=key, model=MODEL, gateway_env=home.gateway_env, logs=home.path / "logs"))


def say_trouble(sentence: str) -> None:
    """Prints why nothing was started."""
    print(sentence, file=sys.stderr, flush=True)
