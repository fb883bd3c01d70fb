"""One AWS emulator for the whole session, on loopback, with IAM on: it checks every signature it gets.

Tests make the tables, secrets and buckets that they need, under names of their own.
"""

import asyncio
import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import boto3
import pytest
from botocore.config import Config

from gateway.aws.client import AwsClient
from gateway.aws.signing import Credentials
from infra.local.emulator import running_emulator
from infra.local.places import Home
from tests.fakes.aws import REGION, ROOT_IDENTITY, make_aws

Boto = Callable[[str], Any]
"""A client of boto3, which has no types, for a service of the emulator."""


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the emulator."""
    with asyncio.Runner() as runner:
        stack = running_emulator(Home(tmp_path_factory.mktemp("emulator")))
        yield runner.run(stack.__aenter__())
        runner.run(stack.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def boto(emulator: str) -> Boto:
    # No retries: an error is to be seen as it is.
    session: Any = boto3.Session(
        ROOT_IDENTITY["AWS_ACCESS_KEY_ID"], ROOT_IDENTITY["AWS_SECRET_ACCESS_KEY"], region_name=REGION
    )
    config = Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"})
    clients: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in clients:
            clients[service] = session.client(service, endpoint_url=emulator, config=config)
        return clients[service]

    return client


@pytest.fixture(scope="session")
def identity(boto: Boto) -> Credentials:
    """A user who may do everything. Unlike root's, the emulator checks this one's signatures."""
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam = boto("iam")
    iam.create_user(UserName="tester")
    iam.put_user_policy(
        UserName="tester",
        PolicyName="everything",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": everything}),
    )
    key = iam.create_access_key(UserName="tester")["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


@pytest.fixture
def aws(emulator: str, identity: Credentials) -> Iterator[AwsClient]:
    """Our own client, led to the emulator by the environment, as in a function."""
    with closing(make_aws(emulator, credentials=lambda: identity)) as client:
        yield client


@pytest.fixture
def unique() -> str:
    """A name that no other test uses."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def make_table(boto: Boto) -> Iterator[Callable[..., str]]:
    """Makes a table with a hash key, and a sort key if one is named, each as `name:type`; gives its name."""
    made: list[str] = []

    def make(*keys: str) -> str:
        name = f"t-{os.urandom(6).hex()}"
        named = [key.split(":") for key in keys]
        boto("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, kind in named],
            KeySchema=[
                {"AttributeName": key, "KeyType": role}
                for (key, _), role in zip(named, ("HASH", "RANGE"), strict=False)
            ],
        )
        made.append(name)
        return name

    yield make
    for name in made:
        boto("dynamodb").delete_table(TableName=name)
