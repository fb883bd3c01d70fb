"""What template.yaml promises to whoever deploys it, operates it, or is woken up by it."""

import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from samcli.cli.types import CfnParameterOverridesType  # type: ignore[import-untyped]

from gateway.settings import read_settings
from gateway.stores.api_keys import BUCKETS
from infra.stages import read_stages

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ("template.yaml", "infra/alarms.yaml", "infra/dashboard.yaml")

# Which dimensions AWS, and our own telemetry, publish a metric with; an alarm on any others never hears a thing.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
PUBLISHED = {
    ("AWS/ApiGateway", "5xx"): ["ApiId"],
    ("AWS/ApiGateway", "Latency"): ["ApiId"],
    ("AWS/Lambda", "Errors"): ["FunctionName"],
    ("AWS/Lambda", "Throttles"): ["FunctionName"],
    ("AWS/DynamoDB", "ReadThrottleEvents"): ["TableName"],
    ("AWS/DynamoDB", "WriteThrottleEvents"): ["TableName"],
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): ["QueueName"],
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): ["QueueName"],
    ("EmbeddingsGateway", "CacheFailures"): ["service"],
    ("EmbeddingsGateway", "ProviderFailures"): ["service"],
    ("EmbeddingsGateway", "AllowanceFallbacks"): ["service"],
}


