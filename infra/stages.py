"""The stages of infra/stages.yaml, and their copies in files that cannot read it: `make stages` writes them.

A copy stands between two marks, each a comment; the rest of the file is written by hand.
"""

import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import yaml

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / "infra" / "stages.yaml"

TAKEN = {
    "samconfig.toml": {"default", "local"},
    "Azure's paths": {"deployments", "embeddings", "models", "v1"},
    "YAML": {"false", "no", "null", "off", "on", "true", "yes"},
}
"""Names that mean something else, and where."""

Count = Annotated[int, msgspec.Meta(ge=1)]


class Stage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One stage; infra/stages.yaml explains the fields."""

    name: Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9]+\Z")]
    region: Annotated[str, msgspec.Meta(pattern=r"\A[a-z]+(-[a-z]+)+-[0-9]\Z")]
    address: Annotated[str, msgspec.Meta(pattern=r"\Ahttps://\S+\Z")] | None = None
    log_retention_in_days: Count
    api_memory: Count
    embedded_model_memory: Count
    requests_per_second: Count
    burst_requests: Count
    batch_workers: Count


Stages = Annotated[list[Stage], msgspec.Meta(min_length=1)]

ANSWERS = {
    "Region": "region",
    "LogRetentionInDays": "log_retention_in_days",
    "ApiMemory": "api_memory",
    "EmbeddedModelMemory": "embedded_model_memory",
    "RequestsPerSecond": "requests_per_second",
    "BurstRequests": "burst_requests",
    "BatchWorkers": "batch_workers",
}
"""The columns of the template's mapping, and the fields they are copied from."""


def read_stages(place: Path = PLACE) -> Sequence[Stage]:
    """The stages in the order of the file; raises `ValueError` or `YAMLError`, which say what is wrong with it."""
    stages = msgspec.convert(yaml.safe_load(place.read_text("utf-8")), Stages)
    _check_names([stage.name for stage in stages])
    return stages


def _check_names(names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        raise ValueError("Two stages have the same name.")
    for where, taken in TAKEN.items():
        if clash := taken.intersection(names):
            raise ValueError(f"A stage cannot be called {clash.pop()}: the word has a meaning of its own in {where}.")


def _stage_parameter(stages: Sequence[Stage]) -> str:
    return f"Default: {stages[0].name}\nAllowedValues: [{', '.join(stage.name for stage in stages)}]\n"


def _mapping(stages: Sequence[Stage]) -> str:
    return "".join(f"{stage.name}:\n{textwrap.indent(_answers(stage), '  ')}" for stage in stages)


def _answers(stage: Stage) -> str:
    return "".join(f"{column}: {getattr(stage, field)}\n" for column, field in ANSWERS.items())


def _rules(stages: Sequence[Stage]) -> str:
    return "".join(map(_rule, stages))


def _rule(stage: Stage) -> str:
    return (
        f"{stage.name.capitalize()}StaysInItsRegion:\n"
        f"  RuleCondition: !Equals [!Ref Stage, {stage.name}]\n"
        "  Assertions:\n"
        f"    - Assert: !Equals [!Ref AWS::Region, {stage.region}]\n"
        f"      AssertDescription: The {stage.name} stage belongs in {stage.region} "
        f"(sam deploy --config-env {stage.name}).\n"
    )


def _variable(stages: Sequence[Stage]) -> str:
    """What `gateway/settings.py` reads."""
    return f"STAGES: {' '.join(f'{stage.name}={stage.address}' if stage.address else stage.name for stage in stages)}\n"


def _environments(stages: Sequence[Stage]) -> str:
    """Of samconfig.toml: one per stage, and the first once more for a `sam deploy` that names none."""
    named = [("default", stages[0]), *((stage.name, stage) for stage in stages)]
    return "\n".join(_environment(name, stage) for name, stage in named)


def _environment(name: str, stage: Stage) -> str:
    return (
        f"[{name}.global.parameters]\n"
        f'stack_name = "embeddings-gateway-{stage.name}"\n'
        f'region = "{stage.region}"\n'
        "\n"
        f"[{name}.deploy.parameters]\n"
        'capabilities = "CAPABILITY_IAM CAPABILITY_AUTO_EXPAND"\n'
        "resolve_s3 = true\n"
        f's3_prefix = "embeddings-gateway-{stage.name}"\n'
        f'parameter_overrides = "Stage={stage.name}"\n'
        "fail_on_empty_changeset = false\n"
    )


def _routes(stages: Sequence[Stage]) -> str:
    """Our own model runs in every stage: the end of the first route, which the others repeat."""
    first, *others = (stage.name for stage in stages)
    repeated = (f"- {{<<: *embedded, name: embedded-{name}, region: {name}}}\n" for name in others)
    return f"  name: embedded-{first}\n  region: {first}\n" + "".join(repeated)


COPIES: Mapping[str, Mapping[str, Callable[[Sequence[Stage]], str]]] = {
    "template.yaml": {
        "stage names": _stage_parameter,
        "answers per stage": _mapping,
        "rules per stage": _rules,
        "names and addresses": _variable,
    },
    "samconfig.toml": {"environments": _environments},
    "infra/catalogue/embedded.yaml": {"routes": _routes},
}
"""By file and mark: what stands between the marks."""


def rewritten(root: Path, stages: Sequence[Stage]) -> Iterator[tuple[Path, str]]:
    """Each file that holds copies, and the text it should have; raises `ValueError` where marks are missing."""
    for name, parts in COPIES.items():
        text = (root / name).read_text("utf-8")
        for mark, write in parts.items():
            text = _with_part(name, text, f"# {mark}, written by make stages", write(stages))
        yield root / name, text


def _with_part(name: str, text: str, mark: str, part: str) -> str:
    before, begin, rest = text.partition(f"{mark}: begin\n")
    _, end, after = rest.partition(f"{mark}: end\n")
    if not (begin and end):
        raise ValueError(f"{name} lacks the line '{mark}: begin', or the same with 'end'.")
    indent = before.rpartition("\n")[2]
    return f"{before}{begin}{textwrap.indent(part, indent)}{indent}{end}{after}"


if __name__ == "__main__":
    try:
        for file, text in rewritten(ROOT, read_stages()):
            file.write_text(text, "utf-8")
            print(f"Wrote the stages into {file.relative_to(ROOT)}.")
    except (ValueError, yaml.YAMLError) as error:
        sys.exit(f"The stages of infra/stages.yaml cannot be written: {error}")
