"""Where a stage is: samconfig.toml names its stack and region, the stack's outputs name its table and secrets."""

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import boto3
import typer
from botocore.config import Config
from botocore.exceptions import ClientError

from infra.admin.failures import NotTried, error_code

LOCAL = "local"
ROOT = Path(__file__).resolve().parents[2]

StageOption = Annotated[
    str,
    typer.Option(
        "--stage",
        envvar="GATEWAY_STAGE",
        help="The stage to work on: local, or one of infra/stages.yaml.",
        metavar="STAGE",
    ),
]

_PATIENCE = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "max_attempts": 3})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A deployed stage, as its stack's outputs describe it."""

    name: str
    """What the operator calls it: local, or as in infra/stages.yaml."""
    region: str
    """The AWS region in which it lives."""
    serves: str
    """The region of its routes; the stage's name, except for local."""
    api_url: str
    catalogue_table: str
    vector_cache_table: str
    api_keys_prefix: str
    api_key_buckets: int
    """How many secrets hold the keys of all workspaces."""
    provider_keys_prefix: str
    allows_loopback: bool
    """Whether providers may live on this machine, as those of the local stack's tests do."""
    aws: "Aws"
    """How AWS is reached."""

    def client(self, service: str) -> Any:
        """A client of boto3 (which has no types) for one AWS service of this stage."""
        return self.aws.client(service)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aws:
    """AWS in one region, or what stands in for it at `endpoint`."""

    session: Any
    """boto3's, which has no types: one for all clients, because reading what AWS is takes it a while."""
    region: str
    endpoint: str | None = None
    front_door: str | None = None
    """The address of the API, if it is not the emulator's."""

    def client(self, service: str) -> Any:
        """A client of boto3, which has no types."""
        return self.session.client(service, endpoint_url=self.endpoint, config=_PATIENCE)


def find_stage(name: str) -> Stage:
    """The deployed stage of that name; raises `NotTried` where there is none."""
    place = _read_place(name)
    aws = _find_aws(name, place["region"])
    stack = _describe_stack(name, place["stack_name"], aws)
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}
    parameters = {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", ())}
    try:
        return Stage(
            name=name,
            region=place["region"],
            serves=outputs["Stage"],
            api_url=aws.front_door or outputs["ApiUrl"],
            catalogue_table=outputs["CatalogueTable"],
            vector_cache_table=outputs["VectorCacheTable"],
            api_keys_prefix=outputs["ApiKeysSecretPrefix"],
            api_key_buckets=int(outputs["ApiKeysSecretBuckets"]),
            provider_keys_prefix=outputs["ProviderKeysSecretPrefix"],
            allows_loopback=parameters.get("AllowLoopbackProviders") == "true",
            aws=aws,
        )
    except KeyError as error:
        raise NotTried(
            f"The stack {place['stack_name']} has no output {error}: deploy it again with `make deploy STAGE={name}`."
        ) from error


def find_aws(name: str) -> Aws:
    """AWS in the region of that stage, whether or not the stage is deployed; raises `NotTried` if there is none."""
    return _find_aws(name, _read_place(name)["region"])


def _read_place(name: str) -> Mapping[str, str]:
    stages = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    places = {stage: _merge(commands) for stage, commands in stages.items() if isinstance(commands, dict)}
    known = {
        stage: place
        for stage, place in places.items()
        if stage != "default" and {"stack_name", "region"} <= place.keys()
    }
    if name not in known:
        raise NotTried(f"There is no stage {name!r}: samconfig.toml knows {', '.join(known)}.")
    return known[name]


def _merge(commands: Mapping[str, Any]) -> dict[str, str]:
    """What `sam deploy` would use: its own parameters over those of every command."""
    return {
        **commands.get("global", {}).get("parameters", {}),
        **commands.get("deploy", {}).get("parameters", {}),
    }


def _find_aws(name: str, region: str) -> Aws:
    """Where AWS is: for the local stage always an emulator, else only if the environment names one."""
    if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
        return _open_aws(region, endpoint)
    if name != LOCAL:
        return _open_aws(region)
    try:
        stack = json.loads((ROOT / ".local" / "stack.json").read_text(encoding="utf-8"))
        identity = {
            "aws_access_key_id": stack["access_key_id"],
            "aws_secret_access_key": stack["secret_access_key"],
        }
        return replace(_open_aws(region, stack["endpoint"], **identity), front_door=stack["base_url"])
    except (OSError, ValueError, KeyError) as error:
        raise NotTried("The local stack is not running: start it with `make run`.") from error


def _open_aws(region: str, endpoint: str | None = None, **identity: Any) -> Aws:
    """Without an `identity`, boto3 finds the operator's own."""
    return Aws(session=boto3.Session(region_name=region, **identity), region=region, endpoint=endpoint)


def _describe_stack(name: str, stack_name: str, aws: Aws) -> Mapping[str, Any]:
    try:
        stacks = aws.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
    except ClientError as error:
        # CloudFormation has no name of its own for a stack that does not exist.
        if error_code(error) != "ValidationError":
            raise
        stacks = []
    if not stacks:
        remedy = "start it with `make run`" if name == LOCAL else f"deploy it with `make deploy STAGE={name}`"
        raise NotTried(f"There is no stack {stack_name} in {aws.region}: {remedy}.")
    return stacks[0]  # type: ignore[no-any-return]  # boto3's answer has no types
