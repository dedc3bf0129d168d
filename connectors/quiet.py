"""Let a stream's windows close when it goes quiet, as they did in KDA, where time was the clock's.

Event time stands still without records, and a source can't move it by itself. So a second, clock-driven stream is
laid beside the records: it is silent (idle) while records come; when none came for a whole window of ``after``, it
says the time at which that window began. Records that come later are newer than that, unless the source read nothing
for so long while it was behind: that is the one race left, and what it makes late is counted and told like any other.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table

#: How long the clock-driven stream goes on holding time back after the records' return.
_HANDOVER = timedelta(seconds=2)


def close_when_quiet(table_env: StreamTableEnvironment, records: Table, name: str, after: timedelta) -> Table:
    """Add rows without data that move the time on while a stream is quiet.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Where the tables are made.
    records : Table
        ``data BYTES`` and ``rowtime`` (a rowtime attribute), from a source that turns idle within ``after``.
    name : str
        Prefix of the relations made here.
    after : timedelta
        At least a second. A quiet stream's windows close between once and twice this time after its last record.

    Returns
    -------
    Table
        The same columns; ``data`` is NULL in the added rows.
    """
    from pyflink.table import Schema

    seconds = max(1, round(after.total_seconds()))
    # The clock-driven stream must be idle between its rows, or it would hold the records' time back.
    table_env.get_config().set(
        "table.exec.source.idle-timeout", f"{_HANDOVER // timedelta(milliseconds=1)} ms"
    )
    table_env.create_temporary_view(f"{name}_records", records)
    table_env.execute_sql(
        f"CREATE TEMPORARY TABLE {name}_beats (beat INT, beat_time AS PROCTIME())"
        " WITH ('connector' = 'datagen', 'rows-per-second' = '1')"
    )
    activity = table_env.sql_query(
        f"SELECT 1 AS records, 0 AS beats, PROCTIME() AS beat_time FROM {name}_records"  # noqa: S608
        f" UNION ALL SELECT 0, 1, beat_time FROM {name}_beats"
    )
    table_env.create_temporary_view(f"{name}_activity", activity)
    # A window that is short of beats began before this job did (or before its restart): it proves nothing.
    quiet = table_env.sql_query(
        f"""
        SELECT CAST(window_start AS TIMESTAMP_LTZ(3)) AS quiet_since
        FROM TABLE(TUMBLE(
            TABLE {name}_activity, DESCRIPTOR(beat_time), INTERVAL '{seconds}' SECOND(5)))
        GROUP BY window_start, window_end
        HAVING SUM(records) = 0 AND SUM(beats) >= {0.8 * seconds:.1f}
        """  # noqa: S608
    )
    schema = (
        Schema.new_builder()
        .column("quiet_since", "TIMESTAMP_LTZ(3)")
        .column_by_expression("rowtime", "quiet_since")
        .watermark("rowtime", "rowtime")
        .build()
    )
    table_env.create_temporary_view(
        f"{name}_quiet", table_env.from_data_stream(table_env.to_data_stream(quiet), schema)
    )
    return table_env.sql_query(
        f"SELECT `data`, rowtime FROM {name}_records"  # noqa: S608
        f" UNION ALL SELECT CAST(NULL AS BYTES), rowtime FROM {name}_quiet"
    )


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
    from pyflink.table import Schema

    seconds = round(delay.total_seconds())
    # Subtasks of the assigner below that get no rows must not hold time back.
    table_env.get_config().set(
        "table.exec.source.idle-timeout", f"{_HANDOVER // timedelta(milliseconds=1)} ms"
    )
    table_env.create_temporary_view(f"{name}_records", records)
    table_env.execute_sql(
        f"CREATE TEMPORARY TABLE {name}_beats (beat INT, beat_time AS PROCTIME())"
        " WITH ('connector' = 'datagen', 'rows-per-second' = '1')"
    )
    activity = table_env.sql_query(
        f"SELECT 1 AS old, 0 AS beats, PROCTIME() AS beat_time FROM {name}_records"  # noqa: S608
        f" WHERE rowtime < CURRENT_TIMESTAMP - INTERVAL '{seconds}' SECOND(5)"
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
        HAVING SUM(old) = 0 AND SUM(beats) >= {0.8 * seconds:.1f}
        """  # noqa: S608
    )
    schema = (
        Schema.new_builder()
        .column("data", "BYTES")
        .column("rowtime", "TIMESTAMP_LTZ(3)")
        .column("reached", "TIMESTAMP_LTZ(3)")
        .watermark("rowtime", "`reached`")
        .build()
    )
    # Through one subtask, the only one that knows the time.
    stream = table_env.to_data_stream(timed).global_()
    table_env.create_temporary_view(f"{name}_timed", table_env.from_data_stream(stream, schema))
    return table_env.sql_query(f"SELECT `data`, rowtime FROM {name}_timed")  # noqa: S608
