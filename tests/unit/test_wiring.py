"""What is built for whom. That it works together is shown end to end."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.test_settings import ENVIRONMENT

FUNCTIONS = Path(__file__).parents[2] / "functions"

WORKER = """
import os, sys
from gateway.settings import read_settings
from gateway.wiring import wire_embed

embed = wire_embed(read_settings(os.environ), os.environ)
assert embed.region == "eu"
sys.exit(sys.argv[1] in sys.modules)
"""


@pytest.mark.parametrize("package", ["fastapi", "starlette", "pydantic", "mangum", "httpx", "boto3"])
def test_a_worker_embeds_without_the_packages_of_the_web(package: str) -> None:
    environment = {**ENVIRONMENT, "AWS_REGION": "eu-central-1", "PYTHONPATH": str(FUNCTIONS)}

    done = subprocess.run([sys.executable, "-c", WORKER, package], env=environment, check=False)

    assert done.returncode == 0
