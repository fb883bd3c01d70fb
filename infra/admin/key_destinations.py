"""A vendor's key is sent only to hosts it was given for: another host needs the key again.

So nobody can send a key that they cannot read to their own server, or to another vendor by mistake.
"""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from gateway.core.catalogue import Provider
from infra.admin.catalogue_rows import Rows
from infra.admin.failures import Failure

_DEFAULT_PORTS = {"https": 443, "http": 80}


def check_destinations(before: Rows, after: Rows, *, has_key: Callable[[str], bool], renews: str | None) -> None:
    """Raises `Failure` if a stored key would go where it did not go before.

    `has_key` tells whether a key of that name is stored; `renews` is the provider whose key is given anew.
    """
    for row, key in _new_destinations(before, after):
        if row.name != renews and has_key(key):
            raise Failure(
                f"Nothing was written: the provider {row.name!r} would send the stored key {key!r} to {origin(row)}, "
                f"for which it was not given. Name another key, or give this one anew: `{_remedy(row, key)}`."
            )


def origin(row: Provider) -> str | None:
    """Scheme, host and port that a provider's calls go to; `None` for one without an address."""
    if row.url is None:
        return None
    # The path follows the address, and without a slash between them it would be part of the host.
    parts = urlsplit(row.url.rstrip("/") + str(row.settings.get("path", "")))
    return f"{parts.scheme}://{parts.hostname}:{parts.port or _DEFAULT_PORTS.get(parts.scheme)}"


def _new_destinations(before: Rows, after: Rows) -> Iterator[tuple[Provider, str]]:
    known = {(row.key, origin(row)) for row in before.providers.values()}
    for row in after.providers.values():
        if row.key and row.url and (row.key, origin(row)) not in known:
            yield row, row.key


def _remedy(row: Provider, key: str) -> str:
    named = "" if key == row.name else f" --key-name {key}"
    return f"gateway providers set {row.name} --kind {row.kind} --url {row.url}{named} --key-from-env VARIABLE"
