"""How the records of a source are laid out: JSON with a row path, or separated values.

References
----------
Kinesis Data Analytics API, "RecordFormat", "JSONMappingParameters", "CSVMappingParameters".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from base.errors import InvalidValue

_ROW_PATH = re.compile(r"\$((?:\.[^.\[\]]+)*)(\[0:\])?")
_LONGEST_DELIMITER = 16


@dataclass(frozen=True)
class RecordFormat:
    r"""What a record holds. Gzip and the Kinesis Producer Library's aggregation are detected automatically.

    Parameters
    ----------
    kind : {"json", "csv"}
        JSON documents, with or without line breaks between them; or rows of separated values, taken by position.
    row_path : str
        For JSON: where in a document its rows are (KDA's RecordRowPath). ``$``: the document is the row. ``$.a.b``: the
        object at that path is the row. ``$[0:]`` or ``$.a.b[0:]``: each element of the array at that path is a row.
        Columns' paths are relative to the row.
    column_delimiter, row_delimiter : str
        For separated values (KDA's RecordColumnDelimiter and RecordRowDelimiter): 1 to 16 characters. A value in
        double quotes may contain both; a quote in it is doubled. The row delimiter ``\n`` also matches ``\r\n``.

    Raises
    ------
    ValueError
        For an invalid value.

    Examples
    --------
    >>> RecordFormat("json", row_path="$.basket.items[0:]").row_steps
    ('basket', 'items')
    """

    kind: Literal["json", "csv"] = "json"
    row_path: str = "$"
    column_delimiter: str = ","
    row_delimiter: str = "\n"

    def __post_init__(self) -> None:
        if self.kind not in ("json", "csv"):
            raise InvalidValue(f"record format: kind must be json or csv, got {self.kind!r}")
        if not _ROW_PATH.fullmatch(self.row_path):
            raise InvalidValue(
                f"record format: row_path must look like $, $.a, $[0:] or $.a[0:], got {self.row_path!r}"
            )
        for name, delimiter in (
            ("column_delimiter", self.column_delimiter),
            ("row_delimiter", self.row_delimiter),
        ):
            if not 1 <= len(delimiter) <= _LONGEST_DELIMITER or '"' in delimiter:
                raise InvalidValue(
                    f"record format: {name} must have 1 to {_LONGEST_DELIMITER} characters, none of them a "
                    f"double quote, got {delimiter!r}"
                )
        if self.column_delimiter == self.row_delimiter:
            raise InvalidValue(
                f"record format: column_delimiter and row_delimiter must differ, both are {self.row_delimiter!r}"
            )

    @property
    def row_steps(self) -> tuple[str, ...]:
        """The row path's names, outermost first."""
        names = self.row_path.removesuffix("[0:]")[2:]
        return tuple(names.split(".")) if names else ()

    @property
    def rows_are_elements(self) -> bool:
        """Whether the row path leads to an array whose elements are rows."""
        return self.row_path.endswith("[0:]")


#: The default format.
JSON = RecordFormat()
