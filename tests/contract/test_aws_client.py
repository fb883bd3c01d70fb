"""Our small AWS client says and hears what boto3 does, against an emulator that checks signatures."""

import io
import json
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from gateway.aws.client import AwsClient
from gateway.aws.dynamodb import MAX_ITEMS, MAX_KEYS, Attribute, Attributes, DynamoDb, old_item
from gateway.aws.errors import AwsRefused, ConditionFailed, FunctionFailed, NotFound
from gateway.aws.lambda_functions import Functions
from gateway.aws.s3 import Bucket
from gateway.aws.secrets_manager import Secrets
from gateway.aws.signing import Credentials
from infra.local.places import RUNTIME
from tests.contract.conftest import Boto
from tests.fakes.aws import make_aws

MakeTable = Callable[..., str]
TEXTS = ["", "plain", "é中文🙂", "\"'\\/\n\t\x7f", "a" * 5000, "<&>%+ =~"]
BYTES = [b"\0", bytes(range(256)), b"\xff" * 6144]


class Row(msgspec.Struct):
    """What these tests want to know of an item."""

    pk: Attribute
    sk: Attribute | None = None
    text: Attribute | None = None
    data: Attribute | None = None
    number: Attribute | None = None


def item(key: str, **attributes: dict[str, Any]) -> dict[str, Any]:
    return {"pk": {"S": key}, **attributes}


def as_boto(row: Row | None) -> dict[str, Any] | None:
    """The item as boto3 has it."""
    return None if row is None else _without_nothing(msgspec.structs.asdict(row))


def _without_nothing(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {kind: value for kind, value in msgspec.structs.asdict(attribute).items() if value is not None}
        for name, attribute in fields.items()
        if attribute is not None
    }


@pytest.fixture
def dynamodb(aws: AwsClient) -> DynamoDb:
    return DynamoDb(aws, timeout=10)


@pytest.mark.parametrize(
    "attributes",
    [{"text": {"S": text}} for text in TEXTS]
    + [{"data": {"B": data}} for data in BYTES]
    + [{"number": {"N": number}} for number in ("0", "-1", "3.14", "99999999999999999999")]
    + [{}],
)
def test_an_item_is_read_as_boto3_reads_it(
    dynamodb: DynamoDb, boto: Boto, make_table: MakeTable, attributes: dict[str, Any]
) -> None:
    table = make_table("pk:S")
    boto("dynamodb").put_item(TableName=table, Item=item("k é/1", **attributes))

    row = dynamodb.get_item(table, {"pk": {"S": "k é/1"}}, Row)

    theirs = boto("dynamodb").get_item(TableName=table, Key={"pk": {"S": "k é/1"}})
    assert as_boto(row) == theirs["Item"]


def test_a_missing_item_is_none(dynamodb: DynamoDb, make_table: MakeTable) -> None:
    row = dynamodb.get_item(make_table("pk:S"), {"pk": {"S": "none"}}, Row)

    assert row is None


