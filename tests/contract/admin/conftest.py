"""Two stages of the emulator, made of the catalogue's part of template.yaml and empty before every test."""

import json
from dataclasses import dataclass
from typing import Any

import botocore.loaders
import botocore.session
import pytest

from tests.contract.admin.command import aws, gateway
from tests.contract.test_template import read_template

STACKS = {"local": ("embeddings-gateway-local", "eu-central-1"), "us": ("embeddings-gateway-us", "us-east-1")}


@dataclass(frozen=True, slots=True)
class Contents:
    """What a stage holds: boto3's clients, which have no types, and its tables."""

    dynamodb: Any
    secrets: Any
    table: str
    cache: str

    def clear(self) -> None:
        for found in self.dynamodb.scan(TableName=self.cache)["Items"]:
            self.dynamodb.delete_item(TableName=self.cache, Key={"key": found["key"]})
        for found in self.dynamodb.scan(TableName=self.table)["Items"]:
            self.dynamodb.delete_item(TableName=self.table, Key={"pk": found["pk"], "sk": found["sk"]})
        for secret in self.secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"]:
            if secret["Name"].startswith("embeddings-gateway-"):
                self.secrets.delete_secret(SecretId=secret["Name"], ForceDeleteWithoutRecovery=True)


@pytest.fixture(scope="session")
def stages(emulator: str) -> list[Contents]:
    """The stages that the tests use, made of the catalogue's part of template.yaml."""
    template = read_template()
    outputs = {
        name: output for name, output in template["Outputs"].items() if name.endswith("Table") or "Secret" in name
    }
    outputs["Stage"] = template["Outputs"]["Stage"]
    outputs["ApiUrl"] = {"Value": "https://api.example"}
    parameters = {name: template["Parameters"][name] for name in ("Stage", "AllowLoopbackProviders")}
    tables = ("CatalogueTable", "VectorCacheTable", "UsageTable")
    resources = {name: template["Resources"][name] for name in tables}
    document = {"Parameters": parameters, "Resources": resources, "Outputs": outputs}
    return [deploy(document, stage, emulator) for stage in STACKS]


def deploy(document: object, stage: str, emulator: str) -> Contents:
    """The stage's stack, new and empty."""
    stack, region = STACKS[stage]
    values = {"Stage": "us" if stage == "us" else "eu", "AllowLoopbackProviders": str(stage == "local").lower()}
    cloudformation = aws("cloudformation", emulator, region)
    cloudformation.create_stack(
        StackName=stack,
        TemplateBody=json.dumps(document),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    told = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in told}
    return Contents(
        aws("dynamodb", emulator, region),
        aws("secretsmanager", emulator, region),
        table=outputs["CatalogueTable"],
        cache=outputs["VectorCacheTable"],
    )


@pytest.fixture(autouse=True)
def empty_stages(stages: list[Contents], emulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test starts with stages that hold nothing, and an environment that leads to the emulator."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("GATEWAY_STAGE", raising=False)
    for stage in stages:
        stage.clear()


@pytest.fixture(scope="session")
def loader() -> Any:
    """Botocore's reader of service descriptions, which has no types."""
    return botocore.loaders.create_loader()


@pytest.fixture(autouse=True)
def quick_clients(loader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One reader of service descriptions for all commands: it spends most of a command's time."""
    monkeypatch.setattr(botocore.session, "create_loader", lambda _: loader)


@pytest.fixture
def acme() -> str:
    """A workspace."""
    assert gateway("workspaces", "set", "acme").exit_code == 0
    return "acme"
