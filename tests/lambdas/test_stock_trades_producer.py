"""The trade producer: what it makes, what it does about refused records, and the whole of it on the local AWS."""

import json
import random
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from krcf import RandomCutForest

from lambdas import stock_trades_producer as producer
from lambdas.stock_trades_producer import Settings, make_trades, put_trades


class Throttled(ClientError):
    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "PutRecords")


class Kinesis:
    """Takes what it is set to: one answer per call, each a function of the number of records."""

    exceptions = SimpleNamespace(ProvisionedThroughputExceededException=Throttled)

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[list[dict[str, Any]]] = []
        self.taken: list[dict[str, Any]] = []

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:
        records = [json.loads(record["Data"]) for record in Records]
        self.calls.append(records)
        refused = self.answers.pop(0) if self.answers else set()
        if isinstance(refused, Exception):
            raise refused
        self.taken += [record for record in records if record["id"] not in refused]
        return {
            "Records": [
                {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow down"}
                if record["id"] in refused
                else {"SequenceNumber": "1", "ShardId": "shardId-000000000000"}
                for record in records
            ]
        }


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer, "time", SimpleNamespace(sleep=lambda seconds: None, monotonic=lambda: 0.0))


def trades(count: int) -> list[producer.Trade]:
    return [trade for trade, _ in make_trades(random.Random(0), 1, count)]


def ids(records: list[producer.Trade]) -> list[int]:
    return [record["id"] for record in records]


@given(
    seed=st.integers(0, 2**32),
    first_id=st.integers(0, 2**31),
    count=st.integers(0, 300),
    share=st.floats(0, 1),
    size=st.floats(1, 1000),
)
def test_trades_are_as_the_lab_has_them(
    seed: int, first_id: int, count: int, share: float, size: float
) -> None:
    made = make_trades(random.Random(seed), first_id, count, share, size)
    assert made == make_trades(random.Random(seed), first_id, count, share, size)
    assert ids([trade for trade, _ in made]) == list(range(first_id, first_id + count))
    assert abs(sum(anomalous for _, anomalous in made) - count * share) < 1
    for trade, _ in made:
        assert list(trade) == ["tickerSymbol", "tradeType", "price", "quantity", "id"]
        assert len(trade["tickerSymbol"]) <= 8
        assert trade["tradeType"] in ("BUY", "SELL")
        assert isinstance(trade["price"], float)
        assert trade["price"] > 0
        assert isinstance(trade["quantity"], int)
        assert 0 < trade["quantity"] < 2**31


def test_a_round_has_exactly_its_share_and_a_small_batch_on_average() -> None:
    rng = random.Random(1)
    assert sum(anomalous for _, anomalous in make_trades(rng, 1, 100)) == 5
    assert 30 < sum(anomalous for _ in range(1000) for _, anomalous in make_trades(rng, 1, 1)) < 70


def test_a_forest_tells_them_apart() -> None:
    """Ordinary trades score about 0.7, anomalous ones above 1: the lab's threshold."""
    forest = RandomCutForest(
        {"dimensions": 2, "shingle_size": 1, "num_trees": 100, "sample_size": 256, "output_after": 256}
    )
    scores: dict[bool, list[float]] = {True: [], False: []}
    for trade, anomalous in make_trades(random.Random(1), 1, 2000):
        point = [trade["price"], float(trade["quantity"])]
        if trade["id"] > 256:
            scores[anomalous].append(forest.score(point))
        forest.update(point)
    assert sum(score > 1 for score in scores[True]) >= 0.95 * len(scores[True])
    assert sum(score > 1 for score in scores[False]) <= 0.03 * len(scores[False])
    assert 0.6 < sum(scores[False]) / len(scores[False]) < 0.8


def test_refused_records_are_sent_again_alone() -> None:
    kinesis = Kinesis({2, 4}, {4})
    assert put_trades(kinesis, "s", trades(5), lambda: 60) == []
    assert [ids(call) for call in kinesis.calls] == [[1, 2, 3, 4, 5], [2, 4], [4]]
    assert sorted(ids(kinesis.taken)) == [1, 2, 3, 4, 5]


def test_a_throttled_call_is_made_again() -> None:
    kinesis = Kinesis(Throttled())
    assert put_trades(kinesis, "s", trades(3), lambda: 60) == []
    assert [ids(call) for call in kinesis.calls] == [[1, 2, 3], [1, 2, 3]]


def test_a_call_has_at_most_500_records() -> None:
    kinesis = Kinesis({1}, {501}, {1200})
    assert put_trades(kinesis, "s", trades(1200), lambda: 60) == []
    assert [len(call) for call in kinesis.calls] == [500, 500, 200, 3]


def test_without_time_left_the_rest_is_given_back() -> None:
    left = iter([5.0, 0.0])
    kinesis = Kinesis({1, 2}, {2}, {2}, {2})
    assert ids(put_trades(kinesis, "s", trades(3), lambda: next(left))) == [2]
    assert len(kinesis.calls) == 2


