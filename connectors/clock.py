"""Let time follow the clock, for a source that gives its records in any order."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table

#: After it a subtask without rows no longer holds back the others' time.
_AWAY = timedelta(seconds=3)


def follow_the_clock(table_env: StreamTableEnvironment, records: Table, name: str, delay: timedelta) -> Table:
    """Let time follow the clock at a distance, for a source that gives its records in any order.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Where the tables are made.
    records : Table
        ``data BYTES`` and ``rowtime`` (a rowtime attribute without watermarks, of the clock's time).
    name : str
        Prefix of the relations made here.
    delay : timedelta
        At least 3 s: the watermark comes to a moment that long after it, once no record older than this has come for
        that long. While a backlog is read, time so stands still.

    Returns
    -------
    Table
        The same columns; ``data`` is NULL in the rows that move the time on.
    """
    from pyflink.datastream import DataStream
    from pyflink.table import Schema

    seconds = round(delay.total_seconds())
    # Subtasks of the assigner below that get no rows must not hold time back.
    table_env.get_config().set("table.exec.source.idle-timeout", f"{_AWAY // timedelta(milliseconds=1)} ms")
    table_env.create_temporary_view(f"{name}_records", records)
    table_env.execute_sql(
        f"CREATE TEMPORARY TABLE {name}_beats (beat INT, beat_time AS PROCTIME())"
        " WITH ('connector' = 'datagen', 'rows-per-second' = '1')"
    )
    activity = table_env.sql_query(
        f"SELECT 1 AS outdated, 0 AS beats, PROCTIME() AS beat_time FROM {name}_records"
        f" WHERE rowtime < TIMESTAMPADD(SECOND, -{seconds}, CURRENT_TIMESTAMP)"
        f" UNION ALL SELECT 0, 1, beat_time FROM {name}_beats"
    )
    table_env.create_temporary_view(f"{name}_activity", activity)
    # A window that is short of beats began before this job did (or before its restart): it proves nothing.
    timed = table_env.sql_query(
        f"""
        SELECT `data`, CAST(rowtime AS TIMESTAMP_LTZ(3)) AS rowtime, CAST(NULL AS TIMESTAMP_LTZ(3)) AS reached
        FROM {name}_records
        UNION ALL
        SELECT CAST(NULL AS BYTES), CAST(window_start AS TIMESTAMP_LTZ(3)), CAST(window_start AS TIMESTAMP_LTZ(3))
        FROM TABLE(HOP(
            TABLE {name}_activity, DESCRIPTOR(beat_time), INTERVAL '1' SECOND, INTERVAL '{seconds}' SECOND(5)))
        GROUP BY window_start, window_end
        HAVING SUM(outdated) = 0 AND SUM(beats) >= {0.8 * seconds:.1f}
        """
    )
    schema = (
        Schema.new_builder()
        .column("data", "BYTES")
        .column("rowtime", "TIMESTAMP_LTZ(3)")
        .column("reached", "TIMESTAMP_LTZ(3)")
        .watermark("rowtime", "`reached`")
        .build()
    )
    # Through one subtask, the only one that knows the time. PyFlink has no name for this partitioning.
    stream = DataStream(getattr(table_env.to_data_stream(timed)._j_data_stream, "global")())
    table_env.create_temporary_view(f"{name}_timed", table_env.from_data_stream(stream, schema))
    return table_env.sql_query(f"SELECT `data`, rowtime FROM {name}_timed")
