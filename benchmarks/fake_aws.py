"""DynamoDB, Secrets Manager, Lambda and S3 from memory, at once.

    python -m benchmarks.fake_aws PORT VENDOR_URL [CERTIFICATE]

A fast fake, so that the emulator's time on these two cores is not counted as ours. It checks no signature and no
condition; the contract tests check the client against the emulator.
"""

import re
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pybase64

from benchmarks.aws_controls import CONTROLS, Call
from benchmarks.http_fake import Asked, Reply, serve
from benchmarks.stage import TABLE_KEYS, Addresses, catalogue_rows, secrets

Json = dict[str, Any]  # JSON at the border

OWN_DIMENSIONS = 384
CACHES = ("store", "every", "none")
"""What the table of vectors knows: what was put there; every key there is; nothing at all."""

UPDATE = re.compile(r"(?P<name>#?\w+)\s*=\s*(?P<value>[^,()]*(?:\([^)]*\))?[^,]*)")
ADDITION = re.compile(r"(?P<name>#?\w+)\s+(?P<value>:\w+)")
CLAUSES = re.compile(r"\b(SET|ADD|REMOVE|DELETE)\b")


class FakeAws:
    """The four services; `answer` is given every request."""

    def __init__(self, rows: list[Mapping[str, str]], secret_texts: Mapping[str, str]) -> None:
        self._tables: dict[str, dict[bytes, bytes]] = {table: {} for table in TABLE_KEYS}
        self._secrets = secret_texts
        self._cache = "store"
        self._latency = 0.0
        self._last_puts: deque[bytes] = deque(maxlen=64)
        self._calls: list[Call] = []
        for row in rows:
            self._put("catalogue", {name: {"S": value} for name, value in row.items()})

    def answer(self, asked: Asked) -> Reply:
        """What the service would answer, if all is well, after the latency that was set."""
        if asked.path.startswith(CONTROLS):
            return self._control(dict(parse_qsl(urlsplit(asked.path).query)))
        operation, begun, failed = operation_of(asked), time.perf_counter(), False
        try:
            reply = self._serve(operation, asked)
        except Exception:  # noqa: BLE001  (`take_calls` raises for whoever measures)
            traceback.print_exc()
            reply, failed = Reply(status=500, body=b"{}"), True
        ended = time.perf_counter() + self._latency
        self._calls.append(Call(operation=operation, begun=begun, ended=ended, failed=failed))
        return replace(reply, delay=self._latency)

    def _control(self, switches: Mapping[str, str]) -> Reply:
        """Turn the switches named, or hand out the calls since the last time."""
        self._cache = switches.get("cache", self._cache)
        self._latency = float(switches.get("latency", self._latency))
        if switches:
            return Reply(body=b"[]")
        calls, self._calls = self._calls, []
        return Reply(body=orjson.dumps([asdict(call) for call in calls]))

    def _serve(self, operation: str, asked: Asked) -> Reply:
        if operation == "Invoke":
            return Reply(body=embedded_answer(len(orjson.loads(asked.body)["texts"])))
        if operation == "S3":
            return Reply(body=b"", headers={"etag": '"0"'})
        serve: Callable[[Json], bytes] = getattr(self, f"_on_{_snake(operation)}")
        return Reply(body=serve(orjson.loads(asked.body)), content_type="application/x-amz-json-1.0")

    def _on_get_secret_value(self, asked: Json) -> bytes:
        name = asked["SecretId"]
        return orjson.dumps({"ARN": f"arn:{name}", "Name": name, "SecretString": self._secrets[name]})

    def _on_get_item(self, asked: Json) -> bytes:
        item = self._tables[asked["TableName"]].get(_key_bytes(asked["TableName"], asked["Key"]))
        return b"{}" if item is None else b'{"Item":%b}' % item

    def _on_query(self, asked: Json) -> bytes:
        """Every item of the partition whose key is the first value given."""
        wanted = next(iter(asked["ExpressionAttributeValues"].values()))
        hash_key = TABLE_KEYS[asked["TableName"]][0]
        items = [item for item in self._tables[asked["TableName"]].values() if orjson.loads(item)[hash_key] == wanted]
        return b'{"Items":[%b],"Count":%d,"ScannedCount":%d}' % (b",".join(items), len(items), len(items))

    def _on_batch_get_item(self, asked: Json) -> bytes:
        ((table, request),) = asked["RequestItems"].items()
        found = filter(None, (self._find(table, key) for key in request["Keys"]))
        return b'{"Responses":{"%b":[%b]},"UnprocessedKeys":{}}' % (table.encode(), b",".join(found))

    def _find(self, table: str, key: Json) -> bytes | None:
        if table != "vectors" or self._cache == "store":
            return self._tables[table].get(_key_bytes(table, key))
        if self._cache == "none" or not self._last_puts:
            return None
        self._last_puts.rotate()  # so that the vectors of one answer differ, as those of different texts do
        return self._last_puts[0].replace(b"*KEY*", key["key"]["B"].encode(), 1)

    def _on_batch_write_item(self, asked: Json) -> bytes:
        ((table, requests),) = asked["RequestItems"].items()
        for request in requests:
            self._put(table, request["PutRequest"]["Item"])
        return b'{"UnprocessedItems":{}}'

    def _put(self, table: str, item: Json) -> None:
        if table == "vectors":
            self._last_puts.append(orjson.dumps({**item, "key": {"B": "*KEY*"}}))
            if self._cache != "store":
                return
        self._tables[table][_key_bytes(table, item)] = orjson.dumps(item)

    def _on_update_item(self, asked: Json) -> bytes:
        table, key = asked["TableName"], asked["Key"]
        old = orjson.loads(self._tables[table].get(_key_bytes(table, key), orjson.dumps(key)))
        item = updated(old, asked)
        self._put(table, item)
        return orjson.dumps({"Attributes": item})


