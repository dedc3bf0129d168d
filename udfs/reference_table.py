"""A table of values from a file, looked up by key: what KDA called reference data. No Flink in here."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from udfs.coercions import CoercionError, coercion
from udfs.columns import Column


class ReferenceTable:
    """Rows by the values of some of their columns; several rows may have one key.

    Parameters
    ----------
    columns : sequence of Column
        Of the file, by position.
    text : str
        The file.
    key : sequence of str
        Columns that are looked up.
    delimiter : str
        Between values.
    header : bool
        Whether the first line names the columns.

    Raises
    ------
    ValueError
        A line has another number of values, or one that does not fit its column; line and column are told.

    Examples
    --------
    >>> columns = [Column("Code", "VARCHAR(4)", "$.Code"), Column("Grams", "INT", "$.Grams")]
    >>> table = ReferenceTable(columns, "R1,750\\nS1,500\\nS1,480\\n", ["Code"])
    >>> table.rows(("S1",)), table.rows((None,))
    ([('S1', 500), ('S1', 480)], [])
    """

    def __init__(
        self,
        columns: Sequence[Column],
        text: str,
        key: Sequence[str],
        delimiter: str = ",",
        header: bool = False,
    ) -> None:
        names = [c.name for c in columns]
        places = [names.index(k) for k in key]
        coercions = [(c, coercion(c.type).coerce) for c in columns]
        self._rows: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
        reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=delimiter)
        for line in reader:
            if not line or (header and reader.line_num == 1):
                continue
            if len(line) != len(columns):
                raise ValueError(
                    f"line {reader.line_num}: required {len(columns)} values ({', '.join(names)}), got {len(line)}"
                )
            row = tuple(
                _value(text_, column, coerce, reader.line_num)
                for text_, (column, coerce) in zip(line, coercions, strict=True)
            )
            self._rows.setdefault(tuple(row[p] for p in places), []).append(row)

    def rows(self, key: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """The rows of a key, in the file's order; a key with None in it has none."""
        return [] if None in key else self._rows.get(key, [])


def _value(text: str, column: Column, coerce: Any, line: int) -> Any:
    # A value that is not there is NULL; an empty text is one.
    if not text and not column.type.upper().startswith(("VARCHAR", "CHAR", "STRING")):
        return None
    try:
        return coerce(text)
    except CoercionError as e:
        raise ValueError(
            f"line {line}: column {column.name} {column.type}: required {e}, got {text[:40]!r}"
        ) from None
