"""The CloudFormation templates by themselves: what is derived of an application, and what is its own."""

from pathlib import Path

import pytest

from infra import code_bucket
from infra.resources import BUCKET, DELIVERY, STREAM, TABLE
from infra.template import TemplateError, derived, local_values
from pipeline.catalog import find
from pipeline.requirements import requirements
from pipeline.settings import settings
from tests.fleet import fleet
from tests.infra.templates import LABS, each, problems, resources, statements, template


@pytest.mark.parametrize("lab", LABS)
def test_labs_templates_are_lint_clean(lab: str) -> None:
    assert problems(template(LABS[lab])) == []


@pytest.mark.parametrize("lab", LABS)
def test_a_labs_own_part_names_no_stream_delivery_or_error_stream_that_is_derived(lab: str) -> None:
    text = (LABS[lab].folder / "stack.yaml").read_text()
    assert "AWS::Kinesis::Stream" not in text
    for name in (LABS[lab].error_stream, LABS[lab].tap_stream):
        assert name not in text


def test_an_applications_resources_are_derived_from_its_properties(tmp_path: Path) -> None:
    application = fleet(tmp_path)
    tree = template(application)
    assert problems(tree) == []
    assert [s["Name"] for s in resources(tree, STREAM).values()] == [
        "fleet-telemetry",
        "fleet-errors",
        "fleet-taps",
        "fleet-alerts",
    ]
    assert {n: d["DeliveryStreamName"] for n, d in resources(tree, DELIVERY).items()} == {
        "DoorsDelivery": "fleet-doors",
        "ArchiveDelivery": "fleet-averages",
    }
    landing = resources(tree, DELIVERY)["DoorsDelivery"]["ExtendedS3DestinationConfiguration"]
    assert landing["Prefix"] == "doors/!{timestamp:yyyy/MM/dd/HH}/"
    assert landing["BucketARN"] == {"Fn::GetAtt": ["DoorsBucket", "Arn"]}
    assert {n: b.get("BucketName") for n, b in resources(tree, BUCKET).items()} == {
        "DoorsBucket": "fleet-landing",
        "ArchiveBucket": None,
        "OpenedBucket": "fleet-doors",
    }
    (table,) = resources(tree, TABLE).values()
    assert (table["TableName"], table["KeySchema"][0]["AttributeName"]) == ("fleet-newest", "vehicle")
    assert set(tree["Outputs"]) == {
        "SourceStreamName",
        "DoorsBucketName",
        "DoorsDeliveryName",
        "ErrorStreamName",
        "TapStreamName",
        "SinkStreamName",
        "ArchiveDeliveryName",
        "ArchiveBucketName",
        "NewestTableName",
        "OpenedBucketName",
    }
    # It reads one stream with a shard count; nothing of it is a function that takes code.
    assert set(tree["Parameters"]) == {"ShardCount", "RetentionHours"}


def test_properties_name_the_resources(tmp_path: Path) -> None:
    tree = template(
        fleet(tmp_path),
        source={"stream": "mine"},
        errors={"stream": "mine"},
        sink={"type": "none"},
        archive={"type": "s3", "path": "file:///tmp/x/"},
        doors={"type": "recording", "path": "s3://recorded/one.json"},
        newest={"type": "none"},
    )
    assert problems(tree) == []
    # A name that comes twice is one stream.
    assert [s["Name"] for s in resources(tree, STREAM).values()] == ["mine", "fleet-taps"]
    assert [b["BucketName"] for b in resources(tree, BUCKET).values()] == ["fleet-doors"]
    assert resources(tree, DELIVERY) == resources(tree, TABLE) == {}


def test_an_error_stream_in_files_has_a_bucket_and_the_job_may_write_there(tmp_path: Path) -> None:
    application, groups = fleet(tmp_path), {"errors": {"path": "s3://fleet-refused/all/"}}
    tree = template(application, **groups)
    assert problems(tree) == []
    assert resources(tree, BUCKET)["ErrorBucket"]["BucketName"] == "fleet-refused"
    role = requirements(application, settings(application, groups))
    (written,) = [s["Action"] for s in role.statements if s["Resource"].endswith(":fleet-refused/*")]
    assert "s3:PutObject" in written
    assert not [s for s in role.statements if s["Resource"].endswith("/fleet-errors")]


