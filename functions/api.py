"""Lambda: the HTTP API."""

from mangum import Mangum

from gateway.app import create_app
from gateway.wiring import wire_gateway

handler = Mangum(create_app(wire_gateway()), lifespan="off")  # lifespan would run on every invocation
