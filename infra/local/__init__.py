"""The local stack: the AWS emulator, what SAM deploys to it, and a front door with AWS's limits.

`python -m infra.local` starts it, `make run` calls that.
"""
