"""An application under torture: its records, and what must come out of them."""

from __future__ import annotations

import collections
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from udfs.decoding.columns import Column
from udfs.decoding.decoder import RecordDecoder

#: Share of the records that are bad.
BAD = 0.02
#: Where a lab's job writes in S3.
BUCKET = "torture"
_RUBBISH = (
    b"\xff\xfe",
    b"{",
    b"[1]",
    b"",
    b'{"id": "x',
    b"null",
    b'{"price": {}}\x00',
    b"<script>alert(1)</script>",
    b"'; DROP TABLE trades; --",
    b"=HYPERLINK(1)",
    b'{"price": NaN}',
    b"[" * 20_000,
    b'{"price": 1e999, "id": ' + b"9" * 5000,
    b'"' + b"x" * 60_000,
)


@dataclass(frozen=True)
class Record:
    """A record on the stream: ``number`` is its sequence number, ``arrival`` in milliseconds since the epoch."""

    data: bytes
    number: str
    arrival: int


@dataclass(frozen=True)
class Outcome:
    """The rows and errors of some records.

    Attributes
    ----------
    rows : Counter
        How often each row came at the sink, by key and values.
    errors : Counter
        How often each raw record, in hexadecimal, came on the error stream.
    """

    rows: collections.Counter[Any]
    errors: collections.Counter[str]


@dataclass(frozen=True)
class Lab:
    """A lab under torture.

    Parameters
    ----------
    name : str
        The job's.
    stream, errors : str
        The stream that it reads and the one for errors.
    properties : dict
        Property groups, without those that every job gets and without the sink's.
    record : callable
        Takes a number and a random generator; returns the fields of a good record.
    expected : callable
        Takes the stream's records in order; returns the outcome that must come, each row once.
    rows : callable
        Takes the sink's rows; returns what is compared.
    sink : str
        The service that it writes to; "files" for none. Rows in S3 and in files come exactly once; an item of DynamoDB
        and a row for a function may come again, with the same key.
    shards : int
        Shards of the stream at its start. With more than one, they are also split, merged and read slowly, and the
        expected rows must not depend on their order.
    """

    name: str
    stream: str
    errors: str
    properties: dict[str, dict[str, str]]
    record: Callable[[int, random.Random], dict[str, Any]]
    expected: Callable[[list[Record]], Outcome]
    rows: Callable[[list[dict[str, Any]]], collections.Counter[Any]]
    sink: str = "files"
    shards: int = 1

    def data(self, number: int, rng: random.Random) -> bytes:
        """A record's bytes; now and then a bad record."""
        if rng.random() < BAD:
            return rng.choice(_RUBBISH) + (b"" if rng.random() < 0.1 else b"%d}" % number)
        return json.dumps(self.record(number, rng)).encode()

    def target(self, folder: Path) -> dict[str, str]:
        """The property group of the sink."""
        if self.sink in ("dynamodb", "lambda"):
            return {"type": self.sink}
        return {
            "type": "s3",
            "path": f"s3://{BUCKET}/rows/" if self.sink == "s3" else (folder / "sink").as_uri(),
        }

    def delivered(self, folder: Path, client: Callable[[str], Any]) -> collections.Counter[Any]:
        """The rows that the sink has; ``client`` returns a client by the service's name."""
        if self.sink == "dynamodb":
            pages = client("dynamodb").get_paginator("scan").paginate(TableName="CloudAcademyLabs")
            return self.rows([item for page in pages for item in page["Items"]])
        return self.rows(_objects(client("s3"), "rows/") if self.sink == "s3" else _lines(folder / "sink"))


def changed(groups: dict[str, dict[str, str]], group: str, **values: str) -> dict[str, dict[str, str]]:
    """Property groups with some values of one group replaced or added."""
    return groups | {group: groups[group] | values}


def decoded(records: list[Record], *columns: Column) -> tuple[list[tuple[Record, tuple[Any, ...]]], Any]:
    decoder = RecordDecoder(columns)
    good, errors = [], collections.Counter[str]()
    for record in records:
        for row in decoder.decode(record.data):
            if row.values is not None:
                good.append((record, row.values))
            else:
                errors[row.data_row or ""] += 1
    return good, errors


def _lines(folder: Path) -> list[dict[str, Any]]:
    files = [f for f in folder.rglob("*") if f.is_file() and not f.name.startswith((".", "_"))]
    return [json.loads(line) for f in files for line in f.read_text().splitlines()]


def _objects(s3: Any, prefix: str) -> list[dict[str, Any]]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
    # Names with an underscore first are parts that the sink keeps until a checkpoint completes.
    keys = [key for key in keys if not key.rpartition("/")[2].startswith("_")]
    bodies = [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys]
    return [json.loads(line) for body in bodies for line in body.splitlines()]
