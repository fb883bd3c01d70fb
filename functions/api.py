"""Lambda: the HTTP API."""

import os

from gateway.frugal_imports import frugal_imports

with frugal_imports():
    from mangum import Mangum

    from gateway.app import create_app
    from gateway.settings import read_settings
    from gateway.wiring import wire_api

settings = read_settings(os.environ)
app = create_app(wire_api(settings, os.environ), cors_origins=settings.cors_origins)
handler = Mangum(app, lifespan="off")  # lifespan events would run on every invocation
