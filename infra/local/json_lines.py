"""What functions log as JSON lines, so that `jq` reads all of it.

A line that is a JSON object stays as it is. Lambda's own lines, which the emulator writes as text, become the events
that Lambda's JSON log format has for them; any other text becomes an event of type `function`.
https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_OF_LAMBDA = re.compile(r"(START|END|REPORT) RequestId: (\S+)(.*)")
_FIELD = re.compile(r"([A-Z][A-Za-z ]*): (\S+)")
_METRICS = {
    "Duration": "durationMs",
    "Billed Duration": "billedDurationMs",
    "Init Duration": "initDurationMs",
    "Memory Size": "memorySizeMB",
    "Max Memory Used": "maxMemoryUsedMB",
}


def json_line(message: str, timestamp: int) -> str:
    """One line of JSON for what was logged at that time, in milliseconds since 1970."""
    message = message.rstrip()
    if _is_json_object(message):
        return message.replace("\n", " ")
    time = datetime.fromtimestamp(timestamp / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"time": time, **_event(message)}, ensure_ascii=False)


def _is_json_object(message: str) -> bool:
    try:
        return isinstance(json.loads(message), dict)
    except ValueError:
        return False


def _event(message: str) -> dict[str, Any]:
    if not (found := _OF_LAMBDA.fullmatch(message)):
        return {"type": "function", "record": message}
    kind, request_id, rest = found.groups()
    fields = dict(_FIELD.findall(rest))
    return {"type": f"platform.{kind.lower()}", "record": {"requestId": request_id, **_RECORDS[kind](fields)}}


def _read_start(fields: Mapping[str, str]) -> dict[str, Any]:
    return {"version": fields.get("Version", "$LATEST")}


def _read_end(_: Mapping[str, str]) -> dict[str, Any]:
    return {}


def _read_report(fields: Mapping[str, str]) -> dict[str, Any]:
    return {"metrics": {_METRICS[name]: float(value) for name, value in fields.items() if name in _METRICS}}


_RECORDS = {"START": _read_start, "END": _read_end, "REPORT": _read_report}
