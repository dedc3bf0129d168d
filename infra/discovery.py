"""Schema discovery: from some records of a stream to columns, types and record paths.

Pure: bytes in, a :class:`Schema` out. A type is proposed wide enough that the next records are likely to fit as well,
and says on how many samples it rests: AWS's own discovery took the narrowest that fitted its sample, and the first
larger value went to the error stream.

References
----------
Kinesis Data Analytics for SQL developer guide, "DiscoverInputSchema".
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from infra.discovery_types import Proposal, propose

#: Delimiters that separated values are tried with, the likeliest first.
DELIMITERS = (",", "\t", ";", "|")
#: Names that a job adds to every source.
_TAKEN = ("rowtime",)
_DEEPEST = 20
_MOST_COLUMNS = 1000


class DiscoveryError(ValueError):
    """No schema can be inferred; the message says why."""


@dataclass(frozen=True)
class Column:
    """One inferred column.

    Attributes
    ----------
    name : str
        In SQL: snake case, unique.
    json_name : str
        As DiscoverInputSchema names it.
    path : str
        Where the value stands: ``$.a.b`` for JSON, the place from 0 for CSV.
    type : str
        SQL type.
    longest : int
        Characters of the longest text; 0 for other types.
    present, records : int
        In how many of how many sampled rows it has a value.
    note : str
        What a person should know of it; may be empty.
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
        """Bound of the share of values of another form among all, with 95 % confidence: 0.03 for 100 samples."""
        return 1.0 if not self.present else float(1 - 0.05 ** (1 / self.present))


@dataclass(frozen=True)
class Schema:
    """What a sample of a stream looks like.

    Attributes
    ----------
    format : {"JSON", "CSV"}
    delimiter : str
        Of CSV; empty for JSON.
    columns : tuple of Column
    rows : tuple of dict
        The sampled rows, by column name.
    refused : tuple of (str, bytes)
        Records that don't fit, with the reason.
    left_out : tuple of str
        Paths that no column can have, with the reason.
    """

    format: Literal["JSON", "CSV"]
    delimiter: str
    columns: tuple[Column, ...]
    rows: tuple[dict[str, Any], ...]
    refused: tuple[tuple[str, bytes], ...]
    left_out: tuple[str, ...]


def discover(records: Sequence[bytes]) -> Schema:
    """Infer the schema of records.

    Parameters
    ----------
    records : sequence of bytes
        At least one; each holds JSON objects, or lines of separated values.

    Raises
    ------
    DiscoveryError
        There is no record, or most are neither JSON objects nor lines of equally many values.

    Examples
    --------
    >>> schema = discover([b'{"tickerSymbol": "AMZN", "price": 1.5}', b'{"price": 2}'])
    >>> [(c.name, c.type, c.path, c.present) for c in schema.columns]
    [('ticker_symbol', 'STRING', '$.tickerSymbol', 1), ('price', 'DOUBLE', '$.price', 2)]
    """
    if not records:
        raise DiscoveryError("required at least one record, got none")
    documents, refused = _json_documents(records)
    if documents and len(refused) * 2 <= len(records):
        return _json_schema(documents, refused)
    for delimiter in DELIMITERS:
        rows, misfits = _csv_rows(records, delimiter)
        if rows and len(rows[0]) > 1 and len(misfits) * 2 <= len(records):
            return _csv_schema(rows, misfits, delimiter)
    raise DiscoveryError(
        "required JSON objects, or lines of values separated by comma, tab, semicolon or bar; got "
        f"{bytes(records[0][:80])!r}"
    )


def _json_documents(records: Sequence[bytes]) -> tuple[list[dict[str, Any]], list[tuple[str, bytes]]]:
    documents: list[dict[str, Any]] = []
    refused: list[tuple[str, bytes]] = []
    for record in records:
        try:
            found = list(_documents(record.decode("utf-8").lstrip("\ufeff")))
        except (ValueError, RecursionError) as error:
            refused.append((f"no JSON: {str(error)[:100]}", record))
            continue
        objects = [document for document in found if isinstance(document, dict)]
        documents += objects
        if len(objects) < len(found) or not found:
            refused.append(("no JSON object", record))
    return documents, refused


