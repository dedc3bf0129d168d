"""Lab 1 for real, ten times faster: generator → Kinesis → job → Lambda → SNS → queue; and again from a recording."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.recording import Recording
from infra import flink
from infra.recording import EVENT_TIME, record
from jobs.ctr import course as ctr_course
from jobs.ctr import demo as demo_ctr
from tests.conftest import LocalAws
from tests.jobs.conftest import Flink, rows_of

pytestmark = [pytest.mark.flink, pytest.mark.aws]


@pytest.fixture(scope="module")
def course(local_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> ctr_course.Course:
    flink.prepare(local_aws.endpoint, tmp_path_factory.mktemp("prepare"))
    return ctr_course.run(local_aws.endpoint, tmp_path_factory.mktemp("ctr"), lambda course, job: None)


def test_a_message_for_the_burst_and_for_nothing_else(course: ctr_course.Course) -> None:
    assert course.counts.failed == 0
    rates = {course.number(start): found.ctr for start, found in course.scores.items()}
    assert set(range(26)) <= set(rates)
    assert min(rates[n] for n in ctr_course.BURST) > 200
    told = {course.number(n.window_start) for n in course.notifications}
    assert len(course.notifications) == 1
    assert told <= {18, 19}
    # KDA's rule would have told each window of it.
    assert {18, 19} <= set(course.by_score)
    burst = min(n.window_start for n in course.notifications)
    assert all(n.sent > burst for n in course.notifications)
    assert all(course.expectations.values())
    # What a person reads: the rate, the expected one and by how much it is off it, the score, the window, the site.
    message = course.notifications[0].message
    for part in ("yourwebsiteurl.domain.com", "% was expected: it is ", "Anomaly score:", "Window: 20"):
        assert part in message
    # The report says so, too: three windows had more clicks, and for no other one a message was sent.
    assert course.begin
    report = demo_ctr.told(course, {}, course.begin)
    assert report.injected == [f"{course.begin + n * ctr_course.WINDOW:%H:%M:%S}" for n in (18, 19, 20)]
    assert report.found
    assert set(report.found) <= set(report.injected)


def test_its_recording_gives_the_same_rows_in_seconds(
    course: ctr_course.Course, local_aws: LocalAws, mini_flink: Flink, tmp_path: Path
) -> None:
    everything = tmp_path / "everything"
    assert record(local_aws.client("kinesis"), local_aws.outputs["ctr"]["ClickStreamName"], everything) > 500
    # Other tests may have sent to the same stream before.
    lines = [line for line in everything.read_text().splitlines() if _time(line) >= course.begin]
    (tmp_path / "recorded").write_text("\n".join(lines))
    table_env = mini_flink.environment()
    recording = Recording((tmp_path / "recorded").as_uri(), "us-east-1")
    mini_flink.pipeline("ctr", table_env, {"source_sql_stream": recording}, {"window": {"size": "1"}})
    query = "SELECT CAST(window_start AS STRING), ctr, anomaly_score, expected_ctr, threshold FROM scores"
    replayed = [ctr_course.Score(_utc(start), *rest) for start, *rest in rows_of(table_env, query)]
    # The live run's last window closed after it was looked at, if at all.
    assert replayed[:26] == [course.scores[start] for start in sorted(course.scores)][:26]


def _time(line: str) -> datetime:
    document: dict[str, Any] = json.loads(line)
    return datetime.fromisoformat(document[EVENT_TIME])


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")
