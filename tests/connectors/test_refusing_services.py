"""Sinks whose services refuse, fail and drop connections: every row arrives, and the job goes on."""

import collections
import json
from typing import Any

import pytest

from base.aws import Aws
from connectors.dynamodb import DynamoDbSink
from connectors.firehose import FirehoseSink
from connectors.kinesis import KinesisSink
from pipeline.sql import with_options
from tests.conftest import LocalAws
from tests.jobs.conftest import Flink
from tests.jobs.conftest import mini_flink as mini_flink  # a fixture
from tests.readers import on_stream
from tests.torture.proxy import Call, Fault, running_proxy

pytestmark = [pytest.mark.flink, pytest.mark.aws, pytest.mark.kinesis]

ROWS = 1200
#: A sink that hangs must fail the test, not hang it.
LONGEST_MILLISECONDS = 180_000
#: The calls of each sink: all that the deployed job's role allows, except those of the check before the start.
OPERATIONS = {"Firehose": "PutRecordBatch", "Kinesis": "PutRecords", "DynamoDB": "BatchWriteItem"}
#: More refusals in a row than AWS's SDK retries itself (at most 9, for DynamoDB), so the sink sees whole calls fail.
OUTAGE = 12
#: Faults of a sink's calls, one after the other; then all calls succeed.
COURSE = (
    Fault(fail_records=1),
    Fault(status=500),
    Fault(fail_records=10_000),
    Fault(status=400, error="ProvisionedThroughputExceededException"),
    Fault(status=503, error="ServiceUnavailableException"),
    Fault(reset=True),
    Fault(fail_records=3),
    Fault(delay=2.0, status=500),
    *[Fault(status=503, error="ServiceUnavailableException")] * OUTAGE,
)


@pytest.mark.parametrize("service", OPERATIONS)
def test_every_row_arrives_after_refusals(local_aws: LocalAws, mini_flink: Flink, service: str) -> None:
    stream = f"refusing-{service}"
    aws = local_aws.client(service.lower())
    if service == "Firehose":
        bucket = f"refusing-{service}".lower()
        local_aws.client("s3").create_bucket(Bucket=bucket)
        destination = {"BucketARN": f"arn:aws:s3:::{bucket}", "RoleARN": "arn:aws:iam::000000000000:role/r"}
        aws.create_delivery_stream(DeliveryStreamName=stream, ExtendedS3DestinationConfiguration=destination)
    elif service == "Kinesis":
        aws.create_stream(StreamName=stream, ShardCount=1)
    else:
        aws.create_table(
            TableName=stream,
            KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    with running_proxy(local_aws.endpoint) as proxy:
        done = 0

        def rule(call: Call) -> Fault | None:
            nonlocal done
            if call.operation != OPERATIONS[service] or done == len(COURSE):
                return None
            done += 1
            fault = COURSE[done - 1]
            return _unprocessed(call) if fault.fail_records and service == "DynamoDB" else fault

        proxy.rule = rule
        _write(mini_flink, service, stream, proxy.endpoint)
        assert done == len(COURSE)
        assert {c.operation for c in proxy.calls} == {OPERATIONS[service]}
    if service == "DynamoDB":
        pages = aws.get_paginator("scan").paginate(TableName=stream)
        assert {int(item["id"]["N"]) for page in pages for item in page["Items"]} == set(range(ROWS))
        return
    arrived = _landed(local_aws, bucket) if service == "Firehose" else _on(aws, stream)
    assert arrived.keys() == set(range(ROWS))


def _unprocessed(call: Call) -> Fault:
    """DynamoDB's answer to a batch of which it leaves all items unprocessed."""
    return Fault(status=200, answer=json.dumps({"UnprocessedItems": call.body["RequestItems"]}))


def _write(mini_flink: Flink, service: str, name: str, endpoint: str) -> None:
    # The job does not restart in this environment: a failure of the sink fails the test.
    table_env = mini_flink.environment()
    table_env.execute_sql(
        "CREATE TEMPORARY TABLE numbers (id INT) WITH ('connector' = 'datagen', 'fields.id.kind' = 'sequence',"
        f" 'fields.id.start' = '0', 'fields.id.end' = '{ROWS - 1}', 'rows-per-second' = '400')"
    )
    if service == "DynamoDB":
        options = with_options(DynamoDbSink(name, "name", Aws.local(endpoint)).options())
        table_env.execute_sql(
            f"CREATE TEMPORARY TABLE sink (id INT, name STRING) PARTITIONED BY (name) {options}"
        )
        table_env.execute_sql("INSERT INTO sink SELECT id, CAST(id AS STRING) FROM numbers").wait(
            LONGEST_MILLISECONDS
        )
        return
    sink = FirehoseSink if service == "Firehose" else KinesisSink
    options = with_options(sink(name, Aws.local(endpoint)).options())
    table_env.execute_sql(f"CREATE TEMPORARY TABLE sink (id INT) {options}")
    table_env.execute_sql("INSERT INTO sink SELECT id FROM numbers").wait(LONGEST_MILLISECONDS)


def _landed(local_aws: LocalAws, bucket: str) -> collections.Counter[int]:
    s3 = local_aws.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    bodies = [
        s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read().decode()
        for page in pages
        for item in page.get("Contents", [])
    ]
    # The local AWS does not append newlines to records, so the JSON objects follow each other without separator.
    return collections.Counter(row["id"] for body in bodies for row in _objects(body))


def _objects(text: str) -> list[dict[str, Any]]:
    return list(json.loads("[" + text.strip().replace("}\n{", "}{").replace("}{", "},{") + "]"))


def _on(kinesis: Any, stream: str) -> collections.Counter[int]:
    return collections.Counter(json.loads(record)["id"] for record in on_stream(kinesis, stream))
