"""Jina: https://api.jina.ai/docs. An account without balance is a 403, as if the key were wrong."""

from gateway.providers._errors import ErrorTable, Signs

ERRORS = ErrorTable(no_credit=Signs(codes=frozenset({"AUTHZ_INSUFFICIENT_BALANCE"})))
