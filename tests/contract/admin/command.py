"""What an operator does and sees: the command, and what a stage holds after it."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import yaml
from typer.testing import CliRunner

from gateway.core.caller import KeyRecords
from gateway.stores.api_keys import bucket_of, decode_bucket
from infra.admin.app import app
from infra.admin.catalogue_rows import Rows
from infra.admin.catalogue_table import open_catalogue
from infra.admin.stages import find_stage

ROOT = Path(__file__).parents[3]
VENDOR = ("--kind", "openai", "--url", "https://vendor.example/v1")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command said, and how it ended."""

    exit_code: int
    out: str
    err: str


def gateway(*words: str, stage: str = "local", stdin: str | None = None) -> Outcome:
    """What the command does with these words."""
    result = CliRunner().invoke(app, [*words, "--stage", stage], input=stdin)
    return Outcome(result.exit_code, result.stdout, result.stderr)


def new_key(workspace: str, *options: str) -> str:
    """A key as a script gets it."""
    return gateway("keys", "create", workspace, "--plain", *options).out.removesuffix("\n")


def kept_keys(workspace: str, stage: str = "local") -> KeyRecords:
    """What Secrets Manager holds, read as the gateway reads it."""
    return decode_bucket(kept_bucket(workspace, stage)).records(workspace)


def kept_bucket(workspace: str, stage: str = "local") -> str:
    """The document that holds a workspace's keys, and those of others."""
    place = find_stage(stage)
    answer = place.client("secretsmanager").get_secret_value(SecretId=place.api_keys_prefix + bucket_of(workspace))
    return str(answer["SecretString"])


def rows(stage: str = "local") -> Rows:
    """The catalogue of a stage."""
    return open_catalogue(find_stage(stage)).read().rows


def item(key: str) -> Any:
    """A row of the catalogue as DynamoDB holds it."""
    place = find_stage("local")
    found = place.client("dynamodb").get_item(
        TableName=place.catalogue_table, Key={"pk": {"S": "catalogue"}, "sk": {"S": key}}
    )
    return found.get("Item")


def provider_key(name: str) -> str:
    """A vendor's key as the gateway finds it."""
    place = find_stage("local")
    answer = place.client("secretsmanager").get_secret_value(SecretId=place.provider_keys_prefix + name)
    return str(answer["SecretString"])


def write_folder(folder: Path, **files: object) -> str:
    """A folder with that catalogue."""
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return str(folder)


def a_provider(name: str = "vendor", **fields: object) -> dict[str, object]:
    return {"name": name, "kind": "openai", "url": "https://vendor.example/v1", **fields}


def a_model(name: str = "m", provider: str = "vendor", **fields: object) -> dict[str, object]:
    route = {"name": "r", "provider": provider, "vendor_model": name, "region": "eu"}
    return {"name": name, "dimensions": 8, "routes": [route], **fields}


def aws(service: str, endpoint: str, region: str) -> Any:
    """A client of boto3, which has no types."""
    session: Any = boto3.Session("test", "test", region_name=region)
    return session.client(service, endpoint_url=endpoint)


def no_aws(home: Path, endpoint: str) -> dict[str, str]:
    """An environment without any credentials."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {"HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": endpoint}


def run_program(*words: str, environment: dict[str, str]) -> Outcome:
    """What `python -m infra.admin` does, as a process of its own."""
    command: Sequence[str] = (sys.executable, "-m", "infra.admin", *words)
    ran = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    return Outcome(ran.returncode, ran.stdout, ran.stderr)
