"""What the Kinesis source tells of a record itself; and records that the Kinesis Producer Library aggregated."""

from datetime import timedelta
from pathlib import Path

import pytest

from connectors.kinesis import KinesisSource
from infra import clients
from tests.jobs.conftest import Flink
from tests.jobs.conftest import mini_flink as mini_flink  # a fixture
from tests.torture.kinesis_local import running_kinesis
from tests.udfs.test_record_formats import aggregated
from udfs.columns import Column
from udfs.decode_function import decode_records

pytestmark = [pytest.mark.flink, pytest.mark.aws]


def test_shard_sequence_number_and_arrival_are_columns(mini_flink: Flink, tmp_path: Path) -> None:
    with running_kinesis(tmp_path) as endpoint:
        client = clients.client("kinesis", endpoint)
        client.create_stream(StreamName="origins", ShardCount=1)
        client.get_waiter("stream_exists").wait(StreamName="origins", WaiterConfig={"Delay": 1})
        plain, packed = b'{"v": 1}', aggregated(b'{"v": 2}', b'{"v": 3}')
        numbers = [
            client.put_record(StreamName="origins", Data=data, PartitionKey="key-a")["SequenceNumber"]
            for data in (plain, packed)
        ]
        table_env = mini_flink.environment()
        source = KinesisSource("origins", "us-east-1", endpoint, "TRIM_HORIZON", timedelta(seconds=15))
        records = source.records(table_env, "origins_records", sequence_number=True)
        columns = [
            Column("v", "INTEGER", "$.v"),
            Column("shard", "STRING", "@shard_id"),
            Column("number", "STRING", "@sequence_number"),
            Column("arrived", "TIMESTAMP(3)", "@arrival"),
        ]
        rows, _, _ = decode_records(table_env, records, columns, source.idle_timeout, name="origins")
        table_env.create_temporary_view("origins", rows)
        query = "SELECT v, shard, number, CAST(arrived AS TIMESTAMP(3)) = CAST(rowtime AS TIMESTAMP(3)) FROM origins"
        found = []
        with table_env.sql_query(query).execute().collect() as result:
            for row in result:
                found.append(tuple(row))
                if len(found) == 3:
                    break
    assert [row[0] for row in found] == [1, 2, 3]
    assert {row[1] for row in found} == {"shardId-000000000000"}
    assert [row[2] for row in found] == [numbers[0], numbers[1], numbers[1]]
    assert all(row[3] for row in found)
