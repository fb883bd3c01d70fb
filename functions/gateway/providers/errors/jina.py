"""Jina: https://api.jina.ai/docs."""

from gateway.providers._errors import ErrorTable, Signs

ERRORS = ErrorTable(no_credit=Signs(codes=frozenset({"AUTHZ_INSUFFICIENT_BALANCE"})))
