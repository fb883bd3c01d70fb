"""All operations together: what a dialect gets."""

from dataclasses import dataclass

from gateway.core.caller import Caller
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
    answers: LargeAnswers
    other_stages: dict[str, str]

    def remaining(self, caller: Caller) -> Reservation:
        """What is left of the caller's allowance, as far as this function knows without asking."""
        return self.embed.rate_limits.remaining(caller.workspace.name, caller.workspace.limits)
