"""Least privilege: the connectors call exactly the AWS actions that they require.

``tests/torture`` checks the same for Kinesis.
"""

import collections
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from base.aws import Aws
from connectors.dynamodb import DynamoDbSink
from connectors.firehose import FirehoseLanding, FirehoseSink
from connectors.lambda_sink.options import LambdaSinkOptions
from connectors.requirements import together
from connectors.s3 import S3Sink
from infra import code_bucket, flink
from pipeline.environment import table_environment
from pipeline.lambda_sink import lambda_sink
from pipeline.sql import with_options
from tests.conftest import LocalAws
from tests.torture.proxy import Call, running_proxy


def allowed(statements: Iterable[Mapping[str, Any]], service: str) -> set[str]:
    """Actions of a service in these statements of a policy."""
    return {a for s in statements for a in s["Action"] if a.startswith(f"{service}:")}


def s3_action(call: Call) -> str:
    """The permission that a request to S3 needs."""
    url = urlsplit(call.path)
    query = parse_qs(url.query, keep_blank_values=True)
    of_bucket = url.path.strip("/").count("/") == 0
    if call.method == "POST":
        return "s3:DeleteObject" if "delete" in query else "s3:PutObject"
    if call.method == "PUT":
        return "s3:PutObject"
    if call.method == "DELETE":
        return "s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject"
    for parameter, action in (
        ("uploads", "s3:ListBucketMultipartUploads"),
        ("uploadId", "s3:ListMultipartUploadParts"),
        ("location", "s3:GetBucketLocation"),
    ):
        if parameter in query:
            return action
    return "s3:ListBucket" if of_bucket else "s3:GetObject"


def action(call: Call) -> str:
    """The action that a policy must allow for a call."""
    if call.operation == "Invoke":
        return "lambda:InvokeFunction"
    if call.path.startswith("/2015-03-31/functions/"):
        return "lambda:GetFunctionConfiguration"
    if call.operation:
        return f"{call.service.lower()}:{call.operation}"
    return s3_action(call)


@pytest.mark.flink
@pytest.mark.aws
@pytest.mark.kinesis
def test_connectors_ask_for_what_they_require_and_nothing_else(local_aws: LocalAws, tmp_path: Path) -> None:
    bucket = local_aws.outputs["ctr"]["ProcessedBucketName"]
    # Resources of its own: other tests read what arrives in the labs'.
    local_aws.client("dynamodb").create_table(
        TableName="policies",
        KeySchema=[{"AttributeName": "session_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "session_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    local_aws.client("lambda").create_function(
        FunctionName="policies",
        Runtime="python3.12",
        Role="arn:aws:iam::000000000000:role/x",
        Handler="lambdas.session_writer.handler",
        Code={"ZipFile": code_bucket.zip_lambdas()},
        Environment={"Variables": {"TABLE_NAME": "policies"}},
    )
    destination = {"RoleARN": "arn:aws:iam::000000000000:role/x", "BucketARN": f"arn:aws:s3:::{bucket}"}
    local_aws.client("firehose").create_delivery_stream(
        DeliveryStreamName="policies", ExtendedS3DestinationConfiguration=destination
    )
    with running_proxy(local_aws.endpoint) as proxy:
        flink.prepare(proxy.endpoint, tmp_path)
        options = {"restart-strategy.type": "none", "execution.checkpointing.interval": "500 ms"}
        env = table_environment(flink.cluster("policies", folder=tmp_path, short=True, overrides=options))
        flink.load_s3(proxy.endpoint)
        aws = Aws.local(proxy.endpoint)
        function = LambdaSinkOptions("policies", aws, batch_seconds=0.2)
        landing = FirehoseLanding(f"s3://{bucket}/landing/", aws)
        files = S3Sink(f"s3://{bucket}/policies/", aws)
        table = DynamoDbSink("policies", "session_id", aws)
        delivery = FirehoseSink("policies", aws)
        for each in (landing, files, table, delivery):
            each.check()
        function.check()

        names = "session_id STRING, session_time STRING, user_id STRING"
        env.execute_sql(
            "CREATE TABLE numbers (session_id STRING, session_time AS session_id, user_id AS session_id)"
            " WITH ('connector' = 'datagen', 'rows-per-second' = '40', 'fields.session_id.kind' = 'sequence',"
            " 'fields.session_id.start' = '1', 'fields.session_id.end' = '160')"
        )
        env.execute_sql(f"CREATE TABLE files ({names}) {with_options(files.options())}")
        env.execute_sql(f"CREATE TABLE delivery ({names}) {with_options(delivery.options())}")
        env.execute_sql(
            f"CREATE TABLE items ({names}) PARTITIONED BY (session_id) {with_options(table.options())}"
        )
        env.execute_sql(
            "CREATE TABLE nothing (a STRING, b STRING, c TIMESTAMP_LTZ(3), d STRING) WITH ('connector' = 'blackhole')"
        )
        env.execute_sql("CREATE TABLE landed (line BYTES) WITH ('connector' = 'blackhole')")
        statements = env.create_statement_set()
        for sink in ("files", "delivery", "items"):
            statements.add_insert_sql(f"INSERT INTO {sink} SELECT * FROM numbers")
        rows = env.sql_query("SELECT session_id, session_time, user_id FROM numbers")
        statements.add_insert("nothing", lambda_sink(env, rows, function))
        statements.execute().wait()
        asked = collections.Counter(action(call) for call in proxy.calls)

        # The landing is read without end, so it needs a job of its own.
        local_aws.client("s3").put_object(Bucket=bucket, Key="landing/one", Body=b'{"a": 1}\n')
        env.create_temporary_view("lines", landing.records(env, "landing"))
        with env.sql_query("SELECT `data` FROM lines").execute().collect() as found:
            assert next(found) is not None
        asked.update(action(call) for call in proxy.calls[sum(asked.values()) :])
    # A deployed job's role is composed of these (pipeline/requirements.py).
    required = together(each.requires() for each in (landing, files, table, delivery, function)).statements
    for service in ("firehose", "lambda", "dynamodb"):
        assert {a for a in asked if a.startswith(service)} == allowed(required, service)
    # Rarely called, so a run may be without them: after a crash, an unfinished upload is completed or aborted.
    seldom = {"s3:AbortMultipartUpload"}
    found_s3 = {a for a in asked if a.startswith("s3:")}
    assert found_s3 | seldom == allowed(required, "s3")
