"""Deploys and deletes applications' CloudFormation stacks, on the local or the real AWS."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from base.aws import Aws
from base.errors import KdaError
from infra import template
from infra.code_bucket import CodeError, empty_bucket, upload, zip_lambdas
from infra.existing import existing, lost, words
from infra.resources import parts
from pipeline.application import Application
from pipeline.settings import Settings, settings

# States after a failed creation or deletion: the stack can only be deleted.
_DEAD_ENDS = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")
_WAIT = {"Delay": 1, "MaxAttempts": 900}
_PREFIX = "resources-kda-"


class StackError(KdaError):
    """A stack could not be deployed or deleted; the message names the resource and AWS's reason."""


class LossError(StackError):
    """A stack's update would delete resources with their data; the message names them."""


def stack_name(application: str) -> str:
    """The name of the stack of an application's resources; the stack of its job is ``kda-<name>``.

    Examples
    --------
    >>> stack_name("my_fleet")
    'resources-kda-my-fleet'
    """
    return f"{_PREFIX}{application.replace('_', '-')}"


def deploy(
    aws: Aws,
    application: Application,
    parameters: Mapping[str, str] | None = None,
    chosen: Settings | None = None,
    *,
    lose: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, str]:
    """Create or update the stack of an application's resources; return its outputs.

    A stream, delivery stream, bucket or table that exists already outside this stack is used unchanged.

    Parameters
    ----------
    aws : Aws
        Where to deploy it.
    application : Application
    parameters : mapping, optional
        Parameters of the template; others keep their value, or get their default. On the local AWS, a new stack's
        others get the values that ``stack.yaml`` has for it, and secrets are generated.
    chosen : Settings, optional
        The application's properties, which name the resources; its defaults if not given.
    lose : bool
        Delete the stack's resources that the properties no longer name, with their data.
    tell : callable
        Is called with a line for each existing resource that is used.

    Raises
    ------
    LossError
        Resources with data would be deleted, and `lose` is not set.
    StackError
        CloudFormation refused the template or could not make a resource.
    """
    name = stack_name(application.name)
    cloudformation = aws.client("cloudformation")
    try:
        deployed = _without_dead_end(cloudformation, name)
        own = _resources(cloudformation, name) if deployed else {}
        properties = chosen or settings(application, {})
        elsewhere = existing(aws, application, properties, own.values())
        tree = template.derived(application, properties, elsewhere)
    except ClientError as error:
        raise StackError(f"stack {name}: {error.response['Error']['Message']}") from error
    except ValueError as error:
        raise StackError(str(error)) from error
    for type_, resource in sorted(elsewhere):
        tell(f"{words(type_)} {resource} exists already and is used unchanged.")
    if (gone := lost(own, tree)) and not lose:
        raise LossError(
            f"stack {name}: {', '.join(gone)}: no longer named by the application's properties; "
            "the update would delete it with its data"
        )
    given = dict(parameters or {})
    declared = tree.get("Parameters", {})
    if unknown := sorted(given.keys() - declared.keys()):
        raise StackError(
            f"stack {name}: {unknown[0]}: not a parameter; there are {', '.join(declared) or 'none'}"
        )
    if aws.endpoint is not None and deployed is None:
        given = _made_up(declared) | template.local_values(application) | given
    if "CodeKey" in declared:
        given |= upload(aws, "lambdas", zip_lambdas())
    deploy_template(aws, name, json.dumps(tree), given)
    return outputs(aws, application.name)


def missing(aws: Aws, application: Application, chosen: Settings) -> set[tuple[str, str]]:
    """Type and name of the resources that an application's properties name and that do not exist.

    Raises
    ------
    StackError
        A service refused the call.
    """
    try:
        return {(p.type, p.name) for p in parts(application, chosen)} - existing(aws, application, chosen, ())
    except ClientError as error:
        raise StackError(f"{application.name}: {error.response['Error']['Message']}") from error


def _made_up(parameters: Mapping[str, Any]) -> dict[str, str]:
    """A random secret for each parameter that needs one; it is not stored."""
    return {
        name: f"Aa1{secrets.token_urlsafe(16)}"
        for name, parameter in parameters.items()
        if parameter.get("NoEcho") and "Default" not in parameter
    }


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


def outputs(aws: Aws, application: str) -> dict[str, str]:
    """Return the outputs of an application's stack by name.

    Raises
    ------
    StackError
        The stack is not deployed.
    """
    name = stack_name(application)
    found = _describe(aws.client("cloudformation"), name)
    if found is None:
        raise StackError(f"stack {name} is not deployed")
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


def deployed(aws: Aws) -> dict[str, dict[str, str]]:
    """The outputs of every deployed stack of an application's resources, by the stack's name without its prefix."""
    pages = aws.client("cloudformation").get_paginator("describe_stacks").paginate()
    return {
        stack["StackName"].removeprefix(_PREFIX): {
            output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])
        }
        for page in pages
        for stack in page["Stacks"]
        if stack["StackName"].startswith(_PREFIX) and stack["StackStatus"] != "DELETE_COMPLETE"
    }


def delete(aws: Aws, application: str) -> None:
    """Empty the buckets of an application's stack and delete it, if it exists.

    Raises
    ------
    StackError
        A resource could not be deleted.
    """
    delete_stack(aws, stack_name(application))


def delete_stack(aws: Aws, name: str) -> None:
    """Empty the buckets of a stack and delete it, if it exists.

    Raises
    ------
    StackError
        A resource could not be deleted.
    """
    cloudformation = aws.client("cloudformation")
    found = _settled(cloudformation, name)
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
    deployed = _without_dead_end(cloudformation, name)
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


def _without_dead_end(cloudformation: Any, name: str) -> dict[str, Any] | None:
    """Wait for the stack's last operation, and return the stack. If it can't be updated, delete it and return None."""
    found = _settled(cloudformation, name)
    if found is None or found["StackStatus"] not in _DEAD_ENDS:
        return found
    cloudformation.delete_stack(StackName=name)
    _wait(cloudformation, "stack_delete_complete", found["StackId"], name)
    return None


def _resources(cloudformation: Any, name: str) -> dict[str, tuple[str, str]]:
    """Type and name of a stack's resources, by logical name."""
    return {
        resource["LogicalResourceId"]: (resource["ResourceType"], resource.get("PhysicalResourceId", ""))
        for resource in cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    }


def _describe(cloudformation: Any, name: str) -> dict[str, Any] | None:
    try:
        found: list[dict[str, Any]] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return next((stack for stack in found if stack["StackStatus"] != "DELETE_COMPLETE"), None)


def _settled(cloudformation: Any, name: str) -> dict[str, Any] | None:
    """Wait for the stack's last operation, which a killed command may have left running, and return the stack."""
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
