"""Formats of moment.js, against what its documentation shows for them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.moments import LOCAL, UTC_ISO, compile_format, epoch_milliseconds

SUNDAY = datetime(2010, 2, 14, 15, 25, 50, 125_999, tzinfo=timezone(timedelta(hours=-5, minutes=-30)))


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (LOCAL, "2010-02-14T15:25:50-05:30"),
        (UTC_ISO, "2010-02-14T15:25:50Z"),
        ("dddd, MMMM Do YYYY, h:mm:ss a", "Sunday, February 14th 2010, 3:25:50 pm"),
        ("ddd, hA", "Sun, 3PM"),
        ("DD/MMM/YYYY:HH:mm:ss ZZ", "14/Feb/2010:15:25:50 -0530"),
        ("YYYYMMDDHHmmssSSS", "20100214152550125"),
        ("s.S s.SS s.SSSSSS", "50.1 50.12 50.125000"),
        ("[Today is] dddd", "Today is Sunday"),
        (r"\MM \[x]", "MM x"),
        ("M Mo D DD d do dd e E", "2 2nd 14 14 0 0th Su 0 7"),
        ("DDD DDDo DDDD Q Qo", "45 45th 045 1 1st"),
        ("w wo ww gg gggg", "8 8th 08 10 2010"),
        ("W Wo WW GG GGGG", "6 6th 06 10 2010"),
        ("H HH h hh k kk m s", "15 15 3 03 15 15 25 50"),
        ("Hmm Hmmss hmm hmmss", "1525 152550 325 32550"),
        ("Y YY YYYYY YYYYYY", "2010 10 02010 +002010"),
        ("L|l|LT|LTS", "02/14/2010|2/14/2010|3:25 PM|3:25:50 PM"),
        ("LL|ll", "February 14, 2010|Feb 14, 2010"),
        ("LLLL", "Sunday, February 14, 2010 3:25 PM"),
        ("llll", "Sun, Feb 14, 2010 3:25 PM"),
        ("X x", "1266180950 1266180950125"),
        ("z", ""),
        ("[kept] ü {} ?", "kept ü {} ?"),
    ],
)
def test_formats(pattern, text):
    assert compile_format(pattern)(SUNDAY) == text


def test_midnight():
    assert compile_format("H HH h hh k kk a")(datetime(2026, 1, 1, tzinfo=UTC)) == "0 00 12 12 24 24 am"


def test_utc_knows_its_name():
    assert compile_format("Z z zz")(SUNDAY.astimezone(UTC)) == "+00:00 UTC Coordinated Universal Time"


@pytest.mark.parametrize(
    ("day", "us", "iso"),
    [
        # 2027 begins on a Friday: its first American week has already begun in December.
        (datetime(2026, 12, 27, tzinfo=UTC), "2027-01", "2026-52"),
        (datetime(2026, 12, 26, tzinfo=UTC), "2026-52", "2026-52"),
        (datetime(2027, 1, 3, tzinfo=UTC), "2027-02", "2026-53"),
        (datetime(2027, 1, 4, tzinfo=UTC), "2027-02", "2027-01"),
    ],
)
def test_weeks_at_the_turn_of_the_year(day, us, iso):
    assert compile_format("gggg-ww")(day) == us
    assert compile_format("GGGG-WW")(day) == iso


@given(st.integers(min_value=0, max_value=4_000_000_000_000))
def test_milliseconds_are_exact(milliseconds):
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    assert epoch_milliseconds(moment) == milliseconds


@given(st.text(alphabet="MDYHhmsSaAdwWQZzXxLl[]\\ :-o", max_size=30))
def test_any_format_makes_text(pattern):
    assert isinstance(compile_format(pattern)(SUNDAY), str)
