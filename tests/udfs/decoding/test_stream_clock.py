"""The clock of several shards on literal times; and under any reading order of any backlog."""

from hypothesis import given, settings
from hypothesis import strategies as st

from udfs.decoding.clocks import LandingClock
from udfs.decoding.shard_clock import DISORDER, HOLD, LAG, PATIENCE, ShardClock
from udfs.decoding.stream_clock import StreamClock

IDLE = 15.0


class Clocks:
    """Both clocks, moved by hand; the wall's is far from zero."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.skew = 0.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + self.skew

    @property
    def ms(self) -> int:
        """What AWS's clock says."""
        return int(self.now * 1000)


def started(shared: bool = False) -> tuple[Clocks, ShardClock]:
    clocks = Clocks()
    return clocks, ShardClock(IDLE, shared, clocks.monotonic, clocks.wall)


def wait(clocks: Clocks, clock: ShardClock, seconds: float) -> None:
    for _ in range(round(seconds)):
        clocks.now += 1
        clock.heartbeat()


def live(clocks: Clocks, clock: ShardClock, seconds: int, *shards: str) -> list[int]:
    """A record a second from each shard, as it arrives; by how much each counts later than it arrived."""
    moved = []
    for _ in range(seconds):
        clocks.now += 1
        moved += [clock.hear(shard, clocks.ms) - clocks.ms for shard in shards]
    return moved


def test_time_stands_still_while_a_shard_may_be_unheard_of() -> None:
    clocks, clock = started()
    live(clocks, clock, int(HOLD) - 1, "a")
    assert clock.watermark == 0
    # The second shard's backlog is minutes older, and comes when the first has been heard for long.
    assert clock.hear("b", clocks.ms - 300_000) == clocks.ms - 300_000
    wait(clocks, clock, 1)
    assert clock.watermark == clocks.ms - 1000 - 300_000 - DISORDER


def test_the_slowest_shard_holds_the_others() -> None:
    clocks, clock = started()
    live(clocks, clock, 10, "a", "b")
    wait(clocks, clock, 1)
    behind = clocks.ms - 1000
    assert clock.watermark == behind - DISORDER
    live(clocks, clock, int(IDLE) - 2, "a")
    assert clock.watermark == behind - DISORDER
    assert clock.hear("b", behind + 1) == behind + 1


def test_an_idle_shard_holds_nobody_for_longer_than_the_timeout() -> None:
    clocks, clock = started()
    live(clocks, clock, 10, "a", "b")
    live(clocks, clock, int(IDLE) + 1, "a")
    assert clock.watermark == clocks.ms - DISORDER


def test_what_comes_after_its_time_counts_at_the_present_one() -> None:
    clocks, clock = started()
    live(clocks, clock, 10, "a", "b")
    live(clocks, clock, 30, "a")
    late = clocks.ms - 20_000
    assert clock.hear("b", late) == clock.watermark + 1
    # At the limit: what is over is over, the next millisecond is not.
    assert clock.hear("b", clock.watermark) == clock.watermark + 1
    assert clock.hear("b", clock.watermark + 1) == clock.watermark + 1


def test_a_shard_that_comes_back_makes_nobody_late() -> None:
    clocks, clock = started()
    live(clocks, clock, 10, "a", "b")
    live(clocks, clock, 40, "a")
    assert live(clocks, clock, 40, "a", "b") == [0] * 80


def test_an_idle_stream_closes_its_windows_behind_the_timeout() -> None:
    clocks, clock = started()
    live(clocks, clock, 10, "a")
    last = clocks.ms
    wait(clocks, clock, IDLE - 1)
    assert clock.watermark == last - DISORDER
    wait(clocks, clock, 61)
    assert clock.watermark == clocks.ms - IDLE * 1000 - DISORDER
    assert live(clocks, clock, 20, "a") == [0] * 20


def test_behind_the_present_a_shard_is_idle_later() -> None:
    clocks, clock = started()
    backlog = clocks.ms - 3_600_000
    for i in range(100):
        clocks.now += 0.1
        clock.hear("a", backlog + 1000 * i)
        clock.hear("b", backlog + 10 * i)
    held = clock.watermark
    for i in range(100, 100 + int(10 * (PATIENCE * IDLE - 1))):
        clocks.now += 0.1
        clock.hear("a", backlog + 1000 * i)
    assert clock.watermark == backlog + 990 - DISORDER
    assert clock.watermark - held <= 20
    for i in range(2000, 2040):
        clocks.now += 0.1
        clock.hear("a", backlog + 1000 * i)
    assert clock.watermark >= backlog + 2_000_000 - DISORDER


