"""The clock of objects on literal times; and what holds for both clocks, whatever comes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.udfs.decoding.shards import IDLE, Clocks, Shards, clock_of
from udfs.decoding.clocks import LandingClock
from udfs.decoding.stream_clock import StreamClock


def landing() -> tuple[Clocks, LandingClock]:
    clocks = Clocks()
    return clocks, LandingClock(IDLE, clocks.monotonic, clocks.wall)


def test_a_landing_stands_still_while_a_backlog_is_read_in_any_order() -> None:
    clocks, clock = landing()
    for n in range(100):
        clocks.now += 1
        arrival = clocks.ms - 3_600_000 + (n * 37 % 100) * 1000
        assert clock.hear("", arrival) == arrival
        assert clock.heartbeat() == 0
    last = clocks.now
    while clocks.now < last + IDLE - 1:
        clocks.now += 1
        clock.hear("", clocks.ms - 1000)
        assert clock.watermark == 0
    clocks.now += 1
    assert clock.heartbeat() == clocks.ms - 1000 * IDLE
    # At the limit, and behind it: an object that was found too late counts now, and holds the others from here on.
    assert clock.hear("", clock.watermark + 1) == clock.watermark + 1
    stands = clock.watermark
    assert clock.hear("", stands - 5000) == stands + 1
    clocks.now += IDLE - 1
    assert clock.heartbeat() == stands


def test_a_landing_without_objects_closes_windows_too() -> None:
    clocks, clock = landing()
    for _ in range(int(IDLE) - 1):
        clocks.now += 1
        assert clock.heartbeat() == 0
    for _ in range(100):
        clocks.now += 1
        assert clock.heartbeat() == clocks.ms - 1000 * IDLE


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(-10_000_000, 10_000_000), st.floats(0, 100)), max_size=80
    ),
    st.sampled_from([False, True, None]),
)
def test_whatever_comes_no_watermark_goes_back_and_no_row_is_late(
    calls: list[tuple[int, int, float]], shared: bool | None
) -> None:
    clocks = Clocks()
    clock: StreamClock = (
        LandingClock(IDLE, clocks.monotonic, clocks.wall)
        if shared is None
        else clock_of(Shards(**{"0": True, "1": True, "2": True}), clocks, "012", shared)
    )
    for shard, offset, seconds in calls:
        clocks.now += seconds
        before = clock.watermark
        if shard == 3:
            assert clock.heartbeat() == clock.watermark
        else:
            # Flink takes a row at the watermark for late.
            assert clock.hear(str(shard), clocks.ms + offset) > clock.watermark
        assert clock.watermark >= before
