"""Where in a YAML text a value stands."""

from __future__ import annotations

import yaml


def line_of(text: str, path: tuple[str | int, ...]) -> int:
    """The line, from 1, of the value at a path of keys and places; of its nearest parent where it is not there.

    Examples
    --------
    >>> line_of("a: 1\\nb:\\n  - x\\n  - y: 2\\n", ("b", 1, "y")), line_of("a: 1\\n", ("b", "c"))
    (4, 1)
    """
    node = yaml.compose(text, Loader=yaml.SafeLoader)
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
