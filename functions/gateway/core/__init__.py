"""Values and arithmetic of the gateway: no network, no AWS, no clock, no web framework."""
