"""What connectors say they need is what the deployed role's template allows; each resource once."""

import yaml

from connectors.dynamodb import DynamoDbSink
from connectors.firehose import FirehoseLanding, FirehoseSink
from connectors.kinesis import KinesisSink, KinesisSource
from connectors.lambda_options import LambdaSinkOptions
from connectors.recording import Recording
from connectors.requirements import Resource, function_requirements, together
from connectors.s3 import S3Sink
from infra.paths import ROOT

REGION = "us-east-1"
ACCOUNT = "${AWS::Region}:${AWS::AccountId}"
#: The template's parameters, with the names that stand for them here.
NAMES = {
    "SourceStream": "in",
    "ErrorStream": "errors",
    "TapStream": "errors",
    "DeliveryStream": "out",
    "Function": "f",
    "Table": "t",
    "SourceBucket": "landing",
    "SinkBucket": "files",
}


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short functions as what they are given."""


_Loader.add_multi_constructor("!", lambda loader, name, node: node.value)


def allowed_by_the_template() -> dict[str, set[str]]:
    """Actions by resource in the policies of parts that a job may have."""
    text = (ROOT / "infra" / "templates" / "managed_flink.yaml").read_text()
    for parameter, name in NAMES.items():
        text = text.replace(f"${{{parameter}}}", name)
    resources = yaml.load(text, _Loader)["Resources"]
    statements = [
        statement
        for resource in resources.values()
        if resource["Type"] == "AWS::IAM::Policy"
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
    ]
    found: dict[str, set[str]] = {}
    for statement in statements:
        actions = statement["Action"]
        found.setdefault(statement["Resource"], set()).update(
            [actions] if isinstance(actions, str) else actions
        )
    return found


def test_what_all_connectors_need_is_what_the_role_allows() -> None:
    needs = together(
        [
            KinesisSource("in", REGION).requires(),
            KinesisSink("errors", REGION).requires(),
            FirehoseSink("out", REGION).requires(),
            LambdaSinkOptions("f", REGION).requires(),
            DynamoDbSink("t", "k", REGION).requires(),
            Recording("s3://landing/recorded/", REGION).requires(),
            S3Sink("s3://files/found/", REGION).requires(),
        ]
    )
    assert {s["Resource"]: set(s["Action"]) for s in needs.statements} == allowed_by_the_template()
    assert {s["Effect"] for s in needs.statements} == {"Allow"}
    assert set(needs.resources) == {
        Resource("AWS::Kinesis::Stream", "in"),
        Resource("AWS::Kinesis::Stream", "errors"),
        Resource("AWS::KinesisFirehose::DeliveryStream", "out"),
        Resource("AWS::Lambda::Function", "f"),
        Resource("AWS::DynamoDB::Table", "t"),
        Resource("AWS::S3::Bucket", "landing"),
        Resource("AWS::S3::Bucket", "files"),
    }


def test_a_stream_that_is_read_and_written_is_one_statement() -> None:
    needs = together([KinesisSource("s", REGION).requires(), KinesisSink("s", REGION).requires()])
    (statement,) = needs.statements
    assert statement["Resource"] == f"arn:${{AWS::Partition}}:kinesis:{ACCOUNT}:stream/s"
    assert {"kinesis:GetRecords", "kinesis:PutRecords"} < set(statement["Action"])
    assert needs.resources == [Resource("AWS::Kinesis::Stream", "s")]


def test_a_function_by_each_of_its_names() -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:f"
    for given, resource in {
        "f": f"arn:${{AWS::Partition}}:lambda:{ACCOUNT}:function:f",
        "f:live": f"arn:${{AWS::Partition}}:lambda:{ACCOUNT}:function:f:live",
        arn: arn,
        f"{arn}:live": f"{arn}:live",
    }.items():
        needs = function_requirements(given)
        assert [s["Resource"] for s in needs.statements] == [resource]
        assert needs.resources == [Resource("AWS::Lambda::Function", "f")]


def test_files_that_are_not_in_s3_need_nothing() -> None:
    assert Recording("file:///tmp/recorded", REGION).requires() == ([], [])


def test_a_landing_may_mark_its_empty_folder() -> None:
    for path, key in (("s3://b/p/", "p/_landing"), ("s3://b", "_landing")):
        (_, objects, mark) = FirehoseLanding(path, REGION).requires().statements
        assert objects["Action"] == ["s3:GetObject"]
        assert (mark["Action"], mark["Resource"]) == (
            ["s3:PutObject"],
            f"arn:${{AWS::Partition}}:s3:::b/{key}",
        )
    assert FirehoseLanding("file:///p/", REGION).requires() == ([], [])
