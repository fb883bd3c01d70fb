from tests.unit.providers.conftest import connections, vendor

__all__ = ["connections", "vendor"]