def operation_of(asked: Asked) -> str:
    """What AWS calls the operation, such as `GetItem`; `S3` for whatever is asked of that."""
    if urlsplit(asked.path).path.endswith("/invocations"):
        return "Invoke"
    return asked.headers.get("x-amz-target", "").rpartition(".")[2] or "S3"


def updated(item: Json, asked: Json) -> Json:
    """The item after the update, as far as numbers that are set and added to go."""
    names, values = asked.get("ExpressionAttributeNames", {}), asked.get("ExpressionAttributeValues", {})
    new = dict(item)
    _, *parts = CLAUSES.split(asked["UpdateExpression"])
    for clause, text in zip(parts[::2], parts[1::2], strict=True):
        pattern = ADDITION if clause == "ADD" else UPDATE
        for match in pattern.finditer(text):
            name = names.get(match["name"], match["name"])
            addends = [match["value"], match["name"]] if clause == "ADD" else match["value"].split("+")
            new[name] = _sum(item, [_operand(item, addend.strip(), names, values) for addend in addends])
    return new


def _operand(item: Json, text: str, names: Json, values: Json) -> Json | None:
    if text.startswith("if_not_exists"):
        name, default = (part.strip() for part in text.removeprefix("if_not_exists(").rstrip(")").split(","))
        found: Json | None = item.get(names.get(name, name), values[default])
        return found
    if text.startswith(":"):
        value: Json = values[text]
        return value
    return item.get(names.get(text, text))


def _sum(_item: Json, operands: list[Json | None]) -> Json:
    present = [operand for operand in operands if operand is not None]
    if len(present) == 1:
        return present[0]
    return {"N": str(sum(int(operand["N"]) for operand in present))}


@cache
def embedded_answer(texts: int) -> bytes:
    """What the embedded model's function returns for that many texts: vectors of length one."""
    vector = bytes.fromhex("0000003f") * 4 + bytes(4 * (OWN_DIMENSIONS - 4))
    return orjson.dumps({"vectors": pybase64.b64encode_as_string(vector * texts), "tokens": [8] * texts})


def _key_bytes(table: str, item: Json) -> bytes:
    return orjson.dumps([item[name] for name in TABLE_KEYS[table]])


def _snake(operation: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()


if __name__ == "__main__":
    fake = FakeAws(catalogue_rows(Addresses(aws="", vendor=sys.argv[2])), secrets())
    serve(fake.answer, int(sys.argv[1]), *sys.argv[3:])
