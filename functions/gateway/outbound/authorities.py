"""The authorities that TLS trusts. A separate module, so that `aws/` does not import httpx."""

import ssl
from functools import cache


@cache
def shared_ssl_context() -> ssl.SSLContext:
    """The system's certificate authorities, loaded once (20 ms); those of certifi where the system has none."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        import certifi  # noqa: PLC0415  (a system without authorities is rare)

        context.load_verify_locations(certifi.where())
    # All our clients speak HTTP/1.1. httpcore would say so on this shared context as well, but later.
    context.set_alpn_protocols(["http/1.1"])
    return context
