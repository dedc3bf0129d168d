"""Runs an application's relations over records from memory, without any service."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.application import ERRORS, Application
from pipeline.pipeline import Pipeline
from pipeline.settings import Settings
from pipeline.sources import RecordSource
from pipeline.tap import tapped

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table


@dataclass(frozen=True)
class MemorySource:
    """A bounded source.

    Parameters
    ----------
    arrivals : sequence of (int, bytes or None)
        Milliseconds since the epoch and the record, in order of arrival; None if nothing came until then. Watermarks
        follow the records as on one shard: a record with an earlier time than the one before it is late.
    """

    arrivals: Sequence[tuple[int, bytes | None]]

    def records(self, table_env: StreamTableEnvironment, name: str) -> Table:
        """``data BYTES`` and ``rowtime``."""
        from pyflink.table import DataTypes, Schema

        # Flink takes no empty list; this row says that nothing came until the epoch.
        arrivals = self.arrivals or ((0, None),)
        rows = [(None if data is None else bytearray(data), ms) for ms, data in arrivals]
        row = DataTypes.ROW(
            [DataTypes.FIELD("data", DataTypes.BYTES()), DataTypes.FIELD("ms", DataTypes.BIGINT())]
        )
        table_env.create_temporary_view(f"{name}_rows", table_env.from_elements(rows, row))
        timed = table_env.sql_query(f"SELECT `data`, TO_TIMESTAMP_LTZ(ms, 3) AS `rowtime` FROM `{name}_rows`")
        schema = (
            Schema.new_builder()
            .column("data", "BYTES")
            .column("rowtime", "TIMESTAMP_LTZ(3)")
            .watermark("rowtime", "rowtime - INTERVAL '0.001' SECOND")
            .build()
        )
        return table_env.from_data_stream(table_env.to_data_stream(timed), schema)


@dataclass(frozen=True)
class Row:
    """A row of a relation.

    Attributes
    ----------
    rowtime : str or None
        ``YYYY-MM-DD HH:MM:SS.mmm`` in UTC; None if the relation has none.
    values : dict
        JSON values by column; times are text.
    """

    rowtime: str | None
    values: dict[str, Any]


def rows_of(
    table_env: StreamTableEnvironment,
    application: Application,
    settings: Settings,
    records: Mapping[str, Sequence[tuple[int, bytes | None]]],
    relations: Iterable[str],
    sources: Mapping[str, RecordSource] | None = None,
) -> dict[str, list[Row]]:
    """Run an application's relations over all records; delivers nothing.

    Parameters
    ----------
    table_env : StreamTableEnvironment
    application : Application
    settings : Settings
    records : mapping
        Arrivals by source, see :class:`MemorySource`. A source that is not named gets no records.
    relations : iterable of str
        Relations whose rows to return; may include ``error_stream``.
    sources : mapping or None
        Sources to use instead, by name, if records have more than an arrival time.

    Raises
    ------
    pipeline.flink_errors.QueryError
        Flink refuses a view's query.
    """
    memory = {name: MemorySource(records.get(name, ())) for name in application.sources}
    pipeline = Pipeline(table_env, application, settings, {**memory, **(sources or {})})
    pipeline.unite_errors()
    wanted = list(dict.fromkeys(relations))
    queries = [tapped(table_env, "all_errors" if name == ERRORS else name, name) for name in wanted]
    found: dict[str, list[Row]] = {name: [] for name in wanted}
    union = "\nUNION ALL\n".join(queries)
    query = (
        f"SELECT relation, CAST(rowtime AS STRING), data FROM ({union}) AS each_row (relation, rowtime, data)"
    )
    with table_env.sql_query(query).execute().collect() as rows:
        for relation, rowtime, data in rows:
            found[relation].append(Row(rowtime, json.loads(data)))
    return found
