"""A small AWS client for the hot path: signed by hand, kept alive, impatient, with typed replies.

boto3 takes 0.5 s of a cold start and 20 ms of CPU for a hundred vectors; here it is only the referee, in
`tests/contract/test_aws_client.py`. Everything off the hot path uses boto3 itself.
"""
