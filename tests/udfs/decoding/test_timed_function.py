"""The decoder with a clock, without Flink: rows alone or in runs, and its state in other hands."""

from collections.abc import Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pyflink.common import Row
from pyflink.fn_execution.coders import BigIntCoder, BinaryCoder, CharCoder, IntCoder, RowCoder

from tests.udfs.decoding.shards import Shards
from udfs.decoding.clocks import Clocks
from udfs.decoding.columns import Column
from udfs.decoding.record_format import JSON
from udfs.decoding.shard_clock import DISORDER, ShardClock
from udfs.decoding.timed_function import ARRIVAL, BUCKETS, LAST, SHARD, DecodeAndTime
from udfs.key_groups import bucket_of, key_group, own_buckets
from udfs.row_columns import RowLayout, Rows

COLUMNS = [Column("v", "INTEGER", "$.v"), Column("day", "DATE", "$.day")]
#: The compiled reader knows these.
PLAIN = [Column("v", "INTEGER", "$.v"), Column("day", "VARCHAR(10)", "$.day")]
FIELDS = {"data": BinaryCoder(), "shard": CharCoder(), "arrival": BigIntCoder(), "number": CharCoder()}
NOW = 1_700_000_000.0
START = int(NOW * 1000)

#: The keyed state of a job: by bucket.
State = dict[str, Any]


def row_coder(**fields: Any) -> RowCoder:
    return RowCoder(list(fields.values()), list(fields))


GIVEN = row_coder(
    time=BigIntCoder(),
    watermark=BigIntCoder(),
    row=row_coder(key=CharCoder(), element=row_coder(**FIELDS)),
).get_impl()


TAKEN = row_coder(
    time=BigIntCoder(),
    row=row_coder(
        v=IntCoder(), day=CharCoder(), shard=CharCoder(), arrival=BigIntCoder(), number=CharCoder(),
        error=CharCoder(), message=CharCoder(), data_row=CharCoder(), happened=BigIntCoder(), reached=BigIntCoder(),
    ),
).get_impl()  # fmt: skip


def read(answer: bytes) -> list[list[Any]]:
    """Answers of less than 128 bytes."""
    rows = []
    while answer:
        size = answer[0]
        rows.append(list(TAKEN.decode(answer[1 : 1 + size])[1]))
        answer = answer[1 + size :]
    return rows


