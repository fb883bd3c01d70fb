"""What a new stack needs before it can answer: the starting catalogue, a workspace, a key.

Put in with the operator's own command, as on AWS.
"""

import asyncio
import sys

from infra.local.places import ROOT, Home, aws_environment
from infra.local.programs import finish, read

WORKSPACE = "demo"
_GATEWAY = (sys.executable, "-m", "infra.admin")


async def seed(home: Home, emulator: str) -> str:
    """Fills the stack at that emulator; returns a new API key of the workspace `demo`."""
    environment = {**aws_environment(emulator), "PYTHONPATH": str(ROOT), "GATEWAY_STAGE": "local"}
    await asyncio.gather(
        finish(*_GATEWAY, "catalogue", "load", str(ROOT / "infra" / "catalogue"),
               environment=environment, log=home.log("catalogue"), trouble="The catalogue cannot be loaded"),
        finish(*_GATEWAY, "workspaces", "set", WORKSPACE,
               environment=environment, log=home.log("workspace"), trouble="The workspace cannot be made"),
    )  # fmt: skip
    return await read(
        *_GATEWAY, "keys", "create", WORKSPACE, "--plain",
        environment=environment, log=home.log("key"), trouble="No key can be made",
    )  # fmt: skip
