"""The runner, to streams of the local AWS."""

import json
from collections import Counter

import pytest

from generator import runner, scenario, sinks
from generator.sinks import SinkError
from tests.readers import on_stream
from tests.waiting import until

pytestmark = pytest.mark.aws


def test_to_the_local_aws(local_aws):
    """Every record arrives in the stream once, and the burst's senders share one run."""
    kinesis = local_aws.client("kinesis")
    kinesis.create_stream(StreamName="generator-test", ShardCount=2)
    try:
        kinesis.get_waiter("stream_exists").wait(StreamName="generator-test", WaiterConfig={"Delay": 1})
        sent = runner.run(
            scenario.load("ctr-burst"), sinks.kinesis(kinesis, "generator-test"), speed=float("inf"), seed=1
        ).sent
        records = on_stream(kinesis, "generator-test")
        assert all(record.endswith(b"\n") for record in records)
        got = Counter(json.loads(record)["browseraction"] for record in records)
        assert got == {"Impression": 270, "Click": 270 + 3 * 25}
        assert sent == got.total()
    finally:
        kinesis.delete_stream(StreamName="generator-test")


def test_to_a_delivery_stream_of_the_local_aws(local_aws):
    """Firehose lands every record, each with its newline."""
    s3, firehose = local_aws.client("s3"), local_aws.client("firehose")
    s3.create_bucket(Bucket="generator-test")
    firehose.create_delivery_stream(
        DeliveryStreamName="generator-test",
        DeliveryStreamType="DirectPut",
        ExtendedS3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::000000000000:role/generator-test",
            "BucketARN": "arn:aws:s3:::generator-test",
        },
    )
    keys = []
    try:
        chosen = scenario.load("clickstream").changed(count=20)
        sink = sinks.firehose(firehose, "generator-test")
        assert runner.run(chosen, sink, speed=float("inf")).sent == 20

        def landed() -> list[bytes]:
            keys[:] = [
                item["Key"] for item in s3.list_objects_v2(Bucket="generator-test").get("Contents", [])
            ]
            bodies = [s3.get_object(Bucket="generator-test", Key=key)["Body"].read() for key in keys]
            return b"".join(bodies).splitlines()

        lines = until(lambda: len(found := landed()) >= 20 and found, "20 lines")
        stamps = [int(json.loads(line)["event_timestamp"]) for line in lines]
        assert sorted(t - min(stamps) for t in stamps) == [2000 * n for n in range(20)]
    finally:
        firehose.delete_delivery_stream(DeliveryStreamName="generator-test")
        for key in keys:
            s3.delete_object(Bucket="generator-test", Key=key)
        s3.delete_bucket(Bucket="generator-test")


def test_a_stream_that_is_not_there(local_aws):
    sink = sinks.kinesis(local_aws.client("kinesis"), "no-such-stream")
    with pytest.raises(SinkError, match=r"stream:no-such-stream: .*ResourceNotFoundException"):
        runner.run(scenario.single("click", 1, count=1), sink, speed=float("inf"))
