"""Several shards in one subtask: every record counts in its own second, whatever the shards and the service do."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from base.aws import Aws
from connectors.kinesis import KinesisSource
from infra import saved_state
from tests.jobs.conftest import Flink
from tests.jobs.conftest import mini_flink as mini_flink  # a fixture
from tests.torture.kinesis_local import running_kinesis
from tests.torture.proxy import Call, Fault, Proxy, running_proxy
from tests.torture.shards import reshard
from tests.torture.windows import Counting, Producer, truth
from tests.waiting import until


@pytest.fixture(scope="module")
def kinesis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("kinesis")
    with running_kinesis(folder) as upstream, running_proxy(upstream) as proxy:
        yield proxy


def stream(kinesis: Proxy, name: str, shards: int) -> Any:
    client = Aws.local(kinesis.upstream).client("kinesis")
    client.create_stream(StreamName=name, ShardCount=shards)
    client.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    return client


def environment(mini_flink: Flink, state: str = "", parallelism: int = 1) -> Any:
    options = {"execution__checkpointing__interval": "1 s", "parallelism__default": str(parallelism)}
    if state:
        options["execution__state-recovery__path"] = state
    return mini_flink.environment(**options)


@pytest.mark.parametrize("position", ["LATEST", "TRIM_HORIZON"])
def test_position_is_an_option_of_the_table(position: str) -> None:
    assert (
        KinesisSource("s", Aws("us-east-1"), position=position).options()["scan.stream.initpos"] == position
    )


def test_a_time_is_a_position() -> None:
    options = KinesisSource("s", Aws("us-east-1"), position="2024-01-31T13:00:00.250+01:00").options()
    assert options["scan.stream.initpos"] == "AT_TIMESTAMP"
    assert options["scan.stream.initpos-timestamp"] == "2024-01-31T12:00:00.250Z"
    # In thousandths for a local AWS: milliseconds of it are the seconds that are read there.
    local = KinesisSource("s", Aws.local("http://x"), position="2024-01-31T12:00:00.250Z").options()
    assert local["scan.stream.initpos-timestamp"] == "1970-01-20T18:05:02.400Z"


@pytest.mark.parametrize("position", ["latest", "2024-01-31T13:00:00", "yesterday", ""])
def test_any_other_position_is_refused(position: str) -> None:
    with pytest.raises(
        ValueError, match=r"source\.position must be LATEST, TRIM_HORIZON or a time with offset"
    ):
        KinesisSource("s", Aws("us-east-1"), position=position)


@pytest.mark.aws
def test_each_shard_is_listed_open_or_closed(kinesis: Proxy) -> None:
    client = stream(kinesis, "listed", 1)
    lister = KinesisSource("listed", Aws.local(kinesis.endpoint)).lister()()
    [(shard, is_open)] = lister.ask().result(60).items()
    assert is_open
    reshard(client, "listed", splits=1)
    listed = lister.ask().result(60)
    assert not listed.pop(shard)
    assert list(listed.values()) == [True, True]
    lister.close()


@pytest.mark.flink
@pytest.mark.aws
@pytest.mark.kinesis
def test_a_backlog_with_a_slow_shard_and_refused_reads_is_counted_second_by_second(
    kinesis: Proxy, mini_flink: Flink, tmp_path: Path
) -> None:
    """The first shard that is read answers after 3.5 s; then reads fail in every known way."""
    name, since = "backlog", datetime.now(UTC).isoformat()
    client = stream(kinesis, name, 4)
    Producer(client, name).put(1500, 5.0)
    reads = 0

    def rule(call: Call) -> Fault | None:
        nonlocal reads
        if call.operation != "GetRecords":
            return None
        reads += 1
        faults = {
            1: Fault(delay=3.5),
            9: Fault(status=400, error="ProvisionedThroughputExceededException"),
            12: Fault(status=500),
            15: Fault(status=400, error="ExpiredIteratorException"),
            18: Fault(reset=True),
            21: Fault(status=503, error="ServiceUnavailable"),
        }
        return faults.get(reads)

    kinesis.rule = rule
    faults = kinesis.faults
    source = KinesisSource(name, Aws.local(kinesis.endpoint), since, timedelta(seconds=3))
    counting = Counting(environment(mini_flink), tmp_path, source)
    try:
        counts = counting.wait(1500, 90)
    finally:
        counting.client.cancel().result()
        kinesis.rule = lambda call: None
    assert counts.windows == truth(client, name)
    assert counts.doubles == 0
    assert counts.errors == {}
    assert kinesis.faults - faults >= 6


@pytest.mark.flink
@pytest.mark.aws
@pytest.mark.kinesis
def test_splits_merges_and_a_restore_while_records_come(
    kinesis: Proxy, mini_flink: Flink, tmp_path: Path
) -> None:
    """1 → 2 → 4 → 3 shards under load, and a restore at another parallelism: each record counts once, in its second."""
    name = "resharded"
    client = stream(kinesis, name, 1)
    producer = Producer(client, name)
    source = KinesisSource(name, Aws.local(kinesis.endpoint), "TRIM_HORIZON", timedelta(seconds=11))
    counting = Counting(environment(mini_flink, parallelism=2), tmp_path, source)
    producer.start(1000, 25.0)
    try:
        counting.wait(50, 60)
        reshard(client, name, splits=1)
        reshard(client, name, splits=2)
        wait_until_read(kinesis, name, shards=7)
        counting.client.cancel().result()
        checkpoint = saved_state.last_state("test", mini_flink.folder)
        assert checkpoint is not None
        reshard(client, name, merges=1)
        counting = Counting(environment(mini_flink, checkpoint, parallelism=1), tmp_path, source)
        producer.finish()
        counts = counting.wait(1000, 480)
    finally:
        counting.client.cancel().result()
    assert counts.windows == truth(client, name)
    assert counts.doubles == 0
    assert counts.errors == {}


def wait_until_read(kinesis: Proxy, name: str, shards: int) -> None:
    until(
        lambda: len({c.body["ShardId"] for c in kinesis.calls if _iterator_of(c, name)}) >= shards,
        "new shards",
    )


def _iterator_of(call: Call, name: str) -> bool:
    return call.operation == "GetShardIterator" and call.body["StreamName"] == name