def test_what_is_there_already_is_named_and_not_made(tmp_path: Path) -> None:
    application = fleet(tmp_path)
    (application.folder / "stack.yaml").write_text(
        """\
Resources:
  SourceStream: {Properties: {RetentionPeriodHours: 48}}
  Reader:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]
      Policies:
        - PolicyName: read
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - {Effect: Allow, Action: kinesis:GetRecords, Resource: !GetAtt SourceStream.Arn}
              - {Effect: Allow, Action: s3:GetObject, Resource: !Sub "${DoorsBucket.Arn}/*"}
"""
    )
    properties = settings(application, {})
    assert resources(derived(application, properties), STREAM)["SourceStream"]["RetentionPeriodHours"] == 48
    elsewhere = {(STREAM, "fleet-telemetry"), (DELIVERY, "fleet-averages"), (BUCKET, "fleet-landing")}
    tree = derived(application, properties, elsewhere)
    assert problems(tree) == []
    assert {"SourceStream", "ArchiveDelivery", "ArchiveBucket", "DoorsBucket", "DoorsDelivery"} & set(
        tree["Resources"]
    ) == set()
    assert tree["Outputs"]["SourceStreamName"]["Value"] == "fleet-telemetry"
    assert tree["Outputs"]["ArchiveDeliveryName"]["Value"] == "fleet-averages"
    assert "ArchiveBucketName" not in tree["Outputs"], "which bucket it delivers to is not known"
    assert [s["Resource"] for s in statements(tree, "Reader")] == [
        {"Fn::Sub": "arn:${AWS::Partition}:kinesis:${AWS::Region}:${AWS::AccountId}:stream/fleet-telemetry"},
        {"Fn::Sub": "arn:${AWS::Partition}:s3:::fleet-landing/*"},
    ]
    assert set(tree.get("Parameters", {})) == set(), "no stream is made that could have shards"


def test_what_an_applications_own_part_declares_is_not_derived_again() -> None:
    """Lab 2's table is its function's; delivered to without the function, it is the same table."""
    tree = template(LABS["sessions"], sink={"type": "dynamodb", "table": "CloudAcademyLabs"})
    assert problems(tree) == []
    assert list(resources(tree, TABLE)) == ["SessionTable"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Resources: [", r"stack\.yaml:2:1: not valid YAML"),
        ("- x", "required sections"),
        ("Resources: x", "required sections"),
        ("x: !!python/object/apply:os.system [ls]", "not valid YAML"),
    ],
)
def test_an_own_part_that_is_no_template_is_one_line(tmp_path: Path, text: str, wrong: str) -> None:
    application = fleet(tmp_path)
    (application.folder / "stack.yaml").write_text(text + "\n")
    with pytest.raises(TemplateError, match=wrong) as refused:
        template(application)
    assert "\n" not in str(refused.value)


def test_groups_whose_resources_would_have_one_name_are_refused(tmp_path: Path) -> None:
    application = fleet(tmp_path)
    path = application.folder / "application.yaml"
    path.write_text(path.read_text() + "  - {name: err_or, of: hot, type: kinesis, stream: a}\n")
    path.write_text(path.read_text() + "  - {name: errOr, of: hot, type: kinesis, stream: b}\n")
    with pytest.raises(ValueError, match=r"b: another resource of fleet has the logical name ErrOrStream"):
        template(find(str(application.folder)))


@pytest.mark.parametrize("function", each("AWS::Lambda::Function"))
def test_functions_handlers_exist(function: dict) -> None:
    module, _, name = function["Handler"].rpartition(".")
    assert callable(getattr(__import__(module, fromlist=[name]), name))


@pytest.mark.parametrize("bucket", each("AWS::S3::Bucket"))
def test_buckets_are_private_and_unnamed(bucket: dict) -> None:
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert "BucketName" not in bucket, "a bucket's name must be free in all the world"


def test_the_names_that_the_labs_fix() -> None:
    trades, ctr, sessions = (template(LABS[lab]) for lab in ("trades", "ctr", "sessions"))
    assert {"KinesisDataGeneratorUrl", "RawBucketName", "ProcessedBucketName"} <= set(ctr["Outputs"])
    assert {"Username", "Password", "Email", "SMS"} <= set(ctr["Parameters"])
    assert ctr["Parameters"]["Password"]["NoEcho"] is True
    assert resources(ctr, "AWS::IAM::Role")["ApplicationRole"]["RoleName"] == "CSEKinesisAnalyticsRole"
    assert next(s["Name"] for s in resources(trades, STREAM).values()) == "Demo-samples"
    assert next(s["Name"] for s in resources(sessions, STREAM).values()) == "lab-stream"
    assert [d["DeliveryStreamName"] for d in resources(trades, DELIVERY).values()] == [
        "anomalous_stock_trades_firehose_stream"
    ]


def test_what_a_lab_is_given_on_the_local_aws_does_not_get_to_the_real_one() -> None:
    assert local_values(LABS["ctr"])["MessageQueue"] == "true"
    assert "Password" not in local_values(LABS["ctr"]), "it is made up"
    assert "Metadata" not in template(LABS["ctr"])


def test_the_zip_depends_on_the_code_alone() -> None:
    assert code_bucket.zip_lambdas() == code_bucket.zip_lambdas()
