"""Reads a job's metrics of Managed Service for Apache Flink from CloudWatch: one value per minute, some minutes old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from base.aws import Aws

_PERIOD_SECONDS = 60
# The service writes once a minute, and CloudWatch shows it one or two minutes later.
_RECENT = timedelta(minutes=5)


@dataclass(frozen=True)
class Metrics:
    """The newest values of the last minutes; None if there is none.

    Attributes
    ----------
    behind_seconds : float or None
        How far the job is behind the stream's newest record.
    failed_checkpoints : int or None
        Number since the job started.
    late : int or None
        Records that Flink dropped as late.
    """

    behind_seconds: float | None = None
    failed_checkpoints: int | None = None
    late: int | None = None


def measured(aws: Aws, application: str, stream: str) -> Metrics:
    """Read the newest metrics of an application.

    Parameters
    ----------
    aws : Aws
        Where it runs.
    application : str
        Its name.
    stream : str
        Name of the Kinesis stream that it reads.

    Raises
    ------
    botocore.exceptions.ClientError
        CloudWatch refused; the permission ``cloudwatch:GetMetricData`` is required.
    """
    now = datetime.now(UTC)
    source = {"Id": stream, "Flow": "Input"}
    answer = aws.client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            _query("behind", "millisBehindLatest", {"Application": application} | source),
            _query("failed", "numberOfFailedCheckpoints", {"Application": application}),
            _query("late", "numLateRecordsDropped", {"Application": application}),
        ],
        StartTime=now - _RECENT,
        EndTime=now,
    )
    newest = {
        found["Id"]: max(zip(found["Timestamps"], found["Values"], strict=True))[1]
        for found in answer["MetricDataResults"]
        if found["Values"]
    }
    return Metrics(
        behind_seconds=newest["behind"] / 1000 if "behind" in newest else None,
        failed_checkpoints=int(newest["failed"]) if "failed" in newest else None,
        late=int(newest["late"]) if "late" in newest else None,
    )


def _query(id_: str, metric: str, dimensions: dict[str, str]) -> dict[str, Any]:
    return {
        "Id": id_,
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/KinesisAnalytics",
                "MetricName": metric,
                "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
            },
            "Period": _PERIOD_SECONDS,
            "Stat": "Maximum",
        },
    }
