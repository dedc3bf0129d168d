"""The clock of several shards on literal times; and under any splits, lists and order of reading."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.udfs.decoding.shards import IDLE, Clocks, Shards, clock_of, live, started, wait
from udfs.decoding.shard_clock import DISORDER, LAG, PATIENCE, ShardClock


def test_time_stands_still_until_each_listed_shard_is_heard() -> None:
    clocks, clock = started("a", "b")
    live(clocks, clock, int(IDLE) - 2, "a")
    assert clock.watermark <= 0
    # The second shard's backlog is minutes older, and comes when the first has been heard for long.
    assert clock.hear("b", clocks.ms - 300_000) == clocks.ms - 300_000
    wait(clocks, clock, 1)
    assert clock.watermark == clocks.ms - 1000 - 300_000 - DISORDER


def test_nothing_is_awaited_when_all_shards_are_heard() -> None:
    clocks, clock = started("a", "b")
    live(clocks, clock, 2, "a", "b")
    assert clock.watermark >= clocks.ms - 1000 - DISORDER


def test_many_records_advance_the_watermark_in_no_time() -> None:
    clocks, clock = started("a")
    live(clocks, clock, 2, "a")
    first, before = clocks.ms, clock.watermark
    for n in range(1, clock.most):
        clock.hear("a", first + n)
        assert clock.watermark == before
    clock.hear("a", first + clock.most)
    assert clock.watermark == first + clock.most - DISORDER


def test_the_slowest_shard_holds_the_others() -> None:
    clocks, clock = started("a", "b")
    live(clocks, clock, 10, "a", "b")
    wait(clocks, clock, 1)
    behind = clocks.ms - 1000
    assert clock.watermark == behind - DISORDER
    live(clocks, clock, int(IDLE) - 2, "a")
    assert clock.watermark == behind - DISORDER
    assert clock.hear("b", behind + 1) == behind + 1


def test_an_idle_shard_holds_nobody_for_longer_than_the_timeout() -> None:
    clocks, clock = started("a", "b")
    live(clocks, clock, 10, "a", "b")
    live(clocks, clock, int(IDLE) + 1, "a")
    assert clock.watermark == clocks.ms - 1000 - DISORDER


def test_what_comes_after_its_time_counts_at_the_present_one() -> None:
    clocks, clock = started("a", "b")
    live(clocks, clock, 10, "a", "b")
    live(clocks, clock, 30, "a")
    late = clocks.ms - 20_000
    assert clock.hear("b", late) == clock.watermark + 1
    # At the limit: what is over is over, the next millisecond is not.
    assert clock.hear("b", clock.watermark) == clock.watermark + 1
    assert clock.hear("b", clock.watermark + 1) == clock.watermark + 1


def test_a_shard_that_comes_back_makes_nobody_late() -> None:
    clocks, clock = started("a", "b")
    live(clocks, clock, 10, "a", "b")
    live(clocks, clock, 40, "a")
    assert live(clocks, clock, 40, "a", "b") == [0] * 80


def test_an_idle_stream_closes_its_windows_behind_the_timeout() -> None:
    clocks, clock = started("a")
    live(clocks, clock, 10, "a")
    last = clocks.ms
    wait(clocks, clock, IDLE - 1)
    assert clock.watermark == last - DISORDER
    wait(clocks, clock, 61)
    assert clock.watermark == clocks.ms - 1000 - IDLE * 1000 - DISORDER
    assert live(clocks, clock, 20, "a") == [0] * 20


def test_behind_the_present_a_shard_is_idle_later() -> None:
    clocks, clock = started("a", "b")
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
    clocks, clock = started("a", "b")
    live(clocks, clock, 10, "a", "b")
    last = clocks.ms
    clocks.now += 600
    assert clock.hear("a", last + 1000) == last + 1000
    assert clock.hear("b", last + 500) == last + 500
    assert clock.watermark < last + 500


def test_the_walls_clock_may_jump() -> None:
    clocks, clock = started("a")
    live(clocks, clock, 10, "a")
    for jump in (7200.0, -86400.0, 0.0):
        clocks.skew = jump
        assert live(clocks, clock, 30, "a") == [0] * 30
        wait(clocks, clock, 40)
        assert clock.watermark < clocks.ms


def test_idle_shards_follow_the_present_while_others_wait() -> None:
    clocks, clock = started("a", shared=True)
    live(clocks, clock, 10, "a")
    wait(clocks, clock, IDLE - 1)
    assert clock.watermark == clocks.ms - 1000 * (IDLE - 1) - DISORDER
    # Not past the moment at which the last list of shards was asked for.
    wait(clocks, clock, 3)
    assert clock.watermark == clocks.ms - 1000 - 1000 * LAG - DISORDER
    # A record that is read as soon as it has come is not late.
    assert live(clocks, clock, 20, "a") == [0] * 20


def test_at_the_end_of_an_old_backlog_the_others_do_not_wait_for_years() -> None:
    clocks, clock = started("a", shared=True)
    clock.hear("a", clocks.ms - 3_600_000)
    wait(clocks, clock, PATIENCE * IDLE - 1)
    assert clock.watermark == clocks.ms - 1000 * (PATIENCE * IDLE - 1) - 3_600_000 - DISORDER
    wait(clocks, clock, 3)
    assert clock.watermark == clocks.ms - 1000 - 1000 * LAG - DISORDER


def test_who_has_no_shards_holds_nobody() -> None:
    clocks, stream = Clocks(), Shards(a=True)
    clock = clock_of(stream, clocks, own="", shared=True)
    wait(clocks, clock, 3)
    assert clock.watermark == clocks.ms - 1000 - 1000 * LAG
    clocks, clock = started("a")
    wait(clocks, clock, IDLE - 1)
    assert clock.watermark <= 0
    wait(clocks, clock, 3)
    assert clock.watermark == clocks.ms - 1000 - 1000 * IDLE


def test_a_new_shard_holds_the_watermark_from_before_its_first_record() -> None:
    """Its parent's records come to another subtask, and the list that has it comes late."""
    clocks, stream = Clocks(), Shards(a=True, b=True)
    clock = clock_of(stream, clocks, own="bc", shared=True)
    live(clocks, clock, 10, "b")
    stream.prompt = False
    live(clocks, clock, 2, "b")
    stream.shards = {"a": False, "b": True, "c": True, "d": True}
    first = clocks.ms
    live(clocks, clock, 10, "b")
    assert clock.watermark < first
    stream.answer()
    stream.prompt = True
    live(clocks, clock, int(IDLE) - 2, "b")
    assert clock.hear("c", first) == first
    assert live(clocks, clock, 20, "b", "c") == [0] * 40
    assert clock.watermark > clocks.ms - 3000


