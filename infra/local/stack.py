"""The local stack as a whole: starts its parts in order, writes where it is, and stops everything again."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Iterator

from aiohttp import ClientSession, ClientTimeout

from infra.local.door import Api, open_door
from infra.local.emulator import running_emulator
from infra.local.failures import NotStarted
from infra.local.log import copied_logs
from infra.local.places import LOOPBACK, MODEL, REGION, ROOT_IDENTITY, STACK, Home
from infra.local.sam import build, built_digest, deploy, is_built, wake
from infra.local.screen import say, say_success
from infra.local.seed import seed
from infra.local.vacancy import alone, check_port


async def serve(home: Home, port: int) -> None:
    """Runs the local stack until it is cancelled; raises `NotStarted` if it cannot start."""
    async with running_stack(home, port):
        await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def running_stack(home: Home, port: int) -> AsyncIterator[None]:
    """The local stack, for as long as the context lasts."""
    with alone(home):
        check_port(port)
        _forget(home)  # what a stack that was killed left behind
        say("Starting the AWS emulator, on loopback only ...")
        async with running_emulator(home) as emulator:
            say("Nothing has changed since the last build." if is_built() else "Building the functions (sam build) ...")
            await build(home)
            say("Deploying template.yaml to the emulator (sam deploy) ...")
            outputs = await deploy(home, emulator)
            base_url = f"http://{LOOPBACK}:{port}"
            api = Api(emulator=emulator, id=outputs["ApiId"], function=outputs["ApiFunction"])
            groups = outputs["ApiFunctionLogGroup"], outputs["EmbeddedModelFunctionLogGroup"]
            async with open_door(port, api), copied_logs(emulator, groups, home.log("functions")):
                say("Loading the catalogue, making a workspace and a key ...")
                key, *_ = await asyncio.gather(
                    seed(home, emulator), _wake_api(base_url), wake(emulator, outputs["EmbeddedModelFunction"])
                )
                say("Asking for a first vector ...")
                await _embed_once(base_url, key)
                with _described(home, emulator, base_url, key):
                    say_success(home, base_url, key)
                    try:
                        yield
                    finally:
                        say("Stopping ...")


async def _wake_api(base_url: str) -> None:
    """Starts the API function while other things go on; without a key the answer is a 401, which does not matter."""
    async with ClientSession(base_url, timeout=ClientTimeout(total=60)) as client, client.get("/v1/models"):
        return


async def _embed_once(base_url: str, key: str) -> None:
    """Proves that a vector comes back before the success screen says so; the functions are then warm."""
    question = {"model": MODEL, "input": "Hello, world"}
    async with (
        ClientSession(base_url, timeout=ClientTimeout(total=60), headers={"Authorization": f"Bearer {key}"}) as client,
        client.post("/v1/embeddings", json=question) as reply,
    ):
        if not reply.ok:
            raise NotStarted(f"The deployed gateway does not answer as it should: {reply.status} {await reply.text()}")


@contextlib.contextmanager
def _described(home: Home, emulator: str, base_url: str, key: str) -> Iterator[None]:
    """Keeps the files that say where the stack is, for as long as the context lasts."""
    gateway = {"BASE_URL": base_url, "API_KEY": key, "MODEL": MODEL}
    stack = {
        "base_url": base_url,
        "endpoint": emulator,
        "region": REGION,
        "stack_name": STACK,
        "access_key_id": ROOT_IDENTITY["AWS_ACCESS_KEY_ID"],
        "secret_access_key": ROOT_IDENTITY["AWS_SECRET_ACCESS_KEY"],
        "sources": built_digest(),
        "pid": os.getpid(),
    }
    home.stack_json.write_text(json.dumps(stack, indent=2) + "\n", encoding="utf-8")
    exports = "".join(f"export {name}={value}\n" for name, value in gateway.items())
    home.gateway_env.write_text(exports, encoding="utf-8")
    try:
        yield
    finally:
        _forget(home)


def _forget(home: Home) -> None:
    home.gateway_env.unlink(missing_ok=True)
    home.stack_json.unlink(missing_ok=True)
