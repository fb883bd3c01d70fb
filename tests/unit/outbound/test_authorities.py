"""The certificate authorities that all of our TLS trusts."""

import ssl

import pytest

from gateway.outbound.authorities import shared_ssl_context


def test_the_authorities_are_loaded_once_and_checked() -> None:
    context = shared_ssl_context()

    assert context is shared_ssl_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.cert_store_stats()["x509_ca"] > 0


def test_a_system_without_authorities_has_those_of_certifi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssl, "create_default_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    context = shared_ssl_context.__wrapped__()

    assert context.cert_store_stats()["x509_ca"] > 0
