"""What a connector needs in an AWS account: resources and permissions. A job's role is composed from them.

ARNs have the variables of CloudFormation's ``Fn::Sub``: ``${AWS::Partition}``, ``${AWS::Region}``,
``${AWS::AccountId}``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Resource(NamedTuple):
    """A resource by its CloudFormation type, such as ``AWS::Kinesis::Stream``, and its name."""

    type: str
    name: str


class Requirements(NamedTuple):
    """Permissions and resources; least privilege, so only what is used.

    Attributes
    ----------
    statements : list of dict
        Policy statements, each ``{"Effect": "Allow", "Action": [...], "Resource": "arn:..."}``.
    resources : list of Resource
        What must exist before the job starts.
    """

    statements: list[dict[str, Any]]
    resources: list[Resource]


def allow(resource: str, *actions: str) -> dict[str, Any]:
    """A policy statement that allows actions on a resource; the actions are sorted."""
    return {"Effect": "Allow", "Action": sorted(actions), "Resource": resource}


def together(needs: Iterable[Requirements]) -> Requirements:
    """The requirements of several connectors in one: each resource once, with one statement for all its actions."""
    actions: dict[str, set[str]] = {}
    resources: dict[Resource, None] = {}
    for each in needs:
        resources |= dict.fromkeys(each.resources)
        for statement in each.statements:
            actions.setdefault(statement["Resource"], set()).update(statement["Action"])
    return Requirements([allow(resource, *found) for resource, found in actions.items()], list(resources))


def arn(service: str, resource: str) -> str:
    """The ARN of a resource in the application's own account and region."""
    return f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}"


def function_requirements(function: str) -> Requirements:
    """What is needed to call a function and read its time-out. It is a name, ``name:alias``, or any form of an ARN."""
    name = function.rpartition("function:")[2]
    where = function if function.startswith("arn:") else arn("lambda", f"function:{name}")
    return Requirements(
        [allow(where, "lambda:GetFunctionConfiguration", "lambda:InvokeFunction")],
        [Resource("AWS::Lambda::Function", name.partition(":")[0])],
    )


def file_requirements(path: str, *actions: str) -> Requirements:
    """What Flink's file system needs for these actions on the objects below a path; nothing if it is not in S3."""
    url = urlsplit(path)
    if not url.scheme.startswith("s3"):
        return Requirements([], [])
    bucket = f"arn:${{AWS::Partition}}:s3:::{url.netloc}"
    return Requirements(
        [allow(bucket, "s3:ListBucket"), allow(f"{bucket}/*", *actions)],
        [Resource("AWS::S3::Bucket", url.netloc)],
    )