def test_an_error_that_no_retry_mends_is_raised() -> None:
    missing = ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "PutRecords")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        put_trades(Kinesis(missing), "s", trades(1), lambda: 60)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("STREAM_NAME", ""),
        ("ANOMALY_SHARE", "1.1"),
        ("ANOMALY_SHARE", "nan"),
        ("ANOMALY_SIZE", "0.5"),
        ("ROUNDS", "0"),
        ("ROUNDS", "many"),
        ("ROUND_INTERVAL", "-1"),
        ("SEED", "1.5"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{variable} must"):
        Settings.read({"STREAM_NAME": "s", variable: text})


def test_empty_variables_take_their_defaults() -> None:
    settings = Settings.read({"STREAM_NAME": "s", "SEED": "", "ROUNDS": "", "LEDGER_BUCKET": ""})
    assert (settings.rounds, settings.anomaly_share, settings.ledger_bucket) == (900, 0.05, "")
    assert settings.seed != Settings.read({"STREAM_NAME": "s"}).seed


class S3:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:
        self.objects[f"{Bucket}/{Key}"] = Body


def invoke(
    monkeypatch: pytest.MonkeyPatch, kinesis: Kinesis, milliseconds: list[int] | int, **variables: str
) -> tuple[dict[str, Any], S3]:
    s3 = S3()
    monkeypatch.setattr(producer, "_client", {"kinesis": kinesis, "s3": s3}.__getitem__)
    for name, value in ({"STREAM_NAME": "s", "SEED": "3", "ROUND_INTERVAL": "0"} | variables).items():
        monkeypatch.setenv(name, value)
    left = iter(milliseconds) if isinstance(milliseconds, list) else None
    context = SimpleNamespace(
        aws_request_id="r",
        get_remaining_time_in_millis=lambda: next(left) if left else milliseconds,
    )
    return producer.handler({}, context), s3


def test_the_answer_and_the_ledger_name_the_anomalies_that_were_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    kinesis = Kinesis()
    answer, s3 = invoke(monkeypatch, kinesis, 900_000, ROUNDS="3", LEDGER_BUCKET="b")
    assert {key: answer[key] for key in ("sent", "failed", "rounds", "anomalies", "seed")} == {
        "sent": 300,
        "failed": 0,
        "rounds": 3,
        "anomalies": 15,
        "seed": 3,
    }
    assert list(s3.objects) == ["b/r/000000.jsonl", "b/r/000001.jsonl", "b/r/000002.jsonl"]
    listed = [json.loads(line) for body in s3.objects.values() for line in body.splitlines()]
    assert ids(listed) == answer["anomaly_ids"]
    assert all(trade in kinesis.taken for trade in listed)
    # What tells them apart is nowhere in the stream.
    assert {tuple(trade) for trade in kinesis.taken} == {
        ("tickerSymbol", "tradeType", "price", "quantity", "id")
    }


def test_an_anomaly_that_was_not_sent_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = set(range(1, 101))
    # Enough time to begin the round, none to send it again.
    answer, s3 = invoke(monkeypatch, Kinesis(everything), [20_000, 10_000, 0], ROUNDS="2", LEDGER_BUCKET="b")
    assert (answer["sent"], answer["failed"], answer["anomaly_ids"]) == (0, 100, [])
    assert s3.objects == {}


def test_it_stops_before_the_function_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, _ = invoke(monkeypatch, Kinesis(), [60_000, 30_000, 9_999], ROUNDS="900")
    assert (answer["rounds"], answer["sent"]) == (2, 200)


def test_many_anomalies_are_in_the_ledger_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, s3 = invoke(monkeypatch, Kinesis(), 900_000, ROUNDS="6", ANOMALY_SHARE="1", LEDGER_BUCKET="b")
    assert answer["anomalies"] == 600
    assert "anomaly_ids" not in answer
    assert sum(len(body.splitlines()) for body in s3.objects.values()) == 600


@pytest.mark.aws
def test_deployed_it_fills_the_stream_and_the_ledger(local_aws: Any) -> None:
    kinesis, s3 = local_aws.client("kinesis"), local_aws.client("s3")
    outputs = local_aws.outputs["trades"]
    shard = kinesis.list_shards(StreamName=outputs["TradeStreamName"])["Shards"][0]["ShardId"]
    iterator = kinesis.get_shard_iterator(
        StreamName=outputs["TradeStreamName"], ShardId=shard, ShardIteratorType="LATEST"
    )["ShardIterator"]
    bucket = outputs["LedgerBucketName"]

    def ledger() -> set[str]:
        return {entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])}

    before = ledger()
    answer = local_aws.client("lambda").invoke(FunctionName=outputs["ProducerName"])
    assert "FunctionError" not in answer
    said = json.loads(answer["Payload"].read())
    assert (said["sent"], said["failed"], said["anomalies"]) == (600, 0, 30)

    records = kinesis.get_records(ShardIterator=iterator, Limit=1000)["Records"]
    arrived = [json.loads(record["Data"]) for record in records]
    assert ids(arrived) == list(range(1, 601))
    listed = []
    for key in sorted(ledger() - before):
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        listed += [json.loads(line) for line in body.splitlines()]
    assert [trade for trade in arrived if trade["id"] in said["anomaly_ids"]] == listed
