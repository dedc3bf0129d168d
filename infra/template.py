"""The CloudFormation template of an application's resources: derived from its properties and merged with its own.

An application's own resources (functions, topics, pages, further outputs) are in ``stack.yaml`` in its folder, a
CloudFormation template. It is merged over the derived one: a resource of the same logical name gets its properties.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import yaml

from base.errors import KdaError
from infra.resources import Part, parts
from pipeline.application import Application
from pipeline.settings import Settings

#: File of an application's own resources, in its folder.
OWN = "stack.yaml"

_PARAMETERS = {
    "ShardCount": {
        "Type": "Number",
        "Default": 1,
        "MinValue": 1,
        "MaxValue": 200,
        "Description": "Shards of each stream that the application reads (kda shards estimates them).",
    },
    "RetentionHours": {
        "Type": "Number",
        "Default": 24,
        "MinValue": 24,
        "MaxValue": 8760,
        "Description": "How far back these streams can be replayed.",
    },
}
_VARIABLE = re.compile(r"\$\{([A-Za-z0-9]+)(\.Arn)?\}")


class TemplateError(KdaError, ValueError):
    """An application's own template can't be read; the message has one line with file, line and column."""


class _Loader(yaml.CSafeLoader):
    """YAML loader that turns CloudFormation's short functions into their long forms."""


def _function(loader: _Loader, name: str, node: Any) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _function)


def parsed(text: str) -> Any:
    """Parse a template, with short functions in their long forms; raises ``yaml.YAMLError``."""
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def own(application: Application) -> dict[str, Any]:
    """Parse an application's ``stack.yaml``; empty if it has none.

    Raises
    ------
    TemplateError
        It can't be read, or is not a template.
    """
    path = application.folder / OWN
    try:
        tree = parsed(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as e:
        mark = getattr(e, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise TemplateError(f"{where}: not valid YAML: {getattr(e, 'problem', None) or e}") from None
    if not isinstance(tree, dict) or not all(isinstance(section, dict) for section in tree.values()):
        raise TemplateError(f"{path}: required sections of a CloudFormation template, such as Resources")
    return tree


def derived(
    application: Application, settings: Settings, elsewhere: Collection[tuple[str, str]] = ()
) -> dict[str, Any]:
    """Make the whole template of an application's resources.

    Parameters
    ----------
    application : Application
    settings : Settings
        Its properties, which name the resources.
    elsewhere : collection of (type, name)
        Resources that exist outside this stack: they are used unchanged, and not made.

    Raises
    ------
    TemplateError
        The application's ``stack.yaml`` can't be read.
    """
    mine = own(application)
    declared = {
        (resource.get("Type"), value)
        for resource in mine.get("Resources", {}).values()
        for value in resource.get("Properties", {}).values()
        if isinstance(value, str)
    }
    made, used = [], {}
    for part in parts(application, settings):
        if (part.type, part.name) in declared or (part.type, part.name) in elsewhere:
            used[part.logical] = part
        else:
            made.append(part)
    streams = any(
        {"Ref": "ShardCount"} in r["Properties"].values() for p in made for r in p.resources.values()
    )
    tree: dict[str, Any] = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Resources of {application.name}: {application.title}"[:1000],
        "Parameters": dict(_PARAMETERS) if streams else {},
        "Resources": {name: resource for part in made for name, resource in part.resources.items()},
    }
    merged = _laid_over(tree, {k: v for k, v in mine.items() if k != "Metadata"})
    outputs = {name: output for part in (*made, *used.values()) for name, output in part.outputs.items()}
    reported = [output["Value"] for output in merged.get("Outputs", {}).values()]
    merged["Outputs"] = {
        name: output for name, output in outputs.items() if output["Value"] not in reported
    } | merged.get("Outputs", {})
    merged = _with_names(merged, used)
    # Properties for a derived resource that is not made have no type: drop them.
    merged["Resources"] = {name: r for name, r in merged["Resources"].items() if "Type" in r}
    known = {*merged["Resources"], *merged["Parameters"]}
    merged["Outputs"] = {name: o for name, o in merged["Outputs"].items() if set(_names(o["Value"])) <= known}
    return {section: content for section, content in merged.items() if content}


def local_values(application: Application) -> dict[str, str]:
    """Values of an application's own parameters on the local AWS: ``Metadata.Local`` of its template."""
    found = own(application).get("Metadata", {}).get("Local", {})
    return {str(name): str(value) for name, value in found.items()}


def _laid_over(under: Any, over: Any) -> Any:
    if isinstance(under, dict) and isinstance(over, dict):
        return under | {
            key: _laid_over(under[key], value) if key in under else value for key, value in over.items()
        }
    return over


def _with_names(tree: Any, used: Mapping[str, Part]) -> Any:
    """Replace references to resources that are not made here by their names and ARNs."""
    if isinstance(tree, list):
        return [_with_names(item, used) for item in tree]
    if not isinstance(tree, dict):
        return tree
    match tree:
        case {"Ref": str(logical)} if logical in used:
            return used[logical].name
        case {"Fn::GetAtt": [str(logical), "Arn"]} if logical in used:
            return {"Fn::Sub": used[logical].arn}
        case {"Fn::Sub": str(text)}:
            return {"Fn::Sub": _VARIABLE.sub(lambda m: _named(m, used), text)}
    return {key: _with_names(value, used) for key, value in tree.items()}


def _named(variable: re.Match[str], used: Mapping[str, Part]) -> str:
    part = used.get(variable[1])
    return variable[0] if part is None else part.arn if variable[2] else part.name


def _names(tree: Any) -> Iterator[str]:
    """The resources and parameters that an output refers to."""
    match tree:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            yield from () if name.startswith("AWS::") else (name,)
        case {"Fn::Sub": str(text)}:
            yield from (m[1] for m in re.finditer(r"\$\{(\w+)(\.\w+)?\}", text))
        case dict():
            for value in tree.values():
                yield from _names(value)
        case list():
            for value in tree:
                yield from _names(value)
