"""AWS on the hot path: a small signed client, and one file per service. boto3 is its referee in the tests."""
