"""SQL applications in CloudFormation templates (JSON or YAML), with their separate outputs and reference tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from kda_sql.described_json import application, output_of, reference_of
from kda_sql.description import Described, DescriptionError, get

_KINDS = ("AWS::KinesisAnalytics::", "AWS::KinesisAnalyticsV2::")
#: Properties that hold a resource's own name.
_NAMES = ("Name", "StreamName", "DeliveryStreamName", "FunctionName", "BucketName", "ApplicationName")


class _Loader(yaml.SafeLoader):
    """YAML loader that turns CloudFormation's short functions into their long forms."""


def _short(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short)


def read_template(path: Path) -> list[Described]:
    """The SQL applications of a template.

    Raises
    ------
    DescriptionError
        The file is not a template, or has no SQL application.
    """
    tree = parsed(path.read_text(encoding="utf-8-sig"), str(path))
    resources = tree.get("Resources") if isinstance(tree, Mapping) else None
    if not isinstance(resources, Mapping):
        raise DescriptionError(f"{path}: required a template with Resources")
    values = _Values(tree)
    found = []
    for logical, resource in resources.items():
        kind = str(get(resource, "Type"))
        if kind not in [f"{k}Application" for k in _KINDS]:
            continue
        properties = values.resolved(get(resource, "Properties") or {})
        if not str(get(properties, "RuntimeEnvironment") or "SQL").upper().startswith("SQL"):
            continue
        described = application(properties, f"{path}: {logical}", str(logical))
        found.append(_with_parts(described, str(logical), resources, values, str(path)))
    if not found:
        raise DescriptionError(
            f"{path}: required a resource {_KINDS[0]}Application or {_KINDS[1]}Application, got none"
        )
    return found


def parsed(text: str, where: str) -> Any:
    """Parse JSON or YAML with CloudFormation's functions."""
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    except yaml.YAMLError as e:
        raise DescriptionError(f"{where}: not valid YAML: {e}") from None
    finally:
        loader.dispose()


def _with_parts(
    described: Described, logical: str, resources: Mapping[str, Any], values: _Values, path: str
) -> Described:
    outputs, references, notes = list(described.outputs), list(described.references), list(described.notes)
    for name, resource in resources.items():
        kind = str(get(resource, "Type"))
        raw = get(resource, "Properties") or {}
        if not any(kind.startswith(k) for k in _KINDS) or not _belongs(
            get(raw, "ApplicationName"), logical, described.name
        ):
            continue
        properties = values.resolved(raw)
        if kind.endswith("::ApplicationOutput"):
            outputs += output_of(get(properties, "Output") or {}, f"{path}: {name}", notes)
        elif kind.endswith("::ApplicationReferenceDataSource"):
            references.append(reference_of(get(properties, "ReferenceDataSource") or {}, f"{path}: {name}"))
        elif not kind.endswith("::Application"):
            notes.append(f"{name} ({kind}) is not imported: `kda deploy` makes its own logs and alarms")
    return replace(described, outputs=tuple(outputs), references=tuple(references), notes=tuple(notes))


def _belongs(application_name: Any, logical: str, name: str) -> bool:
    if isinstance(application_name, Mapping):
        return application_name.get("Ref") == logical
    return str(application_name).replace("-", "_") == name


class _Values:
    """Evaluates a template's functions as far as the template alone allows."""

    def __init__(self, template: Mapping[str, Any]) -> None:
        self._resources: Mapping[str, Any] = template.get("Resources") or {}
        self._parameters: Mapping[str, Any] = template.get("Parameters") or {}
        self._mappings: Mapping[str, Any] = template.get("Mappings") or {}

    def resolved(self, tree: Any) -> Any:
        """A copy of a tree with its functions evaluated."""
        if isinstance(tree, list):
            return [self.resolved(each) for each in tree]
        if not isinstance(tree, Mapping):
            return tree
        if len(tree) == 1:
            [(key, value)] = tree.items()
            if key == "Ref" or str(key).startswith("Fn::"):
                return self._function(str(key).removeprefix("Fn::"), value)
        return {key: self.resolved(value) for key, value in tree.items() if value != {"Ref": "AWS::NoValue"}}

    def _function(self, name: str, value: Any) -> Any:
        if name == "Ref":
            return self._named(str(value))
        if name == "GetAtt":
            return self._named(str(value[0] if isinstance(value, list) else value).split(".")[0])
        if name == "Join":
            separator, parts = value
            return str(separator).join(str(self.resolved(p)) for p in self.resolved(parts))
        if name == "Sub":
            text, given = (value[0], value[1]) if isinstance(value, list) else (value, {})
            given = {k: self.resolved(v) for k, v in given.items()}
            return re.sub(
                r"\$\{(!?)([^}]+)\}",
                lambda m: f"${{{m[2]}}}" if m[1] else str(given.get(m[2]) or self._named(m[2].split(".")[0])),
                str(text),
            )
        if name == "FindInMap":
            table: Any = self._mappings
            for key in self.resolved(value):
                table = table.get(key, {}) if isinstance(table, Mapping) else {}
            return table or "unknown"
        if name in ("If", "Select"):
            parts = self.resolved(value)
            return parts[1] if name == "If" else parts[1][int(parts[0])]
        return self.resolved(value)

    def _named(self, logical: str) -> Any:
        if logical in self._parameters:
            return (self._parameters[logical] or {}).get("Default", logical)
        properties = get(self._resources.get(logical), "Properties") or {}
        for key in _NAMES:
            if key in properties:
                return self.resolved(properties[key])
        return logical.removeprefix("AWS::").lower() if logical.startswith("AWS::") else logical