def test_without_a_list_for_the_timeout_time_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    clocks, stream = Clocks(), Shards(a=True)
    stream.prompt = False
    clock = clock_of(stream, clocks, shared=True)
    live(clocks, clock, int(IDLE) - 1, "a")
    assert clock.watermark == 0
    live(clocks, clock, 2, "a")
    assert clock.watermark >= clocks.ms - 1000 - DISORDER
    for number in range(3):
        stream.asked[-1].set_exception(TimeoutError(f"no answer {number}"))
        live(clocks, clock, 2, "a")
    assert [r.getMessage() for r in caplog.records] == [
        f"the stream's shards could not be listed: no answer {number}" for number in range(3)
    ]
    assert len(stream.asked) == 4
    clock.close()
    assert stream.closed


def test_shards_that_are_gone_are_forgotten() -> None:
    clocks, stream = Clocks(), Shards(a=False, b=True)
    clock = clock_of(stream, clocks)
    live(clocks, clock, 3, "b")
    stream.shards = {"b": True}
    live(clocks, clock, int(IDLE), "b")
    assert clock.saved("ab")[2].keys() == {"b"}


def test_a_shard_that_returns_to_another_subtask_is_never_behind_what_all_have_reached() -> None:
    """Flink's watermark further on is the least of the subtasks'."""
    clocks, stream = Clocks(), Shards(a=True, b=True)
    slow, quick = (clock_of(stream, clocks, own, shared=True) for own in "ba")
    backlog = clocks.ms - 600_000
    for second in range(120):
        clocks.now += 1
        quick.hear("a", clocks.ms)
        if second < 10 or second > 90:
            backlog += 1000
            assert slow.hear("b", backlog) > min(slow.watermark, quick.watermark)
        slow.heartbeat()
        # It holds nobody for ever.
        if 12 + PATIENCE * IDLE < second <= 90:
            assert min(slow.watermark, quick.watermark) >= clocks.ms - 1000 - 1000 * LAG - DISORDER


#: What may happen in a second or two: time passes, a shard is read, one is split, a list is answered.
Step = tuple[float, int, int | None, bool]


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(0, 1),
    st.lists(
        st.tuples(st.floats(0.01, 2), st.integers(0, 9), st.none() | st.integers(0, 9), st.booleans()),
        max_size=60,
    ),
)
def test_no_split_and_no_order_of_reading_makes_a_record_late(
    subtasks: int, silent: int, steps: list[Step]
) -> None:
    """Each shard is read within the timeout, lists come seconds late, a shard without records is split as well."""
    clocks, stream = Clocks(), Shards(**dict.fromkeys("abc", True))
    stream.prompt = False
    clock = [
        ShardClock(
            IDLE, stream, lambda s, n=n: ord(s) % subtasks == n, subtasks > 1, clocks.monotonic, clocks.wall
        )
        for n in range(subtasks)
    ]
    unread: dict[str, list[int]] = {s: [] for s in "abc"}
    read = dict.fromkeys("abc", clocks.now)
    asked = dict[int, float]()
    end: list[Step] = [(1.0, 0, None, True)] * 60
    for number, (seconds, turn, split, answered) in enumerate(steps + end):
        clocks.now += seconds
        for k, listing in enumerate(stream.asked):
            if not listing.done() and (answered or clocks.now - asked.setdefault(k, clocks.now) > 3):
                listing.set_result(dict(stream.shards))
        opened = [s for s, is_open in stream.shards.items() if is_open]
        for shard in opened[silent:] if opened[0] == "a" else opened:
            unread[shard].append(clocks.ms)
        if split is not None and len(unread) < 20:
            stream.shards[opened[split % len(opened)]] = False
            for child in (chr(97 + len(unread)), chr(98 + len(unread))):
                stream.shards[child], unread[child], read[child] = True, [], clocks.now
        for shard in unread:
            if (
                number >= len(steps)
                or shard == sorted(unread)[turn % len(unread)]
                or clocks.now - read[shard] > IDLE - 4
            ):
                read[shard] = clocks.now
                for arrival in unread[shard]:
                    assert clock[ord(shard) % subtasks].hear(shard, arrival) == arrival
                unread[shard].clear()
        for each in clock:
            each.heartbeat()
    assert min(each.watermark for each in clock) > clocks.ms - 5000
