"""The table of a destination, with the relation's columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from base.errors import InvalidValue
from connectors.dynamodb import MOST_KEY_BYTES, DynamoDbSink
from connectors.firehose import FirehoseSink
from connectors.kinesis import KinesisSink
from connectors.lambda_sink.options import LambdaSinkOptions
from connectors.requirements import Requirements
from connectors.s3 import S3Sink
from pipeline import sql
from pipeline.groups import LAMBDA_OPTIONS, AwsGroup
from pipeline.parts import Destination as DestinationSpec

HERE = Path(__file__).parent
#: Column by which rows are ordered for the file writer.
_TURN = "__turn"
#: Folders of files: UTC date and hour.
_FOLDERS = ("yyyy", "MM", "dd", "HH")
_MILLISECONDS = "yyyy-MM-dd HH:mm:ss.SSS"


class Sink(Protocol):
    """A sink connector: the WITH options of its table, a check, and the permissions that it needs."""

    def options(self) -> dict[str, str]: ...
    def check(self) -> None: ...
    def requires(self) -> Requirements: ...


@dataclass(frozen=True)
class SinkTable:
    """The statements of one destination.

    Attributes
    ----------
    create, insert : str
    refused : str or None
        Query that gives the rows that the table can't take as errors.
    """

    create: str
    insert: str
    refused: str | None = None


def connector(group: Any, aws: AwsGroup) -> Sink:
    """The connector for a destination's property group; not for a function, which has no table."""
    if group.type == "firehose":
        return FirehoseSink(str(group.delivery_stream), aws.where, group.format)
    if group.type == "kinesis":
        return KinesisSink(str(group.stream), aws.where, group.format)
    if group.type == "s3":
        return S3Sink(str(group.path), aws.where, group.format)
    return DynamoDbSink(str(group.table), str(group.key), aws.where)


def function(name: str, group: Any, aws: AwsGroup) -> LambdaSinkOptions:
    """The Lambda sink's options for a destination's property group."""
    return LambdaSinkOptions(
        group.function,
        aws.where,
        key_column=group.key,
        **{option: getattr(group, option) for option in LAMBDA_OPTIONS},
        application_arn=aws.application_arn,
        name=name,
    )


def rows(table_env: Any, relation: str) -> str:
    """The query of a relation's delivered columns: all but ``rowtime``, times in UTC."""
    return f"SELECT {', '.join(_value(c, t) for c, t in columns_of(table_env, relation).items())} FROM `{relation}`"


def sink_table(table_env: Any, spec: DestinationSpec, group: Any, options: Mapping[str, str]) -> SinkTable:
    """The table of a destination and the statement that fills it.

    Raises
    ------
    ValueError
        ``key`` or ``time`` is not a column of the relation, or ``time`` is not a TIMESTAMP.
    """
    name, columns = f"{spec.name}_{group.type}", columns_of(table_env, spec.of)
    if group.key and group.key not in columns:
        raise InvalidValue(f"{spec.name}.key must be one of {', '.join(columns)}, got {group.key}")
    as_text = group.type == "dynamodb"
    types = {c: "STRING" if as_text and _is_time(t) else _written(t) for c, t in columns.items()}
    values = [_text(c, t) if as_text and _is_time(t) else _value(c, t) for c, t in columns.items()]
    partitions: list[str] = [group.key] if group.key and group.type in ("kinesis", "dynamodb") else []
    if group.type == "s3" and (time := _time(table_env, spec, columns)):
        partitions = list(_FOLDERS)
        types |= dict.fromkeys(_FOLDERS, "STRING")
        values += [f"DATE_FORMAT({time}, '{part}') AS `{part}`" for part in _FOLDERS]
    declared = ",\n".join(f"  {sql.identifier(c)} {t}" for c, t in types.items())
    partitioned = f"\nPARTITIONED BY ({', '.join(map(sql.identifier, partitions))})" if partitions else ""
    create = f"CREATE TEMPORARY TABLE `{name}` (\n{declared}\n){partitioned}\n{sql.with_options(options)}"
    query = f"SELECT {', '.join(values)}\nFROM `{spec.of}`"
    if group.type == "s3":
        # ORDER BY sends all rows through one subtask, so the file writer's state restores at any parallelism.
        turns = f"(SELECT *, PROCTIME() AS {_TURN} FROM `{spec.of}`)"
        query = f"SELECT {', '.join(values)}\nFROM {turns}\nORDER BY {_TURN}"
    insert = f"INSERT INTO `{name}`\n{query}"
    if group.type != "dynamodb":
        return SinkTable(create, insert)
    key = sql.identifier(str(group.key))
    fits = f"CHAR_LENGTH(HEX(CAST({key} AS STRING))) BETWEEN 2 AND {2 * MOST_KEY_BYTES}"
    complete = " AND ".join([*(f"{sql.identifier(c)} IS NOT NULL" for c in columns), fits])
    return SinkTable(create, f"{insert}\nWHERE {complete}", _incomplete(spec, columns, complete))


def columns_of(table_env: Any, relation: str) -> dict[str, str]:
    """A relation's columns and their SQL types, without ``rowtime``."""
    found = {}
    for column in table_env.from_path(sql.identifier(relation))._j_table.getResolvedSchema().getColumns():
        if column.getName() != "rowtime":
            found[column.getName()] = column.getDataType().getLogicalType().copy(True).asSerializableString()
    return found


def _incomplete(spec: DestinationSpec, columns: Mapping[str, str], complete: str) -> str:
    """Errors for rows with a NULL, which fails Flink's connector, or a bad key, which DynamoDB refuses."""
    message = (
        f"destination {spec.name}: required a value in every column, a key of 1 to {MOST_KEY_BYTES} bytes"
    )
    pairs = ", ".join(f"KEY {sql.quote(c)} VALUE {sql.json_value(c, t)}" for c, t in columns.items())
    return (
        "SELECT 'NOT_DELIVERED' AS error_name,"
        f" {sql.quote(message)} AS message,"
        " CAST(NULL AS TIMESTAMP_LTZ(3)) AS data_rowtime,"
        f" LOWER(HEX(JSON_OBJECT({pairs}))) AS data_row FROM `{spec.of}` WHERE ({complete}) IS NOT TRUE"
    )


def _time(table_env: Any, spec: DestinationSpec, columns: Mapping[str, str]) -> str | None:
    if spec.time:
        if not _is_time(columns.get(spec.time, "")):
            raise InvalidValue(f"{spec.name}.time must be a TIMESTAMP column of {spec.of}, got {spec.time}")
        return sql.identifier(spec.time)
    return (
        "rowtime"
        if "rowtime" in table_env.from_path(sql.identifier(spec.of)).get_schema().get_field_names()
        else None
    )


def _is_time(type_: str) -> bool:
    return type_.startswith("TIMESTAMP")


def _written(type_: str) -> str:
    return "TIMESTAMP(3)" if _is_time(type_) else type_


def _value(column: str, type_: str) -> str:
    name = sql.identifier(column)
    return f"CAST({name} AS TIMESTAMP(3)) AS {name}" if type_.startswith("TIMESTAMP_LTZ") else name


def _text(column: str, type_: str) -> str:
    name = sql.identifier(column)
    return f"DATE_FORMAT({name}, '{_MILLISECONDS}') AS {name}"
