"""The forms of a job that are compared: the same source, scored by AWS's forest in a Java function or by ours."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from base.aws import Aws
from connectors.lambda_sink.options import LambdaSinkOptions
from pipeline.lambda_sink import lambda_sink
from udfs.decoding.columns import Column
from udfs.decoding.function import decode_records
from udfs.forest.function import ForestOptions
from udfs.forest.table import random_cut_forest

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table

    from bench.job.harness import Form

COLUMNS = ("price", "quantity")
RECORD = (
    Column("ticker_symbol", "VARCHAR(8)", "$.tickerSymbol"),
    Column("trade_type", "VARCHAR(4)", "$.tradeType"),
    Column("price", "DOUBLE", "$.price"),
    Column("quantity", "INTEGER", "$.quantity"),
    Column("id", "INTEGER", "$.id"),
)
SENT = Column("sent_ms", "BIGINT", "$.sent_ms")
#: Rows per second; more than any job can read.
AT_ONCE = 1_000_000_000


def price_and_quantity(
    table_env: StreamTableEnvironment, rows: int, keys: int = 1, per_ms: int = 20
) -> Table:
    """Lab 3's records from memory, as fast as the job reads them.

    Parameters
    ----------
    rows : int
        How many.
    keys : int
        How many tickers.
    per_ms : int
        Trades per millisecond of event time.
    """
    # Not `datagen`: it writes its sequence into each checkpoint number by number, a fifth of the JVM's work.
    source = f"'connector' = 'paced', 'rate' = '{AT_ONCE}', 'rows' = '{rows}'"
    return _trades(table_env, source, keys, f"TO_TIMESTAMP_LTZ(1700000000000 + id / {per_ms}, 3)", "")


def paced_trades(table_env: StreamTableEnvironment, rows: int, rate: int) -> Table:
    """Lab 3's records at an even pace of ``rate`` per second, with the clock as event time and as ``sent_ms``."""
    clock = "EXTRACT(EPOCH FROM rowtime) * 1000 + EXTRACT(MILLISECOND FROM rowtime) AS sent_ms,"
    source = f"'connector' = 'paced', 'rate' = '{rate}', 'rows' = '{rows}'"
    return _trades(table_env, source, 1, "CURRENT_ROW_TIMESTAMP()", clock)


def _trades(table_env: StreamTableEnvironment, source: str, keys: int, time: str, clock: str) -> Table:
    table_env.execute_sql(f"""
        CREATE TEMPORARY TABLE generated (
          price DOUBLE,
          quantity INTEGER,
          id BIGINT,
          rowtime AS CAST({time} AS TIMESTAMP_LTZ(3)),
          WATERMARK FOR rowtime AS rowtime - INTERVAL '0.001' SECOND
        ) WITH ({source})
    """)
    return table_env.sql_query(f"""
        SELECT
          'T' || CAST(MOD(id * 7919, {keys}) AS STRING) AS ticker_symbol, 'BUY' AS trade_type,
          price, quantity, CAST(id AS INTEGER) AS id, {clock} rowtime
        FROM generated
    """)


def write_records(path: Path, rows: int) -> None:
    """Write lab 3's records to a file, one JSON document a line."""
    random = Random(1)
    with path.open("w") as file:
        for k in range(rows):
            trade = {
                "tickerSymbol": "AMZN", "tradeType": "BUY", "price": round(random.uniform(90, 110), 2),
                "quantity": random.randint(1, 1000), "id": k,
            }  # fmt: skip
            file.write(json.dumps(trade) + "\n")


def decoded(path: Path) -> Form:
    """Records decoded as in our jobs: those that do not fit go to an error stream."""

    def form(table_env: StreamTableEnvironment) -> Table:
        _records(table_env, path, "`data` BYTES", "raw")
        return decode_records(table_env, table_env.from_path("records"), RECORD)[0]

    return form


def as_records(source: Form) -> Form:
    """The rows of a source as JSON records, decoded again by our decoder."""

    def form(table_env: StreamTableEnvironment) -> Table:
        table_env.create_temporary_view("typed", source(table_env))
        values = ", ".join(f"'{c.path[2:]}' VALUE `{c.name}`" for c in (*RECORD, SENT))
        records = f"SELECT ENCODE(JSON_OBJECT({values}), 'UTF-8') AS `data`, rowtime FROM typed"
        return decode_records(table_env, table_env.sql_query(records), (*RECORD, SENT))[0]

    return form


def json_format(path: Path) -> Form:
    """The same records through Flink's JSON format, which fails, or reports nothing, when a value does not fit."""

    def form(table_env: StreamTableEnvironment) -> Table:
        columns = "tickerSymbol STRING, tradeType STRING, price DOUBLE, quantity INTEGER, id INTEGER"
        _records(table_env, path, columns, "json")
        return table_env.sql_query("""
            SELECT tickerSymbol AS ticker_symbol, tradeType AS trade_type, price, quantity, id, rowtime
            FROM records
        """)

    return form


