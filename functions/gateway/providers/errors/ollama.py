"""Ollama: https://github.com/ollama/ollama."""

import re

from gateway.providers._errors import ErrorTable, Signs

ERRORS = ErrorTable(
    too_long=Signs(sentences=(re.compile(r"input length exceeds (?:the |maximum |the maximum )?context length"),))
)
