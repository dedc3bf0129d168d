"""The application on Managed Flink: its template, its life on the local AWS, and what its log says when it fails."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint

from infra import application_log, local, managed_flink, package
from infra.clients import client

GROUPS = {
    "job": {"name": "trade_anomalies"},
    "source": {"stream": "Demo-samples", "position": ""},
    "anomalies": {"threshold": "1.5"},
    "sink": {"path": ""},
}
PARAMETERS = {
    "SourceStream": "Demo-samples",
    "ErrorStream": "Demo-samples-errors",
    "DeliveryStream": "anomalies",
    "SourceBucket": "landing",
    "SinkBucket": "found",
}


def test_property_groups_get_into_the_template_and_it_stays_lint_clean() -> None:
    text = managed_flink.template(GROUPS)
    assert lint(text, config={"regions": ["us-east-1"]}) == []
    assert '{"PropertyGroupId": "anomalies", "PropertyMap": {"threshold": "1.5"}}' in text
    # The service takes no empty value and no empty group.
    assert '"position"' not in text
    assert '"sink"' not in text
    assert "(property groups of the job)" not in text


def test_functions_are_told_the_applications_own_arn_unless_another_is_given() -> None:
    own = '"application_arn": {"Fn::Sub": "arn:${AWS::Partition}:kinesisanalytics:${AWS::Region}:${AWS::AccountId}:'
    assert own in managed_flink.template({})
    assert own in managed_flink.template({"aws": {"region": "eu-west-1", "application_arn": ""}})
    assert own not in managed_flink.template({"aws": {"application_arn": "arn:mine"}})


def test_hostile_values_stay_values() -> None:
    text = managed_flink.template(
        {"job": {"name": 'x"}}\n  Evil: !Ref y # ${AWS::Region} {{resolve:ssm:z}}'}}
    )
    (line,) = [line for line in text.splitlines() if "Evil" in line]
    assert json.loads(line.strip().removeprefix("- "))["PropertyMap"]["name"].startswith('x"}}\n')


def test_a_value_that_is_too_long_is_refused() -> None:
    with pytest.raises(
        managed_flink.ApplicationError, match=r"job\.name must have at most 2048 characters, got 2049"
    ):
        managed_flink.template({"job": {"name": "x" * 2049}})


def test_the_templates_run_options_are_the_packages() -> None:
    text = managed_flink.template({})
    for key, value in package.RUN_OPTIONS.items():
        assert f"                {key}: {value}\n" in text


def test_parameters_are_read_from_the_template() -> None:
    assert {"ApplicationName", "Parallelism", "AlarmTopic"} <= set(managed_flink.parameters())
    assert "Log" not in managed_flink.parameters()


# ---- why it failed ----


def event(message: str, logger: str = application_log._PYTHON_LOGGER, thrown: Any = None) -> str:
    """An event as the service writes it."""
    return json.dumps(
        {"applicationARN": "arn:aws:…", "logger": logger, "message": message, "messageType": "INFO"}
        | ({"throwableInformation": thrown} if thrown else {})
    )


TRACEBACK = """\
Traceback (most recent call last):
  File "/opt/main.py", line 29, in <module>
    main()
  File "/opt/jobs/settings.py", line 160, in settings
    raise SettingsError("…") from None
