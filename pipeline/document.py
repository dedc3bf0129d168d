"""Reads YAML, and finds the line of a value."""

from __future__ import annotations

import re
from typing import Any

import yaml


class _Loader(yaml.CSafeLoader):
    """Only true and false are booleans, as in YAML 1.2: a column may be called ``on``, ``no`` or ``y``.

    The parser is libyaml's, which is in PyYAML's wheels: ten times as fast as Python's.
    """


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def load(text: str) -> Any:
    """The values of a YAML text; raises yaml.YAMLError.

    Examples
    --------
    >>> load("{on: no, yes: true}")
    {'on': 'no', 'yes': True}
    """
    return yaml.load(text, Loader=_Loader)  # noqa: S506  # a SafeLoader


def line_of(text: str, path: tuple[str | int, ...]) -> int:
    """The line, from 1, of the value at a path of keys and indices; of its nearest parent if it does not exist.

    Examples
    --------
    >>> line_of("a: 1\\nb:\\n  - x\\n  - y: 2\\n", ("b", 1, "y")), line_of("a: 1\\n", ("b", "c"))
    (4, 1)
    """
    node = yaml.compose(text, Loader=yaml.CSafeLoader)
    line = node.start_mark.line if node else 0
    for step in path:
        if isinstance(node, yaml.MappingNode):
            pairs = {key.value: (key, value) for key, value in node.value}
            if str(step) not in pairs:
                break
            key, node = pairs[str(step)]
            line = key.start_mark.line
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line
        else:
            break
    return line + 1
