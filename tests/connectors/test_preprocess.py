"""A real handler pre-processes records on a mini-cluster: order, heartbeats, time and errors are right."""

import json
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest

from base.aws import Aws
from connectors.check import ConnectorError
from connectors.kinesis import KinesisSource
from connectors.preprocess import preprocess
from connectors.preprocess_options import PreprocessOptions
from pipeline.operators import operators_of
from tests.conftest import LocalAws
from tests.functions import deployed
from tests.jobs.conftest import Flink, MemorySource
from tests.jobs.conftest import mini_flink as mini_flink  # a fixture
from udfs.decoding.columns import Column
from udfs.decoding.function import decode_records

pytestmark = [pytest.mark.flink, pytest.mark.aws]

#: A handler as written for KDA, which turns hex text into JSON; a record says what the handler does with it.
HANDLER = textwrap.dedent(
    """
    import base64, json

    def handler(event, context):
        return {"records": [answer(record, event) for record in event["records"]]}

    def answer(record, event):
        text = base64.b64decode(record["data"]).decode()
        if text == "raise":
            raise ValueError("poison")
        if text in ("Dropped", "ProcessingFailed"):
            return {"recordId": record["recordId"], "result": text}
        seen = record.get("kinesisStreamRecordMetadata") or record["kinesisFirehoseRecordMetadata"]
        new = json.dumps({"text": text, "seen": seen, "stream": event["streamArn"]})
        return {"recordId": record["recordId"], "result": "Ok", "data": base64.b64encode(new.encode()).decode()}
    """
)


@pytest.fixture(scope="module")
def options(local_aws: LocalAws) -> Iterator[PreprocessOptions]:
    with deployed(local_aws.aws, "preprocess", HANDLER):
        yield PreprocessOptions("preprocess", local_aws.aws, stream="s", max_retries=0)


def collected(table_env: Any, query: str) -> list[tuple[Any, ...]]:
    with table_env.sql_query(query).execute().collect() as rows:
        return [tuple(row) for row in rows]


def test_records_keep_order_and_time_and_what_fails_is_reported(
    mini_flink: Flink, options: PreprocessOptions
) -> None:
    table_env = mini_flink.environment()
    texts = [b"one", None, b"Dropped", b"\xc3\xa4", b"ProcessingFailed", None, b"raise", b"two"]
    source = MemorySource([(n * 1.5, text) for n, text in enumerate(texts)])
    options.check()
    records, errors = preprocess(table_env, source.records(table_env, "memory"), options, "numbers")
    table_env.create_temporary_view("processed", records)
    table_env.create_temporary_view("failed", errors)
    columns = "DATE_FORMAT(rowtime, 'mm:ss.SSS'), CAST(`data` AS STRING)"
    rows = collected(table_env, f"SELECT {columns} FROM processed")
    assert [(at, data and json.loads(data)["text"]) for at, data in rows] == [
        ("00:00.000", "one"),
        ("00:01.500", None),
        ("00:04.500", "ä"),
        ("00:07.500", None),
        ("00:10.500", "two"),
    ]
    assert json.loads(rows[0][1])["seen"] == {"approximateArrivalTimestamp": 1706702400000}
    reported = "error_name, message, DATE_FORMAT(data_rowtime, 'mm:ss.SSS'), data_row"
    failed = collected(table_env, f"SELECT {reported} FROM failed")
    assert [(name, at, bytes.fromhex(row)) for name, _, at, row in failed] == [
        ("ProcessingFailed", "00:06.000", b"ProcessingFailed"),
        ("FunctionError", "00:09.000", b"raise"),
    ]
    assert failed[0][1] == "preprocess: the function answered ProcessingFailed"
    assert "poison" in failed[1][1]
    # Rowtime works for windows, and the decoder takes the records like those of a source.
    decoded, _, idle = decode_records(table_env, records, [Column("text", "STRING", "$.text")], name="texts")
    table_env.create_temporary_view("decoded", decoded)
    table_env.create_temporary_view("idle", idle)
    windows = collected(
        table_env,
        "SELECT DATE_FORMAT(window_start, 'ss'), COUNT(*) FROM TABLE(TUMBLE(TABLE decoded, DESCRIPTOR(rowtime),"
        " INTERVAL '5' SECOND)) GROUP BY window_start, window_end",
    )
    assert windows == [("00", 2), ("10", 1)]
    assert len(collected(table_env, "SELECT CAST(rowtime AS STRING) FROM idle")) == 2


def test_records_of_shards_keep_what_the_decoder_needs(mini_flink: Flink, options: PreprocessOptions) -> None:
    table_env = mini_flink.environment()
    at = "CAST(TO_TIMESTAMP_LTZ(1706702400123, 3) AS TIMESTAMP_LTZ(3))"
    records = table_env.sql_query(
        f"""
        SELECT * FROM (VALUES (CAST(X'6F6E65' AS BYTES), 'shard-1', '491', {at}),
          (CAST(NULL AS BYTES), CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS TIMESTAMP_LTZ(3))),
          (CAST(X'74776F' AS BYTES), 'shard-2', '492', {at})) AS t(`data`, shard, sequence_number, arrival)
        """
    )
    processed, _ = preprocess(table_env, records, options, "shards")
    assert processed.get_schema().get_field_names() == ["data", "shard", "sequence_number", "arrival"]
    table_env.create_temporary_view("processed", processed)
    rows = collected(
        table_env,
        "SELECT CAST(`data` AS STRING), shard, sequence_number, CAST(arrival AS STRING) FROM processed",
    )
    assert [row[1:] for row in rows] == [
        ("shard-1", "491", "2024-01-31 12:00:00.123"),
        (None, None, None),
        ("shard-2", "492", "2024-01-31 12:00:00.123"),
    ]
    assert json.loads(rows[0][0]) == {
        "text": "one",
        "seen": {
            "sequenceNumber": "491",
            "partitionKey": "",
            "shardId": "shard-1",
            "approximateArrivalTimestamp": 1706702400123,
        },
        "stream": "arn:aws:kinesis:us-east-1:000000000000:stream/s",
    }
    assert rows[1][0] is None


def test_a_missing_function_is_one_line_before_the_start(local_aws: LocalAws) -> None:
    with pytest.raises(ConnectorError, match="Lambda function nobody: not found"):
        PreprocessOptions("nobody", local_aws.aws).check()


@pytest.mark.kinesis
def test_records_and_heartbeats_pass_one_operator_in_order(mini_flink: Flink) -> None:
    """The planner would push a function into each branch of a union, so of the records and of the heartbeats."""
    table_env = mini_flink.environment()
    source = KinesisSource("numbers", Aws.local("http://127.0.0.1:1"))
    records = source.records(table_env, "numbers", sequence_number=True)
    processed, errors = preprocess(table_env, records, PreprocessOptions("f", Aws("us-east-1")), "numbers")
    table_env.create_temporary_view("processed", processed)
    table_env.create_temporary_view("failed", errors)
    table_env.execute_sql("CREATE TEMPORARY TABLE taken (b BYTES) WITH ('connector' = 'blackhole')")
    statements = table_env.create_statement_set()
    statements.add_insert_sql("INSERT INTO taken SELECT `data` FROM processed")
    statements.add_insert_sql("INSERT INTO taken SELECT CAST(message AS BYTES) FROM failed")
    called = [o.name for o in operators_of(table_env, statements) if "numbers_preprocess(" in o.name]
    assert len(called) == 1
