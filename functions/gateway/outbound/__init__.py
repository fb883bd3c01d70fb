"""HTTPS to hosts that an operator named: vendors, and documents of identity providers. Addresses are checked."""
