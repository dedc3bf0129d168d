"""Lab 2's real SQL over recorded clicks: rows in, rows out. Times are literal milliseconds after START."""

import json
from typing import Any

import pytest

from pipeline.catalog import find
from pipeline.settings import SettingsError, settings
from tests.jobs.clicks import START, Run, arriving, click, in_time, starts
from tests.jobs.clicks import run as run  # a fixture


@pytest.mark.flink
def test_a_session_is_what_the_lab_says(run: Run) -> None:
    midnight = 12 * 3_600_000
    rows = run(
        in_time(
            ("first", 0),
            ("devices", 0, "desktop", "search"),
            # Clicks exactly at, under and over the gap after the click before.
            ("gap", 1),
            ("devices", 5_000, "tablet", "detail"),
            ("gap", 10_000),
            ("gap", 20_000),
            ("gap", 30_001),
            ("devices", 40_000, "tablet", "checkout"),
            # The first click of a session, and one inside it, sent twice.
            ("twice", 50_000),
            ("twice", 50_000),
            ("twice", 55_000),
            ("twice", 55_000),
            ("midnight", midnight - 3_000),
            ("midnight", midnight + 3_000),
            # A day after the first: the lab's session_id comes again.
            ("first", 86_400_000, "desktop", "search", False),
        )
    )
    assert starts(rows, "first") == ["12:00:00.000"] * 2
    assert starts(rows, "gap") == ["12:00:00.001", "12:00:30.001"]
    assert starts(rows, "twice") == ["12:00:50.000"]
    assert starts(rows, "midnight") == ["23:59:57.000"]
    assert [row for row in rows["intermediate"] if row[0] == "devices"] == [
        ("devices", "desktop", "2024-01-31 12:00:00.000", "2024-01-31 12:00:00.000"),
        ("devices", "tablet", "2024-01-31 12:00:05.000", None),
        ("devices", "tablet", "2024-01-31 12:00:40.000", "2024-01-31 12:00:40.000"),
    ]
    destination = [row for row in rows["destination"] if row[0] in ("devices", "midnight")]
    # The lab's id has the device of each click, although the session is the user's.
    assert sorted(destination, key=lambda row: (row[0], row[3] < "12", row[3])) == [
        ("devices", "devices_desktop_12:00:00", "12:00:00", "12:00:00"),
        ("devices", "devices_tablet_12:00:00", None, "12:00:05"),
        ("devices", "devices_tablet_12:00:40", "12:00:40", "12:00:40"),
        ("midnight", "midnight_desktop_23:59:57", "23:59:57", "23:59:57"),
        ("midnight", "midnight_desktop_23:59:57", None, "00:00:03"),
    ]
    assert sorted(rows["closed"])[:2] == [
        (
            "devices",
            "devices_desktop_12:00:00",
            "2024-01-31 12:00:00.000",
            "2024-01-31 12:00:05.000 2 5000 [search, detail]",
        ),
        (
            "devices",
            "devices_tablet_12:00:40",
            "2024-01-31 12:00:40.000",
            "2024-01-31 12:00:40.000 1 0 [checkout]",
        ),
    ]
    assert [row[2:] for row in rows["closed"] if row[0] == "gap"] == [
        ("2024-01-31 12:00:00.001", "2024-01-31 12:00:20.000 3 19999 [search, search, search]"),
        ("2024-01-31 12:00:30.001", "2024-01-31 12:00:30.001 1 0 [search]"),
    ]
    assert len([row for row in rows["closed"] if row[0] == "first"]) == 2
    assert rows["undecoded"] == rows["impossible"] == rows["late"] == []


@pytest.mark.flink
def test_one_user_time_zone_look_back_and_an_id_that_never_repeats(run: Run) -> None:
    rows = run(
        in_time(
            ("a", 0, "smart_tv"), ("a", 4_000), ("a", 8_000), ("b", 8_000), ("a", 86_400_000, "smart_tv")
        ),
        sessions={"session_id": "date_and_time", "time_zone": "Asia/Tokyo", "look_back": "6", "user": "a"},
    )
    assert rows["destination"] == [
        ("a", "a_smart-tv_2024-01-31T12:00:00.000Z", "21:00:00", "21:00:00"),
        ("a", "a_desktop_2024-01-31T12:00:00.000Z", None, "21:00:04"),
        # Beyond the look-back there is no session start to take the id from, as in the lab.
        ("a", None, None, "21:00:08"),
        ("a", "a_smart-tv_2024-02-01T12:00:00.000Z", "21:00:00", "21:00:00"),
    ]
    assert [(*row[:2], row[3][24:]) for row in rows["closed"]] == [
        ("a", "a_smart-tv_2024-01-31T12:00:00.000Z", "3 8000 [search, search, search]"),
        ("a", "a_smart-tv_2024-02-01T12:00:00.000Z", "1 0 [search]"),
    ]


