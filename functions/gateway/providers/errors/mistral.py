"""Mistral: https://docs.mistral.ai/api/endpoint/embeddings. Code 3210: too many inputs, or too many tokens in all."""

import re

from gateway.providers._errors import ErrorTable, Signs

ERRORS = ErrorTable(
    too_long=Signs(sentences=(re.compile(r"has (?P<tokens>\d+) tokens, exceeding max (?P<limit>\d+) tokens"),)),
    too_large=Signs(codes=frozenset({"3210"}), sentences=(re.compile(r"Too many tokens in batch"),)),
)
