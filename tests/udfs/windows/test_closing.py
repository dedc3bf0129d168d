"""Windows that close: by the clock, from a key's first row, until a change; hotspots; scalar functions."""

import pytest

from udfs.kda_functions import char_to_timestamp, regex_replace, split, timestamp_to_char
from udfs.windows.aggregates import Aggregate
from udfs.windows.closing import Closed, Windows
from udfs.windows.hotspots import Hotspots

COUNT = [Aggregate("count", "BIGINT")]


def test_a_stagger_window_opens_at_the_first_row_and_the_next_row_opens_another() -> None:
    windows = Windows("first_row", 60_000, COUNT)
    assert windows.push(50_200, (None,), ()) == []
    assert windows.due == 110_200
    assert windows.push(110_199, (None,), ()) == []
    # Exactly at its end a row is in the next window.
    assert windows.push(110_200, (None,), ()) == [Closed(50_200, 110_200, (), (2,))]
    assert windows.due == 170_200
    assert windows.close(170_199) == []
    assert windows.close(170_200) == [Closed(110_200, 170_200, (), (1,))]
    assert windows.due is None


def test_by_the_clock_windows_begin_at_multiples_of_their_length() -> None:
    windows = Windows(
        "clock", 10_000, [Aggregate("first_value", "INT", "v"), Aggregate("last_value", "INT", "v")]
    )
    windows.push(13_000, (None, None), ())
    windows.push(19_999, (4, 4), ())
    assert windows.push(20_000, (5, 5), ()) == [Closed(10_000, 20_000, (), (None, 4))]


def test_a_change_closes_the_groups_of_all_keys() -> None:
    windows = Windows("change", 1, COUNT)
    assert windows.push(1, (None,), ("a",), (1,)) == []
    assert windows.push(2, (None,), ("b",), (1,)) == []
    assert windows.due is None
    assert windows.push(9, (None,), ("a",), (2,)) == [Closed(1, 9, ("a",), (1,)), Closed(1, 9, ("b",), (1,))]
    assert windows.push(10, (None,), ("a",), (None,)) == [Closed(9, 10, ("a",), (1,))]


def test_hotspots_hold_dense_points_and_no_others() -> None:
    spots = Hotspots(window_size=100, scan_radius=1.0, minimum_points=4)
    for i in range(20):
        spots.push((50 + (i % 4) * 0.2, 50.0))
        found = spots.push((float(i * 7), float(i * 3)))
    assert len(found) == 1
    [low, _], [high, _] = found[0]["minValues"], found[0]["maxValues"]
    assert 49 <= low <= 50 <= high <= 51.6
    assert found[0]["density"] > 0


def test_points_that_have_left_make_no_hotspot() -> None:
    spots = Hotspots(window_size=100, scan_radius=1.0, minimum_points=3)
    for _ in range(5):
        assert spots.push((0.0,)) or len(spots.points) < 3
    for i in range(100):
        found = spots.push((10.0 * i,))
    assert found == []


@pytest.mark.parametrize(
    ("letters", "text", "time"),
    [
        ("dd/MM/yyyy HH:mm", "05/03/2026 23:15", "2026-03-05T23:15:00"),
        ("yyyyMMddHHmmss", "20260305231530", "2026-03-05T23:15:30"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSZ", "2026-03-05T23:15:30.250+0200", "2026-03-05T21:15:30.250000"),
        ("EEE MMM dd HH:mm:ss z yyyy", "Thu Mar 05 23:15:30 PST 2026", "2026-03-06T07:15:30"),
        ("dd/MMM/yyyy:hh:mm:ss a", "05/Mar/2026:11:15:30 PM", "2026-03-05T23:15:30"),
        ("yy-M-d", "26-3-5", "2026-03-05T00:00:00"),
        ("HH:mm", "7:30", "1970-01-01T07:30:00"),
    ],
)
def test_times_are_read_by_simple_date_formats_letters(letters: str, text: str, time: str) -> None:
    found = char_to_timestamp(letters, text)
    assert found is not None
    assert found.isoformat() == time


@pytest.mark.parametrize("text", ["", "31/02/2026 10:00", "05-03-2026 23:15", "noon", None])
def test_a_text_that_says_no_time_gives_none(text: str | None) -> None:
    assert char_to_timestamp("dd/MM/yyyy HH:mm", text) is None


def test_times_are_written_by_simple_date_formats_letters() -> None:
    time = char_to_timestamp("yyyy-MM-dd HH:mm:ss.SSS", "2026-03-05 00:05:07.040")
    written = timestamp_to_char("EEE, d MMM yy h:mm a k K S SSS D u 'o''clock' EEEE MMMM", time)
    assert written == "Thu, 5 Mar 26 12:05 AM 24 0 40 040 64 4 o'clock Thursday March"


def test_nothing_in_nothing_out() -> None:
    assert regex_replace(None, "a", "b", 1, 0) is None
    assert split(None, ",", 0, "") is None
    assert split("a,b", ",", 2, "\\") is None
    assert split("a\\,b,c", ",", 0, "\\") == "a,b"
    assert timestamp_to_char(None, None) is None
