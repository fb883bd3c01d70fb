"""What the most expensive body of 5 MiB costs until it is refused or goes upstream: CPU and memory, by every dialect.

    python -m benchmarks.hostile_bodies

Every body of the tests' grammar goes to every dialect, each in a process of its own; about ten minutes.
"""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

from gateway.core.errors import ProviderUnavailable
from tests.fakes.hostile_bodies import PATHS, PLACES, UNITS, WHOLE, Cost, Request, array, cost_of
from tests.unit.dialects.stage import KEY, Stage


def main() -> None:
    costs = {name: cost_of(_send, request) for name, request in _requests()}
    slowest = max(costs, key=lambda name: costs[name].seconds)
    largest = max(costs, key=lambda name: costs[name].megabytes)
    print(
        f"hostile_bodies: {len(costs)} bodies, at most {costs[slowest].seconds:.2f} s of CPU ({slowest}) "
        f"and {costs[largest].megabytes:.0f} MB ({largest}); {_unforeseen(costs)} unforeseen failures"
    )


def _requests() -> Iterator[tuple[str, Request]]:
    for dialect, path in PATHS.items():
        for name, body in _bodies():
            yield f"{dialect}: {name}", Request(path, body())


def _bodies() -> Iterator[tuple[str, Callable[[], bytes]]]:
    for place in PLACES:
        for unit in UNITS:
            yield f"{unit} in {place}", partial(array, place, unit)
    yield from WHOLE.items()


def _send(request: Request) -> int:
    stage = Stage()
    stage.provider.fails = lambda _: ProviderUnavailable("down")
    headers = {"authorization": f"Bearer {KEY}", "extra-parameters": "pass-through"}
    return asyncio.run(stage.send("POST", request.path, headers=headers, content=request.body)).status_code


def _unforeseen(costs: dict[str, Cost]) -> int:
    return sum(cost.status == 500 for cost in costs.values())


if __name__ == "__main__":
    main()
