"""Hugging Face's text-embeddings-inference: https://github.com/huggingface/text-embeddings-inference."""

import re

from gateway.providers._errors import ErrorTable, Signs

ERRORS = ErrorTable(
    too_long=Signs(sentences=(re.compile(r"must have less than (?P<limit>\d+) tokens\. Given: (?P<tokens>\d+)"),)),
    too_large=Signs(sentences=(re.compile(r"batch size \d+ > maximum allowed batch size \d+"),)),
)
