"""The anomaly response: the message, its limits, and the whole of it on the local AWS."""

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas import anomaly_response
from lambdas.anomaly_response import to_message
from tests.lambdas.contract import CONTEXT, RUBBISH, event

ROW = {
    "CTRPERCENT": 398.76,
    "ANOMALY_SCORE": 2.345,
    "EXPECTED_CTR": 100.04,
    "SITE": "shop.example.com",
    "WINDOW_START": "2026-05-04 10:00:00",
    "WINDOW_END": "2026-05-04 10:00:10",
}


def message(row: Any) -> tuple[str, str]:
    return to_message(event(row)["records"][0]["data"])


class Sns:
    def __init__(self, *failures: Exception | None) -> None:
        self.failures = list(failures)
        self.published: list[dict[str, str]] = []

    def publish(self, **message: str) -> None:
        failure = self.failures.pop(0) if self.failures else None
        if failure:
            raise failure
        self.published.append(message)


@pytest.fixture
def sns(monkeypatch: pytest.MonkeyPatch) -> Sns:
    topic = Sns()
    monkeypatch.setattr(anomaly_response, "_client", lambda: topic)
    monkeypatch.setenv("TOPIC_ARN", "arn:aws:sns:us-east-1:000000000000:topic")
    return topic


def results(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(record["recordId"], record["result"]) for record in answer["records"]]


def test_everything_that_is_known_is_reported() -> None:
    assert message(ROW) == (
        "Click-through rate 398.8 % on shop.example.com is anomalous",
        "The click-through rate is anomalous: 398.8 % on shop.example.com.\n"
        "About 100.0 % was expected: it is 298.7 points higher (+299 %).\n"
        "Anomaly score: 2.35 (up to 1 is ordinary, higher is more anomalous).\n"
        "Window: 2026-05-04 10:00:00 to 2026-05-04 10:00:10.",
    )


@pytest.mark.parametrize(
    ("expected", "reported"),
    [
        (800, "About 800.0 % was expected: it is 401.2 points lower (-50 %)."),
        (0, "About 0.0 % was expected: it is 398.8 points higher."),
        (398.75, "About 398.8 % was expected, too: what is unusual is how it changes."),
    ],
)
def test_by_how_much_it_differs(expected: float, reported: str) -> None:
    assert message(ROW | {"EXPECTED_CTR": expected})[1].splitlines()[1] == reported


def test_names_are_taken_in_any_case() -> None:
    assert message({name.lower(): value for name, value in ROW.items()}) == message(ROW)


def test_the_labs_own_two_columns_are_enough() -> None:
    assert message({"CTRPERCENT": 400, "ANOMALY_SCORE": 3, "SITE": None, "EXPECTED_CTR": None}) == (
        "Click-through rate 400.0 % is anomalous",
        "The click-through rate is anomalous: 400.0 %.\n"
        "Anomaly score: 3.00 (up to 1 is ordinary, higher is more anomalous).",
    )


@given(site=st.text(max_size=400), rate=st.floats(allow_nan=False, allow_infinity=False))
def test_the_subject_is_one_that_sns_takes(site: str, rate: float) -> None:
    subject, text = message(ROW | {"SITE": site, "CTRPERCENT": rate})
    assert 0 < len(subject) <= 100
    assert subject.isascii()
    assert subject.isprintable()
    assert subject[0].isalpha()
    assert len(text.splitlines()) == 4, "a site must not add lines of its own"
    assert len(text.encode()) < 10_000


@pytest.mark.parametrize("name", ["CTRPERCENT", "ANOMALY_SCORE"])
@pytest.mark.parametrize("value", [None, "400", True, [], {}])
def test_a_number_that_is_none_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be a finite number"):
        message(ROW | {name: value})


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_a_number_that_is_not_finite_is_refused(number: bytes) -> None:
    with pytest.raises(ValueError, match="CTRPERCENT must be a finite number"):
        message(b'{"CTRPERCENT": ' + number + b', "ANOMALY_SCORE": 3}')


def test_bad_records_fail_alone(sns: Sns) -> None:
    answer = anomaly_response.handler(event(ROW, *RUBBISH, ROW), CONTEXT)
    last = len(RUBBISH) + 1
    failed = [(str(index), "DeliveryFailed") for index in range(1, last)]
    assert results(answer) == [("0", "Ok"), *failed, (str(last), "Ok")]
    assert len(sns.published) == 2


def test_data_that_is_missing_or_no_base64_fails_alone(sns: Sns) -> None:
    sent = event(ROW, ROW, ROW)
    del sent["records"][0]["data"]
    sent["records"][1]["data"] = "*" + base64.b64encode(b"{}").decode()
    assert [result for _, result in results(anomaly_response.handler(sent, CONTEXT))] == [
        "DeliveryFailed",
        "DeliveryFailed",
        "Ok",
    ]


def test_a_message_that_sns_refuses_fails_alone(sns: Sns) -> None:
    sns.failures = [None, RuntimeError("throttled"), None]
    answer = anomaly_response.handler(event(ROW, ROW, ROW), CONTEXT)
    assert results(answer) == [("0", "Ok"), ("1", "DeliveryFailed"), ("2", "Ok")]


def test_what_there_is_no_time_for_is_left_for_the_next_call(sns: Sns) -> None:
    left = iter([60_000, 60_000, anomaly_response.LONGEST_PUBLISH, anomaly_response.LONGEST_PUBLISH - 1])
    slow = SimpleNamespace(get_remaining_time_in_millis=lambda: next(left))
    answer = anomaly_response.handler(event(ROW, ROW, ROW), slow)
    # What was published is said to be: people get no message twice.
    assert results(answer) == [("0", "Ok"), ("1", "Ok"), ("2", "DeliveryFailed")]
    assert len(sns.published) == 2


def test_a_function_of_three_seconds_does_its_work_too(sns: Sns) -> None:
    """Which is what Lambda gives one that asks for nothing."""
    brief = SimpleNamespace(get_remaining_time_in_millis=lambda: 3_000)
    answer = anomaly_response.handler(event(ROW, ROW), brief)
    assert [r["result"] for r in answer["records"]] == ["Ok", "Ok"]
    assert len(sns.published) == 2


@pytest.mark.aws
def test_deployed_it_reaches_the_queue(local_aws: Any) -> None:
    outputs = local_aws.outputs["ctr"]
    answer = local_aws.client("lambda").invoke(
        FunctionName=outputs["FunctionName"], Payload=json.dumps(event({**ROW, "SITE": "deployed"}, b"{"))
    )
    assert results(json.loads(answer["Payload"].read())) == [("0", "Ok"), ("1", "DeliveryFailed")]
    sqs, queue = local_aws.client("sqs"), outputs["MessageQueueUrl"]
    got = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10, MaxNumberOfMessages=10)["Messages"]
    bodies = [json.loads(one["Body"]) for one in got]
    assert [body["Subject"] for body in bodies] == ["Click-through rate 398.8 % on deployed is anomalous"]
    for one in got:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=one["ReceiptHandle"])
