"""Columns to fill from records: a name, a type, and where the value stands.

References
----------
Kinesis Data Analytics for SQL developer guide, "Working with JSONPath".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from base.errors import InvalidValue
from udfs.decoding.coercions import coercion

_PATH = re.compile(r"\$(?:\[0:\])?(?:\.[^.\[\]]+)*(?:\[0:\])?(?:\.[^.\[\]]+)*")
#: What a source says of a record itself: the path of such a column, and the column of the source's table.
METADATA = {
    "@arrival": "arrival",
    "@partition_key": "partition_key",
    "@shard_id": "shard",
    "@sequence_number": "sequence_number",
}


@dataclass(frozen=True)
class Column:
    """A column to fill from a record.

    Parameters
    ----------
    name : str
        The column's name in SQL.
    type : str
        A Flink SQL type: ``VARCHAR(n)``, ``STRING``, ``BOOLEAN``, ``TINYINT`` … ``BIGINT``, ``FLOAT``, ``DOUBLE``,
        ``DECIMAL(p, s)``, ``DATE``, ``TIME``, ``TIMESTAMP(p)``, ``BINARY(n)``, ``VARBINARY(n)`` or ``BYTES``.
    path : str
        Where the value stands. In a JSON row: ``$.name`` or ``$.outer.inner``; ``$.items[0:]`` is an array as a whole,
        and ``$.items[0:].price`` gives a row for each of its elements, in which the other columns repeat. Among
        separated values: the place, ``0`` for the first; with a path of another form the column's own place among
        the columns. What the source says of the record: ``@arrival``, ``@partition_key``, ``@shard_id`` or
        ``@sequence_number``.
    required : bool
        Whether a document without a value is an error; otherwise the column is None there, as in KDA.

    Raises
    ------
    ValueError
        For a type or a path that is not of these forms.
    """

    name: str
    type: str
    path: str
    required: bool = False

    def __post_init__(self) -> None:
        well_formed = _PATH.fullmatch(self.path) and self.path != "$"
        if not (well_formed or self.path.isdecimal() or self.path in METADATA):
            raise InvalidValue(
                f"column {self.name}: the record path must look like $.a, $.a.b or $.a[0:].b, be the place of a "
                f"separated value, or one of {', '.join(METADATA)}; got {self.path!r}"
            )
        coercion(self.type)

    @property
    def metadata(self) -> str | None:
        """The column of the source's table that it takes; None: it is in the record."""
        return METADATA.get(self.path)

    @property
    def array(self) -> tuple[str, ...] | None:
        """The names that lead to the array whose elements give a row each; None where the path flattens none."""
        outer, bracket, inner = self.path.partition("[0:]")
        return _names(outer) if bracket and inner else None

    @property
    def steps(self) -> tuple[str, ...]:
        """The path's names, outermost first; from the element on where there is an :attr:`array`."""
        outer, _, inner = self.path.partition("[0:]")
        return _names(inner.removesuffix("[0:]") if inner else outer)


def _names(path: str) -> tuple[str, ...]:
    names = path.removeprefix("$")[1:]
    return tuple(names.split(".")) if names else ()
