"""Voyage: https://docs.voyageai.com/docs/error-codes."""

import re

from gateway.providers._errors import ErrorTable, Signs

ERRORS = ErrorTable(
    too_long=Signs(
        sentences=(re.compile(r"too many tokens and does not fit into the model's context window of (?P<limit>\d+)"),)
    ),
    too_large=Signs(sentences=(re.compile(r"max allowed tokens per submitted batch is \d+"),)),
)
