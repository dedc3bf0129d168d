"""Lab 1's real SQL over records from memory: rows in, rows out."""

import gzip
import json
import random
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from base.aws import Aws
from connectors.recording import Recording
from pipeline.tap import tapped
from tests.jobs.conftest import EPOCH, Flink, MemorySource, rows_of
from udfs.random_cut_forest import RandomCutForest

pytestmark = pytest.mark.flink

SITE = "yourwebsiteurl.domain.com"
COUNTS = ("clickstream", "impressionstream", "ctrstream")
ERRORS = ("source_sql_stream_errors", "late_actions", "scored_ctr_errors")
Records = list[tuple[float, bytes]]


def action(name: str, site: str = SITE) -> bytes:
    return json.dumps({"browseraction": name, "site": site}).encode()


def window(number: int, clicks: int, impressions: int, site: str = SITE, size: float = 10) -> Records:
    """Records of one window, from its first millisecond to its last."""
    actions = [action("Click", site)] * clicks + [action("Impression", site)] * impressions
    step = (size - 0.001) / max(1, len(actions) - 1)
    return [(number * size + i * step, data) for i, data in enumerate(actions)]


def run(
    mini_flink: Flink,
    source: Any,
    relation_names: tuple[str, ...],
    groups: dict[str, dict[str, Any]] | None = None,
    **options: str,
) -> dict[str, list[dict[str, Any]]]:
    """The rows of some relations of the job, run without its sinks."""
    table_env = mini_flink.environment(**options)
    mini_flink.pipeline("ctr", table_env, {"source_sql_stream": source}, groups)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, _, row in rows_of(table_env, " UNION ALL ".join(tapped(table_env, r) for r in relation_names)):
        found[name].append(json.loads(row))
    return found


def number(row: dict[str, Any], size: float = 10) -> int:
    """The number of a row's window."""
    start = datetime.fromisoformat(row.get("window_start") or row["WINDOW_START"]).replace(
        tzinfo=EPOCH.tzinfo
    )
    return round((start - EPOCH) / timedelta(seconds=size))


BAD = [b"no json", b"\xff\xfe", b"", b"{}", b"[1]", b'{"browseraction": null, "site": "x"}']


@pytest.fixture(scope="module")
def counted(mini_flink: Flink) -> dict[str, list[dict[str, Any]]]:
    """The counts of records with every kind of problem, each in a window of its own."""
    records = [
        *window(0, 3, 4),
        # Exactly on the boundaries: the first and the last millisecond.
        (10.0, action("Click")),
        (19.999, action("Impression")),
        *window(2, 0, 5),
        *window(3, 5, 0),
        # Window 4: nothing at all.
        *[record for record in window(5, 2, 2) for _ in range(2)],
        *window(6, 8000, 2000),
        *window(7, 1, 1),
        *[(79.999, data) for data in BAD],
        *[(79.999, action(name)) for name in ("click", "Hover", "DiscoveryKinesisTest", " Click")],
        (
            79.999,
            b'{"browseraction": "Click"}{"browseraction": "Impression"}\n{"browseraction": "Impression"}',
        ),
    ]
    return run(mini_flink, MemorySource(records), COUNTS + ERRORS)


@pytest.fixture(scope="module")
def skewed(mini_flink: Flink) -> dict[str, list[dict[str, Any]]]:
    """The counts for arrival times that go back within the open window, then into a closed one."""
    records = [
        (8.0, action("Click")),
        (1.0, action("Impression")),
        (10.0, action("Click")),
        (10.001, action("Click")),
        (9.999, action("Impression", "late.example.com")),
        (0.0, action("Click", "late.example.com")),
        (19.0, action("Impression")),
    ]
    # Bundles of one record, so that the watermark advances with each.
    return run(mini_flink, MemorySource(records), COUNTS + ERRORS, python__fn_execution__bundle__size="1")


def rates(rows: list[dict[str, Any]], size: float = 10) -> dict[int, float]:
    return {number(row, size): row["ctr"] for row in rows}


def test_a_window_has_its_counts_and_their_rate(counted: dict[str, list[dict[str, Any]]]) -> None:
    clicks = {number(row): row["clickcount"] for row in counted["clickstream"]}
    impressions = {number(row): row["impressioncount"] for row in counted["impressionstream"]}
    assert (clicks[0], impressions[0], rates(counted["ctrstream"])[0]) == (3.0, 4.0, 75.0)
    row = counted["ctrstream"][0]
    assert datetime.fromisoformat(row["window_end"]) - datetime.fromisoformat(
        row["window_start"]
    ) == timedelta(seconds=10)
    assert row["site"] == SITE


