"""Builds the OpenAPI document that the gateway publishes, from its wire models, its tables of errors and golden bodies.

`python -m infra.openapi` writes it where the API function finds it. A test tells when that has to be done again.
"""
