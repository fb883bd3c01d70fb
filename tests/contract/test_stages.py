"""A third stage is one entry of infra/stages.yaml and one command, here in a copy of this repository."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.settings import read_settings
from infra.admin.catalogue_files import read_folder
from infra.stages import read_stages
from tests.contract.test_template import ROOT, read_template, resources_of
from tests.fakes.models import make_model, make_route
from tests.unit.dialects.stage import Stage

AP = """
- name: ap
  region: ap-northeast-1
  address: https://ap.example
  log_retention_in_days: 14
  api_memory: 1024
  embedded_model_memory: 2048
  requests_per_second: 50
  burst_requests: 100
  batch_workers: 4
"""

COPIED = ("functions/gateway", "infra", "tests/fixtures/wire", "docs", "template.yaml", "samconfig.toml", "Makefile")
EMBEDDINGS = "/openai/ap/v1/embeddings"
NAMES = [stage.name for stage in read_stages() if stage.name != "ap"]
"""The other stages. Whoever runs these tests may have an `ap` of their own."""
NO_MARS = f"There is no region 'mars': the regions are {', '.join(NAMES)} and ap."


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository of an operator who has added `ap`."""
    root = tmp_path_factory.mktemp("repository")
    for name in COPIED:
        source, place = ROOT / name, root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, place)
    place = root / "infra" / "stages.yaml"
    entries = [entry for entry in yaml.safe_load(place.read_text("utf-8")) if entry["name"] in NAMES]
    place.write_text(yaml.safe_dump(entries, sort_keys=False) + AP, "utf-8")
    make(root, "stages", "--assume-old=.venv/.installed", f"BIN={Path(sys.executable).parent}").check_returncode()
    return root


