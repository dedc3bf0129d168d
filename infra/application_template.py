"""The CloudFormation template of a job as an application of Managed Service for Apache Flink."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from infra.template import TemplateError, parsed

_TEMPLATE = Path(__file__).parent / "templates" / "managed_flink.yaml"
_OWN_ARN = {
    "Fn::Sub": "arn:${AWS::Partition}:kinesisanalytics:${AWS::Region}:${AWS::AccountId}:application/${ApplicationName}"
}


def application_template(
    groups: Mapping[str, Mapping[str, str]],
    statements: Iterable[Mapping[str, Any]] = (),
    streams: Iterable[str] = (),
) -> dict[str, Any]:
    """The CloudFormation template of an application.

    Parameters
    ----------
    groups : mapping
        Property groups by name. ``aws.application_arn``, which the job passes to its functions, is the application's
        ARN unless it is given.
    statements : iterable of mapping
        IAM statements that the job requires (:mod:`pipeline.requirements`). Its role gets them, and may read its
        package and write its log.
    streams : iterable of str
        The Kinesis streams that it reads. Each gets an alarm; the first one's name has no suffix.

    Raises
    ------
    TemplateError
        A value is longer than the service accepts.
    """
    tree: dict[str, Any] = parsed(_TEMPLATE.read_text())
    resources = tree["Resources"]
    resources["Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"] += [
        {**statement, "Resource": {"Fn::Sub": statement["Resource"]}} for statement in statements
    ]
    configuration = resources["Application"]["Properties"]["ApplicationConfiguration"]
    configuration["EnvironmentProperties"]["PropertyGroups"][:0] = list(_property_groups(groups))
    alarm = resources.pop("BehindAlarm")
    if not (streams := tuple(dict.fromkeys(streams))):
        del tree["Parameters"]["MaxMillisBehind"]
    for i, stream in enumerate(streams, start=1):
        made = deepcopy(alarm)
        _, of, _ = made["Properties"]["Dimensions"]
        of["Value"] = stream
        if i > 1:
            made["Properties"]["AlarmName"] = {"Fn::Sub": f"${{ApplicationName}}-behind-{stream}"}
        resources[f"BehindAlarm{i if i > 1 else ''}"] = made
    return tree


def _property_groups(groups: Mapping[str, Mapping[str, str]]) -> Iterator[dict[str, Any]]:
    every: dict[str, Mapping[str, str]] = {"aws": {}, **groups}
    for group, values in every.items():
        # The service refuses empty values; to a job, an empty value means "not set".
        given: dict[str, Any] = {key: value for key, value in values.items() if value != ""}
        for key, value in given.items():
            if len(value) > 2048:
                raise TemplateError(f"{group}.{key} must have at most 2048 characters, got {len(value)}")
        if group == "aws":
            given.setdefault("application_arn", _OWN_ARN)
        if given:
            yield {"PropertyGroupId": group, "PropertyMap": given}


def job_parameters() -> tuple[str, ...]:
    """The names of the template's parameters."""
    return tuple(parsed(_TEMPLATE.read_text())["Parameters"])
