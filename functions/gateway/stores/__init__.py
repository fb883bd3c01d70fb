"""Things remembered outside the process: one file, one table (or secret, or bucket), one IAM policy."""
