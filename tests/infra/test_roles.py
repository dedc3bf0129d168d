"""Roles allow what is called, by name, and nothing else."""

from pathlib import Path

import pytest

from infra.application_template import application_template
from pipeline.requirements import requirements
from pipeline.settings import settings
from tests.fleet import fleet
from tests.infra.templates import LABS, actions, each, problems, statements, template


@pytest.mark.parametrize("role", each("AWS::IAM::Role"))
def test_roles_name_their_actions_and_resources(role: dict) -> None:
    for policy in role["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            found = actions([statement])
            assert not [action for action in found if "*" in action]
            if statement["Resource"] == "*":
                lists = (":List", ":DescribeRegions")
                assert all(any(name in action for name in lists) for action in found), (
                    "only lists know no resource"
                )


def test_a_jobs_role_is_what_its_connectors_require_and_each_statement_names_a_resource(
    tmp_path: Path,
) -> None:
    application = fleet(tmp_path)
    found = settings(application, {"tap": {"stream": "fleet-taps"}, "source": {"preprocess": "clean:live"}})
    tree = application_template({}, requirements(application, found).statements, ["fleet-telemetry"])
    assert problems(tree) == []
    derived = statements(tree, "Role")[3:]
    allowed = {s["Resource"]["Fn::Sub"].removeprefix("arn:${AWS::Partition}:"): s["Action"] for s in derived}
    here = "${AWS::Region}:${AWS::AccountId}"
    write = ["kinesis:DescribeStreamSummary", "kinesis:PutRecords"]
    assert allowed == {
        f"kinesis:{here}:stream/fleet-telemetry": [
            "kinesis:DescribeStream",
            "kinesis:DescribeStreamSummary",
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:ListShards",
        ],
        f"lambda:{here}:function:clean:live": ["lambda:GetFunctionConfiguration", "lambda:InvokeFunction"],
        f"lambda:{here}:function:fleet-pager": ["lambda:GetFunctionConfiguration", "lambda:InvokeFunction"],
        "s3:::fleet-landing": ["s3:ListBucket"],
        "s3:::fleet-landing/*": ["s3:GetObject"],
        "s3:::fleet-landing/doors/_landing": ["s3:PutObject"],
        "s3:::fleet-doors": ["s3:ListBucket"],
        "s3:::fleet-doors/*": [
            "s3:AbortMultipartUpload",
            "s3:DeleteObject",
            "s3:GetObject",
            "s3:PutObject",
        ],
        f"kinesis:{here}:stream/fleet-errors": write,
        f"kinesis:{here}:stream/fleet-taps": write,
        f"kinesis:{here}:stream/fleet-alerts": write,
        f"firehose:{here}:deliverystream/fleet-averages": [
            "firehose:DescribeDeliveryStream",
            "firehose:PutRecordBatch",
        ],
        f"dynamodb:{here}:table/fleet-newest": ["dynamodb:BatchWriteItem", "dynamodb:DescribeTable"],
    }


def test_lab_1s_role_allows_what_the_deployed_jobs_does() -> None:
    """The role that lab 1 names is for either source and either destination of its job."""
    lab = LABS["ctr"]
    needed: set[str] = set()
    for groups in (
        {"tap": {"stream": "ctr-taps"}},
        {
            "source": {"type": "firehose", "path": "s3://landing/direct/"},
            "sink": {"type": "s3", "path": "s3://processed/x/"},
        },
    ):
        needed |= {a for s in requirements(lab, settings(lab, groups)).statements for a in s["Action"]}
    assert set(actions(statements(template(lab), "ApplicationRole"))) == needed


def test_the_generators_role_allows_what_its_page_calls() -> None:
    assert actions(statements(template(LABS["ctr"]), "GeneratorRole")) == [
        # Refused, the page shows an error in place of its form.
        "ec2:DescribeRegions",
        "firehose:ListDeliveryStreams",
        "firehose:PutRecordBatch",
        "kinesis:ListStreams",
        "kinesis:PutRecords",
    ]