def test_a_windows_first_millisecond_is_in_and_its_last_too(counted: dict[str, list[dict[str, Any]]]) -> None:
    assert rates(counted["ctrstream"])[1] == 100.0


def test_a_window_without_clicks_has_no_click_row_and_no_rate(
    counted: dict[str, list[dict[str, Any]]],
) -> None:
    assert 2 not in {number(row) for row in counted["clickstream"]}
    assert {number(row): row["impressioncount"] for row in counted["impressionstream"]}[2] == 5.0
    assert 2 not in rates(counted["ctrstream"])


def test_a_window_without_impressions_divides_nothing_by_zero(
    counted: dict[str, list[dict[str, Any]]],
) -> None:
    assert {number(row): row["clickcount"] for row in counted["clickstream"]}[3] == 5.0
    assert 3 not in {number(row) for row in counted["impressionstream"]}
    assert 3 not in rates(counted["ctrstream"])
    assert counted["scored_ctr_errors"] == []


def test_an_empty_window_has_no_row_at_all(counted: dict[str, list[dict[str, Any]]]) -> None:
    assert all(number(row) != 4 for name in COUNTS for row in counted[name])


def test_duplicates_count_as_the_records_they_are(counted: dict[str, list[dict[str, Any]]]) -> None:
    row = next(row for row in counted["ctrstream"] if number(row) == 5)
    assert (row["clickcount"], row["impressioncount"]) == (4.0, 4.0)


def test_a_burst_of_ten_thousand_records_is_one_row(counted: dict[str, list[dict[str, Any]]]) -> None:
    row = next(row for row in counted["ctrstream"] if number(row) == 6)
    assert (row["clickcount"], row["impressioncount"], row["ctr"]) == (8000.0, 2000.0, 400.0)


def test_other_actions_count_as_neither_and_bad_records_are_reported(
    counted: dict[str, list[dict[str, Any]]],
) -> None:
    row = next(row for row in counted["ctrstream"] if number(row) == 7)
    assert (row["clickcount"], row["impressioncount"]) == (2.0, 3.0)
    reported = sorted(bytes.fromhex(error["data_row"]) for error in counted["source_sql_stream_errors"])
    assert reported == sorted(BAD)
    assert all(error["error_name"] and error["message"] for error in counted["source_sql_stream_errors"])


def test_records_from_before_count_while_their_window_is_open(
    skewed: dict[str, list[dict[str, Any]]],
) -> None:
    assert rates(skewed["ctrstream"])[0] == 100.0


def test_records_of_a_closed_window_are_reported(skewed: dict[str, list[dict[str, Any]]]) -> None:
    late = skewed["late_actions"]
    assert [error["error_name"] for error in late] == ["LATE_DROPPED", "LATE_DROPPED"]
    assert [json.loads(bytes.fromhex(error["data_row"]))["browseraction"] for error in late] == [
        "Impression",
        "Click",
    ]
    assert [error["data_rowtime"][11:19] for error in late] == ["12:00:09", "12:00:00"]
    assert "window ending at 2024-01-31 12:00:10.000" in late[0]["message"]
    assert rates(skewed["ctrstream"])[1] == 200.0


STEADY, BURST, QUIET = range(18), range(18, 20), range(21, 27)


def lab(size: float = 10, site: str = SITE) -> Records:
    """The lab's records: a steady rate, three more senders of clicks for 25 s, and steady again."""
    return [
        record
        for n in range(27)
        for record in window(n, 40 if n in BURST else 25 if n == 20 else 10, 10, site, size)
    ]


