"""Samples of streams, to discover their schemas and to try other schemas on them."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from connectors.lambda_sink.calls import CallFailed
from connectors.lambda_sink.delivery_queue import Failure
from connectors.lambda_sink.options import LOCAL_APPLICATION_ARN
from connectors.preprocess_batch import Preprocessor, SourceRecord, kinesis_metadata
from console.row_buffer import bounded
from discovery import sampling
from discovery.output import input_schema
from discovery.schema import DiscoveryError, discover
from infra.stream_reader import StreamRecord
from kda_sql.description import DescriptionError, Schema, get, schema_of
from udfs.decoding.columns import Column
from udfs.decoding.decoder import RecordDecoder
from udfs.decoding.record_format import RecordFormat

#: Samples kept, for all open pages.
_MOST_SAMPLES = 20
_RECORDS, _SECONDS, _SINCE, _QUIET = 100, 5.0, 300.0, 1.5
_MOST_TEXT = 2000
_MOST_ROWS = 500


class Samples:
    """Takes samples, and keeps the newest ones.

    Parameters
    ----------
    client : callable
        Makes a boto3 client from a service's name.
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client
        self._kept: OrderedDict[str, list[bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def discover(self, name: str, kind: str = "kinesis", preprocess: str | None = None) -> dict[str, Any]:
        """Sample a stream and infer its schema; takes some seconds.

        Parameters
        ----------
        name : str
            Name of a stream or delivery stream, or path of an object.
        kind : {"kinesis", "firehose", "s3"}
            ``firehose``: sample the objects that the delivery stream wrote; ``s3``: sample a reference table's file.
        preprocess : str or None
            A Lambda function to pass the records through first.

        Raises
        ------
        DiscoveryError
            There are no records. If no schema fits the records, the answer has a `problem` instead.
        """
        if kind == "firehose":
            path = sampling.landing_of(self._client("firehose"), name)
            sampled = sampling.landed(self._client("s3"), path, _RECORDS)
        elif kind == "s3":
            path, preprocess = name, None
            data = sampling.stored(self._client("s3"), name)
            sampled = [StreamRecord(data, datetime.now(UTC), name, "")]
        else:
            path = None
            sampled = sampling.sample(self._client("kinesis"), name, _RECORDS, _SECONDS, _SINCE, _QUIET)
        records: list[bytes] = [r.data for r in sampled]
        failed: list[dict[str, str]] = []
        if preprocess:
            records, failed = self._preprocessed(preprocess, name, sampled)
        id_ = secrets.token_urlsafe(9)
        with self._lock:
            self._kept[id_] = records
            while len(self._kept) > _MOST_SAMPLES:
                self._kept.popitem(last=False)
        answer: dict[str, Any] = {
            "sample": id_,
            "path": path,
            "raw": [_shown(r.data) for r in sampled] if kind != "s3" else _lines(sampled[0].data),
            "schema": None,
            "columns": [],
            "formatted": [],
            "errors": failed,
            "problem": "",
        }
        try:
            found = discover(records)
        except DiscoveryError as error:
            return answer | {"problem": str(error)}
        schema = input_schema(found, records)["InputSchema"]
        notes = [{"name": c.json_name, "note": c.note, "others_below": c.others_below} for c in found.columns]
        decoded = self.decode(id_, schema)
        return answer | {
            "schema": schema,
            "columns": notes,
            "left_out": list(found.left_out),
            "header": found.header,
            "formatted": decoded["formatted"],
            "errors": failed + decoded["errors"],
        }

    def decode(self, id_: object, tree: Any) -> dict[str, Any]:
        """Decode a sample with a schema, as a job would: rows, and errors.

        Raises
        ------
        DescriptionError
            The schema is not valid.
        DiscoveryError
            The sample is no longer kept.
        """
        with self._lock:
            records = self._kept.get(str(id_))
        if records is None:
            raise DiscoveryError("this sample is no longer kept: discover again")
        if isinstance(tree, dict):
            tree = get(tree, "InputSchema") or tree
        decoder, names = _decoder(schema_of(tree))
        rows: list[dict[str, Any]] = []
        errors: list[dict[str, str]] = []
        for record in records:
            for row in decoder.decode(record):
                if row.values is not None and len(rows) < _MOST_ROWS:
                    rows.append(bounded(dict(zip(names, map(_plain, row.values), strict=True))))
                elif row.values is None and len(errors) < _MOST_ROWS:
                    errors.append(_error(record, row.error_name or "", row.message or ""))
        return {"names": names, "formatted": rows, "errors": errors}

    def _preprocessed(
        self, function: str, stream: str, sampled: Sequence[StreamRecord]
    ) -> tuple[list[bytes], list[dict[str, str]]]:
        """The records that the function returns, and those that it failed at."""
        arn = f"arn:aws:kinesis:us-east-1:000000000000:stream/{stream}"
        called = Preprocessor(_Function(function, self._client("lambda")), LOCAL_APPLICATION_ARN, arn, 500, 0)
        asked = [
            SourceRecord(n, str(n), r.data, None, metadata=kinesis_metadata(r.shard, str(n), _ms(r)))
            for n, r in enumerate(sampled)
        ]
        good, failed = [], []
        for record, outcome in zip(sampled, called.process(asked), strict=True):
            if outcome.error:
                failed.append(_error(record.data, outcome.error.name, outcome.error.message))
            elif outcome.data is not None:
                good.append(outcome.data)
        if not good:
            said = f"; the first: {failed[0]['message'][:300]}" if failed else ""
            raise DiscoveryError(f"function {function}: returned none of {len(sampled)} records{said}")
        return good, failed


class _Function:
    """Calls a function with the console's client."""

    def __init__(self, name: str, client: Any) -> None:
        self.name = name
        self._client = client

    def invoke(self, payload: bytes) -> bytes:
        answer = self._client.invoke(FunctionName=self.name, Payload=payload)
        body: bytes = answer["Payload"].read()
        if "FunctionError" in answer:
            raise CallFailed(Failure("FunctionError", body[:1000].decode("utf-8", "replace"), final=True))
        return body


def _decoder(schema: Schema) -> tuple[RecordDecoder, list[str]]:
    is_json = schema.format == "json"
    try:
        columns = [
            Column(c.name, c.type.flink, (c.mapping or f"$.{c.name}") if is_json else str(place))
            for place, c in enumerate(schema.columns)
        ]
        row_path = schema.row_path if is_json else "$"
        form = RecordFormat(schema.format, row_path, schema.delimiter, schema.row_delimiter)  # type: ignore[arg-type]
        return RecordDecoder(columns, form), [c.name for c in columns]
    except ValueError as error:
        raise DescriptionError(str(error)) from None


def _lines(data: bytes) -> list[str]:
    return [_shown(line) for line in data.splitlines()[:_RECORDS]]


def _error(record: bytes, name: str, message: str) -> dict[str, str]:
    return {"record": _shown(record), "name": name, "message": message[:_MOST_TEXT]}


def _shown(record: bytes) -> str:
    text = record[: 2 * _MOST_TEXT].decode("utf-8", errors="backslashreplace")
    return text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 1] + "…"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    return str(value) if isinstance(value, date | time | Decimal) else value


def _ms(record: StreamRecord) -> int:
    return round(record.arrival.timestamp() * 1000)
