"""llama.cpp's server, which answers an input that is too long with HTTP 500: https://github.com/ggml-org/llama.cpp."""

import re

from gateway.providers._errors import ErrorTable, Signs

ERRORS = ErrorTable(
    too_long=Signs(
        codes=frozenset({"exceed_context_size_error"}),
        sentences=(
            re.compile(r"input (?:\((?P<tokens>\d+) tokens\) )?is too large to process"),
            re.compile(r"input (?:prompt )?is (?:larger than the max context size|too big compared to KV size)"),
            re.compile(r"request \((?P<tokens>\d+) tokens\) exceeds the available context size"),
        ),
    )
)
