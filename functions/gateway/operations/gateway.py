"""All operations together: what a dialect gets."""

from dataclasses import dataclass

from gateway.core.caller import Caller
from gateway.core.errors import ResourceNotFound, WrongRegion
from gateway.core.ports import LargeAnswers
from gateway.core.rate_limit import Reservation
from gateway.operations.authenticate import Authenticate
from gateway.operations.embed import Embed
from gateway.operations.models import Models


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The operations of one stage. `other_stages` are the addresses of stages in other regions, by region."""

    region: str
    authenticate: Authenticate
    embed: Embed
    models: Models
    large_answers: LargeAnswers
    other_stages: dict[str, str]

    def remaining(self, caller: Caller) -> Reservation:
        """What is left of the caller's allowance, as far as this function knows without asking."""
        return self.embed.rate_limits.remaining(caller.workspace.name, caller.workspace.limits)

    def check_region(self, wanted: str | None) -> None:
        """A region that a path names must be this stage's; raises `WrongRegion`, `ResourceNotFound`."""
        if wanted is None or wanted == self.region:
            return
        if wanted not in {"eu", "us"}:
            raise ResourceNotFound(f"There is no region {wanted!r}: the regions are eu and us.", param="region")
        elsewhere = self.other_stages.get(wanted)
        where = f"ask {elsewhere} instead" if elsewhere else "ask the operator for that region's address"
        raise WrongRegion(
            f"This address computes vectors in {self.region!r} only, and nothing crosses regions: "
            f"for {wanted!r} {where}.",
            param="region",
        )
