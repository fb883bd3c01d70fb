"""Whether AWS accepts the current credentials: `python -m infra.admin.credentials STAGE` says why not.

`make deploy` asks before it builds, which takes minutes.
"""

import sys

from botocore.exceptions import BotoCoreError, ClientError

from infra.admin.failures import Failure, explain
from infra.admin.screen import say_error
from infra.admin.stages import find_aws


def main(stage: str) -> int:
    """0 if AWS knows who asks; else an exit code of the operator's command, with its sentence on standard error."""
    try:
        check_credentials(stage)
    except Failure as failure:
        say_error(failure.sentence)
        return failure.exit_code
    return 0


def check_credentials(stage: str) -> None:
    """Raises `Failure` if AWS, in the region of that stage, cannot be asked."""
    try:
        find_aws(stage).client("sts").get_caller_identity()  # needs no right, only credentials
    except (BotoCoreError, ClientError) as error:
        raise explain(error) from error


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
