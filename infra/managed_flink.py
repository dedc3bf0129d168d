"""Deploys, starts, stops, describes and deletes a job as an application of Managed Service for Apache Flink.

The application, its role, log and alarms are one CloudFormation stack; start and stop use the service's API. Stopping
takes a snapshot, and starting restores the newest one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from base.aws import Aws
from base.errors import KdaError
from infra import cloudformation
from infra.application_log import failure
from infra.code_bucket import upload

_POLL_SECONDS = 2.0
# The service takes one to three minutes to start a job, longer with a large snapshot.
_PATIENCE_SECONDS = 1800.0


class ServiceError(KdaError):
    """The service refused a call, or a job failed; the message has the reason, with the job's traceback if any."""


@dataclass(frozen=True)
class Status:
    """The state of an application.

    Attributes
    ----------
    name, status : str
        Its name, and the service's status of it, such as ``RUNNING``.
    version : int
        Increases with each update.
    parallelism : int
    snapshots : tuple of str
        Names, newest last.
    """

    name: str
    status: str
    version: int
    parallelism: int
    snapshots: tuple[str, ...]


def application_name(job: str) -> str:
    """The name of a job's application and stack.

    Examples
    --------
    >>> application_name("my_fleet")
    'kda-my-fleet'
    """
    return f"kda-{job.replace('_', '-')}"


def deploy(
    aws: Aws,
    name: str,
    template: Mapping[str, Any],
    parameters: Mapping[str, str],
    package: bytes,
    progress: Callable[[str], None] = lambda status: None,
) -> Status:
    """Create or update the application; a running one restarts from a snapshot, which is taken first.

    Parameters
    ----------
    aws : Aws
        Where to deploy it.
    name : str
        From :func:`application_name`.
    template : mapping
        From :func:`infra.application_template.application_template`.
    parameters : mapping
        Parameters of the template; others keep their value, or get their default.
    package : bytes
        The zip that :mod:`infra.package` built.
    progress : callable
        Is called with each new status.

    Raises
    ------
    ServiceError
        CloudFormation or the service refused the change, or the job did not start.
    """
    began = datetime.now(UTC)
    before = status(aws, name)
    code = upload(aws, "kda-on-flink", package)
    given = (
        {"ApplicationName": name, "MetricMath": str(aws.endpoint is None).lower()} | dict(parameters) | code
    )
    try:
        cloudformation.deploy_template(aws, name, json.dumps(template), given)
    except cloudformation.StackError as error:
        raise ServiceError("\n".join([str(error), *failure(aws, name, began)])) from error
    if before and before.status == "RUNNING":
        return _wait(aws, name, "RUNNING", began, progress)
    return _required(aws, name)


def start(
    aws: Aws,
    name: str,
    *,
    from_snapshot: bool = True,
    progress: Callable[[str], None] = lambda status: None,
) -> Status:
    """Start the application and wait until it runs.

    Parameters
    ----------
    aws, name
        As for :func:`deploy`.
    from_snapshot : bool
        Restore the newest snapshot, if there is one; else start without state.
    progress : callable
        Is called with each new status.

    Raises
    ------
    ServiceError
        It did not start; the message has the Python traceback of its log.
    """
    began = datetime.now(UTC)
    restore = "RESTORE_FROM_LATEST_SNAPSHOT" if from_snapshot else "SKIP_RESTORE_FROM_SNAPSHOT"
    _call(
        aws,
        "start_application",
        ApplicationName=name,
        RunConfiguration={"ApplicationRestoreConfiguration": {"ApplicationRestoreType": restore}},
    )
    return _wait(aws, name, "RUNNING", began, progress)


def stop(
    aws: Aws,
    name: str,
    *,
    force: bool = False,
    progress: Callable[[str], None] = lambda status: None,
) -> Status:
    """Stop the application and wait until it has stopped.

    Parameters
    ----------
    force : bool
        Stop at once without a snapshot: the only way if the job keeps failing.

    Raises
    ------
    ServiceError
        The service refused the call, or the application did not stop.
    """
    began = datetime.now(UTC)
    _call(aws, "stop_application", ApplicationName=name, Force=force)
    return _wait(aws, name, "READY", began, progress)


def status(aws: Aws, name: str) -> Status | None:
    """The state of the application, or None if there is none."""
    service = aws.client("kinesisanalyticsv2")
    try:
        detail = service.describe_application(ApplicationName=name)["ApplicationDetail"]
        snapshots = _snapshots(service, name)
    except service.exceptions.ResourceNotFoundException:
        return None
    flink_settings = detail["ApplicationConfigurationDescription"]["FlinkApplicationConfigurationDescription"]
    parallelism = flink_settings["ParallelismConfigurationDescription"]
    return Status(
        name,
        detail["ApplicationStatus"],
        detail["ApplicationVersionId"],
        int(parallelism.get("CurrentParallelism", parallelism["Parallelism"])),
        snapshots,
    )


def dashboard(aws: Aws, name: str) -> str | None:
    """A link to a running application's Flink dashboard, valid for an hour; None if the service gives none."""
    try:
        answer = aws.client("kinesisanalyticsv2").create_application_presigned_url(
            ApplicationName=name, UrlType="FLINK_DASHBOARD_URL", SessionExpirationDurationInSeconds=3600
        )
    except ClientError:
        return None
    return str(answer["AuthorizedUrl"])


def delete(aws: Aws, name: str, progress: Callable[[str], None] = lambda status: None) -> bool:
    """Stop the application without a snapshot and delete its stack; return whether it existed."""
    found = status(aws, name)
    if found and found.status not in ("READY", "DELETING"):
        stop(aws, name, force=True, progress=progress)
    cloudformation.delete_stack(aws, name)
    return found is not None


def _wait(aws: Aws, name: str, target: str, since: datetime, progress: Callable[[str], None]) -> Status:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    shown = ""
    while True:
        found = _required(aws, name)
        if found.status != shown:
            shown = found.status
            progress(shown)
        if shown == target:
            return found
        # An application that is no longer starting has failed, and so has an update that was rolled back.
        if shown in ("READY", "ROLLED_BACK", "DELETING") or time.monotonic() > deadline:
            why = failure(aws, name, since) or ["its log has no failure"]
            raise ServiceError("\n".join([f"{name} is {shown}, not {target}:", *why]))
        time.sleep(_POLL_SECONDS)


def _required(aws: Aws, name: str) -> Status:
    found = status(aws, name)
    if found is None:
        raise ServiceError(f"{name} is not deployed: kda deploy up")
    return found


def _snapshots(service: Any, name: str) -> tuple[str, ...]:
    found: list[tuple[datetime, str]] = []
    for page in service.get_paginator("list_application_snapshots").paginate(ApplicationName=name):
        found += [
            (snapshot["SnapshotCreationTimestamp"], snapshot["SnapshotName"])
            for snapshot in page["SnapshotSummaries"]
            if snapshot["SnapshotStatus"] == "READY"
        ]
    # Snapshots of the same second stay in the order of the list, which is oldest first.
    return tuple(name for _, name in sorted(found, key=lambda snapshot: snapshot[0]))


def _call(aws: Aws, operation: str, **arguments: Any) -> None:
    try:
        getattr(aws.client("kinesisanalyticsv2"), operation)(**arguments)
    except ClientError as error:
        raise ServiceError(f"{arguments['ApplicationName']}: {error.response['Error']['Message']}") from error