def test_time_without_calls_makes_no_shard_idle() -> None:
    """A full pipe lets neither records nor heartbeats through: no shard may be taken for idle."""
    clocks, clock = started()
    live(clocks, clock, 10, "a", "b")
    last = clocks.ms
    clocks.now += 600
    assert clock.hear("a", last + 1000) == last + 1000
    assert clock.hear("b", last + 500) == last + 500
    assert clock.watermark < last + 500


def test_the_walls_clock_may_jump() -> None:
    clocks, clock = started()
    live(clocks, clock, 10, "a")
    for jump in (7200.0, -86400.0, 0.0):
        clocks.skew = jump
        assert live(clocks, clock, 30, "a") == [0] * 30
        wait(clocks, clock, 40)
        assert clock.watermark < clocks.ms


def test_idle_shards_follow_the_present_while_others_wait() -> None:
    clocks, clock = started(shared=True)
    live(clocks, clock, 10, "a")
    wait(clocks, clock, IDLE - 1)
    assert clock.watermark == clocks.ms - 1000 * (IDLE - 1) - DISORDER
    wait(clocks, clock, 1)
    assert clock.watermark == clocks.ms - 1000 * LAG - DISORDER
    # A record that is read as soon as it has come is not late.
    assert live(clocks, clock, 20, "a") == [0] * 20


def test_at_the_end_of_an_old_backlog_the_others_do_not_wait_for_years() -> None:
    clocks, clock = started(shared=True)
    clock.hear("a", clocks.ms - 3_600_000)
    wait(clocks, clock, PATIENCE * IDLE - 1)
    assert clock.watermark == clocks.ms - 1000 * (PATIENCE * IDLE - 1) - 3_600_000 - DISORDER
    wait(clocks, clock, 1)
    assert clock.watermark == clocks.ms - 1000 * LAG - DISORDER


def test_who_has_no_shards_holds_the_others_for_the_timeout() -> None:
    clocks, clock = started(shared=True)
    wait(clocks, clock, IDLE - 1)
    assert clock.watermark == 0
    wait(clocks, clock, 1)
    assert clock.watermark == clocks.ms - 1000 * LAG
    clocks, clock = started()
    wait(clocks, clock, PATIENCE * IDLE - 1)
    assert clock.watermark == 0
    wait(clocks, clock, 1)
    assert clock.watermark == clocks.ms - 1000 * IDLE


def test_a_shard_that_returns_to_another_subtask_is_never_behind_what_all_have_reached() -> None:
    """Flink's watermark further on is the least of the subtasks'."""
    clocks, slow = started(shared=True)
    quick = ShardClock(IDLE, True, clocks.monotonic, clocks.wall)
    backlog = clocks.ms - 600_000
    for second in range(120):
        clocks.now += 1
        quick.hear("a", clocks.ms)
        if second < 10 or second > 90:
            backlog += 1000
            assert slow.hear("b", backlog) > min(slow.watermark, quick.watermark)
        slow.heartbeat()
        # It holds nobody for ever.
        if 10 + PATIENCE * IDLE < second <= 90:
            assert min(slow.watermark, quick.watermark) >= clocks.ms - 1000 * LAG - DISORDER


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
    st.integers(1, 6),
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 200), st.floats(0, 1.0)), min_size=1, max_size=60),
    st.integers(0, 3_600_000),
)
def test_no_order_of_reading_a_backlog_makes_a_record_late(
    shards: int, reads: list[tuple[int, int, float]], span: int
) -> None:
    """Each read takes up to a second and gives up to 200 records of one shard; nobody is idle for the timeout."""
    clocks, clock = started()
    begin = clocks.ms - span - 60_000
    position = [0] * shards
    heard = [clocks.now] * shards
    for shard, records, seconds in reads:
        shard %= shards
        clocks.now += seconds
        # A shard that was left out for too long has its turn first, as a fair source would have it.
        for starved in [s for s in range(shards) if clocks.now - heard[s] > HOLD - 2]:
            position[starved] += 1000
            heard[starved] = clocks.now
            assert clock.hear(str(starved), begin + position[starved]) == begin + position[starved]
        for _ in range(records):
            position[shard] += span // 2000
            assert clock.hear(str(shard), begin + position[shard]) == begin + position[shard]
        heard[shard] = clocks.now


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
        else ShardClock(IDLE, shared, clocks.monotonic, clocks.wall)
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
