"""Senders: start, another rate, stop, and mistakes."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from console.resources import resources
from console.senders import Senders
from console.sending import SenderError, producer, scenario_of, senders_of
from generator import runner
from pipeline.application import Application, ApplicationError, parse
from pipeline.catalog import JOBS, read
from pipeline.parts import Sender as Described
from tests.waiting import until

FLEET = Path(__file__).parent / "fleet"
CTR = read(JOBS / "ctr")


class Kinesis:
    """Takes every record."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.streams: set[str] = set()
        self.lock = threading.Lock()

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:
        with self.lock:
            self.records += Records
            self.streams.add(StreamName)
        return {"FailedRecordCount": 0, "Records": [{"SequenceNumber": "1", "ShardId": "s"} for _ in Records]}


def senders_for(application: Application, kinesis: Any) -> Senders:
    return Senders(application, resources(application), kinesis)


@pytest.mark.parametrize(
    ("folder", "sender", "stream", "least"),
    [
        (JOBS / "ctr", "clicks-1", "ctr-clickstream", 30),
        (JOBS / "trades", "trades-5-anomalous", "Demo-samples", 30),
        (JOBS / "sessions", "click-simulator", "lab-stream", 1),
        (FLEET, "vehicles", "fleet-telemetry", 30),
    ],
)
def test_a_sender_sends_until_it_is_stopped(folder: Path, sender: str, stream: str, least: int) -> None:
    kinesis = Kinesis()
    senders = senders_for(read(folder), lambda: kinesis)
    senders.start(sender, 100.0)

    def shown() -> dict[str, Any]:
        return next(s for s in senders.as_json() if s["id"] == sender)

    until(lambda: shown()["sent"] >= least)
    assert shown()["running"]
    senders.stop(sender)
    until(lambda: not senders._runs[sender].running)
    assert shown()["sent"] == len(kinesis.records)
    assert not shown()["running"]
    assert kinesis.streams == {stream}
    assert all(isinstance(json.loads(record["Data"]), dict) for record in kinesis.records)


@pytest.mark.parametrize(
    ("sender", "rate"), [("none", 1.0), ("clicks-1", 0.0), ("clicks-1", 1e9), ("clicks-1", float("nan"))]
)
def test_mistakes_are_reported(sender: str, rate: float) -> None:
    with pytest.raises(SenderError):
        senders_for(CTR, Kinesis).start(sender, rate)


def test_a_sender_that_cannot_send_says_why() -> None:
    def broken() -> Any:
        raise RuntimeError("no credentials")

    senders = senders_for(CTR, broken)
    senders.start("clicks-1")
    until(lambda: senders.as_json()[1]["trouble"])
    assert senders.as_json()[1]["trouble"] == "no credentials"


def own(**sender: Any) -> Application:
    tree = {
        "title": "T",
        "sources": {"s": {"type": "recording", "path": "file:///x", "columns": {"a": "INT"}}},
        "senders": [{"label": "A", **sender}, {"label": "A", **sender}],
    }
    return parse(tree, name="own", folder=FLEET, queries={})


def test_two_senders_of_one_label_have_each_an_id_and_a_recording_takes_none() -> None:
    senders = senders_for(own(template="click"), Kinesis)
    assert [s["id"] for s in senders.as_json()] == ["a", "a-2"]
    senders.start("a")
    until(lambda: senders.as_json()[0]["trouble"])
    assert "required a Kinesis stream to send to" in senders.as_json()[0]["trouble"]


def test_a_description_names_no_file_outside_its_folder_and_no_module_of_others() -> None:
    for name in ("../fleet/../../../pyproject.toml", "/etc/passwd", "none-such"):
        with pytest.raises(SenderError):
            scenario_of(own(template=name), Described(label="A", template=name))
    for name in ("os", "..infra.flink", "generator_user"):
        with pytest.raises(SenderError, match="producer"):
            producer(name)
    with pytest.raises(ApplicationError, match="one of template, scenario, producer, got none"):
        own()


def test_all_templates_of_an_application_are_one_scenario() -> None:
    scenario = senders_of(CTR, resources(CTR))
    assert (scenario.to, len(scenario.senders)) == ("stream:ctr-clickstream", 5)
    fleet = read(FLEET)
    (records,) = runner.preview(senders_of(fleet, resources(fleet))).values()
    assert set(json.loads(records[0])) == {"vehicle", "motion"}
    trades = read(JOBS / "trades")
    with pytest.raises(SenderError, match="kda produce trades"):
        senders_of(trades, resources(trades))
