"""Deploy and delete the labs' CloudFormation stacks, on the local AWS or a real account alike."""

import contextlib
import hashlib
import io
import secrets
import time
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from infra.clients import client
from infra.paths import ROOT

_TEMPLATES = Path(__file__).parent / "templates"
# A fixed time in the zip: the same code gives the same key, and an unchanged function no update.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
# What a failed creation or deletion leaves; it can only be deleted.
_DEAD_ENDS = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")
_WAIT = {"Delay": 1, "MaxAttempts": 900}


class StackError(RuntimeError):
    """A stack could not be deployed or deleted; the message names the resource and AWS's reason."""


@dataclass(frozen=True)
class Stack:
    """One lab's stack.

    Attributes
    ----------
    name : str
        Name of the CloudFormation stack.
    template : Path
    has_code : bool
        Takes the zip of the Lambda functions as parameters.
    """

    name: str
    template: Path
    has_code: bool = True


STACKS = {
    "trades": Stack("trade-anomalies", _TEMPLATES / "trade_anomalies.yaml"),
    "ctr": Stack("ctr-anomaly", _TEMPLATES / "ctr_anomaly.yaml"),
    "sessions": Stack("sessionization", _TEMPLATES / "sessionization.yaml"),
}


def local_parameters() -> dict[str, dict[str, str]]:
    """Return what the labs' stacks are given on the local AWS; the password is new and kept nowhere."""
    return {
        "ctr": {
            "Username": "generator",
            "Password": f"Aa1{secrets.token_urlsafe(16)}",
            "Email": "analyst@example.com",
            "SMS": "+15555550100",
            "MessageQueue": "true",
        }
    }


def deploy(
    endpoint: str | None,
    labs: Iterable[str] = tuple(STACKS),
    parameters: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, dict[str, str]]:
    """Create the labs' stacks, or bring them up to date; return each lab's outputs.

    Parameters
    ----------
    endpoint : str or None
        URL of the local AWS, None for the real one.
    labs : iterable of str
        Names out of `STACKS`.
    parameters : mapping, optional
        Template parameters by lab. One that is not given keeps its value, or takes its default.

    Raises
    ------
    StackError
        CloudFormation refused the template or could not make a resource.
    """
    code: dict[str, str] = {}
    labs = tuple(labs)
    for lab in labs:
        stack = STACKS[lab]
        if stack.has_code and not code:
            code = _upload_code(endpoint)
        given = dict((parameters or {}).get(lab, {})) | (code if stack.has_code else {})
        deploy_template(endpoint, stack.name, stack.template.read_text(), given)
    return {lab: outputs(endpoint, lab) for lab in labs}


def deploy_template(endpoint: str | None, name: str, template: str, parameters: Mapping[str, str]) -> None:
    """Create a stack from a template's text, or bring it up to date.

    Raises
    ------
    StackError
        CloudFormation refused the template or could not make a resource.
    """
    try:
        _create_or_update(client("cloudformation", endpoint), name, template, parameters)
    except ClientError as error:
        raise StackError(f"stack {name}: {error.response['Error']['Message']}") from error


def outputs(endpoint: str | None, lab: str) -> dict[str, str]:
    """Return the outputs of a lab's stack by name.

    Raises
    ------
    StackError
        The stack is not deployed.
    """
    name = STACKS[lab].name
    found = _describe(client("cloudformation", endpoint), name)
    if found is None:
        raise StackError(f"stack {name} is not deployed")
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


def delete(endpoint: str | None, labs: Iterable[str] = tuple(STACKS)) -> None:
    """Empty the buckets of the labs' stacks and delete the stacks; one that is absent is no error.

    Raises
    ------
    StackError
        A resource could not be deleted.
    """
    for lab in labs:
        delete_stack(endpoint, STACKS[lab].name)


def delete_stack(endpoint: str | None, name: str) -> None:
    """Empty the buckets of a stack and delete it; its absence is no error.

    Raises
    ------
    StackError
        A resource could not be deleted.
    """
    cloudformation = client("cloudformation", endpoint)
    found = _settled(cloudformation, name)
    if found is None:
        return
    for resource in cloudformation.describe_stack_resources(StackName=name)["StackResources"]:
        if resource["ResourceType"] == "AWS::S3::Bucket" and resource.get("PhysicalResourceId"):
            _empty_bucket(endpoint, resource["PhysicalResourceId"])
    cloudformation.delete_stack(StackName=name)
    _wait(cloudformation, "stack_delete_complete", found["StackId"], name)


def delete_code(endpoint: str | None) -> None:
    """Delete the bucket that `deploy` put the functions' code in; its absence is no error."""
    bucket = _code_bucket(endpoint)
    try:
        _empty_bucket(endpoint, bucket)
        client("s3", endpoint).delete_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise


def _create_or_update(cloudformation: Any, name: str, body: str, given: Mapping[str, str]) -> None:
    deployed = _settled(cloudformation, name)
    if deployed is not None and deployed["StackStatus"] in _DEAD_ENDS:
        cloudformation.delete_stack(StackName=name)
        _wait(cloudformation, "stack_delete_complete", deployed["StackId"], name)
        deployed = None
    values: list[dict[str, Any]] = [
        {"ParameterKey": key, "ParameterValue": value} for key, value in given.items()
    ]
    if deployed is None:
        cloudformation.create_stack(
            StackName=name, TemplateBody=body, Parameters=values, Capabilities=["CAPABILITY_NAMED_IAM"]
        )
        _wait(cloudformation, "stack_create_complete", name, name)
        return
    known = {parameter["ParameterKey"] for parameter in deployed.get("Parameters", [])}
    declared = {
        parameter["ParameterKey"]
        for parameter in cloudformation.get_template_summary(TemplateBody=body)["Parameters"]
    }
    values += [{"ParameterKey": key, "UsePreviousValue": True} for key in (known & declared) - given.keys()]
    try:
        cloudformation.update_stack(
            StackName=name, TemplateBody=body, Parameters=values, Capabilities=["CAPABILITY_NAMED_IAM"]
        )
    except ClientError as error:
        if "No updates are to be performed" in error.response["Error"]["Message"]:
            return
        raise
    _wait(cloudformation, "stack_update_complete", name, name)


def _describe(cloudformation: Any, name: str) -> dict[str, Any] | None:
    try:
        found: list[dict[str, Any]] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return next((stack for stack in found if stack["StackStatus"] != "DELETE_COMPLETE"), None)


def _settled(cloudformation: Any, name: str) -> dict[str, Any] | None:
    """The stack once no operation is under way; one may be, where an earlier command was killed."""
    deadline = time.monotonic() + _WAIT["Delay"] * _WAIT["MaxAttempts"]
    while (stack := _describe(cloudformation, name)) and stack["StackStatus"].endswith("_IN_PROGRESS"):
        if time.monotonic() > deadline:
            raise StackError(f"stack {name} stays in {stack['StackStatus']}")
        time.sleep(_WAIT["Delay"])
    return stack


def _wait(cloudformation: Any, waiter: str, stack_id: str, name: str) -> None:
    try:
        cloudformation.get_waiter(waiter).wait(StackName=stack_id, WaiterConfig=_WAIT)
    except WaiterError as error:
        raise StackError(f"stack {name}: {_first_failure(cloudformation, stack_id) or error}") from error


def _first_failure(cloudformation: Any, stack_id: str) -> str | None:
    """The reason of the oldest failed event of the newest operation; the later ones only follow from it."""
    reason = None
    for event in cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]:  # newest first
        if event["ResourceStatus"].endswith("_FAILED"):
            reason = f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
        if event["ResourceType"] == "AWS::CloudFormation::Stack" and (
            event.get("ResourceStatusReason") == "User Initiated"
        ):
            break
    return reason


def _empty_bucket(endpoint: str | None, bucket: str) -> None:
    s3 = client("s3", endpoint)
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        objects = [
            {"Key": version["Key"], "VersionId": version["VersionId"]}
            for kind in ("Versions", "DeleteMarkers")
            for version in page.get(kind, [])
        ]
        if objects:
            errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}).get(
                "Errors"
            )
            if errors:
                raise StackError(f"bucket {bucket}: {errors[0]['Key']}: {errors[0]['Message']}")


def _upload_code(endpoint: str | None) -> dict[str, str]:
    """Put the zip of the lambdas folder in the code bucket."""
    return upload(endpoint, "lambdas", _zip_lambdas())


def upload(endpoint: str | None, name: str, zipped: bytes) -> dict[str, str]:
    """Put a zip in the code bucket, under a key that changes with its bytes.

    Returns
    -------
    dict
        ``CodeBucket`` and ``CodeKey``, as the templates' parameters are called.
    """
    bucket, key = _code_bucket(endpoint), f"{name}-{hashlib.sha256(zipped).hexdigest()[:16]}.zip"
    s3 = client("s3", endpoint)
    region = s3.meta.region_name
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != "us-east-1" else {}
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=bucket, **elsewhere)
    s3.put_object(Bucket=bucket, Key=key, Body=zipped)
    return {"CodeBucket": bucket, "CodeKey": key}


def _code_bucket(endpoint: str | None) -> str:
    sts = client("sts", endpoint)
    return f"kda-on-flink-code-{sts.get_caller_identity()['Account']}-{sts.meta.region_name}"


def _zip_lambdas() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((ROOT / "lambdas").glob("*.py")):
            info = zipfile.ZipInfo(f"lambdas/{path.name}", _ZIP_TIME)
            info.external_attr = 0o644 << 16  # readable for the user that Lambda runs as
            archive.writestr(info, path.read_bytes())
    return buffer.getvalue()
