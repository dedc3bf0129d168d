"""Sinks: limits of a call, what is sent again, and what became of each record."""

import gzip
import json

import boto3
import pytest
from botocore.config import Config
from botocore.stub import ANY, Stubber

from generator import sinks
from generator.sinks import FileSink, Record, SinkError

OK = {"SequenceNumber": "1", "ShardId": "shardId-000000000000"}
BUSY = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow down"}


def client(service):
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        # botocore's own retries would hide ours, and take time.
        config=Config(retries={"total_max_attempts": 1}),
    )


def records(*texts):
    return [Record(text, f"key-{text}") for text in texts]


class Answers:
    """A Kinesis or Firehose that answers as it is set to, and remembers what it was sent."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls = []

    def _answer(self, entries):
        self.calls.append([entry["Data"] for entry in entries])
        answer = self.answers.pop(0) if self.answers else []
        return [*answer, *[{}] * len(entries)][: len(entries)]

    def put_records(self, StreamName, Records):
        return {"Records": self._answer(Records)}

    def put_record_batch(self, DeliveryStreamName, Records):
        return {"RequestResponses": self._answer(Records)}


class Delays(list):
    """Takes the place of sleeping."""

    def __call__(self, seconds):
        self.append(seconds)


@pytest.fixture
def delays():
    return Delays()


def test_kinesis_sends_only_the_failed_records_again(delays):
    kinesis = client("kinesis")
    with Stubber(kinesis) as stub:
        stub.add_response(
            "put_records",
            {"FailedRecordCount": 2, "Records": [BUSY, OK, BUSY]},
            {
                "StreamName": "clicks",
                "Records": [{"Data": f"{t}\n".encode(), "PartitionKey": f"key-{t}"} for t in "abc"],
            },
        )
        stub.add_response(
            "put_records",
            {"FailedRecordCount": 1, "Records": [OK, BUSY]},
            {
                "StreamName": "clicks",
                "Records": [{"Data": f"{t}\n".encode(), "PartitionKey": f"key-{t}"} for t in "ac"],
            },
        )
        stub.add_response(
            "put_records",
            {"Records": [OK]},
            {"StreamName": "clicks", "Records": [{"Data": b"c\n", "PartitionKey": "key-c"}]},
        )
        delivery = sinks.kinesis(kinesis, "clicks", sleep=delays).send(records("a", "b", "c"))
        stub.assert_no_pending_responses()
    assert [record.text for record in delivery.sent] == ["b", "a", "c"]
    assert delivery.failed == []
    assert delivery.sent_again == 3
    assert len(delays) == 2


def test_firehose_sends_only_the_failed_records_again(delays):
    firehose = client("firehose")
    with Stubber(firehose) as stub:
        stub.add_response(
            "put_record_batch",
            {"FailedPutCount": 1, "RequestResponses": [{"RecordId": "1"}, {"ErrorCode": "Busy"}]},
            {"DeliveryStreamName": "landing", "Records": [{"Data": b"a\n"}, {"Data": b"b\n"}]},
        )
        stub.add_response(
            "put_record_batch",
            {"FailedPutCount": 0, "RequestResponses": [{"RecordId": "2"}]},
            {"DeliveryStreamName": "landing", "Records": [{"Data": b"b\n"}]},
        )
        delivery = sinks.firehose(firehose, "landing", sleep=delays).send(records("a", "b"))
        stub.assert_no_pending_responses()
    assert [record.text for record in delivery.sent] == ["a", "b"]
    assert delivery.sent_again == 1


def test_a_record_that_fails_each_time_is_given_up_and_the_others_are_sent(delays):
    service = Answers(*[[BUSY, {}]], *[[BUSY]] * 20)
    delivery = sinks.kinesis(service, "s", sleep=delays).send(records("a", "b"))
    assert [record.text for record in delivery.sent] == ["b"]
    assert [record.text for record in delivery.failed] == ["a"]
    assert delivery.reasons == {"ProvisionedThroughputExceededException": 1}
    assert delivery.sent_again == sinks.ATTEMPTS - 1
    assert len(service.calls) == sinks.ATTEMPTS
    assert delivery.fatal is None


def test_delays_grow_are_random_and_bounded(delays):
    sink = sinks.kinesis(Answers(*[[BUSY]] * 800), "s", sleep=delays)
    for _ in range(100):
        sink.send(records("a"))
    by_attempt = [delays[n :: sinks.ATTEMPTS - 1] for n in range(sinks.ATTEMPTS - 1)]
    assert [max(group) > 0.8 * 0.1 * 2**n for n, group in enumerate(by_attempt[:5])] == [True] * 5
    assert all(max(group) <= min(5, 0.1 * 2**n) for n, group in enumerate(by_attempt))
    assert len(set(delays)) == len(delays)


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalFailure", "LimitExceededException"])
def test_a_call_that_fails_for_now_is_made_again(delays, code):
    kinesis = client("kinesis")
    with Stubber(kinesis) as stub:
        stub.add_client_error("put_records", code)
        stub.add_response("put_records", {"Records": [OK]}, {"StreamName": "s", "Records": ANY})
        delivery = sinks.kinesis(kinesis, "s", sleep=delays).send(records("a"))
    assert (len(delivery.sent), delivery.sent_again, delivery.fatal) == (1, 1, None)


def test_a_missing_stream_is_fatal_at_once(delays):
    kinesis = client("kinesis")
    with Stubber(kinesis) as stub:
        stub.add_response("put_records", {"Records": [OK] * 500}, {"StreamName": "s", "Records": ANY})
        stub.add_client_error("put_records", "ResourceNotFoundException", "Stream s not found")
        delivery = sinks.kinesis(kinesis, "s", sleep=delays).send(records(*map(str, range(1200))))
        stub.assert_no_pending_responses()
    assert isinstance(delivery.fatal, SinkError)
    assert "stream:s: " in str(delivery.fatal)
    assert "Stream s not found" in str(delivery.fatal)
    assert (len(delivery.sent), len(delivery.failed), delivery.sent_again) == (500, 700, 0)
    assert delays == []


def test_nothing_listens(delays):
    delivery = sinks.firehose(client("firehose"), "f", sleep=delays).send(records("a"))
    assert "firehose:f: Could not connect" in str(delivery.fatal)
    assert len(delivery.failed) == 1


def test_an_answer_that_leaves_records_out_has_not_taken_them(delays):
    class Short:
        calls = 0

        def put_records(self, StreamName, Records):
            self.calls += 1
            return {"Records": [OK]}

    service = Short()
    delivery = sinks.kinesis(service, "s", sleep=delays).send(records("a", "b", "c"))
    assert [record.text for record in delivery.sent] == ["a", "b", "c"]
    assert service.calls == 3


def test_at_most_500_records_a_call():
    service = Answers()
    delivery = sinks.kinesis(service, "s").send(records(*map(str, range(1001))))
    assert [len(call) for call in service.calls] == [500, 500, 1]
    assert len(delivery.sent) == 1001
    assert sinks.kinesis(service, "s").send([]).sent == []


@pytest.mark.parametrize(
    ("make", "most_call_bytes", "key_bytes"),
    [(sinks.kinesis, 5 * 1024**2, len("key")), (sinks.firehose, 4 * 1024**2, 0)],
)
def test_a_call_is_filled_up_to_its_bytes(make, most_call_bytes, key_bytes):
    service = Answers()
    # Ten records fill a call to the byte: text, newline and key.
    size = most_call_bytes // 16
    exact = Record("x" * (size - 1 - key_bytes), "key")
    make(service, "s").send([exact] * 32)
    assert [len(call) for call in service.calls] == [16, 16]
    service.calls.clear()
    make(service, "s").send([exact] * 15 + [exact._replace(text=exact.text + "x")])
    assert [len(call) for call in service.calls] == [15, 1]


@pytest.mark.parametrize(
    ("make", "most", "key_bytes"), [(sinks.kinesis, 1024**2, 3), (sinks.firehose, 1000 * 1024, 0)]
)
def test_a_record_too_large_is_given_up_without_a_call(make, most, key_bytes):
    service = Answers()
    fits = Record("x" * (most - 1 - key_bytes), "key")
    too_large = Record(fits.text[:-1] + "ü", "key")
    delivery = make(service, "s").send([too_large, fits, Record("small", "key")])
    assert [len(record.text) for record in delivery.sent] == [len(fits.text), 5]
    assert delivery.failed == [too_large]
    assert delivery.reasons == {f"larger than {most} bytes": 1}


def test_gzip_is_per_record_and_without_newline():
    service = Answers()
    sinks.firehose(service, "f", compressed=True).send(records("a", "bü"))
    assert [gzip.decompress(data).decode() for data in service.calls[0]] == ["a", "bü"]


def test_half_a_surrogate_pair_does_not_stop_the_run(tmp_path):
    half = Record(json.loads('"\\ud83d"'), "key")
    service = Answers()
    sinks.kinesis(service, "s").send([half])
    assert service.calls == [[b"?\n"]]
    sink = FileSink(tmp_path / "out")
    sink.send([half])
    sink.close()
    assert (tmp_path / "out").read_bytes() == b"?\n"


@pytest.mark.parametrize("compressed", [False, True])
def test_file_gets_one_line_a_record_and_is_continued(tmp_path, compressed):
    path = tmp_path / "out"
    for texts in (("a", "b"), ("c",)):
        sink = FileSink(path, compressed)
        assert len(sink.send(records(*texts)).sent) == len(texts)
        sink.close()
    data = gzip.decompress(path.read_bytes()) if compressed else path.read_bytes()
    assert data == b"a\nb\nc\n"


def test_file_that_can_not_be_opened(tmp_path):
    with pytest.raises(SinkError, match="No such file or directory"):
        FileSink(tmp_path / "no" / "out")
