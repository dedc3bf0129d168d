"""A fast path for records whose values fit their columns directly.

Most records of a stream are one JSON object whose values already have the types of their columns. msgspec reads such a
record directly, in a tenth of the time, and rejects any other. Rejected records are decoded by
:mod:`udfs.decoding.decoder`, which handles several documents in a record, KDA's coercions and errors. Both give the
same values for a record that is accepted here; property tests check that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from udfs.decoding.coercions import coercion
from udfs.decoding.columns import Column
from udfs.decoding.json_documents import Number


def plain_reader(columns: Sequence[Column]) -> Callable[[bytes], tuple[Any, ...]] | None:
    """Make a function that reads a record's values, one for each column.

    Parameters
    ----------
    columns : sequence of Column
        What to take from each record.

    Returns
    -------
    callable or None
        It raises ValueError or RecursionError for a record that is not plain. None if no record can be: there are no
        columns, two columns take the same part of a document, or msgspec can't read a column's name.

    Examples
    --------
    >>> read = plain_reader([Column("price", "DOUBLE", "$.price"), Column("symbol", "VARCHAR(2)", "$.s")])
    >>> read(b'{"price": 1, "s": "AB", "other": [1, 2]}')
    (1.0, 'AB')
    """
    if not columns:
        return None
    tree: dict[str, Any] = {}
    for column in columns:
        *outer, last = column.steps
        node: Any = tree
        for step in outer:
            node = node.setdefault(step, {})
            if not isinstance(node, dict):
                return None
        if last in node:
            return None
        node[last] = column
    try:
        # The hook is for decimals, read as Any: a binary double would lose their digits.
        read = msgspec.json.Decoder(_record(tree), float_hook=Number).decode
    except ValueError:
        # msgspec rejects names with quotes, backslashes or control characters.
        return None
    get = attrgetter(*(_attribute(tree, column.steps) for column in columns))
    single = len(columns) == 1
    coercions = [coercion(column.type) for column in columns]
    checked = [
        (k, coerced.coerce, coerced.but, c.required)
        for k, (coerced, c) in enumerate(zip(coercions, columns, strict=True))
        if coerced.but
    ]

    def plain(data: bytes) -> tuple[Any, ...]:
        # msgspec does not check the encoding of strings that no column needs.
        record = read(data if data.isascii() else data.decode("utf-8"))
        values: tuple[Any, ...] = (get(record),) if single else get(record)
        for k, coerce, but, required in checked:
            value = values[k]
            if value is None:
                if required:  # Any accepts null too
                    raise ValueError
            elif isinstance(value, but):
                values = (*values[:k], coerce(value), *values[k + 1 :])
        return values

    return plain


def _record(tree: dict[str, Any]) -> type[msgspec.Struct]:
    """A struct for an object: other members are skipped; missing or null members are None, unless required."""
    fields: list[Any] = []
    for k, node in enumerate(tree.values()):
        if isinstance(node, dict):
            inner = _record(node)
            # If nothing in it is required, a missing object counts as an empty one.
            missing = msgspec.field() if _requires(node) else msgspec.field(default_factory=inner)
            fields.append((f"f{k}", inner, missing))
            continue
        type_ = coercion(node.type).plain
        fields.append((f"f{k}", type_) if node.required else (f"f{k}", type_ | None, None))
    names = {f"f{k}": name for k, name in enumerate(tree)}
    return msgspec.defstruct("Record", fields, rename=names, kw_only=True, gc=False)


def _requires(tree: dict[str, Any]) -> bool:
    return any(_requires(n) if isinstance(n, dict) else n.required for n in tree.values())


def _attribute(tree: dict[str, Any], steps: Sequence[str]) -> str:
    names = []
    for step in steps:
        names.append(f"f{list(tree).index(step)}")
        tree = tree[step]
    return ".".join(names)
