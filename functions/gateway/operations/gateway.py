"""All operations together: what a dialect gets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gateway.core.caller import Caller
from gateway.core.ports import Health, LargeAnswers, ReadLimits
from gateway.core.rate_limit import Reservation
from gateway.core.stages import Stages, check_region
from gateway.operations.authenticate import Authenticate
from gateway.operations.embed import Embed
from gateway.operations.models import Models

if TYPE_CHECKING:
    from gateway.operations.batches import Batches
    from gateway.operations.files import BatchFiles


class BatchOperations(NamedTuple):
    """What callers may do with batch jobs, and with their files."""

    jobs: "Batches"
    files: "BatchFiles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The operations of one stage, which serves `region` (`eu`, say, in AWS's `aws_region`); `stages` are all."""

    region: str
    aws_region: str
    authenticate: Authenticate
    embed: Embed
    models: Models
    large_answers: LargeAnswers
    reads: ReadLimits
    health: Health
    batch: "Callable[[], BatchOperations]"
    """Made when it is first asked for: it imports boto3."""
    stages: Stages

    def remaining(self, caller: Caller) -> Reservation:
        """What is left of the caller's allowance, as far as this function knows without asking."""
        return self.embed.rate_limits.remaining(caller)

    async def count_request(self, caller: Caller) -> Reservation:
        """Count a request that embeds nothing; raises `AllowanceExhausted`."""
        return await self.embed.rate_limits.reserve(caller, 0)

    def check_region(self, wanted: str | None) -> None:
        """A region that a path names must be this stage's; raises `WrongRegion`, `ResourceNotFound`."""
        if wanted is not None:
            check_region(wanted, here=self.region, stages=self.stages)
