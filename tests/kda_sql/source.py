"""A case's records as a source, with what Kinesis says of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.kda_sql.case import Record


@dataclass(frozen=True)
class CaseSource:
    """Records in order of arrival, and silence until a time (milliseconds since 1970)."""

    records_: tuple[Record, ...]
    quiet_until: int

    def records(self, table_env: Any, name: str) -> Any:
        """``data``, ``shard``, ``partition_key``, ``sequence_number`` and ``rowtime``."""
        from pyflink.table import DataTypes, Schema

        rows: list[tuple[Any, ...]] = [
            (bytearray(r.data), r.at, r.shard, r.partition_key, str(i)) for i, r in enumerate(self.records_)
        ]
        rows.append((None, self.quiet_until, None, None, None))
        texts = ("shard", "partition_key", "sequence_number")
        row = DataTypes.ROW(
            [DataTypes.FIELD("data", DataTypes.BYTES()), DataTypes.FIELD("ms", DataTypes.BIGINT())]
            + [DataTypes.FIELD(text, DataTypes.STRING()) for text in texts]
        )
        table_env.create_temporary_view(f"{name}_case", table_env.from_elements(rows, row))
        timed = table_env.sql_query(
            f"SELECT `data`, {', '.join(texts)}, TO_TIMESTAMP_LTZ(ms, 3) AS `rowtime` FROM `{name}_case`"
        )
        schema = Schema.new_builder().column("data", "BYTES")
        for text in texts:
            schema.column(text, "STRING")
        schema.column("rowtime", "TIMESTAMP_LTZ(3)")
        schema.watermark("rowtime", "rowtime - INTERVAL '0.001' SECOND")
        return table_env.from_data_stream(table_env.to_data_stream(timed), schema.build())