jobs.settings.SettingsError: anomalies.treshold is no property of this job
errors.stream is required, and not set"""
EXIT = "java.lang.RuntimeException: Python process exits with code: 1\n\tat org.apache.flink.client.python.X"


def test_a_traceback_that_comes_line_by_line_among_other_events() -> None:
    events = [event("--------------------------- Python Process Started --------------------------")]
    for line in TRACEBACK.splitlines():
        events += [event(line), event("Checkpoint 7 completed", "org.apache.flink.runtime.checkpoint")]
    events += [event("--------------------------- Python Process Exited ---------------------------")]
    events += [event("Run python process failed", thrown=EXIT), "not JSON", "[1]"]
    assert application_log.reason(events) == TRACEBACK.splitlines()


@pytest.mark.parametrize("as_list", [False, True])
def test_a_traceback_of_a_worker_inside_java_s(as_list: bool) -> None:
    thrown = (
        "java.util.concurrent.ExecutionException: x\n\tat a.b(C.java:1)\n"
        "Caused by: java.lang.RuntimeException: Error received from SDK harness for instruction 1: "
        "Traceback (most recent call last):\n"
        '  File "bundle_processor.py", line 1, in process\n    self.x()\n'
        "KeyError: 'price'\n\n\tat org.apache.beam.X(Y.java:2)\n\t... 6 more"
    )
    found = application_log.reason(
        [event("Job failed.", "org.apache.flink.Job", thrown.splitlines() if as_list else thrown)]
    )
    assert found[0] == "Traceback (most recent call last):"
    assert found[-1] == "KeyError: 'price'"
    assert len(found) == 4


def test_the_newest_of_several_failures_is_told() -> None:
    first = [event(line) for line in TRACEBACK.splitlines()]
    started = event("--- Python Process Started ---")
    second = [
        event(line) for line in ("Traceback (most recent call last):", "  File 'x'", "ImportError: numba")
    ]
    assert application_log.reason([started, *first, started, *second])[-1] == "ImportError: numba"


def test_of_a_long_traceback_the_ends_are_told() -> None:
    frames = [f'  File "deep.py", line {i}' for i in range(500)]
    lines = ["Traceback (most recent call last):", *frames, "RecursionError: too deep"]
    found = application_log.reason(map(event, lines))
    assert len(found) == 20
    assert found[:2] == lines[:2]
    assert found[-1] == "RecursionError: too deep"


def test_without_python_java_s_cause_is_told_and_without_a_failure_nothing() -> None:
    thrown = "A: x\n\tat a\nCaused by: SdkException: Access denied to stream\n\tat b"
    assert application_log.reason([event("failed", "org.apache.X", thrown)]) == [
        "SdkException: Access denied to stream"
    ]
    assert application_log.reason([event("all is well"), "", "{}"]) == []


# ---- deployed ----


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with local.running_local_aws(tmp_path_factory.mktemp("managed") / "aws") as endpoint:
        yield endpoint


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    from infra import stacks

    monkeypatch.setitem(stacks._WAIT, "Delay", 0.1)
    monkeypatch.setattr(managed_flink, "_POLL_SECONDS", 0.05)


@pytest.mark.aws
def test_an_application_is_deployed_started_updated_stopped_and_deleted(endpoint: str) -> None:
    name = managed_flink.application_name("trade_anomalies")
    assert managed_flink.status(endpoint, name) is None
    made = managed_flink.deploy(endpoint, name, GROUPS, PARAMETERS | {"Parallelism": "2"}, b"zip 1")
    assert (made.status, made.parallelism, made.snapshots) == ("READY", 2, ())

    # Read back: what the service knows of it.
    service = client("kinesisanalyticsv2", endpoint)
    detail = service.describe_application(ApplicationName=name)["ApplicationDetail"]
    settings = detail["ApplicationConfigurationDescription"]
    assert detail["RuntimeEnvironment"] == "FLINK-1_20"
    groups = {
        group["PropertyGroupId"]: group["PropertyMap"]
        for group in settings["EnvironmentPropertyDescriptions"]["PropertyGroupDescriptions"]
    }
    assert groups == {
        "aws": {
            "application_arn": "arn:aws:kinesisanalytics:us-east-1:000000000000:application/kda-trade-anomalies"
        },
        "job": {"name": "trade_anomalies"},
        "source": {"stream": "Demo-samples"},
        "anomalies": {"threshold": "1.5"},
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
    assert client("s3", endpoint).get_object(Bucket=bucket, Key=key)["Body"].read() == b"zip 1"

    alarms = client("cloudwatch", endpoint).describe_alarms(AlarmNamePrefix=f"{name}-")["MetricAlarms"]
    assert {alarm["AlarmName"].removeprefix(f"{name}-") for alarm in alarms} == {
        "behind",
        "down",
        "errors",
    }
    # The role may use what the job's settings name, and nothing else.
    role = detail["ServiceExecutionRole"].rpartition("/")[2]
    iam = client("iam", endpoint)
    policies = iam.list_role_policies(RoleName=role)["PolicyNames"]
    assert {"run-application", "read-stream", "deliver-results", "read-files", "write-files"} == set(policies)
    found = iam.get_role_policy(RoleName=role, PolicyName="read-files")["PolicyDocument"]["Statement"]
    assert [(s["Action"], s["Resource"]) for s in found] == [
        ("s3:ListBucket", "arn:aws:s3:::landing"),
        ("s3:GetObject", "arn:aws:s3:::landing/*"),
    ]
    found = iam.get_role_policy(RoleName=role, PolicyName="write-files")["PolicyDocument"]["Statement"]
    assert [s["Resource"] for s in found] == ["arn:aws:s3:::found", "arn:aws:s3:::found/*"]

    seen: list[str] = []
    assert managed_flink.start(endpoint, name, progress=seen.append).status == "RUNNING"
    assert seen[-1] == "RUNNING"
    with pytest.raises(managed_flink.ApplicationError, match=f"{name}: .*RUNNING"):
        managed_flink.start(endpoint, name)

    updated = managed_flink.deploy(endpoint, name, GROUPS, PARAMETERS, b"zip 2")
    assert (updated.status, updated.parallelism) == ("RUNNING", 2)
    assert updated.version > made.version

    stopped = managed_flink.stop(endpoint, name)
    assert stopped.status == "READY"
    assert len(stopped.snapshots) == len(updated.snapshots) + 1
    assert managed_flink.start(endpoint, name, from_snapshot=False).status == "RUNNING"
    # Deleted as it is, running.
    assert managed_flink.delete(endpoint, name) is True
    assert managed_flink.status(endpoint, name) is None
    assert managed_flink.delete(endpoint, name) is False
    with pytest.raises(managed_flink.ApplicationError, match=f"{name}: .*not exist"):
        managed_flink.stop(endpoint, name)


@pytest.mark.aws
def test_a_start_that_fails_shows_the_traceback_of_this_start(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "kda-failing"
    managed_flink.deploy(endpoint, name, {}, PARAMETERS, b"zip")
    logs, group = client("logs", endpoint), f"/aws/kinesis-analytics/{name}"

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
    with pytest.raises(managed_flink.ApplicationError) as error:
        managed_flink.start(endpoint, name)
    assert str(error.value).splitlines() == [f"{name} is READY, not RUNNING:", *TRACEBACK.splitlines()]
    assert application_log.failure(endpoint, name, began + timedelta(minutes=1)) == []
    assert application_log.failure(endpoint, "kda-none", began) == []


def test_the_template_is_where_the_other_templates_are() -> None:
    assert managed_flink._TEMPLATE in Path(managed_flink.__file__).parent.glob("templates/*.yaml")
