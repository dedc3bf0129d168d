"""What a connector asks of AWS, as statements of a policy: a deployed job's role is these added up."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Right:
    """A statement that allows something on one resource.

    Attributes
    ----------
    actions : tuple of str
        Such as ``kinesis:PutRecords``, sorted.
    resource : str
        Its ARN, with ``${AWS::Partition}`` and ``${AWS::AccountId}`` as CloudFormation fills them in. Only of a
        bucket's objects it ends in ``/*``.
    """

    actions: tuple[str, ...]
    resource: str


def right(service: str, region: str, resource: str, *operations: str) -> Right:
    """The right to call some operations of a service on a resource of this account.

    Parameters
    ----------
    service, region : str
        Where it is.
    resource : str
        Kind and name, such as ``stream/Demo-samples``, or an ARN.

    Raises
    ------
    ValueError
        The name stands for several resources, or is none.

    Examples
    --------
    >>> right("kinesis", "us-east-1", "stream/x", "PutRecords").resource
    'arn:${AWS::Partition}:kinesis:us-east-1:${AWS::AccountId}:stream/x'
    """
    _concrete(resource)
    prefix = (
        ""
        if resource.startswith("arn:")
        else f"arn:${{AWS::Partition}}:{service}:{region}:${{AWS::AccountId}}:"
    )
    return Right(tuple(sorted(f"{service}:{operation}" for operation in operations)), prefix + resource)


def invoke(function: str, region: str) -> Right:
    """The right to look at a function and to call it, given its name or ARN."""
    _concrete(function)
    resource = function if function.startswith("arn:") else f"function:{function}"
    return right("lambda", region, resource, "GetFunctionConfiguration", "InvokeFunction")


def on_files(path: str, *operations: str) -> tuple[Right, ...]:
    """The rights to list a path's bucket and to call some operations on its objects.

    None of a path that is not S3's.
    """
    url = urlsplit(path)
    if not url.scheme.startswith("s3"):
        return ()
    _concrete(url.netloc)
    bucket = f"arn:${{AWS::Partition}}:s3:::{url.netloc}"
    actions = tuple(sorted(f"s3:{operation}" for operation in operations))
    return Right(("s3:ListBucket",), bucket), Right(actions, f"{bucket}/*")


def on_object(path: str, *operations: str) -> tuple[Right, ...]:
    """The right to call some operations on one object of S3; none of a path that is not S3's."""
    url = urlsplit(path)
    if not url.scheme.startswith("s3"):
        return ()
    _concrete(url.netloc)
    if re.search(r"[*?$]", url.path):
        raise ValueError(f"required the name of one object, without * ? $, got {path[:80]!r}")
    actions = tuple(sorted(f"s3:{operation}" for operation in operations))
    return (Right(actions, f"arn:${{AWS::Partition}}:s3:::{url.netloc}{url.path}"),)


def added(rights: Iterable[Right]) -> tuple[Right, ...]:
    """One right a resource, by resource: what several allow on it is allowed once."""
    found: dict[str, set[str]] = {}
    for each in rights:
        found.setdefault(each.resource, set()).update(each.actions)
    return tuple(Right(tuple(sorted(actions)), resource) for resource, actions in sorted(found.items()))


def _concrete(name: str) -> None:
    # A star is any resource, `${` what CloudFormation puts in.
    if not re.fullmatch(r"[A-Za-z0-9_.:/$-]+", name) or "$" in name.replace(":$LATEST", ""):
        raise ValueError(
            f"required the name of one AWS resource, of letters, digits and . _ - : /, got {name[:80]!r}"
        )
