"""A reference table in memory: rows by key, read from a file and reloaded from time to time. No Flink, no service."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from base.errors import InvalidValue
from udfs.decoding.columns import Column
from udfs.decoding.decoder import RecordDecoder
from udfs.decoding.record_envelope import is_wrapped, unwrapped
from udfs.decoding.record_format import RecordFormat

#: Rows by the values of their key columns.
Rows = Mapping[tuple[Any, ...], list[tuple[Any, ...]]]


class File(Protocol):
    """Where a reference table's data is read from."""

    @property
    def path(self) -> str: ...

    def read(self, known: str | None = None) -> tuple[str, bytes] | None: ...


@dataclass(frozen=True)
class ReferenceTable:
    """What a reference file holds.

    Parameters
    ----------
    columns : tuple of Column
        In order; CSV values are assigned by position.
    record_format : RecordFormat
        Format of the file. Gzip is detected automatically.
    header : bool
        For CSV: whether the first line holds column names and is skipped.
    """

    columns: tuple[Column, ...]
    record_format: RecordFormat
    header: bool = False

    def load(self, data: bytes, key: Sequence[str]) -> Rows:
        """The rows of a file by key. Rows with a NULL in the key can't match and are left out.

        Raises
        ------
        ValueError
            For the first row that can't be read or does not fit its columns; names the row.

        Examples
        --------
        >>> columns = (Column("code", "VARCHAR(2)", "$.code"), Column("grams", "INT", "$.grams"))
        >>> ReferenceTable(columns, RecordFormat("csv")).load(b"R1,750", ["code"])
        {('R1',): [('R1', 750)]}
        """
        data = b"".join(unwrapped(data)) if is_wrapped(data) else data
        if self.header:
            data = data.partition(self.record_format.row_delimiter.encode())[2]
        places = [[c.name for c in self.columns].index(name) for name in key]
        rows: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
        if not data.strip():
            return rows
        decoder = RecordDecoder(self.columns, self.record_format)
        for number, decoded in enumerate(decoder.decode(data), 2 if self.header else 1):
            if decoded.values is None:
                raise InvalidValue(f"row {number}: {decoded.message}")
            values = tuple(decoded.values[place] for place in places)
            if None not in values:
                rows.setdefault(values, []).append(decoded.values)
        return rows


class Reference:
    """The rows of a file, read at the start and reloaded when they are older than ``reload``.

    Parameters
    ----------
    file, table
        Where the table is and what it holds.
    key : sequence of str
        Columns of the table to look rows up by.
    reload : float
        Seconds after which the next look-up reads the file again; 0: it is read only once. If reading fails or the
        file does not fit, the old rows are kept and a warning is logged.
    monotonic : callable
        The clock, in seconds.

    Raises
    ------
    ValueError, RuntimeError
        If the first read fails; says which file and why.
    """

    def __init__(
        self,
        file: File,
        table: ReferenceTable,
        key: Sequence[str],
        reload: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file, self._table, self._key = file, table, tuple(key)
        self._reload, self._monotonic = reload, monotonic
        self._version: str | None = None
        self._rows: Rows = {}
        self._read()

    def find(self, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """The rows with these values in the key columns; none for a NULL."""
        if self._reload and self._monotonic() >= self._due:
            try:
                self._read()
            except (ValueError, RuntimeError) as e:
                logging.getLogger(__name__).warning("%s; keeping the rows read before", e)
        return self._rows.get(values, [])

    def _read(self) -> None:
        self._due = self._monotonic() + self._reload
        found = self._file.read(self._version)
        if found is None:
            return
        try:
            self._rows = self._table.load(found[1], self._key)
        except ValueError as e:
            raise InvalidValue(f"reference table {self._file.path}: {e}") from None
        self._version = found[0]