def make(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{root / 'functions'}:{root}"}
    return subprocess.run(["make", *words], cwd=root, env=environment, capture_output=True, text=True, check=False)


def stage_of(copy: Path, name: str) -> Stage:
    """That stage, as the API function of the copy's template would be."""
    function = resources_of("AWS::Serverless::Function", str(copy / "template.yaml"))["ApiFunction"]
    variables = function["Properties"]["Environment"]["Variables"]
    settings = read_settings({**dict.fromkeys(variables, ""), "STAGE": name, "STAGES": variables["STAGES"]})
    models = [make_model(routes=(make_route(region=name),))]
    return Stage(models=models, region=settings.stage, stages=settings.stages)


def test_the_template_knows_it(copy: Path) -> None:
    before, after = read_template(), read_template(str(copy / "template.yaml"))

    assert after["Parameters"]["Stage"] == {**before["Parameters"]["Stage"], "AllowedValues": [*NAMES, "ap"]}
    assert after["Mappings"]["Stages"] == {
        **before["Mappings"]["Stages"],
        "ap": {
            "Region": "ap-northeast-1",
            "LogRetentionInDays": 14,
            "ApiMemory": 1024,
            "EmbeddedModelMemory": 2048,
            "RequestsPerSecond": 50,
            "BurstRequests": 100,
            "BatchWorkers": 4,
        },
    }


def test_the_template_keeps_it_in_its_region(copy: Path) -> None:
    rules = read_template(str(copy / "template.yaml"))["Rules"]

    assert rules.keys() == read_template()["Rules"].keys() | {"ApStaysInItsRegion"}
    assert rules["ApStaysInItsRegion"] == {
        "RuleCondition": {"Fn::Equals": [{"Ref": "Stage"}, "ap"]},
        "Assertions": [
            {
                "Assert": {"Fn::Equals": [{"Ref": "AWS::Region"}, "ap-northeast-1"]},
                "AssertDescription": "The ap stage belongs in ap-northeast-1 (sam deploy --config-env ap).",
            }
        ],
    }


def test_what_the_template_says_of_others_stays(copy: Path) -> None:
    before, after = read_template(), read_template(str(copy / "template.yaml"))

    assert {name for name in after if after[name] != before[name]} <= {"Parameters", "Mappings", "Rules", "Resources"}
    changed = {name for name, resource in after["Resources"].items() if resource != before["Resources"][name]}
    assert changed <= {"ApiFunction"}


def test_samconfig_knows_it(copy: Path) -> None:
    before, after = (tomllib.loads((root / "samconfig.toml").read_text("utf-8")) for root in (ROOT, copy))

    assert after == before | {
        "ap": {
            "global": {"parameters": {"stack_name": "embeddings-gateway-ap", "region": "ap-northeast-1"}},
            "deploy": {
                "parameters": before["us"]["deploy"]["parameters"]
                | {"s3_prefix": "embeddings-gateway-ap", "parameter_overrides": "Stage=ap"}
            },
        }
    }


def test_make_deploys_every_stage_of_the_list_and_no_other(copy: Path) -> None:
    listed = [stage.name for stage in read_stages(copy / "infra" / "stages.yaml")]

    assert listed == [*NAMES, "ap"]
    assert {make(copy, "stage-is-listed", f"STAGE={name}").returncode for name in listed} == {0}
    assert f"has {' '.join(listed)}," in make(copy, "stage-is-listed", "STAGE=mars").stderr


def test_our_own_model_runs_there_and_others_wait_for_a_route(copy: Path) -> None:
    rows = read_folder(copy / "infra" / "catalogue")

    served = {
        (model.name, route.name) for model in rows.models.values() for route in model.routes if route.region == "ap"
    }

    assert served == {("all-minilm-l6-v2", "embedded-ap")}


def test_the_document_offers_it(copy: Path) -> None:
    document = (copy / "functions" / "gateway" / "openapi" / "openapi.json").read_text("utf-8")

    (region,) = (
        parameter["schema"]
        for parameter in parameters_of(json.loads(document), "/openai/{region}/v1/embeddings")
        if parameter["name"] == "region"
    )

    assert region == {"enum": [*NAMES, "ap"]}


def parameters_of(document: dict[str, Any], path: str) -> list[dict[str, Any]]:
    """Any: JSON."""
    parameters: list[dict[str, Any]] = document["paths"][path]["post"]["parameters"]
    return parameters


@pytest.mark.parametrize("path", [EMBEDDINGS, "/api/public/openai/ap/v1/embeddings"])
async def test_its_own_function_answers_for_its_region(copy: Path, path: str) -> None:
    stage = stage_of(copy, "ap")

    answer = await stage.post(path, model="echo", input="a")

    assert (answer.status_code, len(answer.json()["data"])) == (200, 1)
    assert answer.headers["x-gateway-cache-misses"] == "1"


async def test_the_function_of_another_stage_says_where_to_ask(copy: Path) -> None:
    answer = await stage_of(copy, "eu").post(EMBEDDINGS, model="echo", input="a")

    assert (answer.status_code, answer.json()["error"]) == (
        403,
        {
            "message": "This address computes vectors in 'eu' only, and nothing crosses regions: "
            "for 'ap' ask https://ap.example instead.",
            "type": "invalid_request_error",
            "param": "region",
            "code": "wrong_region",
        },
    )


async def test_its_function_knows_the_others_and_no_more(copy: Path) -> None:
    stage = stage_of(copy, "ap")

    other = await stage.post("/openai/us/v1/embeddings", model="echo", input="a")
    unknown = await stage.post("/openai/mars/v1/embeddings", model="echo", input="a")

    assert other.json()["error"]["message"] == (
        "This address computes vectors in 'ap' only, and nothing crosses regions: "
        "for 'us' ask the operator for that region's address."
    )
    assert unknown.json()["error"]["message"] == NO_MARS


async def test_an_unknown_path_in_its_region_is_langdocks(copy: Path) -> None:
    answer = await stage_of(copy, "eu").send("GET", "/openai/ap/v1/nothing")

    assert "POST /v1/embeddings" in answer.json()["error"]["message"]


async def test_where_it_is_not_listed_its_paths_are_as_they_were() -> None:
    answer = await Stage().post(EMBEDDINGS, model="echo", input="a")

    assert answer.json()["error"]["message"] == "There is no region 'ap': the regions are eu and us."
