"""DynamoDB as the counters of a minute see it: items whose writes may be lost on the way there or back, or come late.

It reads the values of an update, not its expressions: that these say the same is shown against the emulator.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.aws.dynamodb import Attribute
from gateway.aws.errors import AwsTimeout, AwsUnavailable, ConditionFailed

Item = dict[str, Attribute]
Fate = Callable[[Sequence[str]], str]
"""What becomes of a call: one of these words."""

MISHAPS = ("not sent", "lost before", "lost after", "late")


def all_well(_: Sequence[str]) -> str:
    """No call is ever lost."""
    return "fine"


@dataclass
class TableOfMinutes:
    """Stands in for `DynamoDb`. `late` are writes that nobody waits for any more, and that still arrive."""

    fate: Fate = all_well
    items: dict[tuple[str, str], Item] = field(default_factory=dict)
    late: list[Callable[[], object]] = field(default_factory=list)

    def begin_update_item(self, _table: str, key: Mapping[str, Any], _type: type[Item], **update: Any) -> "SentUpdate":
        fate = self.fate(MISHAPS)
        if fate == "not sent":
            raise AwsUnavailable("There was no connection.")
        place = (key["account"]["S"], key["minute"]["S"])
        return SentUpdate(self, fate, lambda: self.updated(place, update["names"]["#seen"], update["values"]))

    def updated(self, place: tuple[str, str], seen: str, values: Mapping[str, Any]) -> Item:
        """The item after the update; raises `ConditionFailed` with the item as it is."""
        number = {name.removeprefix(":"): int(value["N"]) for name, value in values.items()}
        old = self.items.get(place, {})
        before = {name: int(attribute.N or 0) for name, attribute in old.items()}
        requests, tokens = before.get("requests", 0), before.get("tokens", 0)
        is_full = requests >= number["most"] if "most" in number else False
        too_much = tokens > number["room"] if "room" in number else False
        if (seen in before and before[seen] >= number["unseen"]) or is_full or too_much:
            raise ConditionFailed("refused", code="ConditionalCheckFailedException", item=_raw(old))
        after = {
            "requests": requests + number["requests"],
            "tokens": tokens + number["tokens"],
            "expires_at": number["expires_at"],
            seen: tokens + number["seen"],
        }
        self.items[place] = old | {name: Attribute(N=str(value)) for name, value in after.items()}
        return self.items[place]

    def come_to_rest(self) -> None:
        """Let everything arrive that is still on its way."""
        while self.late:
            self.late.pop()()

    def tokens(self) -> dict[tuple[int, int], int]:
        """What is counted, by shard and minute of the hour."""
        return {
            (int(account.split("#")[1]), int(minute[2:])): int(item["tokens"].N or 0)
            for (account, minute), item in self.items.items()
        }

    def requests(self) -> dict[tuple[int, int], int]:
        """What is counted, by shard and minute of the hour."""
        return {
            (int(account.split("#")[1]), int(minute[2:])): int(item["requests"].N or 0)
            for (account, minute), item in self.items.items()
        }


class SentUpdate:
    """An update that is carried out when it is read, or as its fate is."""

    def __init__(self, table: TableOfMinutes, fate: str, carry_out: Callable[[], Item]) -> None:
        self._table = table
        self._fate = fate
        self._carry_out = carry_out

    def finish(self) -> Item:
        match self._fate:
            case "late":
                self._table.late.append(self._ignoring_refusal)
                raise AwsTimeout("It is still on its way.")
            case "lost before":
                raise AwsUnavailable("It never arrived.")
            case "lost after":
                self._ignoring_refusal()
                raise AwsTimeout("It was carried out, and nobody heard of it.")
        return self._carry_out()

    def _ignoring_refusal(self) -> None:
        try:
            self._carry_out()
        except ConditionFailed:
            return


def _raw(item: Item) -> msgspec.Raw:
    return msgspec.Raw(
        json.dumps({name: {"N": attribute.N} for name, attribute in item.items()}).encode() if item else b""
    )