@pytest.mark.flink
def test_disorder_within_the_bound_changes_nothing_and_what_is_later_is_reported(run: Run) -> None:
    ordered = [
        ("a", 0),
        ("b", 1_000),
        ("a", 10_000),
        ("b", 11_001),
        ("a", 14_000),
        ("b", 15_000),
        ("a", 30_000),
    ]
    shuffled = [ordered[i] for i in (1, 0, 3, 2, 5, 4, 6)]
    hour = 3_600_000
    rows = run(
        arriving(
            *ordered,
            # An hour later the same in disorder, by other users.
            *((user.upper(), ms + hour) for user, ms in shuffled),
            # At the bound behind another user's click, and one millisecond beyond it.
            ("c", 2 * hour + 20_000),
            ("d", 2 * hour + 15_000),
            ("e", 2 * hour + 14_999),
            ("d", 2 * hour + 25_000),
        )
    )

    def of(relation: str, users: str) -> list[str]:
        return sorted(repr(row).lower().replace(" 13:", " 12:") for row in rows[relation] if row[0] in users)

    assert of("intermediate", "ab") == of("intermediate", "AB")
    assert of("closed", "ab") == [row.replace("_13:", "_12:") for row in of("closed", "AB")]
    assert starts(rows, "B") == ["13:00:01.000", "13:00:11.001"]
    assert [row[3] for row in rows["closed"] if row[0] in "de"] == [
        "2024-01-31 14:00:25.000 2 10000 [search, search]"
    ]
    [(name, message, data_row, arrived)] = rows["late"]
    assert name == "LATE_EVENT"
    assert message == (
        "event_timestamp: required at most 5000 ms behind the newest event, got 5001 ms, for user e"
    )
    assert json.loads(bytes.fromhex(data_row)) == {
        "user_id": "e",
        "event_timestamp": START + 2 * hour + 14_999,
        "event_name": "search",
        "device_type": "desktop",
    }
    assert arrived == "2024-02-01 12:00:00.016"


@pytest.mark.flink
def test_an_idle_stream_closes_its_sessions_and_no_more(run: Run) -> None:
    clicks = [*in_time(("a", 0), ("b", 1_000)), (5.0, None), (2_000.0, None)]
    # After any idle time, a click is late only if it belongs to a closed session.
    clicks += [(2_001.0, click("a", 11_000)), (2_001.1, click("b", 11_001)), (2_001.2, click("b", 11_000))]
    rows = run(clicks)
    assert sorted(row[3][11:] for row in rows["closed"]) == [
        "12:00:00.000 1 0 [search]",
        "12:00:01.000 1 0 [search]",
        "12:00:11.001 1 0 [search]",
    ]
    assert [json.loads(bytes.fromhex(row[2]))["user_id"] for row in rows["late"]] == ["a", "b"]


@pytest.mark.flink
def test_a_poison_record_reaches_the_error_stream_only(run: Run) -> None:
    sound = in_time(("a", 0), ("b", 2_000), ("a", 4_000), ("a", 14_001))
    year_9999 = 253_402_300_799_999 - START
    base = json.loads(click("a", 3_000))
    undecoded = [
        b"no json",
        b"\xff",
        json.dumps({k: v for k, v in base.items() if k != "user_id"}).encode(),
        json.dumps(base | {"device_type": None}).encode(),
        json.dumps(base | {"event_timestamp": "yesterday"}).encode(),
        json.dumps(base | {"event_timestamp": None}).encode(),
        json.dumps(base | {"event_timestamp": 2**63}).encode(),
    ]
    impossible = [
        click("a", year_9999),
        click("a", 2**63 - 1 - START),
        click("a", -START),
        click("a", -START - 1),
        click("a", 63_001),
        click("", 3_000),
        click("a", 3_000, ""),
    ]
    rows = run(
        [*sound[:2], *((3.0, record) for record in undecoded + impossible), *sound[2:]],
        sessions={"rows": "starts"},
    )
    assert [bytes.fromhex(row[2]) for row in rows["undecoded"]] == undecoded
    assert len(rows["impossible"]) == len(impossible)
    assert {row[0] for row in rows["impossible"]} == {"IMPOSSIBLE_EVENT"}
    assert rows["impossible"][0][1].startswith(
        "event_timestamp: required at most 60000 ms after the arrival, got {"
    )
    assert [row[1].split(":")[0] for row in rows["impossible"]] == ["event_timestamp"] * 5 + [
        "user_id",
        "device_type",
    ]
    assert not rows["late"]
    assert rows["destination"] == [
        ("a", "a_desktop_12:00:00", "12:00:00", "12:00:00"),
        ("b", "b_desktop_12:00:02", "12:00:02", "12:00:02"),
        ("a", "a_desktop_12:00:14", "12:00:14", "12:00:14"),
    ]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"sessions": {"time_zone": "Mars"}}, "sessions.time_zone must be the name of a time zone"),
        ({"sessions": {"gap": "0"}}, "sessions.gap"),
        ({"sessions": {"rows": "closed"}}, "sessions.rows must be 'starts' or 'events'"),
        ({"closed": {"type": "s3"}}, "closed.path is required with type s3"),
        ({"sessions": {"look_back": "8640000"}}, "sessions.look_back"),
        ({"event_time": {"disorder": "-1"}}, "event_time.disorder"),
    ],
)
def test_properties_that_make_no_sense_are_refused(groups: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings(find("sessions"), groups)
