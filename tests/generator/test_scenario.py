"""Scenarios: who sends when, and what is wrong with a file."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from generator import scenario
from generator.runner import preview
from generator.scenario import ScenarioError

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def written(tmp_path, text):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    return str(path)


def test_senders_start_and_stop_on_their_own(tmp_path):
    path = written(
        tmp_path,
        """
        stop: 4
        senders:
          - {template: click, rate: 1}
          - {template: impression, rate: 2, start: 1, stop: 2}
        """,
    )
    assert list(scenario.load(path).times(NOON, 1)) == [
        (0.5, 0), (1.25, 1), (1.5, 0), (1.75, 1), (2.5, 0), (3.5, 0),
    ]  # fmt: skip


def test_what_is_due_together_goes_in_the_order_of_the_senders():
    due = list(scenario.load("ctr-burst").times(NOON, 1))
    assert due[:4] == [(0.5, 0), (0.5, 1), (1.5, 0), (1.5, 1)]
    assert due == sorted(due)


def test_ctr_burst_per_ten_second_window():
    shipped = scenario.load("ctr-burst")
    clicks, impressions = Counter(), Counter()
    for seconds, place in shipped.times(NOON, 1):
        counted = impressions if shipped.senders[place].template == "impression" else clicks
        counted[int(seconds // 10)] += 1
    ctr = [100 * clicks[window] / impressions[window] for window in range(27)]
    assert ctr == [100] * 18 + [400, 400, 250] + [100] * 6
    assert set(impressions.values()) == {10}


def test_clickstream_is_the_labs():
    shipped = scenario.load("clickstream")
    due = list(shipped.times(NOON, 1))
    assert len(due) == 3000
    assert [t for t, _ in due[58:62]] == [116, 118, 133, 135]
    assert shipped.senders[0].partition_key


def test_count_ends_a_scenario():
    assert len(list(scenario.single("click", 5, count=12).times(NOON, 1))) == 12
    assert len(list(scenario.single("click", 5, seconds=2).times(NOON, 1))) == 10
    assert len(list(scenario.single("click", 5, seconds=2, count=3).times(NOON, 1))) == 3


def test_a_periodic_sender_takes_the_hour_at_its_own_start(tmp_path):
    path = written(
        tmp_path,
        f"""
        stop: 7201
        senders:
          - template: click
            start: 7200
            rate:
              deviation: 0
              mean: {[[hour for hour in range(24)]] * 7}
        """,
    )
    # Two hours after noon.
    assert len(list(scenario.load(path).times(NOON, 1))) == 14


def test_the_seed_decides_the_draws_of_each_sender():
    fields = {"senders": [{"template": "click", "rate": {"mean": 5, "deviation": 3}}] * 2, "stop": 20}
    drawn = scenario.Scenario.model_validate(fields)
    assert list(drawn.times(NOON, 1)) == list(drawn.times(NOON, 1))
    assert list(drawn.times(NOON, 1)) != list(drawn.times(NOON, 2))
    first, second = ([t for t, p in drawn.times(NOON, 1) if p == place] for place in (0, 1))
    assert first != second


def test_changed():
    changed = scenario.load("clickstream").changed("clickstream-number", rate=2, seconds=60, count=7)
    assert [t for t, _ in changed.times(NOON, 1)][:2] == [0.25, 0.75]
    assert changed.senders[0].template == "clickstream-number"
    assert changed.senders[0].partition_key == "clickstream"
    assert len(list(changed.times(NOON, 1))) == 7
    with pytest.raises(
        ScenarioError, match="template and rate can be replaced only in a scenario with one sender"
    ):
        scenario.load("ctr-burst").changed("click", rate=2)
    assert scenario.load("ctr-burst").changed(seconds=5).stop == 5


def test_an_own_template_is_found_beside_its_scenario(tmp_path):
    (tmp_path / "mine.txt").write_text("hello {{random.number(0)}}")
    path = written(tmp_path, "senders: [{template: mine.txt, rate: 1}, {template: click, rate: 1}]")
    shown = preview(scenario.load(path), records=2)
    assert next(iter(shown.values())) == ["hello 0", "hello 0"]
    assert "Click" in shown["click"][0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("senders: []", r"own.yaml: senders: List should have at least 1 item"),
        ("senders: [{template: click}]", r"senders.0.rate: Field required"),
        ("senders: [{template: click, rate: 0}]", r"senders.0.rate.* greater than 0, got 0"),
        ("senders: [{template: click, rate: 1, start: 5, stop: 5}]", r"stop must be after start \(5 s\)"),
        ("senders: [{template: click, rate: 1, color: red}]", r"senders.0.color: there is no such field"),
        ("speed: 4\nsenders: [{template: click, rate: 1}]", r"speed: there is no such field"),
        ("[1, 2", r"own.yaml: not valid YAML"),
        ("!!python/object/apply:os.getcwd []", r"own.yaml: not valid YAML"),
        ("just text", r"own.yaml: : Input should be"),
        ("", r"own.yaml: : Input should be"),
    ],
)
def test_files_that_are_no_scenario(tmp_path, text, message):
    with pytest.raises(ScenarioError, match=message):
        scenario.load(written(tmp_path, text))


def test_missing_names_say_what_there_is(tmp_path):
    with pytest.raises(ScenarioError, match="no scenario nope: give a file or one of clickstream, ctr-burst"):
        scenario.load("nope")
    with pytest.raises(ScenarioError, match="no template nope: give a file or one of click, "):
        scenario.template_text("nope")
    with pytest.raises(ScenarioError, match="no template"):
        scenario.template_text(str(tmp_path))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioError, match="not UTF-8 text"):
        scenario.template_text(str(tmp_path / "binary"))


@pytest.mark.parametrize("name", scenario.names("scenarios"))
def test_every_shipped_scenario_makes_records(name):
    assert all(len(records) == 5 for records in preview(scenario.load(name)).values())


def test_a_byte_order_mark_is_no_part_of_a_record(tmp_path):
    (tmp_path / "own.template").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    path = tmp_path / "own.yaml"
    path.write_bytes(b"\xef\xbb\xbfsenders:\n  - {template: own.template, rate: 1}\n")
    (sender,) = scenario.load(str(path)).senders
    assert scenario.template_text(sender.template) == '{"a": 1}'


@pytest.mark.parametrize(
    ("rate", "reported"),
    [
        (
            "{per_secnd: 5}",
            "senders.0.rate.per_secnd: there is no such field, perhaps per_second is meant, got 5",
        ),
        (
            "{mean: 5, deviaton: 1}",
            "senders.0.rate.deviaton: there is no such field, perhaps deviation is meant",
        ),
        ("{every: 5, pause: 1}", "senders.0.rate.after: Field required, got {'every': 5, 'pause': 1}"),
        (
            "{speed: 5}",
            "senders.0.rate: required a number of records a second; or every, pause and after; or mean and",
        ),
        ("[5]", "senders.0.rate: required a number of records a second"),
        ("fast", "senders.0.rate.per_second: Input should be a valid number"),
    ],
)
def test_a_misspelt_rate_is_reported_by_what_was_written(tmp_path, rate, reported):
    path = written(tmp_path, f"senders: [{{template: click, rate: {rate}}}]")
    with pytest.raises(ScenarioError) as refused:
        scenario.load(path)
    assert reported in str(refused.value)
