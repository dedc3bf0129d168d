"""The labs' templates, and what is asked of them."""

import json
from typing import Any

import pytest

from infra.template import derived
from pipeline.application import Application
from pipeline.catalog import all_applications
from pipeline.settings import settings

LABS = {a.name: a for a in all_applications()}


def template(application: Application, **groups: dict[str, str]) -> dict[str, Any]:
    return derived(application, settings(application, groups))


def resources(tree: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {
        name: resource["Properties"]
        for name, resource in tree["Resources"].items()
        if resource["Type"] == kind
    }


def each(kind: str) -> list:
    return [
        pytest.param(properties, id=f"{lab}-{name}")
        for lab, application in LABS.items()
        for name, properties in resources(template(application), kind).items()
    ]


def problems(tree: dict[str, Any] | str) -> list:
    """What cfn-lint says of a template."""
    # To import it takes a second: not in each worker.
    from cfnlint.api import lint

    return lint(tree if isinstance(tree, str) else json.dumps(tree), config={"regions": ["us-east-1"]})


def statements(tree: dict[str, Any], role: str) -> list[dict[str, Any]]:
    return [
        statement
        for policy in resources(tree, "AWS::IAM::Role")[role]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def actions(found: list[dict[str, Any]]) -> list[str]:
    """Every action that these allow, as often as they do."""
    named = [s["Action"] if isinstance(s["Action"], list) else [s["Action"]] for s in found]
    return sorted(action for each in named for action in each)