def _documents(text: str) -> Iterator[Any]:
    scan, start = json.JSONDecoder(parse_constant=_refuse).raw_decode, 0
    while start < len(text):
        if text[start].isspace():
            start += 1
            continue
        document, start = scan(text, start)
        yield document


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _json_schema(documents: list[dict[str, Any]], refused: list[tuple[str, bytes]]) -> Schema:
    values: dict[tuple[str, ...], list[Any]] = {}
    for document in documents:
        for path, value in _leaves(document, ()):
            values.setdefault(path, []).append(value)
    left_out = [f"{'.'.join(p)}: its name holds a dot or bracket" for p in values if not _reachable(p)]
    # A field that is an object here and something else there can be one column only: the JSON text of the whole.
    mixed = {path for path in values if any(p != path and p[: len(path)] == path for p in values)}
    for path in sorted(mixed, key=len):
        if path not in values:  # it is inside another such field
            continue
        if any(value is not None for value in values[path]):
            inner = [p for p in values if p != path and p[: len(path)] == path]
            values[path] = [v for d in documents if (v := _at(d, path)) is not None]
            for p in inner:
                del values[p]
        else:  # only null beside the object: no column of its own
            del values[path]
    paths = [path for path in values if _reachable(path)]
    if len(paths) > _MOST_COLUMNS:
        raise DiscoveryError(f"required at most {_MOST_COLUMNS} columns, got {len(paths):,}")
    names, json_names = _unique(_snake("_".join(p)) for p in paths), _unique(_json_name(p) for p in paths)
    columns = [
        _column(name, json_name, f"$.{'.'.join(path)}", propose(values[path]), len(documents))
        for name, json_name, path in zip(names, json_names, paths, strict=True)
    ]
    rows = tuple({n: _at(d, p) for n, p in zip(names, paths, strict=True)} for d in documents)
    return Schema("JSON", "", tuple(columns), rows, tuple(refused), tuple(left_out))


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


def _csv_rows(records: Sequence[bytes], delimiter: str) -> tuple[list[list[str]], list[tuple[str, bytes]]]:
    lines: list[tuple[bytes, list[str]]] = []
    refused: list[tuple[str, bytes]] = []
    for record in records:
        try:
            text = record.decode("utf-8")
            lines += [
                (record, row)
                for row in csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
                if row
            ]
        except (ValueError, csv.Error) as error:
            refused.append((f"no separated values: {str(error)[:100]}", record))
    if not lines:
        return [], refused
    width = Counter(len(row) for _, row in lines).most_common(1)[0][0]
    refused += [
        (f"{len(row)} values instead of {width}", record) for record, row in lines if len(row) != width
    ]
    return [row for _, row in lines if len(row) == width], refused


def _csv_schema(rows: list[list[str]], refused: list[tuple[str, bytes]], delimiter: str) -> Schema:
    columns = []
    for place in range(len(rows[0])):
        proposal = propose([row[place] if row[place] != "" else None for row in rows], all_text=True)
        columns.append(_column(f"col_{place}", f"COL_{place}", str(place), proposal, len(rows)))
    named = tuple({c.name: value for c, value in zip(columns, row, strict=True)} for row in rows)
    return Schema("CSV", delimiter, tuple(columns), named, tuple(refused), ())


def _column(name: str, json_name: str, path: str, proposal: Proposal, records: int) -> Column:
    return Column(
        name, json_name, path, proposal.type, proposal.longest, proposal.present, records, proposal.note
    )


def _snake(name: str) -> str:
    """A name in SQL's lower snake case.

    Examples
    --------
    >>> [_snake(n) for n in ("tickerSymbol", "HTTPCode", "user name", "1st", "")]
    ['ticker_symbol', 'http_code', 'user_name', 'col_1st', 'col']
    """
    parted = re.sub(r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3_\2\4", name)
    plain = re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")
    return plain if re.match(r"[a-z]", plain) else f"col_{plain}".rstrip("_")


def _json_name(path: tuple[str, ...]) -> str:
    name = re.sub(r"\W", "_", "_".join(path), flags=re.ASCII)
    return name if name == path[-1] and re.match(r"[A-Za-z]", name) else f"COL_{name}"


def _unique(names: Iterator[str]) -> list[str]:
    seen, result = set(_TAKEN), []
    for name in names:
        candidate, number = name, 2
        while candidate.lower() in seen:
            candidate, number = f"{name}_{number}", number + 1
        seen.add(candidate.lower())
        result.append(candidate)
    return result
