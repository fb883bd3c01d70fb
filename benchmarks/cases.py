"""Kinds of requests that are measured warm, and what such a request costs."""

from dataclasses import dataclass

REQUESTS = {1: 50, 64: 8}
"""Requests of a task, by inputs."""
KNOWN = {"memory": "none", "dynamodb": "every", "vendor": "none"}
"""What the fake DynamoDB knows, by `answered_by`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """So many requests, one after the other. `fresh` says that no text was ever asked for before."""

    requests: int
    inputs: int
    encoding: str
    fresh: bool
    hits: int | None
    """How many inputs of each request must be answered from the cache; `None` for any number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Milliseconds per request: own CPU, wall clock, and CPU of Lambda's runtime around it.

    `peak_mb` is the most resident memory that the process had so far.
    """

    cpu_ms: float
    wall_ms: float
    runtime_cpu_ms: float
    peak_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kind of request. `answered_by` is "memory", "dynamodb" or "vendor" (a miss)."""

    inputs: int
    encoding: str
    answered_by: str

    @property
    def name(self) -> str:
        """Such as `64 float, vendor`."""
        return f"{self.request}, {self.answered_by}"

    @property
    def request(self) -> str:
        """What is asked, such as `64 float`, whoever answers."""
        return f"{self.inputs} {self.encoding}"

    @property
    def known_to_cache(self) -> str:
        """What the fake DynamoDB has to know: one of `fake_aws.CACHES`."""
        return KNOWN[self.answered_by]

    def task(self, requests: int | None = None) -> Task:
        """For the function's process: so many requests, or as many as usual."""
        return Task(
            requests=requests or REQUESTS[self.inputs],
            inputs=self.inputs,
            encoding=self.encoding,
            fresh=self.answered_by != "memory",
            hits=0 if self.answered_by == "vendor" else self.inputs,
        )

    def remember(self) -> Task:
        """Puts into memory what memory is to answer, if it is not there any more."""
        return Task(requests=1, inputs=self.inputs, encoding=self.encoding, fresh=False, hits=None)


MISS = Case(inputs=1, encoding="base64", answered_by="vendor")
HIT = Case(inputs=1, encoding="base64", answered_by="dynamodb")
FLOAT_64_MISS = Case(inputs=64, encoding="float", answered_by="vendor")
BASE64_64_MISS = Case(inputs=64, encoding="base64", answered_by="vendor")
BASE64_64_HITS = Case(inputs=64, encoding="base64", answered_by="dynamodb")