@pytest.mark.parametrize("count", [0, 1, 40])
def test_a_query_reads_every_page_as_boto3_does(
    dynamodb: DynamoDb, boto: Boto, make_table: MakeTable, count: int
) -> None:
    table = make_table("pk:S", "sk:S")
    for number in range(count):
        boto("dynamodb").put_item(TableName=table, Item=item("p", sk={"S": f"{number:03}"}, data={"B": bytes(60_000)}))
    boto("dynamodb").put_item(TableName=table, Item=item("other", sk={"S": "x"}))

    rows, pages = query_all(dynamodb, table)

    theirs = list(
        boto("dynamodb")
        .get_paginator("query")
        .paginate(TableName=table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": "p"}})
    )
    assert [as_boto(row) for row in rows] == [found for page in theirs for found in page["Items"]]
    assert pages == len(theirs) == (3 if count == 40 else 1)


def query_all(dynamodb: DynamoDb, table: str) -> tuple[list[Row], int]:
    page = dynamodb.query(table, Row, condition="pk = :pk", values={":pk": {"S": "p"}})
    rows, pages = list(page.items), 1
    while page.last_key:
        page = dynamodb.query(table, Row, condition="pk = :pk", values={":pk": {"S": "p"}}, start=page.last_key)
        rows, pages = rows + page.items, pages + 1
    return rows, pages


def test_batches_are_written_and_read_as_boto3_does(dynamodb: DynamoDb, boto: Boto, make_table: MakeTable) -> None:
    table = make_table("pk:S")
    items: list[Attributes] = [item(str(number), data={"B": bytes([number]) * 6144}) for number in range(MAX_KEYS)]

    for start in range(0, MAX_KEYS, MAX_ITEMS):
        left = dynamodb.begin_batch_put(table, items[start : start + MAX_ITEMS]).finish()
        assert left == []
    keys: list[Attributes] = [{"pk": {"S": str(number)}} for number in range(1, MAX_KEYS + 1)]
    page = dynamodb.begin_batch_get(table, keys, Row, attributes=("pk", "data")).finish()

    theirs = boto("dynamodb").batch_get_item(RequestItems={table: {"Keys": keys}})
    in_order = sorted((as_boto(row) for row in page.items), key=str)
    assert in_order == sorted(theirs["Responses"][table], key=str)
    assert len(in_order) == MAX_KEYS - 1
    assert list(page.unprocessed) == []


def test_only_the_attributes_asked_for_come_back(dynamodb: DynamoDb, boto: Boto, make_table: MakeTable) -> None:
    table = make_table("pk:S")
    boto("dynamodb").put_item(TableName=table, Item=item("k", text={"S": "t"}, number={"N": "1"}))

    page = dynamodb.begin_batch_get(table, [{"pk": {"S": "k"}}], Row, attributes=("pk", "number")).finish()

    assert page.items == [Row(pk=Attribute(S="k"), number=Attribute(N="1"))]


COUNT: dict[str, Any] = {
    "update": "ADD #n :one",
    "condition": "attribute_not_exists(#n) OR #n < :most",
    "names": {"#n": "number"},
    "values": {":one": {"N": "1"}, ":most": {"N": "2"}},
    "repeatable": True,
}


def test_an_update_counts_up_to_its_condition(dynamodb: DynamoDb, boto: Boto, make_table: MakeTable) -> None:
    table, key = make_table("pk:S"), {"pk": {"S": "k"}}

    counts = [dynamodb.begin_update_item(table, key, Row, **COUNT).finish().number for _ in range(2)]
    with pytest.raises(ConditionFailed) as ours:
        dynamodb.begin_update_item(table, key, Row, **COUNT).finish()

    with pytest.raises(ClientError) as theirs:
        boto("dynamodb").update_item(
            TableName=table,
            Key=key,
            UpdateExpression=COUNT["update"],
            ConditionExpression=COUNT["condition"],
            ExpressionAttributeNames=COUNT["names"],
            ExpressionAttributeValues=COUNT["values"],
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert counts == [Attribute(N="1"), Attribute(N="2")]
    assert ours.value.code == theirs.value.response["Error"]["Code"]
    assert as_boto(old_item(ours.value, Row)) == theirs.value.response["Item"]  # type: ignore[typeddict-item]


def test_a_condition_that_fails_on_nothing_has_no_old_item(dynamodb: DynamoDb, make_table: MakeTable) -> None:
    never = {**COUNT, "condition": "#n < :most"}

    with pytest.raises(ConditionFailed) as caught:
        dynamodb.begin_update_item(make_table("pk:S"), {"pk": {"S": "k"}}, Row, **never).finish()

    assert old_item(caught.value, Row) is None


def test_calls_of_several_threads_do_not_mix_up_their_replies(
    dynamodb: DynamoDb, boto: Boto, make_table: MakeTable
) -> None:
    table = make_table("pk:S")
    for number in range(8):
        boto("dynamodb").put_item(TableName=table, Item=item(str(number), text={"S": f"text {number}"}))

    with ThreadPoolExecutor(8) as threads:
        rows = list(threads.map(lambda number: dynamodb.get_item(table, {"pk": {"S": str(number)}}, Row), range(8)))

    assert [row and row.text for row in rows] == [Attribute(S=f"text {number}") for number in range(8)]


def test_a_table_that_does_not_exist_is_not_found(dynamodb: DynamoDb, boto: Boto) -> None:
    with pytest.raises(NotFound) as ours:
        dynamodb.get_item("no-such-table", {"pk": {"S": "k"}}, Row)

    with pytest.raises(ClientError) as theirs:
        boto("dynamodb").get_item(TableName="no-such-table", Key={"pk": {"S": "k"}})
    assert ours.value.code == theirs.value.response["Error"]["Code"]


def test_a_mistake_in_a_call_is_refused(dynamodb: DynamoDb, boto: Boto, make_table: MakeTable) -> None:
    table = make_table("pk:S")

    with pytest.raises(AwsRefused) as ours:
        dynamodb.get_item(table, {"wrong": {"S": "k"}}, Row)

    with pytest.raises(ClientError) as theirs:
        boto("dynamodb").get_item(TableName=table, Key={"wrong": {"S": "k"}})
    assert ours.value.code == theirs.value.response["Error"]["Code"] == "ValidationException"


def test_a_wrong_secret_is_found_out(emulator: str, identity: Credentials, make_table: MakeTable) -> None:
    """The emulator really checks signatures, or the other tests would prove little."""
    table = make_table("pk:S")
    guessed = identity._replace(secret_access_key="guessed")

    with closing(make_aws(emulator, credentials=lambda: guessed)) as aws, pytest.raises(AwsRefused) as caught:
        DynamoDb(aws).get_item(table, {"pk": {"S": "k"}}, Row)

    assert caught.value.code in {"InvalidSignatureException", "SignatureDoesNotMatch"}


def test_a_role_with_a_session_token_may_do_what_it_may(
    emulator: str, boto: Boto, make_table: MakeTable, unique: str
) -> None:
    table, forbidden = make_table("pk:S"), make_table("pk:S")
    session = assume(boto, unique, table)

    with closing(make_aws(emulator, credentials=lambda: session)) as aws:
        row = DynamoDb(aws).get_item(table, {"pk": {"S": "k"}}, Row)
        with pytest.raises(AwsRefused) as caught:
            DynamoDb(aws).get_item(forbidden, {"pk": {"S": "k"}}, Row)

    assert row is None
    assert caught.value.code == "AccessDeniedException"


def assume(boto: Boto, role: str, table: str) -> Credentials:
    """A session of a role that may read that table, and nothing else."""
    anybody = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    read = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": f"arn:aws:dynamodb:*:*:table/{table}"}
    iam = boto("iam")
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=_policy(anybody))["Role"]["Arn"]
    iam.put_role_policy(RoleName=role, PolicyName="read", PolicyDocument=_policy(read))
    session = boto("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return Credentials(session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


@pytest.mark.parametrize("text", [text for text in TEXTS if text])
def test_a_secret_is_read_as_boto3_reads_it(aws: AwsClient, boto: Boto, unique: str, text: str) -> None:
    name = f"{unique}/a+b=c@d_e.f-g"
    boto("secretsmanager").create_secret(Name=name, SecretString=text)

    ours = Secrets(aws, timeout=10).text(name)

    assert ours == boto("secretsmanager").get_secret_value(SecretId=name)["SecretString"] == text


def test_a_secret_that_does_not_exist_is_not_found(aws: AwsClient, boto: Boto, unique: str) -> None:
    with pytest.raises(NotFound) as ours:
        Secrets(aws).text(unique)

    with pytest.raises(ClientError) as theirs:
        boto("secretsmanager").get_secret_value(SecretId=unique)
    assert ours.value.code == theirs.value.response["Error"]["Code"]


def test_a_secret_that_is_being_deleted_is_not_found(aws: AwsClient, boto: Boto, unique: str) -> None:
    boto("secretsmanager").create_secret(Name=unique, SecretString="x")
    boto("secretsmanager").delete_secret(SecretId=unique)

    with pytest.raises(NotFound) as ours:
        Secrets(aws).text(unique)

    with pytest.raises(ClientError) as theirs:
        boto("secretsmanager").get_secret_value(SecretId=unique)
    assert ours.value.code == theirs.value.response["Error"]["Code"]


def test_a_secret_of_bytes_holds_no_text(aws: AwsClient, boto: Boto, unique: str) -> None:
    boto("secretsmanager").create_secret(Name=unique, SecretBinary=b"\0\1")

    with pytest.raises(NotFound):
        Secrets(aws).text(unique)


HANDLER = """
def handler(event, context):
    if event.get("fails"):
        raise ValueError("it fails")
    return {"given": event}
"""


@pytest.fixture(scope="module")
def function(boto: Boto) -> Iterator[str]:
    """A function that gives back what it is given."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", HANDLER)
    works_for_lambda = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = boto("iam").create_role(RoleName="echo", AssumeRolePolicyDocument=_policy(works_for_lambda))["Role"]["Arn"]
    boto("lambda").create_function(
        FunctionName="echo", Runtime=RUNTIME, Role=role, Handler="app.handler", Code={"ZipFile": packed.getvalue()}
    )
    yield "echo"
    boto("lambda").delete_function(FunctionName="echo")


@pytest.mark.parametrize("payload", [{}, {"text": "é中文🙂\n"}, {"texts": ["word " * 50] * 200}])
async def test_a_function_answers_as_it_answers_boto3(
    aws: AwsClient, boto: Boto, function: str, payload: dict[str, Any]
) -> None:
    ours = await Functions(aws).invoke(function, json.dumps(payload).encode(), timeout=30)

    theirs = boto("lambda").invoke(FunctionName=function, Payload=json.dumps(payload))["Payload"].read()
    assert json.loads(ours) == json.loads(theirs) == {"given": payload}


async def test_a_function_may_be_named_by_its_arn(aws: AwsClient, boto: Boto, function: str) -> None:
    arn = boto("lambda").get_function(FunctionName=function)["Configuration"]["FunctionArn"]

    answer = await Functions(aws).invoke(arn, b"{}", timeout=30)

    assert json.loads(answer) == {"given": {}}


async def test_a_function_that_raises_has_failed(aws: AwsClient, boto: Boto, function: str) -> None:
    with pytest.raises(FunctionFailed) as ours:
        await Functions(aws).invoke(function, b'{"fails": true}', timeout=30)

    theirs = boto("lambda").invoke(FunctionName=function, Payload=b'{"fails": true}')
    assert theirs["FunctionError"]
    assert json.loads(ours.value.payload)["errorType"] == json.loads(theirs["Payload"].read())["errorType"]


async def test_a_function_that_does_not_exist_is_not_found(aws: AwsClient) -> None:
    with pytest.raises(NotFound):
        await Functions(aws).invoke("no-such-function", b"{}", timeout=30)


@pytest.fixture
def bucket(boto: Boto, unique: str) -> str:
    boto("s3").create_bucket(Bucket=unique, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return unique


@pytest.mark.parametrize("key", ["answers/1", "answers/a b+c/é~'()*!,;=@&%2F"])
@pytest.mark.parametrize("body", [b"", b'{"a": 1}', bytes(range(256)) * 40_000], ids=len)
def test_an_object_is_put_as_boto3_puts_it_and_anybody_may_get_it(
    aws: AwsClient, boto: Boto, bucket: str, key: str, body: bytes
) -> None:
    files = Bucket(aws, bucket)

    files.put(key, body, content_type="application/json")
    address = files.address(key, expires=60)

    theirs = boto("s3").get_object(Bucket=bucket, Key=key)
    assert theirs["Body"].read() == body
    assert theirs["ContentType"] == "application/json"
    with urllib.request.urlopen(address) as got:
        assert got.read() == body


def test_an_address_that_was_tampered_with_opens_nothing(aws: AwsClient, bucket: str) -> None:
    files = Bucket(aws, bucket)
    files.put("answers/mine", b"mine", content_type="text/plain")
    files.put("answers/yours", b"yours", content_type="text/plain")

    address = files.address("answers/mine", expires=60).replace("/mine?", "/yours?")

    with pytest.raises(urllib.error.HTTPError) as caught, urllib.request.urlopen(address):
        pass
    assert caught.value.code == 403
    caught.value.close()


def test_a_bucket_that_does_not_exist_is_not_found(aws: AwsClient) -> None:
    with pytest.raises(NotFound):
        Bucket(aws, "no-such-bucket-here").put("k", b"", content_type="text/plain")


def test_the_client_brings_no_heavy_library_along() -> None:
    """boto3 and httpx stay out of a cold start. Starlette brings http.client in any case."""
    stores = [f"gateway.stores.{file.stem}" for file in Path("functions/gateway/stores").glob("[a-z]*.py")]
    program = f"import sys, {', '.join(stores)}; print(sorted(sys.modules))"

    loaded = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": "functions"}, capture_output=True, check=True, text=True
    ).stdout

    assert not [heavy for heavy in ("boto3", "botocore", "httpx", "numpy") if f"'{heavy}'" in loaded]
