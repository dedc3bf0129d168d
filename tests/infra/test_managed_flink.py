"""The application on Managed Flink: its template, its life on the local AWS, and what its log says when it fails."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from base.aws import Aws
from connectors.requirements import allow, arn
from infra import application_log, cloudformation, local, managed_flink, package
from infra.application_template import application_template, job_parameters
from infra.template import TemplateError
from tests.infra.log_events import TRACEBACK, event
from tests.infra.templates import problems

GROUPS = {
    "job": {"name": "fleet"},
    "source": {"stream": "telemetry", "position": ""},
    "alerts": {"limit": "91.5"},
    "sink": {"path": ""},
}
STATEMENTS = [
    allow(arn("kinesis", "stream/telemetry"), "kinesis:GetRecords", "kinesis:ListShards"),
    allow(arn("firehose", "deliverystream/averages"), "firehose:PutRecordBatch"),
]
PARAMETERS = {"ErrorStream": "fleet-errors"}
OWN_ARN = (
    "arn:${AWS::Partition}:kinesisanalytics:${AWS::Region}:${AWS::AccountId}:application/${ApplicationName}"
)


def property_groups(tree: dict[str, Any]) -> dict[str, dict[str, Any]]:
    configuration = tree["Resources"]["Application"]["Properties"]["ApplicationConfiguration"]
    groups = configuration["EnvironmentProperties"]["PropertyGroups"]
    assert len({group["PropertyGroupId"] for group in groups}) == len(groups)
    return {group["PropertyGroupId"]: group["PropertyMap"] for group in groups}


def test_property_groups_get_into_the_template_and_it_stays_lint_clean() -> None:
    tree = application_template(GROUPS, STATEMENTS, ["telemetry"])
    assert problems(tree) == []
    # The service takes no empty value and no empty group.
    assert property_groups(tree) == {
        "aws": {"application_arn": {"Fn::Sub": OWN_ARN}},
        "job": {"name": "fleet"},
        "source": {"stream": "telemetry"},
        "alerts": {"limit": "91.5"},
        "kinesis.analytics.flink.run.options": package.RUN_OPTIONS,
    }


def test_functions_are_reported_the_applications_own_arn_unless_another_is_given() -> None:
    def reported(aws: dict[str, str]) -> Any:
        return property_groups(application_template({"aws": aws}))["aws"]["application_arn"]

    assert reported({"region": "eu-west-1", "application_arn": ""}) == {"Fn::Sub": OWN_ARN}
    assert reported({"application_arn": "arn:mine"}) == "arn:mine"


def test_hostile_values_stay_values() -> None:
    hostile = 'x"}}\n  Evil: !Ref y # ${AWS::Region}'
    assert property_groups(application_template({"job": {"name": hostile}}))["job"] == {"name": hostile}


def test_a_value_that_is_too_long_is_refused() -> None:
    with pytest.raises(TemplateError, match=r"job\.name must have at most 2048 characters, got 2049"):
        application_template({"job": {"name": "x" * 2049}})


def test_each_stream_that_is_read_has_its_alarm() -> None:
    tree = application_template(GROUPS, STATEMENTS, ["telemetry", "doors", "telemetry"])
    assert problems(tree) == []
    behind = {
        name: (
            resource["Properties"]["AlarmName"]["Fn::Sub"],
            resource["Properties"]["Dimensions"][1]["Value"],
        )
        for name, resource in tree["Resources"].items()
        if name.startswith("BehindAlarm")
    }
    assert behind == {
        "BehindAlarm": ("${ApplicationName}-behind", "telemetry"),
        "BehindAlarm2": ("${ApplicationName}-behind-doors", "doors"),
    }
    without = application_template(GROUPS, STATEMENTS)
    assert problems(without) == []
    assert "BehindAlarm" not in without["Resources"]


def test_parameters_are_read_from_the_template() -> None:
    assert {"ApplicationName", "Parallelism", "AlarmTopic"} <= set(job_parameters())
    assert "Log" not in job_parameters()


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with local.running_local_aws(tmp_path_factory.mktemp("managed") / "aws") as aws:
        yield aws


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cloudformation._WAIT, "Delay", 0.1)
    monkeypatch.setattr(managed_flink, "_POLL_SECONDS", 0.05)


@pytest.mark.aws
def test_an_application_is_deployed_started_updated_stopped_and_deleted(aws: Aws) -> None:
    name = managed_flink.application_name("fleet")
    assert managed_flink.status(aws, name) is None
    tree = application_template(GROUPS, STATEMENTS, ["telemetry"])
    made = managed_flink.deploy(aws, name, tree, PARAMETERS | {"Parallelism": "2"}, b"zip 1")
    assert (made.status, made.parallelism, made.snapshots) == ("READY", 2, ())

    # Read back: what the service knows of it.
    service = aws.client("kinesisanalyticsv2")
    detail = service.describe_application(ApplicationName=name)["ApplicationDetail"]
    settings = detail["ApplicationConfigurationDescription"]
    assert detail["RuntimeEnvironment"] == "FLINK-1_20"
    groups = {
        group["PropertyGroupId"]: group["PropertyMap"]
        for group in settings["EnvironmentPropertyDescriptions"]["PropertyGroupDescriptions"]
    }
    assert groups == {
        "aws": {"application_arn": f"arn:aws:kinesisanalytics:us-east-1:000000000000:application/{name}"},
        "job": {"name": "fleet"},
        "source": {"stream": "telemetry"},
        "alerts": {"limit": "91.5"},
        "kinesis.analytics.flink.run.options": package.RUN_OPTIONS,
    }
    assert settings["ApplicationSnapshotConfigurationDescription"]["SnapshotsEnabled"] is True
    flink = settings["FlinkApplicationConfigurationDescription"]
    assert int(flink["CheckpointConfigurationDescription"]["CheckpointInterval"]) == 60000
    assert flink["MonitoringConfigurationDescription"]["LogLevel"] == "INFO"
    (logged,) = detail["CloudWatchLoggingOptionDescriptions"]
    assert f"/aws/kinesis-analytics/{name}" in logged["LogStreamARN"]
    code = settings["ApplicationCodeConfigurationDescription"]["CodeContentDescription"][
        "S3ApplicationCodeLocationDescription"
    ]
    bucket, key = code["BucketARN"].rpartition(":")[2], code["FileKey"]
    assert aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == b"zip 1"

    alarms = aws.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{name}-")["MetricAlarms"]
    assert {alarm["AlarmName"].removeprefix(f"{name}-") for alarm in alarms} == {
        "behind",
        "down",
        "errors",
    }
    # The role may do what the job's connectors require, read its package and write its log.
    role = detail["ServiceExecutionRole"].rpartition("/")[2]
    iam = aws.client("iam")
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    package_right, *log, reads, delivers = iam.get_role_policy(RoleName=role, PolicyName=policy)[
        "PolicyDocument"
    ]["Statement"]
    assert package_right["Resource"] == f"arn:aws:s3:::{bucket}/{key}"
    assert {action.partition(":")[0] for s in log for action in [s["Action"]] if isinstance(action, str)} == {
        "logs"
    }
    assert (reads["Action"], reads["Resource"]) == (
        ["kinesis:GetRecords", "kinesis:ListShards"],
        "arn:aws:kinesis:us-east-1:000000000000:stream/telemetry",
    )
    assert delivers["Resource"] == "arn:aws:firehose:us-east-1:000000000000:deliverystream/averages"

    seen: list[str] = []
    assert managed_flink.start(aws, name, progress=seen.append).status == "RUNNING"
    assert seen[-1] == "RUNNING"
    with pytest.raises(managed_flink.ServiceError, match=f"{name}: .*RUNNING"):
        managed_flink.start(aws, name)

    updated = managed_flink.deploy(aws, name, tree, PARAMETERS, b"zip 2")
    assert (updated.status, updated.parallelism) == ("RUNNING", 2)
    assert updated.version > made.version

    stopped = managed_flink.stop(aws, name)
    assert stopped.status == "READY"
    assert len(stopped.snapshots) == len(updated.snapshots) + 1
    assert managed_flink.start(aws, name, from_snapshot=False).status == "RUNNING"
    # Deleted as it is, running.
    assert managed_flink.delete(aws, name) is True
    assert managed_flink.status(aws, name) is None
    assert managed_flink.delete(aws, name) is False
    with pytest.raises(managed_flink.ServiceError, match=f"{name}: .*not exist"):
        managed_flink.stop(aws, name)


@pytest.mark.aws
def test_a_start_that_fails_shows_the_traceback_of_this_start(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "kda-failing"
    managed_flink.deploy(aws, name, application_template({}), PARAMETERS, b"zip")
    logs, group = aws.client("logs"), f"/aws/kinesis-analytics/{name}"

    def log(lines: list[str], at: datetime) -> None:
        logs.put_log_events(
            logGroupName=group,
            logStreamName="application",
            logEvents=[
                {"timestamp": int(at.timestamp() * 1000) + i, "message": event(line)}
                for i, line in enumerate(lines)
            ],
        )

    log(
        ["Traceback (most recent call last):", "  File 'old.py'", "OldError: long ago"],
        datetime.now(UTC) - timedelta(hours=1),
    )
    began = datetime.now(UTC)
    log(TRACEBACK.splitlines(), began + timedelta(seconds=1))
    # The emulator has no way to fail: its answer is the real service's after a failed start.
    failed = managed_flink.Status(name, "READY", 1, 1, ())
    monkeypatch.setattr(managed_flink, "_required", lambda *_: failed)
    with pytest.raises(managed_flink.ServiceError) as error:
        managed_flink.start(aws, name)
    assert str(error.value).splitlines() == [f"{name} is READY, not RUNNING:", *TRACEBACK.splitlines()]
    assert application_log.failure(aws, name, began + timedelta(minutes=1)) == []
    assert application_log.failure(aws, "kda-none", began) == []
