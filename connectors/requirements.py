"""What a connector needs of an AWS account: resources that are there, and permissions. A role's are added up from it.

ARNs are in the words of CloudFormation's ``Fn::Sub``: ``${AWS::Partition}``, ``${AWS::Region}``, ``${AWS::AccountId}``.
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
    """What is needed: least privilege, nothing that is not used.

    Attributes
    ----------
    statements : list of dict
        ``{"Effect": "Allow", "Action": [...], "Resource": "arn:..."}`` each.
    resources : list of Resource
        What must be there before the start.
    """

    statements: list[dict[str, Any]]
    resources: list[Resource]


def allow(resource: str, *actions: str) -> dict[str, Any]:
    """A statement that allows actions, in order of the alphabet, on a resource."""
    return {"Effect": "Allow", "Action": sorted(actions), "Resource": resource}


def together(needs: Iterable[Requirements]) -> Requirements:
    """Several connectors' requirements: each resource once, with all actions on it in one statement."""
    actions: dict[str, set[str]] = {}
    resources: dict[Resource, None] = {}
    for each in needs:
        resources |= dict.fromkeys(each.resources)
        for statement in each.statements:
            actions.setdefault(statement["Resource"], set()).update(statement["Action"])
    return Requirements([allow(resource, *found) for resource, found in actions.items()], list(resources))


def arn(service: str, resource: str) -> str:
    """The ARN of a resource of the application's own account and region."""
    return f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}"


def function_requirements(function: str) -> Requirements:
    """What calling a function needs, and reading its time-out: by name, ``name:alias``, or any form of its ARN."""
    name = function.rpartition("function:")[2]
    where = function if function.startswith("arn:") else arn("lambda", f"function:{name}")
    return Requirements(
        [allow(where, "lambda:GetFunctionConfiguration", "lambda:InvokeFunction")],
        [Resource("AWS::Lambda::Function", name.partition(":")[0])],
    )


def file_requirements(path: str, *actions: str) -> Requirements:
    """What Flink's file system needs to do something with the objects below a path; nothing where it is not S3."""
    url = urlsplit(path)
    if not url.scheme.startswith("s3"):
        return Requirements([], [])
    bucket = f"arn:${{AWS::Partition}}:s3:::{url.netloc}"
    return Requirements(
        [allow(bucket, "s3:ListBucket"), allow(f"{bucket}/*", *actions)],
        [Resource("AWS::S3::Bucket", url.netloc)],
    )
