"""The size of a row as a record, in SQL. Services refuse records that are too large; Flink's sinks then fail the job.

Text is measured as JSON; everything else is estimated at its largest size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.sql import json_value
from udfs.row_stream import quoted, through_a_stream

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table

#: Most bytes in JSON of a character (`\\u0000`), and of a value that is not text with the characters around it.
_CHARACTER, _VALUE = 6, 64
#: Most bytes of a character in a tapped row, which is JSON within JSON (`\\\\u0000`).
_TAPPED_CHARACTER = 7
#: Most bytes of text in a tapped row: a Kinesis record's mebibyte, less the rest of the row.
_TAPPED = 1_000_000
#: Most characters of one text in a tapped row.
_READ = 10_000
#: Column of the size, while a relation is split.
_SIZE = "__record_bytes"


def part_by_size(
    table_env: StreamTableEnvironment, relation: str, most_bytes: int, destination: str
) -> tuple[str, Table] | None:
    """Split a relation's rows into those that fit into a record and those that don't.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Has the relation, which must be insert-only.
    relation : str
        The relation's name.
    most_bytes : int
        Largest size of a record.
    destination : str
        The destination's name, for names of views and the message.

    Returns
    -------
    (str, Table) or None
        The name of a view of the rows that fit, and the others as errors (``error_name, message, data_rowtime,
        data_row``). None if all rows fit by their types.
    """
    from pyflink.table import Schema

    table = table_env.from_path(quoted(relation))
    lengths = _text_lengths(table)
    types = _types(table)
    names = list(types)
    fixed = sum(len(name.encode()) + _VALUE for name in names)
    if fixed + _CHARACTER * sum(lengths.values()) <= most_bytes:
        return None
    characters = " + ".join(f"COALESCE(CHAR_LENGTH({quoted(name)}), 0)" for name in lengths)
    # Flink's SQL has no length in bytes, so take that of HEX; only for rows that may be too large.
    size = f"""CASE WHEN {_CHARACTER} * ({characters}) <= {most_bytes - fixed} THEN 0
        ELSE {fixed} + CHAR_LENGTH(HEX({_json(dict.fromkeys(lengths, ""))})) / 2 END"""
    sized = table_env.sql_query(f"SELECT *, {size} AS {_SIZE} FROM {quoted(relation)}")
    schema = Schema.new_builder()
    for column in sized._j_table.getResolvedSchema().getColumns():
        schema.column(column.getName(), column.getDataType().getLogicalType().asSerializableString())
    # Through a data stream, so that the planner can't compute the relation twice.
    view, fitting = f"{destination}_sized", f"{destination}_fitting"
    table_env.create_temporary_view(quoted(view), through_a_stream(table_env, sized, schema.build()))
    own = ", ".join(quoted(name) for name in names)
    table_env.execute_sql(
        f"CREATE TEMPORARY VIEW {quoted(fitting)} AS SELECT {own} FROM {quoted(view)} WHERE {_SIZE} <= {most_bytes}"
    )
    rowtime = "rowtime" if "rowtime" in names else "CAST(NULL AS TIMESTAMP_LTZ(3))"
    message = f"destination {destination} takes records of {most_bytes} bytes, the row has ".replace(
        "'", "''"
    )
    too_large = table_env.sql_query(
        f"SELECT 'RECORD_TOO_LARGE' AS error_name,"
        f" '{message}' || CAST({_SIZE} AS STRING) || '; it is cut here' AS message,"
        f" {rowtime} AS data_rowtime, LOWER(HEX({_json(types)})) AS data_row"
        f" FROM {quoted(view)} WHERE {_SIZE} > {most_bytes}"
    )
    return fitting, too_large


def tapped_values(table: Table) -> dict[str, str]:
    """SQL of each column for the tap: a text too long for a record is cut, with a note."""
    lengths = _text_lengths(table)
    most = min(_READ, _TAPPED // _TAPPED_CHARACTER // max(len(lengths), 1))
    return {
        name: f"""CASE WHEN CHAR_LENGTH({quoted(name)}) > {most} THEN LEFT({quoted(name)}, {most}) || '… (cut, it has '
          || CAST(CHAR_LENGTH({quoted(name)}) AS STRING) || ' characters)' ELSE {quoted(name)} END"""
        if lengths.get(name, 0) > most
        else json_value(name, type_)
        for name, type_ in _types(table).items()
    }


def _types(table: Table) -> dict[str, str]:
    columns: Any = table._j_table.getResolvedSchema().getColumns()
    return {c.getName(): c.getDataType().getLogicalType().copy(True).asSerializableString() for c in columns}


def _text_lengths(table: Table) -> dict[str, int]:
    """Most characters of each text column, by its type."""
    found = {}
    columns: Any = table._j_table.getResolvedSchema().getColumns()
    for column in columns:
        type_ = column.getDataType().getLogicalType()
        if type_.getTypeRoot().toString() in ("VARCHAR", "CHAR"):
            found[column.getName()] = type_.getLength()
    return found


def _json(types: dict[str, str]) -> str:
    pairs = ", ".join(
        f"KEY '{name.replace(chr(39), chr(39) * 2)}' VALUE {json_value(name, type_)}"
        for name, type_ in types.items()
    )
    return f"JSON_OBJECT({pairs})"
