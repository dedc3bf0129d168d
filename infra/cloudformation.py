"""CloudFormation stacks: create or update, wait, delete, and the reason when one fails."""

import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from base.aws import Aws
from base.errors import KdaError
from infra.code_bucket import CodeError, empty_bucket

# States after a failed creation or deletion: the stack can only be deleted.
_DEAD_ENDS = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")
_WAIT = {"Delay": 1, "MaxAttempts": 900}


class StackError(KdaError):
    """A stack could not be deployed or deleted; the message names the resource and AWS's reason."""


def deploy_template(aws: Aws, name: str, template: str, parameters: Mapping[str, str]) -> None:
    """Create or update a stack with a template's text.

    Raises
    ------
    StackError
        CloudFormation refused the template or could not make a resource.
    """
    try:
        _create_or_update(aws.client("cloudformation"), name, template, parameters)
    except ClientError as error:
        raise StackError(f"stack {name}: {error.response['Error']['Message']}") from error


def delete_stack(aws: Aws, name: str) -> None:
    """Empty the buckets of a stack and delete it, if it exists.

    Raises
    ------
    StackError
        A resource could not be deleted.
    """
    cloudformation = aws.client("cloudformation")
    found = settled(cloudformation, name)
    if found is None:
        return
    for resource in cloudformation.describe_stack_resources(StackName=name)["StackResources"]:
        if resource["ResourceType"] == "AWS::S3::Bucket" and resource.get("PhysicalResourceId"):
            try:
                empty_bucket(aws, resource["PhysicalResourceId"])
            except CodeError as error:
                raise StackError(str(error)) from error
    cloudformation.delete_stack(StackName=name)
    _wait(cloudformation, "stack_delete_complete", found["StackId"], name)


def _create_or_update(cloudformation: Any, name: str, body: str, given: Mapping[str, str]) -> None:
    deployed = without_dead_end(cloudformation, name)
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


def without_dead_end(cloudformation: Any, name: str) -> dict[str, Any] | None:
    """Wait for the stack's last operation, and return the stack. If it can't be updated, delete it and return None."""
    found = settled(cloudformation, name)
    if found is None or found["StackStatus"] not in _DEAD_ENDS:
        return found
    cloudformation.delete_stack(StackName=name)
    _wait(cloudformation, "stack_delete_complete", found["StackId"], name)
    return None


def resources(cloudformation: Any, name: str) -> dict[str, tuple[str, str]]:
    """Type and name of a stack's resources, by logical name."""
    return {
        resource["LogicalResourceId"]: (resource["ResourceType"], resource.get("PhysicalResourceId", ""))
        for resource in cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    }


def describe(cloudformation: Any, name: str) -> dict[str, Any] | None:
    try:
        found: list[dict[str, Any]] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return next((stack for stack in found if stack["StackStatus"] != "DELETE_COMPLETE"), None)


def settled(cloudformation: Any, name: str) -> dict[str, Any] | None:
    """Wait for the stack's last operation, which a killed command may have left running, and return the stack."""
    deadline = time.monotonic() + _WAIT["Delay"] * _WAIT["MaxAttempts"]
    while (stack := describe(cloudformation, name)) and stack["StackStatus"].endswith("_IN_PROGRESS"):
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
    """The reason of the newest operation's first failed event; the later failures only follow from it."""
    reason = None
    for event in cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]:  # newest first
        if event["ResourceStatus"].endswith("_FAILED"):
            reason = f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
        if event["ResourceType"] == "AWS::CloudFormation::Stack" and (
            event.get("ResourceStatusReason") == "User Initiated"
        ):
            break
    if reason and "DescribeEvents" in reason:
        return _invalid(cloudformation, stack_id) or reason
    return reason


def _invalid(cloudformation: Any, stack_id: str) -> str | None:
    """The resources that CloudFormation refused before it made any, each with the reason."""
    events = cloudformation.describe_events(StackName=stack_id)["OperationEvents"]
    newest = next((event["OperationId"] for event in events), None)
    return "; ".join(
        f"{event['LogicalResourceId']}: {event.get('ValidationStatusReason', 'no reason given')}"
        for event in events
        if event["OperationId"] == newest and event["EventType"] == "VALIDATION_ERROR"
    )
