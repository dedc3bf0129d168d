"""Decoding in a table environment: metadata columns, formats, names that clash with nothing."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.jobs.conftest import Flink, rows_of
from tests.jobs.conftest import mini_flink as mini_flink  # a fixture
from udfs.decoding.columns import Column
from udfs.decoding.function import decode_records
from udfs.decoding.record_format import RecordFormat
from udfs.row_stream import quoted

pytestmark = pytest.mark.flink


def table(table_env: Any, records: Sequence[bytes]) -> Any:
    """Records with all that a source may say of them, a second apart."""
    from pyflink.table import DataTypes, Schema

    names = ("data", "ms", "shard", "partition_key", "sequence_number")
    types = (DataTypes.BYTES(), DataTypes.BIGINT(), *[DataTypes.STRING()] * 3)
    rows = [(bytearray(r), n * 1000, f"shard-{n % 2}", f"key-{n}", f"496{n}") for n, r in enumerate(records)]
    fields = [DataTypes.FIELD(name, type_) for name, type_ in zip(names, types, strict=True)]
    raw = table_env.from_elements(rows, DataTypes.ROW(fields))
    timed = table_env.sql_query(
        f"SELECT `data`, TO_TIMESTAMP_LTZ(ms, 3) AS rowtime, shard, partition_key, sequence_number FROM {raw}"
    )
    schema = Schema.new_builder()
    for name in ("data", "rowtime", "shard", "partition_key", "sequence_number"):
        schema.column(name, {"data": "BYTES", "rowtime": "TIMESTAMP_LTZ(3)"}.get(name, "STRING"))
    schema.watermark("rowtime", "rowtime - INTERVAL '0.001' SECOND")
    return table_env.from_data_stream(table_env.to_data_stream(timed), schema.build())


def decoded(
    table_env: Any, records: Sequence[bytes], columns: Sequence[Column], form: RecordFormat, name: str
) -> Any:
    rows, errors, _ = decode_records(table_env, table(table_env, records), columns, None, form, name)
    table_env.create_temporary_view(f"{name}", rows)
    return rows, errors


def test_metadata_columns_are_the_sources_in_any_place(mini_flink: Flink) -> None:
    table_env = mini_flink.environment()
    columns = [
        Column("PARTITION_KEY", "VARCHAR(3)", "@partition_key"),
        Column("v", "INTEGER", "$.v"),
        Column("SHARD_ID", "STRING", "@shard_id"),
        Column("APPROXIMATE_ARRIVAL_TIME", "TIMESTAMP(3)", "@arrival"),
        Column("SEQUENCE_NUMBER", "STRING", "@sequence_number"),
    ]
    records = [b'{"v": 1}{"v": 2}', b'{"v": "x"}', b'{"v": 3}']
    _, errors = decoded(table_env, records, columns, RecordFormat(), "origins")
    table_env.create_temporary_view("failed", errors)
    fields = "`PARTITION_KEY`, v, `SHARD_ID`, CAST(`APPROXIMATE_ARRIVAL_TIME` AS STRING), `SEQUENCE_NUMBER`"
    assert rows_of(table_env, f"SELECT {fields} FROM origins") == [
        ("key", 1, "shard-0", "1970-01-01 00:00:00.000", "4960"),
        ("key", 2, "shard-0", "1970-01-01 00:00:00.000", "4960"),
        ("key", 3, "shard-0", "1970-01-01 00:00:02.000", "4962"),
    ]
    assert rows_of(table_env, "SELECT error_name, data_row FROM failed") == [
        ("COERCION", b'{"v": "x"}'.hex())
    ]


def test_metadata_that_a_source_does_not_tell_is_refused(mini_flink: Flink) -> None:
    table_env = mini_flink.environment()
    records = table_env.sql_query(f"SELECT `data`, rowtime FROM {table(table_env, [b'{}'])}")
    with pytest.raises(
        ValueError, match="column k: this source does not provide @partition_key; it has data, rowtime"
    ):
        decode_records(table_env, records, [Column("k", "STRING", "@partition_key")])


def test_a_record_may_use_any_name(mini_flink: Flink) -> None:
    """Those of the source's table and of errors, a backtick; and relations that differ in capitals alone."""
    table_env = mini_flink.environment()
    names = ("data", "shard", "message", "error_name", "arrival", "select", "a`b", "d", "r")
    columns = [Column(name, "STRING", f"$.{name}") for name in names]
    record = json.dumps({name: name.upper() for name in names}).encode()
    for name in ("Clash", "clash"):
        rows, _, _ = decode_records(table_env, table(table_env, [record]), columns, name=name)
        table_env.create_temporary_view(f"{name}_rows", rows)
        own = ", ".join(quoted(name) for name in names)
        assert rows_of(table_env, f"SELECT {own} FROM {name}_rows") == [tuple(name.upper() for name in names)]


def test_formats_and_types_reach_the_workers(mini_flink: Flink) -> None:
    table_env = mini_flink.environment()
    columns = [
        Column("station", "VARCHAR(5)", "$.station"),
        Column("magnitude", "DECIMAL(4, 2)", "$.magnitude"),
        Column("day", "DATE", "$.day"),
        Column("at", "TIME", "$.at"),
        Column("raw", "VARBINARY(4)", "$.raw"),
    ]
    line = b"BRAVO NORTH;0.50;2024-01-31;12:00:01;X'3F67'\nECHO;deep;;;\n"
    _, errors = decoded(table_env, [line], columns, RecordFormat("csv", column_delimiter=";"), "quakes")
    table_env.create_temporary_view("failed", errors)
    # PyFlink can't collect binary.
    query = """
        SELECT station, CAST(magnitude AS STRING), CAST(`day` AS STRING), CAST(`at` AS STRING), `raw` = X'3F67'
        FROM quakes
    """
    assert rows_of(table_env, query) == [("BRAVO", "0.50", "2024-01-31", "12:00:01", True)]
    assert rows_of(table_env, "SELECT error_name FROM failed") == [("COERCION",)]


def test_a_record_of_ten_mebibytes_passes(mini_flink: Flink, monkeypatch: pytest.MonkeyPatch) -> None:
    # As deployed; in threads of this process there is less in its way.
    monkeypatch.setenv("_python_worker_execution_mode", "process")
    table_env = mini_flink.environment()
    text = "x" * (10 * 1024 * 1024 - 100)
    columns = [Column("t", "STRING", "$.t"), Column("v", "INTEGER", "$.v")]
    records = [json.dumps({"t": text, "v": v}).encode() for v in (1, "2", "x")]
    _, errors = decoded(table_env, records, columns, RecordFormat(), "long")
    table_env.create_temporary_view("failed", errors)
    query = "SELECT '', CHAR_LENGTH(t), v FROM `long` UNION ALL SELECT error_name, CHAR_LENGTH(data_row), 0 FROM failed"
    assert sorted(rows_of(table_env, query)) == [
        ("", len(text), 1),
        ("", len(text), 2),
        ("COERCION", 49152, 0),
    ]