class Subtask:
    """One subtask of the operator; ``now`` moves both of its clocks. The stream has the shards in ``stream``."""

    def __init__(
        self,
        state: State,
        number: int = 0,
        of: int = 1,
        count_late: bool = True,
        now: float = NOW,
        columns: Sequence[Column] = COLUMNS,
        stream: Shards | None = None,
    ) -> None:
        self.state, self.key, self.now = state, "", now
        self.stream = stream or Shards(a=True, b=True)
        clocks = Clocks(timedelta(seconds=15), lambda: self.stream, count_late=count_late)
        self.function = DecodeAndTime(columns, JSON, clocks, [SHARD, ARRIVAL, LAST])
        self.function.open(
            SimpleNamespace(
                get_index_of_this_subtask=lambda: number,
                get_number_of_parallel_subtasks=lambda: of,
                get_state=lambda descriptor: SimpleNamespace(
                    value=lambda: self.state.get(self.key),
                    update=lambda part: self.state.update({self.key: part}),
                ),
            )
        )
        self.own = own_buckets(BUCKETS, number, of)
        self.clock = ShardClock(15, self.stream, self.has, of > 1, lambda: self.now, lambda: self.now)
        self.function._clock = self.clock

    def has(self, shard: str) -> bool:
        return bucket_of(shard, BUCKETS) in self.own

    def switch(self, key: str) -> None:
        assert key in self.own
        self.key = key

    def one(self, *element: Any, bucket: str = "") -> list[list[Any]]:
        """The answers to a row alone."""
        self.switch(bucket or bucket_of(element[1], BUCKETS))
        context = SimpleNamespace(get_current_key=lambda: self.key)
        return [list(row) for row in self.function.process_element(Row(*element), context)]

    def together(self, elements: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
        """The answers to rows in one message."""
        self.function.start(self.switch)
        message = b""
        for element in elements:
            data = GIVEN.encode(Row(0, -(2**63), Row(bucket_of(element[1], BUCKETS), Row(*element))))
            message += bytes([len(data) & 0x7F | 0x80, len(data) >> 7]) + data
        layout = RowLayout([type(c).__name__ for c in FIELDS.values()], [ARRIVAL], SHARD, rowtime=False)
        rows = Rows.read(message, layout)
        assert rows.plain.all()
        answers: list[list[Any]] = []
        for answer in self.function.process_run(rows, 0, len(elements)):
            answers += read(answer) if isinstance(answer, bytes) else answer
        return answers

    def heartbeat(self) -> list[list[Any]]:
        """The answers to a heartbeat, which comes to all buckets."""
        return [a for b in self.own for a in self.one(None, None, None, None, bucket=b)]


def restarted(state: State, now: float, stream: Shards, of: int = 1) -> list[Subtask]:
    """New subtasks with the state of a failed job, which have read it."""
    found = [Subtask(dict(state), number, of, now=now, stream=stream) for number in range(of)]
    for subtask in found:
        subtask.function.start(subtask.switch)
    return found


def record(v: int, shard: str, arrival: int) -> tuple[Any, ...]:
    return f'{{"v": {v}, "day": "2024-01-31"}}'.encode(), shard, arrival, f"49{v}"


def live(subtask: Subtask, *shards: str, seconds: int = 10) -> None:
    """A record a second from each shard, as it arrives."""
    for _ in range(seconds):
        subtask.now += 1
        subtask.together([record(1, shard, int(subtask.now * 1000)) for shard in shards])


@pytest.mark.parametrize("way", ["alone", "together", "compiled"])
@pytest.mark.parametrize("count_late", [False, True])
def test_late_records_are_reported_and_count_if_the_source_says_so(way: str, count_late: bool) -> None:
    subtask = Subtask({}, count_late=count_late, columns=PLAIN if way == "compiled" else COLUMNS)
    if way == "compiled":
        subtask.function.compile()
    subtask.clock.watermark = START
    elements = [
        record(1, "a", START + 1),
        record(2, "b", START - 7),
        (b'{"v": 3} {"v": "x"}', "a", START + 2, "493"),
    ]
    answers = (
        [answer for e in elements for answer in subtask.one(*e)]
        if way == "alone"
        else subtask.together(elements)
    )
    counted = [[2, "2024-01-31", "b", START - 7, "492", None, None, None, START + 1, START]]
    name = "LATE_RECORD" if count_late else "LATE_DROPPED"
    late = [None, None, "b", START - 7, "492", name, elements[1][0].hex(), START + 1, START]
    wrong = [None, None, "a", START + 2, "493", "COERCION", elements[2][0].hex(), START + 2, START]
    assert [a if a[5] is None else [*a[:6], *a[7:]] for a in answers] == [
        [1, "2024-01-31", "a", START + 1, "491", None, None, None, START + 1, START],
        *(counted if count_late else []),
        late,
        [3, None, "a", START + 2, "493", None, None, None, START + 2, START],
        wrong,
    ]


def test_one_heartbeat_of_a_subtask_says_the_watermark() -> None:
    subtask = Subtask({}, stream=Shards(a=True))
    live(subtask, "a")
    end = int(subtask.now * 1000)
    subtask.now += 1
    assert subtask.heartbeat() == [[*[None] * 8, end - DISORDER, end - DISORDER]]


def test_row_by_row_a_state_is_written_when_the_watermark_moves_and_not_for_each_record() -> None:
    subtask = Subtask({}, stream=Shards(a=True))
    subtask.heartbeat()
    written = []
    for second in (0, 0, 1):
        subtask.now += second
        subtask.one(*record(1, "a", int(subtask.now * 1000)))
        written.append(subtask.state[bucket_of("a", BUCKETS)])
    assert written[1] is written[0]
    assert written[2][1] == subtask.clock.watermark > written[0][1]
    assert written[2][2].keys() == {"a"}
    [again] = restarted(subtask.state, subtask.now, subtask.stream)
    assert again.clock.watermark == subtask.clock.watermark


def test_after_a_failure_the_watermark_is_never_behind_and_waits_for_all_shards() -> None:
    subtask = Subtask({})
    live(subtask, "a", "b")
    said = subtask.clock.watermark
    [again] = restarted(subtask.state, subtask.now + 2, subtask.stream)
    assert again.clock.watermark == said == int(subtask.now * 1000) - DISORDER
    # Shard b is read later: it holds the watermark, and nothing of it is late.
    again.together([record(1, "a", int(again.now * 1000))])
    assert again.clock.watermark == said
    [answer] = again.together([record(2, "b", said + DISORDER + 1)])
    assert answer[-2] == said + DISORDER + 1
    again.now += 1
    again.heartbeat()
    assert again.clock.watermark == said + 1


def test_a_shard_that_became_idle_before_a_failure_is_not_behind_after_it() -> None:
    subtask = Subtask({})
    live(subtask, "a", "b")
    backlog = int(subtask.now * 1000) + 1
    live(subtask, "a", seconds=30)
    said = subtask.clock.watermark
    assert said > backlog
    [again] = restarted(subtask.state, subtask.now, subtask.stream)
    counted, late = again.together([record(2, "b", backlog)])
    assert (counted[-2], late[5]) == (said + 1, "LATE_RECORD")


@pytest.mark.parametrize("stopped", [0, 60])
def test_only_an_idle_shard_is_waited_for_after_a_stop(stopped: int) -> None:
    """It may have records that came during the stop. A closed one has none."""
    subtask = Subtask({}, stream=Shards(a=True, b=True, c=False))
    live(subtask, "a", "b", seconds=20)
    [again] = restarted(subtask.state, subtask.now + stopped, subtask.stream)
    live(again, "a", "b", seconds=1)
    assert again.clock.watermark == int(again.now * 1000) - DISORDER
    live(subtask, "a", seconds=30)
    said = subtask.clock.watermark
    [again] = restarted(subtask.state, subtask.now + stopped, subtask.stream)
    live(again, "a", seconds=14)
    assert again.clock.watermark == said
    live(again, "a", "b", seconds=1)
    assert again.clock.watermark == int(again.now * 1000) - DISORDER


def test_a_shard_that_was_split_during_a_stop_is_waited_for() -> None:
    subtask = Subtask({})
    live(subtask, "a", "b")
    said = subtask.clock.watermark
    stream = Shards(a=True, b=False, c=False, d=True, e=True, f=True)
    [again] = restarted(subtask.state, subtask.now + 30, stream)
    for shard in "abdef":
        live(again, "a", shard, seconds=2)
        assert again.clock.watermark == said
    # The last one, which was closed and is not heard of any more, is idle in the end.
    live(again, *"abdef", seconds=10)
    assert again.clock.watermark > said


def test_shards_are_divided_and_united_with_their_buckets() -> None:
    shards = [f"shardId-{n:012}" for n in range(8)]
    stream = Shards(**dict.fromkeys(shards, True))
    subtask = Subtask({}, stream=stream)
    live(subtask, *shards)
    said = subtask.clock.watermark
    state: State = {}
    for part in restarted(subtask.state, subtask.now, stream, of=2):
        own = [s for s in shards if bucket_of(s, BUCKETS) in part.own]
        assert 2 <= len(own) <= 6
        assert part.clock.watermark == said
        live(part, *own, seconds=5 if part.own[0] == own_buckets(BUCKETS, 0, 2)[0] else 9)
        state |= {bucket: saved for bucket, saved in part.state.items() if bucket in part.own}
    # Two clocks become one: at the slower one's watermark, which is what operators downstream have seen.
    [united] = restarted(state, subtask.now, stream)
    assert united.clock.watermark == said + 4000
    assert united.clock.saved(shards)[2].keys() == set(shards)


@pytest.mark.parametrize("subtasks", [1, 2, 3, 7, 128])
def test_a_subtasks_buckets_are_those_that_flink_gives_it(subtasks: int) -> None:
    owners = [(name, n) for n in range(subtasks) for name in own_buckets(BUCKETS, n, subtasks)]
    assert len({name for name, _ in owners}) == BUCKETS
    # Flink: computeOperatorIndexForKeyGroup.
    assert all(key_group(name, BUCKETS) * subtasks // BUCKETS == n for name, n in owners)
