"""The runner, on a clock that passes time by being waited for."""

import json
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from generator import runner, scenario
from generator.rates import Constant
from generator.sinks import Delivery, NullSink, SinkError
from generator.template import TemplateError

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


class FakeClock(runner.Clock):
    """Time passes only while someone waits."""

    def __init__(self, now=NOON):
        self.began = now
        self.seconds = 0.0

    def monotonic(self):
        return self.seconds

    def now(self):
        return self.began + timedelta(seconds=self.seconds)

    def wait(self, seconds, stop):
        self.seconds += seconds


class Collector:
    """A sink that keeps what it gets, with the time of each call; `delay` is how long a call takes."""

    def __init__(self, clock, delay=0.0):
        self.clock = clock
        self.delay = delay
        self.calls = []

    def send(self, records):
        self.calls.append((self.clock.now(), list(records)))
        self.clock.seconds += self.delay
        return Delivery(sent=list(records))

    def close(self):
        pass

    @property
    def times(self):
        return [(moment - NOON).total_seconds() for moment, records in self.calls for _ in records]

    @property
    def texts(self):
        return [record.text for _, records in self.calls for record in records]


def collected(chosen, clock=None, **options):
    clock = clock or FakeClock()
    sink = Collector(clock)
    counts = runner.run(chosen, sink, clock=clock, seed=1, **options)
    assert counts.sent == len(sink.texts)
    return sink


def own(tmp_path, text, **fields):
    path = tmp_path / "own.template"
    path.write_text(text)
    return scenario.single(str(path), **fields)


def test_records_go_out_when_they_are_due():
    assert collected(scenario.single("click", 1, count=3)).times == [0.5, 1.5, 2.5]


def test_speed_scales_rates_and_durations_together():
    times = collected(scenario.single("click", 1, seconds=40), speed=10).times
    assert times == pytest.approx([(n + 0.5) / 10 for n in range(40)])


def test_infinite_speed_does_not_wait():
    clock = FakeClock()
    assert len(collected(scenario.single("click", 1, count=1200), clock, speed=float("inf")).texts) == 1200
    assert clock.seconds == 0


def test_a_fast_sender_fills_its_calls():
    sink = collected(scenario.single("click", 10_000, seconds=1))
    assert max(len(records) for _, records in sink.calls) <= 500
    assert len(sink.calls) <= 1 + 1 / runner.TICK_SECONDS


def test_a_slow_sink_delays_records_and_loses_none():
    clock = FakeClock()
    sink = Collector(clock, delay=1.0)
    counts = runner.run(scenario.single("click", 10, seconds=3), sink, clock=clock)
    assert counts.sent == 30
    assert clock.seconds < 6


def test_a_burst_on_top_of_two_steady_senders_by_window():
    # Begun at an odd moment: the run waits for the next window of 10 s / speed.
    clock = FakeClock(NOON + timedelta(seconds=0.337))
    sink = Collector(clock)
    runner.run(scenario.load("ctr-burst"), sink, clock=clock, speed=10)
    clicks, impressions = Counter(), Counter()
    for moment, records in sink.calls:
        for record in records:
            counter = clicks if json.loads(record.text)["browseraction"] == "Click" else impressions
            counter[int(moment.timestamp() - NOON.timestamp())] += 1
    assert [100 * clicks[w] / impressions[w] for w in range(1, 28)] == [100] * 18 + [400, 400, 250] + [
        100
    ] * 6


def test_clicks_and_impressions_due_together_go_in_one_call():
    sink = collected(scenario.load("ctr-burst").changed(seconds=5))
    assert [len(records) for _, records in sink.calls] == [2] * 5


def test_clickstream_advances_by_the_labs_pauses_at_any_speed():
    for speed in (1, 20, float("inf")):
        sink = collected(scenario.load("clickstream").changed(count=62), speed=speed, start=NOON)
        stamps = [int(json.loads(text)["event_timestamp"]) for text in sink.texts]
        assert stamps == [int(NOON.timestamp() * 1000) + t * 1000 for t in [*range(0, 120, 2), 133, 135]]
        assert {record.partition_key for _, records in sink.calls for record in records} == {"clickstream"}


@pytest.mark.parametrize(("speed", "gained"), [(1, 0), (2, 29), (20, 55.1), (float("inf"), 58)])
def test_a_fast_run_ends_at_the_present(speed, gained):
    # 30 clicks, 2 s apart: the last is due at second 58.
    sink = collected(scenario.load("clickstream").changed(count=30), speed=speed)
    first, last = (
        int(json.loads(sink.texts[i])["event_timestamp"]) / 1000 - NOON.timestamp() for i in (0, -1)
    )
    assert first == pytest.approx(-gained, abs=0.001)
    assert last == pytest.approx(58 / speed, abs=0.001)


def test_a_fast_run_without_end_begins_now():
    clock, stop = FakeClock(), threading.Event()
    sink = Collector(clock)
    runner.run(
        scenario.load("clickstream").model_copy(update={"count": None}),
        sink,
        speed=20,
        clock=clock,
        stop=stop,
        on_progress=lambda _: stop.set(),
    )
    assert int(json.loads(sink.texts[0])["event_timestamp"]) == NOON.timestamp() * 1000


