"""Objects that Firehose wrote to S3 as a source, read by a real Flink."""

import gzip
import os
import time
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from base.aws import Aws
from connectors.check import ConnectorError
from connectors.firehose import FirehoseLanding
from infra import flink
from pipeline.environment import table_environment
from tests.conftest import LocalAws
from tests.waiting import until
from udfs.decoding.clocks import Clocks
from udfs.decoding.columns import Column
from udfs.decoding.function import decode_records

SOON = timedelta(seconds=3)


def table_env(folder: Path, endpoint: str | None, parallelism: int = 1) -> Any:
    flink.prepare(endpoint or "http://127.0.0.1:1", folder)
    options = {"restart-strategy.type": "none", "parallelism.default": str(parallelism)}
    made = table_environment(flink.cluster("landing", folder=folder, short=True, overrides=options))
    flink.load_s3(endpoint)
    return made


def lines(env: Any, query: str) -> Generator[tuple[Any, ...], None, None]:
    """Start a query, and return an iterator over its rows."""
    result = env.sql_query(query).execute()
    until(lambda: result.get_job_client().get_job_status().result().name == "RUNNING", "the job")

    def rows() -> Generator[tuple[Any, ...], None, None]:
        with result.collect() as found:
            for row in found:
                yield tuple(row)

    return rows()


@pytest.mark.flink
@pytest.mark.aws
def test_objects_are_read_as_firehose_writes_them(local_aws: LocalAws, tmp_path: Path) -> None:
    s3 = local_aws.client("s3")
    bucket = local_aws.outputs["ctr"]["RawBucketName"]

    def land(key: str, body: bytes) -> None:
        s3.put_object(Bucket=bucket, Key=f"landing/{key}", Body=body)

    source = FirehoseLanding(f"s3://{bucket}/landing/", local_aws.aws, idle_timeout=SOON)
    env = table_env(tmp_path, local_aws.endpoint)
    # Nothing was delivered yet.
    source.check()
    env.create_temporary_view("records", source.records(env, "landing"))
    found = lines(env, "SELECT `data`, CAST(arrival AS STRING) FROM records WHERE `data` IS NOT NULL")
    land("2026/01/31/23/ctr-1-a", b'{"n": 1}{"n": 2}{"n": 3}')
    land("2026/02/01/00/ctr-1-b.gz", gzip.compress(b'{"n": 4}\n{"n": 5}\n\n{"n": 6}\n'))
    land("2026/02/01/00/ctr-1-c", b'{"n":\n 7}\nno json\n\xff\xfe')
    first = {bytes(next(found)[0]) for _ in range(8)}
    assert first == {
        b'{"n": 1}{"n": 2}{"n": 3}',
        *(b'{"n": 4}', b'{"n": 5}', b'{"n": 6}'),
        *(b'{"n":', b" 7}", b"no json", b"\xff\xfe"),
    }
    before = time.time()
    # The objects of the lab's own delivery stream.
    delivery = local_aws.outputs["ctr"]["DirectDeliveryName"]
    local_aws.client("firehose").put_record(DeliveryStreamName=delivery, Record={"Data": b'{"n": 8}'})
    landed = s3.list_objects_v2(Bucket=bucket, Prefix="direct/")["Contents"][0]["Key"]
    s3.copy_object(Bucket=bucket, Key=f"landing/{landed}", CopySource=f"{bucket}/{landed}")
    data, written = next(found)
    assert bytes(data) == b'{"n": 8}'
    assert abs(time.mktime(time.strptime(written[:19], "%Y-%m-%d %H:%M:%S")) - time.timezone - before) < 5
    found.close()


@pytest.mark.flink
def test_a_backlog_in_any_order_makes_nothing_late_and_windows_close_when_idle(tmp_path: Path) -> None:
    landing = tmp_path / "landing"

    def land(name: str, records: int, seconds_ago: float) -> None:
        path = landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(f".{path.name}").write_bytes(b'{"n": 1}\n' * records)
        os.utime(path.with_name(f".{path.name}"), (time.time() - seconds_ago,) * 2)
        path.with_name(f".{path.name}").rename(path)

    for n in range(30):
        land(f"2026/01/31/{n % 24:02d}/{n}", n + 1, 7200 - n * 120)
    source = FirehoseLanding(landing.as_uri(), Aws("us-east-1"), idle_timeout=SOON)
    env = table_env(tmp_path, None, parallelism=2)
    clocks = Clocks(SOON, shared=True)
    rows, _, _ = decode_records(env, source.records(env, "landing"), [Column("n", "INTEGER", "$.n")], clocks)
    env.create_temporary_view("numbers", rows)
    windows = lines(
        env,
        "SELECT CAST(window_start AS STRING), COUNT(*) FROM"
        " TABLE(TUMBLE(TABLE numbers, DESCRIPTOR(rowtime), INTERVAL '1' SECOND))"
        " GROUP BY window_start, window_end",
    )
    backlog = [next(windows) for _ in range(30)]
    assert sorted(count for _, count in backlog) == list(range(1, 31))
    # Fresh objects, and none after them.
    land("2026/01/31/23/fresh", 7, 0)
    assert next(windows)[1] == 7
    windows.close()


def test_a_landings_position_and_path_are_checked() -> None:
    FirehoseLanding("s3://bucket/", Aws("us-east-1"), position="2024-01-31T12:00:00Z")
    with pytest.raises(ValueError, match=r"TRIM_HORIZON or a time with offset like .*, got 'LATEST'"):
        FirehoseLanding("s3://bucket/", Aws("us-east-1"), position="LATEST")
    with pytest.raises(ValueError, match="got '2024-01-31T12:00:00'"):
        FirehoseLanding("s3://bucket/", Aws("us-east-1"), position="2024-01-31T12:00:00")
    with pytest.raises(ValueError, match=r"source\.path must look like"):
        FirehoseLanding("bucket/prefix", Aws("us-east-1"))


@pytest.mark.aws
def test_a_missing_bucket_is_one_line(local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with pytest.raises(ConnectorError, match="S3 bucket no-such-bucket: not found"):
        FirehoseLanding("s3://no-such-bucket/x/", local_aws.aws).check()
