"""Handlers that the gateway is measured beside; each is copied alone into an artefact."""
