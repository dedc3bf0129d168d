"""Rows as JSON and CSV in each sink that Flink writes; and one job with two sources that read the same stream."""

from pathlib import Path
from typing import Any

import pytest

from base.aws import Aws
from connectors.firehose import FirehoseSink
from connectors.kinesis import KinesisSink, KinesisSource
from connectors.s3 import S3Sink
from pipeline.operators import operators_of
from pipeline.sql import with_options
from tests.conftest import LocalAws
from tests.jobs.conftest import Flink
from tests.jobs.conftest import mini_flink as mini_flink  # a fixture
from tests.readers import finished, on_stream

COLUMNS = "name STRING, price DOUBLE, good BOOLEAN, at_time TIMESTAMP(3), amount DECIMAL(9, 2), note STRING"
ROWS = """
    SELECT 'a, "b"', 1.5E0, TRUE, TIMESTAMP '2024-01-31 12:00:00.120', CAST(1.50 AS DECIMAL(9, 2)), CAST(NULL AS STRING)
"""
WRITTEN = {
    "json": '{"name":"a, \\"b\\"","price":1.5,"good":true,"at_time":"2024-01-31 12:00:00.12","amount":1.5,"note":null}',
    "csv": '"a, ""b""",1.5,true,"2024-01-31 12:00:00.12",1.5,',
}


@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.flink
def test_files_have_a_row_a_line(mini_flink: Flink, tmp_path: Path, form: str) -> None:
    write(mini_flink.environment(), S3Sink(tmp_path.as_uri(), Aws("us-east-1"), format=form), rows=2)
    (file,) = finished(tmp_path)
    assert file.read_text() == f"{WRITTEN[form]}\n" * 2


@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize("service", ["kinesis", "firehose"])
@pytest.mark.flink
@pytest.mark.aws
@pytest.mark.kinesis
def test_a_record_is_a_row_without_a_lines_end(
    local_aws: LocalAws, mini_flink: Flink, service: str, form: str
) -> None:
    name = f"formats-{form}"
    if service == "kinesis":
        client = local_aws.client("kinesis")
        client.create_stream(StreamName=name, ShardCount=1)
        client.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
        write(mini_flink.environment(), KinesisSink(name, local_aws.aws, form))
        found = on_stream(client, name)
    else:
        bucket, s3 = local_aws.outputs["ctr"]["ProcessedBucketName"], local_aws.client("s3")
        role = "arn:aws:iam::000000000000:role/x"
        to = {"RoleARN": role, "BucketARN": f"arn:aws:s3:::{bucket}", "Prefix": f"{name}/"}
        local_aws.client("firehose").create_delivery_stream(
            DeliveryStreamName=name, ExtendedS3DestinationConfiguration=to
        )
        write(mini_flink.environment(), FirehoseSink(name, local_aws.aws, form))
        keys = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket, Prefix=f"{name}/")["Contents"]]
        found = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]
    assert found == [WRITTEN[form].encode()]


def write(table_env: Any, sink: Any, rows: int = 1) -> None:
    table_env.execute_sql(f"CREATE TEMPORARY TABLE written ({COLUMNS}) {with_options(sink.options())}")
    table_env.execute_sql(f"INSERT INTO written {' UNION ALL '.join([ROWS] * rows)}").wait()


@pytest.mark.parametrize("sink", [FirehoseSink, KinesisSink, S3Sink])
def test_another_format_is_refused(sink: Any) -> None:
    with pytest.raises(ValueError, match="format must be json or csv, got 'xml'"):
        sink("s3://bucket/x/", Aws("us-east-1"), format="xml").options()


@pytest.mark.flink
@pytest.mark.kinesis
def test_two_sources_of_one_stream_have_a_state_each(mini_flink: Flink) -> None:
    table_env = mini_flink.environment()
    source = KinesisSource("numbers", Aws.local("http://127.0.0.1:1"))
    table_env.execute_sql("CREATE TEMPORARY TABLE written (`data` BYTES) WITH ('connector' = 'blackhole')")
    statements = table_env.create_statement_set()
    for name in ("first_source", "second_source"):
        table_env.create_temporary_view(f"{name}_rows", source.records(table_env, name))
        statements.add_insert_sql(f"INSERT INTO written SELECT `data` FROM `{name}_rows`")
    uids = {operator.uid for operator in operators_of(table_env, statements)} - {None}
    assert uids == {"kinesis first_source", "kinesis second_source"}
