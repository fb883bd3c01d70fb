"""Limits that AWS sets and several rooms must know."""

MAX_PAYLOAD = 6_291_556
"""Bytes of a synchronous Lambda call, one way: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""