def test_the_burst_is_reported_once_and_kdas_rule_has_each_window(mini_flink: Flink) -> None:
    found = run(
        mini_flink,
        MemorySource(lab(size=1)),
        ("scores", "anomalies", "alerts", "destination_sql_stream"),
        {"window": {"size": "1"}},
    )
    rates = [[row["ctr"]] for row in found["scores"]]
    expected = RandomCutForest(1, 100, 12, 100_000).score_many(rates)
    assert [row["anomaly_score"] for row in found["scores"]] == pytest.approx(expected)
    assert [row["anomaly_score"] for row in found["scores"][:12]] == [0.0] * 12
    assert [number(row, 1) for row in found["anomalies"]] == list(BURST)
    (reported,) = found["destination_sql_stream"]
    assert number(reported, 1) == BURST[1]
    assert (reported["CTRPERCENT"], reported["EXPECTED_CTR"], reported["SITE"]) == (400.0, 100.0, SITE)
    assert 2 < reported["ANOMALY_SCORE"] < 3.71
    assert set(reported) == {
        "CTRPERCENT",
        "ANOMALY_SCORE",
        "SITE",
        "WINDOW_START",
        "WINDOW_END",
        "EXPECTED_CTR",
    }
    # The detector's row has the forest's score as well as its own.
    (alert,) = found["alerts"]
    assert (alert["direction"], alert["anomaly_score"]) == ("HIGH", reported["ANOMALY_SCORE"])
    assert alert["detector_score"] > alert["anomaly_threshold"]


def test_one_record_on_the_wrong_side_of_a_window_is_an_anomaly_only_by_kdas_rule(mini_flink: Flink) -> None:
    # The forest has seen only 100 % so far, so any other rate gets the highest score.
    records = [r for n in range(20) for r in window(n, {15: 9, 16: 11}.get(n, 10), 10)] + window(20, 12, 10)
    wanted = ("scores", "anomalies", "destination_sql_stream")
    found = run(mini_flink, MemorySource(records), wanted, {"anomalies": {"threshold": "2.5"}})
    assert {row["threshold"] for row in found["scores"]} == {2.5}, "the charts draw it"
    assert [number(row) for row in found["scores"] if row["anomaly_score"] > 2] == [15, 16, 20]
    assert {number(row) for row in found["anomalies"]} >= {15}
    assert found["destination_sql_stream"] == []
    by_score = run(mini_flink, MemorySource(records), wanted, {"anomalies": {"by": "score"}})
    assert [number(row) for row in by_score["destination_sql_stream"]] == [15, 16, 20]


def test_a_forest_and_a_detector_for_each_site(mini_flink: Flink) -> None:
    calm = [record for n in range(27) for record in window(n, 5, 10, "calm.example.com", 1)]
    records = sorted(lab(1, "burst.example.com") + calm, key=lambda record: record[0])
    groups = {"window": {"size": "1", "by_site": "true"}}
    found = run(mini_flink, MemorySource(records), ("scores", "destination_sql_stream"), groups)
    assert [row["SITE"] for row in found["destination_sql_stream"]] == ["burst.example.com"]
    by_site = defaultdict(list)
    for row in found["scores"]:
        by_site[row["site"]].append(row["ctr"])
    assert by_site["calm.example.com"] == [50.0] * 27
    assert by_site["burst.example.com"] == [100.0] * 18 + [400.0] * 2 + [250.0] + [100.0] * 6


def test_a_recording_gives_the_rows_of_the_live_run(mini_flink: Flink, tmp_path: Path) -> None:
    records = [(s, data) for n in range(16) for s, data in window(n, 30 if n == 14 else n % 3 + 1, 2)]
    lines = []
    for seconds, data in records:
        # Times with an offset, as a generator's template writes them.
        time = (EPOCH + timedelta(seconds=seconds)).astimezone(timezone(timedelta(hours=2)))
        lines.append(json.dumps(json.loads(data) | {"event_time": time.isoformat(timespec="milliseconds")}))
    lines.append('{"browseraction": "Click", "site": "timeless"}')
    random.Random(5).shuffle(lines)
    (tmp_path / "2024/01").mkdir(parents=True)
    (tmp_path / "2024/01/first").write_text("\n".join(lines[:20]))
    (tmp_path / "2024/second.gz").write_bytes(gzip.compress("\n".join(lines[20:]).encode()))
    names = ("scores", "source_sql_stream_errors", "late_actions")
    recording = Recording(tmp_path.as_uri(), Aws("us-east-1"))
    recording.check()
    replayed = run(mini_flink, recording, names)
    live = run(mini_flink, MemorySource(records), names)
    assert replayed["scores"] == live["scores"] != []
    assert replayed["late_actions"] == []
    (error,) = replayed["source_sql_stream_errors"]
    assert "timeless" in bytes.fromhex(error["data_row"]).decode()
    assert error["message"].startswith("column recorded_event_time TIMESTAMP(3): required a value")
