"""Deploy and delete applications' CloudFormation stacks, on the local AWS or a real account alike."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from base.errors import KdaError
from infra import template
from infra.clients import client
from infra.code_bucket import CodeError, empty_bucket, upload, zip_lambdas
from infra.existing import existing, lost, words
from infra.resources import parts
from pipeline.application import Application
from pipeline.settings import Settings, settings

# What a failed creation or deletion leaves; it can only be deleted.
_DEAD_ENDS = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")
_WAIT = {"Delay": 1, "MaxAttempts": 900}
_PREFIX = "resources-kda-"


class StackError(KdaError):
    """A stack could not be deployed or deleted; the message names the resource and AWS's reason."""


class LossError(StackError):
    """A stack's update would delete something with the data in it; the message names it."""


def stack_name(application: str) -> str:
    """What the stack of an application's resources is called; that of its job is ``kda-<name>``.

    Examples
    --------
    >>> stack_name("my_fleet")
    'resources-kda-my-fleet'
    """
    return f"{_PREFIX}{application.replace('_', '-')}"


def deploy(
    endpoint: str | None,
    application: Application,
    parameters: Mapping[str, str] | None = None,
    chosen: Settings | None = None,
    *,
    lose: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, str]:
    """Create the stack of an application's resources, or bring it up to date; return its outputs.

    A stream, delivery stream, bucket or table that is there already, and not of this stack, is used as it is.

    Parameters
    ----------
    endpoint : str or None
        URL of the local AWS, None for the real one.
    application : Application
    parameters : mapping, optional
        Of the template. One that is not given keeps its value, or takes its default; on the local AWS a new stack's
        take what ``stack.yaml`` says for there, and a secret is made up.
    chosen : Settings, optional
        The application's properties, which name the resources; its defaults if not given.
    lose : bool
        Delete what the stack has made and the properties name no longer, with the data in it.
    tell : callable
        Is called with what is used as it is.

    Raises
    ------
    LossError
        There is something to lose, and `lose` is not set.
    StackError
        CloudFormation refused the template or could not make a resource.
    """
    name = stack_name(application.name)
    cloudformation = client("cloudformation", endpoint)
    try:
        deployed = _without_dead_end(cloudformation, name)
        own = _resources(cloudformation, name) if deployed else {}
        properties = chosen or settings(application, {})
        elsewhere = existing(endpoint, application, properties, own.values())
        tree = template.derived(application, properties, elsewhere)
    except ClientError as error:
        raise StackError(f"stack {name}: {error.response['Error']['Message']}") from error
    except ValueError as error:
        raise StackError(str(error)) from error
    for type_, resource in sorted(elsewhere):
        tell(f"{words(type_)} {resource} is there already, and used as it is.")
    if (gone := lost(own, tree)) and not lose:
        raise LossError(
            f"stack {name}: {', '.join(gone)}: made by it, and named no longer by the application's properties; "
            "it would be deleted with what is in it"
        )
    given = dict(parameters or {})
    declared = tree.get("Parameters", {})
    if unknown := sorted(given.keys() - declared.keys()):
        raise StackError(
            f"stack {name}: {unknown[0]}: no parameter; there is {', '.join(declared) or 'none'}"
        )
    if endpoint is not None and deployed is None:
        given = _made_up(declared) | template.local_values(application) | given
    if "CodeKey" in declared:
        given |= upload(endpoint, "lambdas", zip_lambdas())
    deploy_template(endpoint, name, json.dumps(tree), given)
    return outputs(endpoint, application.name)


def missing(endpoint: str | None, application: Application, chosen: Settings) -> set[tuple[str, str]]:
    """Type and name of the resources that an application's properties name, and that are not there.

    Raises
    ------
    StackError
        A service may not be asked.
    """
    try:
        return {(p.type, p.name) for p in parts(application, chosen)} - existing(
            endpoint, application, chosen, ()
        )
    except ClientError as error:
        raise StackError(f"{application.name}: {error.response['Error']['Message']}") from error


def _made_up(parameters: Mapping[str, Any]) -> dict[str, str]:
    """A secret for each parameter that needs one; kept nowhere."""
    return {
        name: f"Aa1{secrets.token_urlsafe(16)}"
        for name, parameter in parameters.items()
        if parameter.get("NoEcho") and "Default" not in parameter
    }


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


def outputs(endpoint: str | None, application: str) -> dict[str, str]:
    """Return the outputs of an application's stack by name.

    Raises
    ------
    StackError
        The stack is not deployed.
    """
    name = stack_name(application)
    found = _describe(client("cloudformation", endpoint), name)
    if found is None:
        raise StackError(f"stack {name} is not deployed")
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


def deployed(endpoint: str | None) -> dict[str, dict[str, str]]:
    """The outputs of every application's stack that is deployed, by the name in the stack's."""
    pages = client("cloudformation", endpoint).get_paginator("describe_stacks").paginate()
    return {
        stack["StackName"].removeprefix(_PREFIX): {
            output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])
        }
        for page in pages
        for stack in page["Stacks"]
        if stack["StackName"].startswith(_PREFIX) and stack["StackStatus"] != "DELETE_COMPLETE"
    }


def delete(endpoint: str | None, application: str) -> None:
    """Empty the buckets of an application's stack and delete it; its absence is no error.

    Raises
    ------
    StackError
        A resource could not be deleted.
    """
    delete_stack(endpoint, stack_name(application))


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
            try:
                empty_bucket(endpoint, resource["PhysicalResourceId"])
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
    """The stack, once no operation is under way and if it can be updated; one that can't is deleted."""
    found = _settled(cloudformation, name)
    if found is None or found["StackStatus"] not in _DEAD_ENDS:
        return found
    cloudformation.delete_stack(StackName=name)
    _wait(cloudformation, "stack_delete_complete", found["StackId"], name)
    return None


def _resources(cloudformation: Any, name: str) -> dict[str, tuple[str, str]]:
    """Type and name of what a stack has made, by logical name."""
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
    if reason and "DescribeEvents" in reason:
        return _invalid(cloudformation, stack_id) or reason
    return reason


def _invalid(cloudformation: Any, stack_id: str) -> str | None:
    """The resources that were refused before anything was made, each with the reason."""
    events = cloudformation.describe_events(StackName=stack_id)["OperationEvents"]
    newest = next((event["OperationId"] for event in events), None)
    return "; ".join(
        f"{event['LogicalResourceId']}: {event.get('ValidationStatusReason', 'no reason given')}"
        for event in events
        if event["OperationId"] == newest and event["EventType"] == "VALIDATION_ERROR"
    )
