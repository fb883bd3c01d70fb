from pathlib import Path

import pytest

from tests.unit.aws.servers import make_certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the certificate of 127.0.0.1, signed by itself, and its key."""
    return make_certificate(tmp_path_factory.mktemp("tls"))
