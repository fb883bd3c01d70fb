from tests.unit.providers.conftest import client, vendor

__all__ = ["client", "vendor"]