def test_clickstream_on_the_wall_clock():
    sink = collected(scenario.load("clickstream").changed(count=3), speed=20, event_time="wall")
    stamps = [int(json.loads(text)["event_timestamp"]) - int(NOON.timestamp() * 1000) for text in sink.texts]
    assert stamps == [0, 100, 200]


def test_simulated_time_may_begin_elsewhere():
    start = datetime(2020, 1, 1, tzinfo=UTC)
    sink = collected(scenario.load("clickstream").changed("clickstream-number", count=2), start=start)
    assert [json.loads(t)["event_timestamp"] for t in sink.texts] == [1577836800000, 1577836802000]


def test_the_same_seed_gives_the_same_run(tmp_path):
    chosen = own(tmp_path, "{{random.uuid}} {{name.findName}}", rate=5, count=20)
    first, again = (collected(chosen) for _ in range(2))
    assert [records for _, records in first.calls] == [records for _, records in again.calls]
    other = Collector(FakeClock())
    runner.run(chosen, other, clock=other.clock, seed=2)
    assert other.texts != first.texts


def test_a_senders_records_do_not_depend_on_the_others(tmp_path):
    chosen = own(tmp_path, "{{random.number}}", rate=1, count=5)
    sender = chosen.senders[0]
    other = sender.model_copy(update={"rate": Constant(per_second=7)})
    both = scenario.Scenario(senders=[sender, other], stop=5)
    alone, together = collected(chosen), collected(both)
    due = [place for _, place in both.times(NOON, 1)]
    assert [t for t, place in zip(together.texts, due, strict=True) if place == 0] == alone.texts


def test_without_a_seed_two_runs_differ(tmp_path):
    chosen = own(tmp_path, "{{random.uuid}}", rate=5, count=5)
    runs = []
    for _ in range(2):
        sink = Collector(FakeClock())
        runner.run(chosen, sink, clock=sink.clock)
        runs.append(sink.texts)
    assert runs[0] != runs[1]


def test_partition_keys_are_random():
    sink = collected(scenario.single("click", 100, count=200))
    assert len({record.partition_key for _, records in sink.calls for record in records}) == 200


def test_the_ledger_has_what_was_sent_and_only_that(tmp_path):
    class EverySecondFails(Collector):
        def send(self, records):
            super().send(records)
            failed = list(records[1::2])
            reasons = Counter({"No": len(failed)})
            return Delivery(list(records[::2]), failed, sent_again=1, reasons=reasons)

    sink = EverySecondFails(FakeClock())
    ledger = tmp_path / "ledger.jsonl"
    seen = []
    counts = runner.run(
        scenario.load("clickstream").changed(count=10),
        sink,
        clock=sink.clock,
        speed=float("inf"),
        ledger=ledger,
        on_progress=lambda counts: seen.append(counts.sent),
    )
    assert ledger.read_text().splitlines() == sink.texts[::2]
    assert (counts.sent, counts.failed, counts.sent_again, counts.reasons) == (5, 5, 1, {"No": 5})
    assert seen == [5]


def test_stop_ends_a_run_that_has_no_end():
    stop = threading.Event()
    sink = Collector(FakeClock())
    counts = runner.run(
        scenario.single("click", 1),
        sink,
        clock=sink.clock,
        stop=stop,
        on_progress=lambda counts: stop.set() if counts.sent == 7 else None,
    )
    assert counts.sent == len(sink.texts) == 7


def test_stop_wakes_a_waiting_run_on_the_real_clock():
    stop = threading.Event()
    results = []
    thread = threading.Thread(
        target=lambda: results.append(runner.run(scenario.single("click", 0.001), NullSink(), stop=stop))
    )
    thread.start()
    stop.set()
    thread.join(timeout=5)
    assert [counts.sent for counts in results] == [0]


def test_a_fatal_sink_ends_the_run_with_true_counts():
    class BreaksLater(Collector):
        def send(self, records):
            delivery = super().send(records)
            if len(self.calls) == 3:
                return Delivery(failed=list(records), fatal=SinkError("gone"))
            return delivery

    sink = BreaksLater(FakeClock())
    seen = []
    with pytest.raises(SinkError, match="gone"):
        runner.run(scenario.single("click", 1), sink, clock=sink.clock, on_progress=seen.append)
    assert (seen[-1].sent, seen[-1].failed) == (2, 1)


def test_a_template_error_names_the_template_before_anything_is_sent(tmp_path):
    sink = Collector(FakeClock())
    with pytest.raises(TemplateError, match=r"own.template: Invalid module: oh$"):
        runner.run(own(tmp_path, "{{oh.no}}", rate=1), sink, clock=sink.clock)
    assert sink.calls == []


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_speed_must_be_above_zero(speed):
    with pytest.raises(ValueError, match="speed must be above 0"):
        runner.run(scenario.single("click", 1), NullSink(), speed=speed)
