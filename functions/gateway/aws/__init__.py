"""AWS on the hot path: a small signed client, and one file per service. The tests compare it with boto3."""
