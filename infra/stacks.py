"""Deploys and deletes applications' CloudFormation stacks, on the local or the real AWS."""

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from base.aws import Aws
from infra import template
from infra.cloudformation import (
    StackError,
    delete_stack,
    deploy_template,
    describe,
    resources,
    without_dead_end,
)
from infra.code_bucket import upload, zip_lambdas
from infra.existing import existing, lost, words
from infra.resources import parts
from pipeline.application import Application
from pipeline.settings import Settings, settings

_PREFIX = "resources-kda-"


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
        deployed = without_dead_end(cloudformation, name)
        own = resources(cloudformation, name) if deployed else {}
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


def outputs(aws: Aws, application: str) -> dict[str, str]:
    """Return the outputs of an application's stack by name.

    Raises
    ------
    StackError
        The stack is not deployed.
    """
    name = stack_name(application)
    found = describe(aws.client("cloudformation"), name)
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
