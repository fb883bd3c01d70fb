"""Limits of AWS Lambda's synchronous calls, which hold for the API function and for our own model's.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html says 6 MB; the exact numbers are in the messages
of the errors that Lambda returns.
"""

MAX_LAMBDA_EVENT = 6 * 1024 * 1024 - 1
"""Bytes: "Request must be smaller than 6291456 bytes for the InvokeFunction operation"."""
MAX_LAMBDA_ANSWER = 6 * 1024 * 1024 + 100
"""Bytes: "Response payload size exceeded maximum allowed payload size (6291556 bytes)"."""