def _records(table_env: StreamTableEnvironment, path: Path, columns: str, format_: str) -> None:
    table_env.execute_sql(f"""
        CREATE TEMPORARY TABLE records (
          {columns},
          rowtime AS CURRENT_ROW_TIMESTAMP(),
          WATERMARK FOR rowtime AS rowtime - INTERVAL '0.001' SECOND
        ) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = '{format_}')
    """)


def ours(source: Form, keyed: bool = False, trees: int = 100, samples: int = 256) -> Form:
    """A source scored by our forest."""
    options = ForestOptions(
        COLUMNS,
        number_of_trees=trees,
        sub_sample_size=samples,
        partition_by="ticker_symbol" if keyed else None,
    )
    return lambda table_env: random_cut_forest(table_env, source(table_env), options)[0]


def java(source: Form, keyed: bool = False, trees: int = 100, samples: int = 256) -> Form:
    """A source scored by AWS's forest in a KeyedProcessFunction."""

    def form(table_env: StreamTableEnvironment) -> Table:
        from pyflink.common import Types
        from pyflink.datastream import DataStream
        from pyflink.java_gateway import get_gateway
        from pyflink.table import Schema

        table = source(table_env)
        names = [n for n in table.get_schema().get_field_names() if n != "rowtime"]
        known = {
            "price": Types.DOUBLE(), "quantity": Types.INT(), "id": Types.INT(), "sent_ms": Types.LONG()
        }  # fmt: skip
        types = [known.get(n, Types.STRING()) for n in names]
        constant = "ticker_symbol" if keyed else "trade_type"
        gateway = get_gateway()
        columns = gateway.new_array(gateway.jvm.int, len(COLUMNS))
        for k, name in enumerate(COLUMNS):
            columns[k] = names.index(name)
        result = Types.ROW_NAMED(
            [*names, "rowtime_", "anomaly_score"], [*types, Types.INSTANT(), Types.DOUBLE()]
        )
        scored = gateway.jvm.bench.ForestFunction.score(
            table_env.to_data_stream(table)._j_data_stream,
            names.index(constant), columns, trees, samples, result.get_java_type_info(),
        )  # fmt: skip
        schema = Schema.new_builder()
        sql = {"price": "DOUBLE", "quantity": "INT", "id": "INT", "sent_ms": "BIGINT"}
        for name in names:
            schema.column(name, sql.get(name, "STRING"))
        schema.column("anomaly_score", "DOUBLE").column_by_metadata("rowtime", "TIMESTAMP_LTZ(3)", "rowtime")
        schema.watermark("rowtime", "SOURCE_WATERMARK()")
        return table_env.from_data_stream(DataStream(scored), schema.build())

    return form


def sessions(rows: int) -> Form:
    """Rows like lab 2's sessions, of a thousand users, as fast as the job reads them."""

    def form(table_env: StreamTableEnvironment) -> Table:
        from pyflink.table import Schema
        from pyflink.table.expressions import col

        typed = price_and_quantity(table_env, rows)
        clock = "DATE_FORMAT(rowtime, 'HH:mm:ss')"
        user = "'user' || CAST(MOD(id, 1000) AS STRING)"
        columns = f"{user} AS user_id, {user} || '_DESKTOP_' || {clock} AS session_id"
        table_env.create_temporary_view("typed_trades", typed)
        made = table_env.sql_query(
            f"SELECT {columns}, {clock} AS session_time, {clock} AS latest_time, rowtime FROM typed_trades"
        )
        schema = Schema.new_builder()
        for name in ("user_id", "session_id", "session_time", "latest_time"):
            schema.column(name, "STRING")
        schema.column("rowtime", "TIMESTAMP_LTZ(3)").watermark("rowtime", "SOURCE_WATERMARK()")
        # Through a data stream, so that the planner reads the source once for a sink and for what is counted.
        passed = table_env.from_data_stream(table_env.to_data_stream(made), schema.build())
        return passed.drop_columns(col("rowtime"))

    return form


def delivered(source: Form, endpoint: str, key: str | None = None) -> Form:
    """A source's first column, with the source delivered to a Lambda function, too; and the errors of that."""

    def form(table_env: StreamTableEnvironment) -> Table:
        rows = source(table_env)
        table_env.create_temporary_view("delivered", rows)
        options = LambdaSinkOptions("bench", Aws.local(endpoint), key_column=key)
        table_env.create_temporary_view("undelivered", lambda_sink(table_env, rows, options))
        first = rows.get_schema().get_field_names()[0]
        return table_env.sql_query(
            f"SELECT `{first}` FROM delivered UNION ALL SELECT error_name FROM undelivered"
        )

    return form
