"""Columns to fill from records: a name, a type, and the path of the value.

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
#: Metadata of a record: the column's path, and the column of the source's table.
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
        Where the value is. In a JSON row: ``$.name`` or ``$.outer.inner``; ``$.items[0:]`` is an array as a whole,
        and ``$.items[0:].price`` gives a row for each of its elements, in which the other columns repeat. In
        separated values: the position, ``0`` for the first; a path of another form means the column's own position
        among the columns. Metadata of the record: ``@arrival``, ``@partition_key``, ``@shard_id`` or
        ``@sequence_number``.
    required : bool
        Whether a row without a value is an error; otherwise the column is None, as in KDA.

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
                f"column {self.name}: the record path must look like $.a, $.a.b or $.a[0:].b, be the position of a "
                f"separated value, or one of {', '.join(METADATA)}; got {self.path!r}"
            )
        coercion(self.type)

    @property
    def metadata(self) -> str | None:
        """For a metadata column, the column of the source's table; None for a column in the record."""
        return METADATA.get(self.path)

    @property
    def array(self) -> tuple[str, ...] | None:
        """The path's names up to the array that is flattened to rows; None if the path flattens none."""
        outer, bracket, inner = self.path.partition("[0:]")
        return _names(outer) if bracket and inner else None

    @property
    def steps(self) -> tuple[str, ...]:
        """The path's names, outermost first; if there is an :attr:`array`, only those after it."""
        outer, _, inner = self.path.partition("[0:]")
        return _names(inner.removesuffix("[0:]") if inner else outer)


def _names(path: str) -> tuple[str, ...]:
    names = path.removeprefix("$")[1:]
    return tuple(names.split(".")) if names else ()
