"""Due times, as literal seconds."""

from datetime import UTC, datetime
from itertools import islice, pairwise, takewhile
from random import Random
from statistics import mean, stdev

import pytest
from pydantic import TypeAdapter, ValidationError

from generator.rates import Constant, Paced, Periodic, Rate

# A Wednesday.
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def due(rate, number, start=NOON):
    return list(islice(rate.times(start, Random(1)), number))


def per_second(rate, seconds, start=NOON):
    """Number of records due in each of the first seconds."""
    counts = [0] * seconds
    for t in takewhile(lambda t: t < seconds, rate.times(start, Random(1))):
        counts[int(t)] += 1
    return counts


def test_constant_is_due_in_the_middle_of_each_interval():
    assert due(Constant(per_second=1), 3) == [0.5, 1.5, 2.5]
    assert due(Constant(per_second=4), 3) == [0.125, 0.375, 0.625]
    assert due(Constant(per_second=0.1), 2) == [5, 15]


def test_constant_fills_each_window_alike():
    assert per_second(Constant(per_second=7), 100) == [7] * 100


def test_paced_pauses_instead_of_after_every_so_many():
    assert due(Paced(every=2, pause=15, after=3), 8) == [0, 2, 4, 19, 21, 23, 38, 40]


def test_the_labs_three_thousand_events():
    times = due(Paced(every=2, pause=15, after=60), 3000)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps.count(15) == 49
    assert gaps.count(2) == 2950
    assert [n for n, gap in enumerate(gaps, start=1) if gap == 15] == list(range(60, 3000, 60))
    assert times[-1] == 2 * 2950 + 15 * 49


def week(quiet, hours):
    """A week of `quiet` records a second, but for some (day, hour) pairs."""
    return [[hours.get((day, hour), quiet) for hour in range(24)] for day in range(7)]


def test_periodic_takes_the_hour_of_the_week():
    # Sunday is day 0, Wednesday day 3.
    rate = Periodic(mean=week(1, {(3, 12): 3, (3, 13): 0}), deviation=0)
    assert per_second(rate, 2) == [3, 3]
    assert due(rate, 4) == [1 / 6, 3 / 6, 5 / 6, 1 + 1 / 6]
    assert per_second(rate, 4, NOON.replace(minute=59, second=58)) == [3, 3, 0, 0]
    assert per_second(rate, 4, NOON.replace(hour=13, minute=59, second=58)) == [0, 0, 1, 1]
    assert per_second(rate, 1, NOON.replace(day=8)) == [1]
    assert per_second(
        Periodic(mean=week(1, {(0, 0): 5}), deviation=0), 1, datetime(2026, 3, 8, tzinfo=UTC)
    ) == [5]


def test_periodic_is_normally_distributed():
    counts = per_second(Periodic(mean=100, deviation=10), 2000)
    assert abs(mean(counts) - 100) < 1
    assert abs(stdev(counts) - 10) < 1


def test_periodic_never_goes_below_zero():
    assert min(per_second(Periodic(mean=1, deviation=5), 200)) == 0


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        (5, Constant),
        (0.5, Constant),
        ({"every": 2, "pause": 15, "after": 60}, Paced),
        ({"mean": 100, "deviation": 10}, Periodic),
    ],
)
def test_kind_of_rate_by_its_fields(fields, kind):
    assert type(TypeAdapter(Rate).validate_python(fields)) is kind


@pytest.mark.parametrize(
    "fields",
    [
        0, -1, float("nan"), float("inf"), 2_000_000, "fast", None, [], {},
        {"every": 0, "pause": 15, "after": 60},
        {"every": 2, "pause": 15, "after": 0},
        {"mean": 100},
        {"mean": [[1] * 24] * 6, "deviation": 1},
        {"mean": [[1] * 23] * 7, "deviation": 1},
        {"mean": -1, "deviation": 1},
        {"mean": 1, "deviation": 1, "smoothing": True},
    ],
)  # fmt: skip
def test_no_rate(fields):
    with pytest.raises(ValidationError):
        TypeAdapter(Rate).validate_python(fields)
