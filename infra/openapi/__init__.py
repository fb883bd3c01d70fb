"""Builds the OpenAPI document that the gateway publishes, from the routers' routes, wire types and golden bodies.

`python -m infra.openapi` writes it where the API function finds it. A test says when that has to be done again.
"""
