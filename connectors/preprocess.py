"""A Lambda function that processes records before they are decoded, by KDA's contract for pre-processing.

Delivery: exactly once into Flink's state. Records are in no state of their own: the function has processed a batch
before a checkpoint passes it. The function itself may see a record more than once. Order: kept, that of heartbeats
among the records too. Batches: the records since the last call, up to ``batch_records`` and 3 MB; one call at a time in
each parallel task, which holds back its input meanwhile. A record that fails by itself is sent again with growing
back-off, ``max_retries`` times, then it is an error. Calls that Lambda does not accept are repeated. A function that
accepts nothing for nine minutes fails the job with the last reason, and the job goes on from its last checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyflink.table import DataTypes, Schema
from pyflink.table.udf import ScalarFunction, udf

from connectors.preprocess_batch import (
    Outcome,
    Preprocessor,
    SourceRecord,
    firehose_metadata,
    kinesis_metadata,
)
from connectors.preprocess_options import PreprocessOptions

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table

# error_stream's columns are VARCHAR(4096) and VARCHAR(49152), the record in hex.
_MESSAGE_LENGTH = 4096
_DATA_ROW_BYTES = 49152 // 2


def preprocess(
    table_env: StreamTableEnvironment, records: Table, options: PreprocessOptions, name: str
) -> tuple[Table, Table]:
    """Process a source's records by a function.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Where the tables are created.
    records : Table
        ``data BYTES``, NULL in a heartbeat, and ``rowtime``, a rowtime attribute; or, from a stream, ``data``,
        ``shard STRING``, ``arrival TIMESTAMP_LTZ(3)``, and ``sequence_number STRING`` if the function is to get it.
        Other columns are passed on.
    options : PreprocessOptions
        Which function, and how to call it.
    name : str
        Prefix of the relations that this creates.

    Returns
    -------
    records : Table
        The same columns, time and order, with new data; without records that were dropped or failed.
    errors : Table
        ``error_name, message, data_rowtime, data_row`` (the record as it came, in hex).
    """
    columns = records.get_schema().get_field_names()
    time_column = "arrival" if "arrival" in columns else "rowtime"
    reported = "".join(f", r.`{c}`" for c in ("shard", "sequence_number") if c in columns)
    milliseconds = (
        f"EXTRACT(EPOCH FROM r.`{time_column}`) * 1000 + EXTRACT(MILLISECOND FROM r.`{time_column}`)"
    )
    others = [c for c in columns if c != "data"]
    types = {c: "STRING" for c in columns} | {"data": "BYTES", "answer": "ARRAY<BYTES>"}
    types |= dict.fromkeys(("arrival", "rowtime"), "TIMESTAMP_LTZ(3)")
    # Keeps the planner from pushing the function into each branch of a union, where heartbeats would overtake the
    # records.
    table_env.create_temporary_view(f"{name}_unprocessed", _bordered(table_env, records, types))
    function = f"{name}_preprocess"
    table_env.create_temporary_function(
        function,
        udf(Preprocess(options), result_type=DataTypes.ARRAY(DataTypes.BYTES()), func_type="pandas"),
    )
    answered = table_env.sql_query(
        f"SELECT `{function}`(r.`data`, {milliseconds}{reported}) AS answer,"
        f" {', '.join(f'r.`{c}`' for c in others)} FROM `{name}_unprocessed` AS r"
    )
    # Keeps the planner from calling the function twice, once for the records and once for the errors.
    table_env.create_temporary_view(f"{name}_answered", _bordered(table_env, answered, types))
    in_order = ", ".join("answer[1] AS `data`" if c == "data" else f"`{c}`" for c in columns)
    processed = table_env.sql_query(f"SELECT {in_order} FROM `{name}_answered` WHERE CARDINALITY(answer) = 1")
    errors = table_env.sql_query(
        f"SELECT CAST(answer[1] AS STRING) AS error_name, CAST(answer[2] AS STRING) AS message,"
        f" `{time_column}` AS data_rowtime, CAST(answer[3] AS STRING) AS data_row"
        f" FROM `{name}_answered` WHERE CARDINALITY(answer) = 3"
    )
    return processed, errors


def _bordered(table_env: StreamTableEnvironment, table: Table, types: dict[str, str]) -> Table:
    """The same table by way of a DataStream, which the planner does not optimize across."""
    schema = Schema.new_builder()
    columns = table.get_schema().get_field_names()
    for column in columns:
        schema.column(column, types[column])
    if "rowtime" in columns:
        schema.watermark("rowtime", "SOURCE_WATERMARK()")
    return table_env.from_data_stream(table_env.to_data_stream(table), schema.build())


class Preprocess(ScalarFunction):  # type: ignore[misc]
    """Results for a batch of records: ``[data]``, ``[error name, message, record in hex]``, or ``[]`` if dropped.

    It is a vectorized function, as only these get rows from Flink in batches.
    """

    def __init__(self, options: PreprocessOptions) -> None:
        self._options = options

    def open(self, function_context: Any) -> None:
        """Called by Flink before the first batch."""
        options = self._options
        self._preprocessor = Preprocessor(
            options.lambda_function(),
            options.application_arn,
            options.stream_arn,
            options.batch_records,
            options.max_retries,
        )
        self._serial = time.time_ns()
        self._called = float("-inf")

    def eval(self, data: Any, arrival_ms: Any, shard: Any = None, sequence_number: Any = None) -> Any:
        """Called by Flink with series of equal length, one for each column that the source has."""
        import pandas  # type: ignore[import-untyped]

        missing = [None] * len(data)
        shards = missing if shard is None else shard
        numbers = missing if sequence_number is None else sequence_number
        rows = list(zip(data, arrival_ms, shards, numbers, strict=True))
        records = [self._record(*row) for row in rows if row[0] is not None]
        outcomes = iter(self._process(records) if records else ())
        answers = [[None] if row[0] is None else self._answer(row[0], next(outcomes)) for row in rows]
        return pandas.Series(answers, dtype=object)

    def _process(self, records: Sequence[SourceRecord]) -> list[Outcome]:
        time.sleep(max(0.0, self._called + self._options.batch_seconds - time.monotonic()))
        self._called = time.monotonic()
        return self._preprocessor.process(records)

    def _record(self, data: bytes, arrival_ms: int, shard: str | None, number: str | None) -> SourceRecord:
        self._serial += 1
        if shard is None:
            metadata = firehose_metadata(int(arrival_ms))
        else:
            metadata = kinesis_metadata(shard, number or "", int(arrival_ms))
        return SourceRecord(self._serial, str(self._serial), bytes(data), metadata=metadata)

    def _answer(self, data: bytes, outcome: Outcome) -> list[bytes | None]:
        if outcome.error is None:
            return [] if outcome.data is None else [outcome.data]
        message = f"{self._options.function}: {outcome.error.message}"[:_MESSAGE_LENGTH]
        # Cut before the conversion to hex: a record may have megabytes.
        hexadecimal = data[:_DATA_ROW_BYTES].hex()
        return [outcome.error.name.encode(), message.encode("utf-8", "replace"), hexadecimal.encode()]
