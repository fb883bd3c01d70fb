"""Codes and sentences of vendors that speak OpenAI, a file each; a row names one with the setting `errors`."""

from importlib import import_module

from gateway.providers._errors import ErrorTable


def error_table(name: str) -> ErrorTable:
    """The table in the file of that name."""
    table: ErrorTable = import_module(f"gateway.providers.errors.{name}").ERRORS
    return table
