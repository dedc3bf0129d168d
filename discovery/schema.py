"""Schema discovery: infers columns, types and record paths from records.

Pure: bytes in, a :class:`Schema` out. Proposed types are wide enough that later records are likely to fit, and have the
number of samples behind them. AWS's own discovery took the narrowest type that fitted its sample, so the first larger
value went to the error stream.

References
----------
Kinesis Data Analytics for SQL developer guide, "DiscoverInputSchema".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from base.errors import KdaError
from discovery.names import json_names, snake, unique
from discovery.separated import DELIMITERS, Separated, separated
from discovery.types import Proposal, propose
from udfs.decoding.json_documents import documents
from udfs.decoding.record_envelope import EnvelopeError, unwrapped

__all__ = ["DELIMITERS", "Column", "DiscoveryError", "Schema", "discover"]

_DEEPEST = 20
#: A web server's access log, common or combined.
_ACCESS_LOG = re.compile(r'\S+ \S+ \S+ \[[^\]]+\] "')
_MOST_COLUMNS = 1000


class DiscoveryError(KdaError, ValueError):
    """No schema can be inferred; the message says why."""


@dataclass(frozen=True)
class Column:
    """One inferred column.

    Attributes
    ----------
    name : str
        Name in SQL: in snake case, unique.
    json_name : str
        Name in DiscoverInputSchema.
    path : str
        Path of the value: ``$.a.b`` for JSON, the position from 0 for CSV.
    type : str
        SQL type.
    longest : int
        Characters of the longest text; 0 for other types.
    present, records : int
        Number of sampled rows with a value, and of all sampled rows.
    note : str
        Hint for the user; may be empty.
    """

    name: str
    json_name: str
    path: str
    type: str
    longest: int
    present: int
    records: int
    note: str

    @property
    def others_below(self) -> float:
        """Largest likely share (95 % confidence) of values of another form: 0.03 after 100 samples."""
        return 1.0 if not self.present else float(1 - 0.05 ** (1 / self.present))


@dataclass(frozen=True)
class Schema:
    """The schema of a sample.

    Attributes
    ----------
    format : {"JSON", "CSV"}
    delimiter : str
        Delimiter of CSV; empty for JSON.
    columns : tuple of Column
    rows : tuple of dict
        The sampled rows, by column name.
    refused : tuple of (str, bytes)
        Reason and bytes of each record that does not fit.
    left_out : tuple of str
        Paths that can't be a column, with the reason.
    row_path : str
        Row path of JSON: ``$``, or ``$[0:]`` if records are arrays of rows.
    header : bool
        Whether a CSV sample has header lines; columns are named after them.
    """

    format: Literal["JSON", "CSV"]
    delimiter: str
    columns: tuple[Column, ...]
    rows: tuple[dict[str, Any], ...]
    refused: tuple[tuple[str, bytes], ...]
    left_out: tuple[str, ...]
    row_path: str = "$"
    header: bool = False


def discover(records: Sequence[bytes]) -> Schema:
    """Infer the schema of records.

    Parameters
    ----------
    records : sequence of bytes
        At least one. Each holds JSON objects, an array of them, or lines of separated values. Gzip, and records
        aggregated by the Kinesis Producer Library, are unpacked.

    Raises
    ------
    DiscoveryError
        There is no record, or most can't be read; the message shows one and the reason.

    Examples
    --------
    >>> schema = discover([b'{"tickerSymbol": "AMZN", "price": 1.5}', b'{"price": 2}'])
    >>> [(c.name, c.type, c.path, c.present) for c in schema.columns]
    [('ticker_symbol', 'STRING', '$.tickerSymbol', 1), ('price', 'DOUBLE', '$.price', 2)]
    """
    if not records:
        raise DiscoveryError("required at least one record, got none")
    texts, refused = _texts(records)
    if len(refused) * 2 > len(texts) + len(refused):
        raise _failure("records", refused, len(records))
    # Text that begins like JSON is read as JSON, even if it is broken: not as text with commas.
    if sum(text.lstrip()[:1] in ("{", "[") for _, text in texts) * 2 >= len(texts):
        return _of_json(texts, refused, len(texts) + len(refused))
    if sum(_ACCESS_LOG.match(text) is not None for _, text in texts) * 2 >= len(texts):
        raise DiscoveryError(
            f"records look like a web server's access log, {texts[0][1][:60]!r}: declare one column of text, and parse "
            "it in SQL"
        )
    found = separated(texts)
    if found:
        return _csv_schema(found, refused)
    raise DiscoveryError(
        "required JSON objects, or lines of values separated by comma, tab, semicolon or bar; got "
        f"{bytes(records[0][:80])!r}"
    )


def _texts(records: Sequence[bytes]) -> tuple[list[tuple[bytes, str]], list[tuple[str, bytes]]]:
    """The unpacked records with their text, and the refused records with the reason."""
    texts: list[tuple[bytes, str]] = []
    refused: list[tuple[str, bytes]] = []
    for record in records:
        try:
            for data in unwrapped(record):
                texts.append((data, data.decode("utf-8").removeprefix("\ufeff")))
        except EnvelopeError as error:
            refused.append((str(error), record))
        except UnicodeDecodeError as error:
            refused.append((f"not UTF-8: byte {error.object[error.start]:#04x} at {error.start}", record))
    return texts, refused


def _failure(what: str, refused: Sequence[tuple[str, bytes]], count: int) -> DiscoveryError:
    reason, record = refused[0]
    return DiscoveryError(
        f"{len(refused)} of {count} {what} can't be read; the first: {reason}; got {bytes(record[:80])!r}"
    )


def _of_json(texts: Sequence[tuple[bytes, str]], refused: list[tuple[str, bytes]], count: int) -> Schema:
    rows: list[Any] = []
    arrays: list[Any] = []
    for record, text in texts:
        reason = None
        for document in documents(text):
            if document.reason:
                reason = reason or f"not JSON: {document.reason}"
            elif isinstance(document.value, dict):
                rows.append(document.value)
            elif isinstance(document.value, list) and all(isinstance(row, dict) for row in document.value):
                arrays.append(document.value)
            else:
                reason = reason or "not a JSON object"
        if reason or not text.strip():
            refused.append((reason or "empty", record))
    if len(arrays) > len(rows):
        refused += [("a JSON object, while most are arrays of them", b"")] * len(rows)
        rows, row_path = [row for array in arrays for row in array], "$[0:]"
    else:
        refused += [("a JSON array, while most are objects", b"")] * len(arrays)
        row_path = "$"
    if not rows or len(refused) * 2 > count:
        raise _failure("records look like JSON and", refused or [("no object in them", texts[0][0])], count)
    return _json_schema(rows, refused, row_path)


def _json_schema(rows: list[dict[str, Any]], refused: list[tuple[str, bytes]], row_path: str) -> Schema:
    values: dict[tuple[str, ...], list[Any]] = {}
    for row in rows:
        for path, value in _leaves(row, ()):
            values.setdefault(path, []).append(value)
    left_out = [f"{'.'.join(p)}: its name holds a dot or bracket" for p in values if not _reachable(p)]
    # A field that is an object in some rows and a value in others becomes one column with its JSON text.
    mixed = {path for path in values if any(p != path and p[: len(path)] == path for p in values)}
    for path in sorted(mixed, key=len):
        if path not in values:  # it is inside another such field
            continue
        if any(value is not None for value in values[path]):
            inner = [p for p in values if p != path and p[: len(path)] == path]
            values[path] = [v for d in rows if (v := _at(d, path)) is not None]
            for p in inner:
                del values[p]
        else:  # only null beside objects: no separate column
            del values[path]
    paths = [path for path in values if _reachable(path)]
    if len(paths) > _MOST_COLUMNS:
        raise DiscoveryError(f"required at most {_MOST_COLUMNS} columns, got {len(paths):,}")
    names = unique(snake("_".join(p)) for p in paths)
    columns = [
        _column(name, json_name, f"$.{'.'.join(path)}", propose(values[path]), len(rows))
        for name, json_name, path in zip(names, json_names(paths), paths, strict=True)
    ]
    named = tuple({n: _at(row, p) for n, p in zip(names, paths, strict=True)} for row in rows)
    return Schema("JSON", "", tuple(columns), named, tuple(refused), tuple(left_out), row_path)


def _leaves(value: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, inner in value.items():
        if isinstance(inner, dict) and inner and len(path) < _DEEPEST:
            yield from _leaves(inner, (*path, key))
        else:
            yield (*path, key), inner


def _reachable(path: tuple[str, ...]) -> bool:
    return all(re.fullmatch(r"[^.\[\]\r\n]+", part) for part in path)


def _at(document: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        document = document.get(part) if isinstance(document, dict) else None
    return document


def _csv_schema(found: Separated, refused: list[tuple[str, bytes]]) -> Schema:
    header = found.header or [f"col_{place}" for place in range(len(found.rows[0]))]
    names, called = unique(snake(name) for name in header), json_names([(name,) for name in header])
    if not found.header:
        called = [f"COL_{place}" for place in range(len(header))]
    columns = []
    for place, (name, json_name) in enumerate(zip(names, called, strict=True)):
        proposal = propose([row[place] for row in found.rows], all_text=True)
        columns.append(_column(name, json_name, str(place), proposal, len(found.rows)))
    named = tuple({c.name: value for c, value in zip(columns, row, strict=True)} for row in found.rows)
    misfits = (*refused, *found.refused)
    return Schema("CSV", found.delimiter, tuple(columns), named, misfits, (), header=found.header is not None)


def _column(name: str, json_name: str, path: str, proposal: Proposal, records: int) -> Column:
    return Column(
        name, json_name, path, proposal.type, proposal.longest, proposal.present, records, proposal.note
    )
