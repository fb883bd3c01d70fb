"""Lambda: the HTTP API."""

import os

from gateway.frugal_imports import frugal_imports

with frugal_imports():
    from gateway.app import create_app
    from gateway.http_api import HttpApi
    from gateway.settings import read_settings
    from gateway.wiring import wire_gateway

settings = read_settings(os.environ)
app = create_app(wire_gateway(settings, os.environ), cors_origins=settings.cors_origins)
handler = HttpApi(app)
