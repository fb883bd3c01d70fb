"""Values in Secrets Manager, changed by several operators at once without loss.

Secrets Manager has no conditional `PutSecretValue`, but it moves a staging label from one version to another only
if the first still carries it. So a change is written under a label of its own, and becomes current only if the
version that it was made from is current still; else it is made again from the newer one.
https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from infra.admin.failures import Failure, error_code

_LABEL = "EDITED"
_ATTEMPTS = 30
_MAX_WAIT = 0.8  # seconds
_RECOVERY_DAYS = 7
_MOVED_ON = {"InvalidParameterException", "InvalidRequestException", "ResourceExistsException"}


@dataclass(frozen=True, slots=True)
class SecretValue:
    """What a secret holds now, and in which version."""

    text: str
    version: str


@dataclass(frozen=True, slots=True)
class SecretValues:
    """The secrets of one stage. `client` is boto3's, which has no types."""

    client: Any

    def read(self, name: str) -> SecretValue | None:
        """The current value, `None` where there is no such secret (or only a deleted one)."""
        try:
            answer = self.client.get_secret_value(SecretId=name)
        except ClientError as error:
            if _is_absent(error):
                return None
            raise
        return SecretValue(answer["SecretString"], answer["VersionId"])

    def edit(self, name: str, change: Callable[[str | None], str], *, description: str) -> None:
        """Replace the value by what `change` makes of it (of `None` where there is none).

        `change` is called again with the newer value when somebody else was quicker. Raises `Failure` if that
        happens too often.
        """
        for attempt in range(_ATTEMPTS):
            if self._try_edit(name, change, description):
                return
            time.sleep(random.uniform(0, min(_MAX_WAIT, 0.05 * 2**attempt)))  # noqa: S311  # spreads retries
        raise Failure("Others are changing the same secret without pause: try again in a minute.")

    def put(self, name: str, text: str, *, description: str) -> None:
        """Set the value, whatever it was; a secret deleted lately is brought back."""
        try:
            self.client.put_secret_value(SecretId=name, SecretString=text)
        except ClientError as error:
            if not _is_absent(error):
                raise
            if not self._create(name, text, description):
                self._bring_back(name)
                self.client.put_secret_value(SecretId=name, SecretString=text)

    def remove(self, name: str) -> bool:
        """Delete a secret, which AWS can still restore for 7 days; whether there was one."""
        try:
            self.client.delete_secret(SecretId=name, RecoveryWindowInDays=_RECOVERY_DAYS)
        except ClientError as error:
            if _is_absent(error):
                return False
            raise
        return True

    def exists(self, name: str) -> bool:
        """Whether there is such a secret; its value is not read."""
        try:
            return "DeletedDate" not in self.client.describe_secret(SecretId=name)
        except ClientError as error:
            if _is_absent(error):
                return False
            raise

    def _try_edit(self, name: str, change: Callable[[str | None], str], description: str) -> bool:
        seen = self.read(name)
        text = change(seen.text if seen else None)
        if seen is None:
            return self._create(name, text, description) or self._bring_back(name)
        return seen.text == text or self._replace(name, seen.version, text)

    def _create(self, name: str, text: str, description: str) -> bool:
        try:
            self.client.create_secret(Name=name, SecretString=text, Description=description)
        except ClientError as error:
            if error_code(error) in _MOVED_ON:
                return False
            raise
        return True

    def _bring_back(self, name: str) -> bool:
        """Restore a secret that is deleted but still holds its name; false, because its value must be read first."""
        if "DeletedDate" in self.client.describe_secret(SecretId=name):
            self.client.restore_secret(SecretId=name)
        return False

    def _replace(self, name: str, seen_version: str, text: str) -> bool:
        version = str(uuid4())
        self.client.put_secret_value(
            SecretId=name, SecretString=text, ClientRequestToken=version, VersionStages=[_LABEL]
        )
        try:
            self.client.update_secret_version_stage(
                SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=version, RemoveFromVersionId=seen_version
            )
        except ClientError as error:
            if error_code(error) in _MOVED_ON:
                return False
            raise
        return True


def _is_absent(error: ClientError) -> bool:
    # The second is the answer for a secret that is marked for deletion.
    return error_code(error) in {"ResourceNotFoundException", "InvalidRequestException"}
