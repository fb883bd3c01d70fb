"""Vendors' SDKs against their fakes; the SDKs are installed by `make vendors` alone."""
