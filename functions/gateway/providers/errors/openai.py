"""OpenAI and Azure OpenAI: https://platform.openai.com/docs/guides/error-codes.

It is the table of rows that name none, so it also knows the sentences of servers that operators run themselves: vLLM
has OpenAI's; TEI, Ollama and llama.cpp have their own.
"""

import re

from gateway.providers._errors import ErrorTable, Signs
from gateway.providers.errors import llama_cpp, ollama, tei

ERRORS = ErrorTable(
    too_long=Signs(
        codes=frozenset({"context_length_exceeded"}),
        sentences=(
            re.compile(r"maximum context length is (?P<limit>\d+) tokens.*?requested (?P<tokens>\d+)", re.DOTALL),
            re.compile(r"maximum input length is (?P<limit>\d+) tokens"),
        ),
    )
    | tei.ERRORS.too_long
    | ollama.ERRORS.too_long
    | llama_cpp.ERRORS.too_long,
    too_large=Signs(codes=frozenset({"max_tokens_per_request"})) | tei.ERRORS.too_large,
    no_credit=Signs(
        codes=frozenset(
            {
                "insufficient_quota",
                "billing_hard_limit_reached",
                "billing_not_active",
                "credit_balance_exhausted",
                "organization_spend_limit_exceeded",
                "organization_usage_limit_exceeded",
                "project_spend_limit_exceeded",
            }
        )
    ),
    no_access=Signs(codes=frozenset({"invalid_api_key", "account_deactivated"})),
    no_model=Signs(codes=frozenset({"model_not_found", "DeploymentNotFound"})),
)
