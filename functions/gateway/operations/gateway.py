"""All operations together: what a dialect is handed."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.core.caller import Caller
from gateway.core.ports import LargeAnswers
from gateway.core.rate_limit import Reservation
from gateway.operations.authenticate import Authenticate
from gateway.operations.embed import Embed
from gateway.operations.models import Models


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The operations of one stage. `stages` are the addresses of all, by region; None where one is not known."""

    region: str
    authenticate: Authenticate
    embed: Embed
    models: Models
    answers: LargeAnswers
    stages: Mapping[str, str | None]

    def standing(self, caller: Caller) -> Reservation:
        """What is left of the caller's allowance, as far as is known without asking."""
        return self.embed.allowances.standing(caller.workspace.name, caller.workspace.limits)