class Loader(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as their long ones."""


def _read_function(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    long_name = name if name == "Ref" else f"Fn::{name}"
    if isinstance(node, yaml.ScalarNode):
        return {long_name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {long_name: loader.construct_sequence(node, deep=True)}
    raise yaml.constructor.ConstructorError(problem=f"!{name} has neither one argument nor a list of them")


Loader.add_multi_constructor("!", _read_function)


def read_template(name: str = "template.yaml") -> dict[str, Any]:
    document: dict[str, Any] = yaml.load((ROOT / name).read_text(encoding="utf-8"), Loader)
    return document


def resources_of(kind: str, name: str = "template.yaml") -> dict[str, dict[str, Any]]:
    return {key: found for key, found in read_template(name)["Resources"].items() if found["Type"] == kind}


def statements(role: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for policy in role["Properties"]["Policies"]:
        # A policy under a condition: what is granted where it holds.
        found = policy.get("Fn::If", ["", policy])[1]["PolicyDocument"]["Statement"]
        yield from found if isinstance(found, list) else [found]


def as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def is_sentence(text: str) -> bool:
    return text[0].isupper() and text.endswith(".") and " " in text


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_parameter_is_told_in_a_sentence(template: str) -> None:
    parameters = read_template(template)["Parameters"]

    assert [name for name, parameter in parameters.items() if not is_sentence(parameter["Description"])] == []


def test_every_parameter_of_the_stage_has_a_default() -> None:
    parameters = read_template()["Parameters"]

    assert [name for name, parameter in parameters.items() if "Default" not in parameter] == []


def test_every_output_is_told_in_a_sentence() -> None:
    outputs = read_template()["Outputs"]

    assert [name for name, output in outputs.items() if not is_sentence(output["Description"])] == []


def test_every_function_is_built_with_byte_code_and_writes_to_its_own_log() -> None:
    functions = resources_of("AWS::Serverless::Function")

    assert functions
    for name, function in functions.items():
        assert function["Metadata"] == {"BuildMethod": "makefile"}
        assert function["Properties"]["LoggingConfig"]["LogGroup"] == {"Ref": f"{name}LogGroup"}
        assert function["Properties"]["Role"] == {"Fn::GetAtt": f"{name}Role.Arn"}


def test_every_log_forgets_after_the_time_its_stage_gives() -> None:
    groups = resources_of("AWS::Logs::LogGroup")

    assert len(groups) > len(resources_of("AWS::Serverless::Function"))
    for group in groups.values():
        assert group["Properties"]["RetentionInDays"] == {
            "Fn::FindInMap": ["Stages", {"Ref": "Stage"}, "LogRetentionInDays"]
        }


def test_the_api_function_gives_up_before_api_gateway_and_after_the_embedded_model() -> None:
    functions = resources_of("AWS::Serverless::Function")
    (integration,) = resources_of("AWS::ApiGatewayV2::Integration").values()

    patience = integration["Properties"]["TimeoutInMillis"] / 1000
    times = [functions[name]["Properties"]["Timeout"] for name in ("ApiFunction", "EmbeddedModelFunction")]

    assert patience > times[0] > times[1]


def test_the_api_function_gets_every_variable_that_it_reads() -> None:
    variables = resources_of("AWS::Serverless::Function")["ApiFunction"]["Properties"]["Environment"]["Variables"]

    settings = read_settings({name: "eu" if name == "STAGE" else "value" for name in variables})

    assert settings.stage == "eu"


def test_the_api_function_knows_every_stage() -> None:
    variables = resources_of("AWS::Serverless::Function")["ApiFunction"]["Properties"]["Environment"]["Variables"]

    settings = read_settings({**dict.fromkeys(variables, "value"), "STAGE": "eu", "STAGES": variables["STAGES"]})

    assert list(settings.stages) == [stage.name for stage in read_stages()]


def test_every_table_is_on_demand_encrypted_and_says_what_becomes_of_it() -> None:
    tables = resources_of("AWS::DynamoDB::Table")

    assert tables.keys() == {"CatalogueTable", "VectorCacheTable", "UsageTable", "BatchTable"}
    for table in tables.values():
        assert table["Properties"]["BillingMode"] == "PAY_PER_REQUEST"
        assert table["Properties"]["SSESpecification"] == {"SSEEnabled": True}
        assert table["DeletionPolicy"] == table["UpdateReplacePolicy"]


def test_what_can_expire_does_and_what_matters_stays() -> None:
    tables = resources_of("AWS::DynamoDB::Table")
    expires = {"AttributeName": "expires_at", "Enabled": True}

    for name in ("VectorCacheTable", "UsageTable", "BatchTable"):
        assert tables[name]["Properties"]["TimeToLiveSpecification"] == expires
    assert tables["CatalogueTable"]["DeletionPolicy"] == "Retain"
    assert tables["CatalogueTable"]["Properties"]["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": True
    }


def test_nobody_reads_the_bucket_without_a_signed_address_and_answers_leave_it() -> None:
    (bucket,) = resources_of("AWS::S3::Bucket").values()

    assert all(bucket["Properties"]["PublicAccessBlockConfiguration"].values())
    rules = {rule["Id"]: rule for rule in bucket["Properties"]["LifecycleConfiguration"]["Rules"]}
    assert rules["forget-answers"]["Prefix"] == "answers/"
    assert rules["forget-answers"]["ExpirationInDays"] == 1


def test_a_right_names_what_may_be_done_and_to_what() -> None:
    for role in resources_of("AWS::IAM::Role").values():
        for statement in statements(role):
            assert not any("*" in action for action in as_list(statement["Action"]))
            if not all(action.startswith("xray:") for action in as_list(statement["Action"])):
                assert "*" not in as_list(statement["Resource"])
        assert "ManagedPolicyArns" not in role["Properties"]


def test_the_api_function_may_do_what_it_does_and_nothing_else() -> None:
    role = resources_of("AWS::IAM::Role")["ApiFunctionRole"]

    rights = {action for statement in statements(role) for action in as_list(statement["Action"])}

    assert rights == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
        "dynamodb:GetItem",
        "dynamodb:Query",
        "dynamodb:BatchGetItem",
        "dynamodb:BatchWriteItem",
        "dynamodb:UpdateItem",
        "dynamodb:PutItem",
        "dynamodb:DeleteItem",
        "secretsmanager:GetSecretValue",
        "s3:PutObject",
        "s3:GetObject",
        "s3:DeleteObject",
        "sqs:SendMessage",
        "lambda:InvokeFunction",
        "bedrock:InvokeModel",
    }


def test_no_policy_is_about_more_than_one_store() -> None:
    for role in resources_of("AWS::IAM::Role").values():
        for statement in statements(role):
            services = {action.partition(":")[0] for action in as_list(statement["Action"])}
            assert len(services) == 1


def test_a_nested_stack_is_given_every_parameter_that_it_has_and_no_other() -> None:
    for stack in resources_of("AWS::CloudFormation::Stack").values():
        properties = stack["Properties"]
        assert properties["Parameters"].keys() == read_template(properties["TemplateURL"])["Parameters"].keys()


def test_every_alarm_says_in_a_sentence_from_where_on_it_is_too_much() -> None:
    alarms = resources_of("AWS::CloudWatch::Alarm", "infra/alarms.yaml")

    assert alarms
    for alarm in alarms.values():
        properties = alarm["Properties"]
        threshold = properties["Threshold"]
        spoken = (
            {"once", "one", f"{threshold / 1000:g} s", str(threshold)} if threshold in {1, 20000} else {str(threshold)}
        )
        assert is_sentence(properties["AlarmDescription"])
        assert any(re.search(rf"\b{word}\b", properties["AlarmDescription"]) for word in spoken)


def test_every_alarm_has_five_lines_in_the_runbook() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    entries = dict(re.findall(r"^## (\w+)\n\n(.*?)(?=\n## |\Z)", runbook, re.MULTILINE | re.DOTALL))

    assert entries.keys() == resources_of("AWS::CloudWatch::Alarm", "infra/alarms.yaml").keys()
    for entry in entries.values():
        assert re.findall(r"^(\d)\. \*\*(.+?)\*\*", entry, re.MULTILINE) == RUNBOOK_LINES


RUNBOOK_LINES = [("1", "It means"), ("2", "Look"), ("3", "Usually"), ("4", "Do"), ("5", "It is over")]


def test_every_alarm_listens_to_a_metric_that_is_published_with_its_dimensions() -> None:
    for alarm in resources_of("AWS::CloudWatch::Alarm", "infra/alarms.yaml").values():
        properties = alarm["Properties"]
        dimensions = [dimension["Name"] for dimension in properties["Dimensions"]]

        assert PUBLISHED[properties["Namespace"], properties["MetricName"]] == dimensions


def test_every_alarm_reaches_the_topic_if_there_is_one() -> None:
    alarms = resources_of("AWS::CloudWatch::Alarm", "infra/alarms.yaml")

    for alarm in alarms.values():
        assert alarm["Properties"]["AlarmActions"]["Fn::If"][0] == "SomebodyListens"


def test_alarms_and_telemetry_agree_on_names() -> None:
    variables = resources_of("AWS::Serverless::Function")["ApiFunction"]["Properties"]["Environment"]["Variables"]
    own = [
        alarm["Properties"]
        for alarm in resources_of("AWS::CloudWatch::Alarm", "infra/alarms.yaml").values()
        if not alarm["Properties"]["Namespace"].startswith("AWS/")
    ]

    assert {alarm["Namespace"] for alarm in own} == {variables["POWERTOOLS_METRICS_NAMESPACE"]}
    assert {alarm["Dimensions"][0]["Value"] for alarm in own} == {variables["POWERTOOLS_SERVICE_NAME"]}


def test_every_metric_that_is_shown_or_alarms_is_explained_in_the_guide() -> None:
    guide = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    dashboard = (ROOT / "infra" / "dashboard.yaml").read_text(encoding="utf-8")

    explained = set(re.findall(r"^\| `([A-Z]\w+)` \| ", guide.partition("\n## What the logs say\n")[2], re.MULTILINE))
    shown = set(re.findall(r'"EmbeddingsGateway", "(\w+)"', dashboard))
    searched = set(re.findall(r'EmbeddingsGateway,[^}]*} MetricName=\\"(\w+)\\"', dashboard))
    alarming = {metric for namespace, metric in PUBLISHED if namespace == "EmbeddingsGateway"}

    assert shown
    assert searched
    assert explained >= shown | searched | alarming


def test_each_deployed_stage_names_its_stack_and_the_region_of_its_mapping() -> None:
    configured = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    stages = read_template()["Mappings"]["Stages"]

    for stage, answers in stages.items():
        parameters = configured[stage]["global"]["parameters"]
        assert parameters == {"stack_name": f"embeddings-gateway-{stage}", "region": answers["Region"]}
        assert configured[stage]["deploy"]["parameters"]["parameter_overrides"] == f"Stage={stage}"


def make(*words: str) -> subprocess.CompletedProcess[str]:
    """As from a fresh shell, whatever the `make` that runs these tests was told."""
    environment = {"PATH": os.environ["PATH"]}
    return subprocess.run(["make", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def deployed(*words: str) -> tuple[str, dict[str, str]]:
    """The environment of samconfig.toml and the parameters, as SAM reads them, of `make deploy` with those words."""
    (command,) = (
        line for line in make("-n", "deploy", *words).stdout.replace("\\\n", "").splitlines() if "sam deploy" in line
    )
    _, _, config, environment, option, *overrides = shlex.split(command)
    assert (config, option) == ("--config-env", "--parameter-overrides")
    return environment, CfnParameterOverridesType().convert(overrides, None, None)


def test_deploying_sets_the_stage_and_what_was_built_and_leaves_the_rest_as_it_is() -> None:
    environment, parameters = deployed("STAGE=us")

    assert environment == "us"
    assert parameters == {"Stage": "us", "Runtime": "python3.13", "Architecture": "arm64"}


def test_deploying_sets_what_else_is_asked_for() -> None:
    asked = 'CorsOrigins=https://a.example,https://b.example OidcIssuer="" ProvisionedConcurrency=2'

    _, parameters = deployed("STAGE=eu", f"PARAMETERS={asked}")

    assert parameters == {
        "Stage": "eu",
        "Runtime": "python3.13",
        "Architecture": "arm64",
        "CorsOrigins": "https://a.example,https://b.example",
        "OidcIssuer": "",
        "ProvisionedConcurrency": "2",
    }


@pytest.mark.parametrize("stage", ["zz", "local", "", "eu us"])
def test_a_stage_that_is_none_is_refused_before_anything_is_built(stage: str) -> None:
    done = make("deploy", f"STAGE={stage}")

    refusal, *made = done.stderr.splitlines()
    names = [listed.name for listed in read_stages()]
    assert refusal == (
        f"There is no stage '{stage}' to deploy: infra/stages.yaml has {' '.join(names)}, "
        f"such as make deploy STAGE={names[0]}."
    )
    assert all(line.startswith("make") for line in made)
    assert (done.returncode, "sam build" in done.stdout) == (2, False)


def test_the_guide_lists_every_parameter_with_its_default() -> None:
    guide = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    section = guide.partition("\n## Deploying\n")[2].partition("\n## ")[0]

    listed = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", section, re.MULTILINE))

    assert listed == {
        name: f"`{parameter['Default']}`" if parameter["Default"] != "" else "empty"
        for name, parameter in read_template()["Parameters"].items()
    }


def test_bedrock_and_other_functions_may_be_asked_only_where_the_operator_says_so() -> None:
    role = resources_of("AWS::IAM::Role")["ApiFunctionRole"]
    conditional = [policy["Fn::If"] for policy in role["Properties"]["Policies"] if "Fn::If" in policy]
    granted = {policy["PolicyDocument"]["Statement"]["Action"]: condition for condition, policy, _ in conditional}

    assert granted == {"bedrock:InvokeModel": "BedrockIsOn", "lambda:InvokeFunction": "OwnFunctionsEmbed"}
    defaults = {name: read_template()["Parameters"][name]["Default"] for name in ("Bedrock", "ModelFunctions")}
    assert defaults == {"Bedrock": "off", "ModelFunctions": ""}


def test_every_function_may_be_bounded_and_is_not_unless_an_operator_says_so() -> None:
    """Otherwise one gateway may take every function that the account may run, or be left with none."""
    template = read_template()
    functions = resources_of("AWS::Serverless::Function")
    workers = template["Resources"]["BatchWorkerTakesWork"]["Properties"]["ScalingConfig"]["MaximumConcurrency"]

    assert workers == {
        "Fn::FindInMap": ["Stages", {"Ref": "Stage"}, "BatchWorkers"]
    }  # nothing but its queue starts many of them
    for function in (each for name, each in functions.items() if name != "BatchWorkerFunction"):
        condition, number, nothing = function["Properties"]["ReservedConcurrentExecutions"]["Fn::If"]
        parameter = template["Parameters"][number["Ref"]]
        assert nothing == {"Ref": "AWS::NoValue"}
        assert template["Conditions"][condition] == {"Fn::Not": [{"Fn::Equals": [number, ""]}]}
        assert parameter["Default"] == ""
        assert re.fullmatch(parameter["AllowedPattern"], "20")
        assert not re.fullmatch(parameter["AllowedPattern"], "many")
    assert functions


def test_the_access_log_holds_nothing_that_a_caller_wrote() -> None:
    """AWS does not say that it is escaped, and a quote would end the value: one line must not pass for another."""
    [stage] = resources_of("AWS::ApiGatewayV2::Stage").values()
    log = stage["Properties"]["AccessLogSettings"]["Format"]

    variables = set(re.findall(r"\$context\.([A-Za-z.]+)", log))

    assert variables == {
        "requestId", "requestTime", "httpMethod", "status", "responseLatency", "integrationLatency",
        "integrationStatus", "error.message", "responseLength",
    }  # fmt: skip


def test_what_is_worth_keeping_is_not_deleted_by_mistake() -> None:
    table = read_template()["Resources"]["CatalogueTable"]

    assert table["Properties"]["DeletionProtectionEnabled"] is True
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_answers_are_fetched_over_tls_alone() -> None:
    [policy] = resources_of("AWS::S3::BucketPolicy").values()
    [statement] = policy["Properties"]["PolicyDocument"]["Statement"]

    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert len(statement["Resource"]) == 2
    assert read_template()["Conditions"][policy["Condition"]] == {
        "Fn::Equals": [{"Ref": "AllowLoopbackProviders"}, "false"]
    }


def test_the_operators_command_and_the_functions_agree_how_many_secrets_hold_the_keys() -> None:
    assert read_template()["Outputs"]["ApiKeysSecretBuckets"]["Value"] == str(BUCKETS)
