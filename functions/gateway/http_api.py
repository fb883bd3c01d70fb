"""Mangum, for the events of an HTTP API (payload format 2.0) answered in one event loop."""

import asyncio
from typing import Any

from mangum import Mangum
from mangum.handlers import HTTPGateway
from mangum.protocols import HTTPCycle
from mangum.types import ASGI, LambdaConfig, LambdaContext, LambdaEvent, Response, Scope


class HttpApi(Mangum):
    """Calls an app with the events of API Gateway."""

    def __init__(self, app: ASGI) -> None:
        super().__init__(app, lifespan="off")  # it would run on every invocation

    def __call__(self, event: LambdaEvent, context: LambdaContext) -> dict[str, Any]:  # Any: what Lambda makes JSON of
        request = _Request(event, context, self.config)
        return request(_Cycle(request.scope, request.body)(self.app))


class _Request(HTTPGateway):
    """Mangum makes the scope once more when it answers."""

    def __init__(self, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> None:
        super().__init__(event, context, config)
        self._scope = super().scope

    @property
    def scope(self) -> Scope:
        return self._scope


class _Cycle(HTTPCycle):
    def __call__(self, app: ASGI) -> Response:
        asyncio.get_event_loop().run_until_complete(self.run(app))
        return {"status": self.status, "headers": self.headers, "body": self.body}
