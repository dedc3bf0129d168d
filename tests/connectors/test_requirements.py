"""The requirements of connectors, each resource once; tests/connectors/test_policies.py compares with real calls."""

from base.aws import Aws
from connectors.dynamodb import DynamoDbSink
from connectors.firehose import FirehoseLanding, FirehoseSink
from connectors.kinesis import KinesisSink, KinesisSource
from connectors.lambda_sink.options import LambdaSinkOptions
from connectors.recording import Recording
from connectors.requirements import Resource, function_requirements, together
from connectors.s3 import S3Sink

AWS = Aws("us-east-1")
ACCOUNT = "${AWS::Region}:${AWS::AccountId}"


def test_what_all_connectors_need_is_named() -> None:
    needs = together(
        [
            KinesisSource("in", AWS).requires(),
            KinesisSink("errors", AWS).requires(),
            FirehoseSink("out", AWS).requires(),
            LambdaSinkOptions("f", AWS).requires(),
            DynamoDbSink("t", "k", AWS).requires(),
            Recording("s3://landing/recorded/", AWS).requires(),
            S3Sink("s3://files/found/", AWS).requires(),
        ]
    )
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
    needs = together([KinesisSource("s", AWS).requires(), KinesisSink("s", AWS).requires()])
    (statement,) = needs.statements
    assert statement["Resource"] == f"arn:${{AWS::Partition}}:kinesis:{ACCOUNT}:stream/s"
    assert {"kinesis:GetRecords", "kinesis:PutRecords"} < set(statement["Action"])
    assert needs.resources == [Resource("AWS::Kinesis::Stream", "s")]


def test_a_function_by_name_alias_or_arn() -> None:
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
    assert Recording("file:///tmp/recorded", AWS).requires() == ([], [])


def test_a_landing_requires_putting_its_empty_object() -> None:
    for path, key in (("s3://b/p/", "p/_landing"), ("s3://b", "_landing")):
        (_, objects, mark) = FirehoseLanding(path, AWS).requires().statements
        assert objects["Action"] == ["s3:GetObject"]
        assert (mark["Action"], mark["Resource"]) == (
            ["s3:PutObject"],
            f"arn:${{AWS::Partition}}:s3:::b/{key}",
        )
    assert FirehoseLanding("file:///p/", AWS).requires() == ([], [])
