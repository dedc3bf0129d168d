"""Rules: which detections become alerts."""

import numpy as np
import pytest

from tests.udfs.detector.rows import noise, rows_of, stepped
from udfs.anomaly_detector import REASONS, AnomalyDetector, Rule


@pytest.mark.parametrize("sign", [1, -1])
def test_a_side_withholds_what_lies_on_the_other(sign: int) -> None:
    side, other = ("above", "below") if sign > 0 else ("below", "above")
    assert rows_of(AnomalyDetector(rules=[Rule(side)]).detect_many(stepped(9 * sign))) == [800]
    found = AnomalyDetector(rules=[Rule(other)]).detect_many(stepped(9 * sign))
    assert rows_of(found) == []
    assert REASONS[found.reason[800]] == "OTHER_SIDE"
    assert found.grade[800] == 0


@pytest.mark.parametrize(
    ("rule", "alerts"),
    [
        (Rule(ignore_within=15.0), False),
        (Rule(ignore_within=5.0), True),
        (Rule(ignore_within_percent=60.0), False),
        (Rule(ignore_within_percent=20.0), True),
    ],
)
def test_near_the_expected_value_there_is_no_alert(rule: Rule, alerts: bool) -> None:
    found = AnomalyDetector(rules=[rule]).detect_many(stepped())
    assert bool(rows_of(found)) is alerts
    assert alerts or "NEAR_EXPECTED" in {REASONS[k] for k in found.reason}


def test_what_a_rule_withheld_does_not_hide_what_it_lets_pass() -> None:
    values = stepped(9, at=700)
    values[740:] += 31
    found = AnomalyDetector(rules=[Rule(ignore_within=20.0)]).detect_many(values)
    assert [k for k in rows_of(found) if 740 <= k < 745]


def test_one_column_that_may_is_enough() -> None:
    values = noise(1_000, 2)
    values[800:, 1] += 9
    assert rows_of(AnomalyDetector(2, rules=[Rule("below"), Rule("above")]).detect_many(values)) == [800]
    assert rows_of(AnomalyDetector(2, rules=[Rule("above"), Rule("below")]).detect_many(values)) == []


def test_within_a_run_only_what_is_worse_is_reported_again() -> None:
    values = stepped(6, at=700)
    values[760:] += 60
    first, second = rows_of(AnomalyDetector(seed=1).detect_many(values))
    assert (first - 700 in range(3), second - 760 in range(3)) == (True, True)
    assert rows_of(AnomalyDetector(seed=1, again=np.inf).detect_many(values)) == [first]


def test_quiet_time_withholds_in_rows_and_in_seconds() -> None:
    values = noise(1_400)
    values[700:] += 9
    values[1_000:] -= 25
    times = np.arange(1_400) * 60.0
    first, second = rows_of(AnomalyDetector().detect_many(values))
    assert (first - 700 in range(3), second - 1_000 in range(3)) == (True, True)
    for quiet in ({"quiet_rows": 450}, {"quiet_time": 450 * 60.0}):
        found = AnomalyDetector(**quiet).detect_many(values, times)  # type: ignore[arg-type]
        assert rows_of(found) == [first]
        assert REASONS[found.reason[second]] == "QUIET_TIME"
    with pytest.raises(ValueError, match="times: required"):
        AnomalyDetector(quiet_time=60.0).detect_many(values)


def test_what_still_goes_on_after_the_quiet_time_is_reported_then() -> None:
    values = noise(1_400)
    values[700:] += 9
    values[1_000:] -= 25
    first, second = rows_of(AnomalyDetector(quiet_rows=320).detect_many(values))
    assert second == first + 321


def test_a_rule_out_of_range_is_reported() -> None:
    with pytest.raises(ValueError, match=r"rule\.side must be one of both, above, below"):
        Rule("up")
    with pytest.raises(ValueError, match=r"rule\.ignore_within must be a number of at least 0"):
        Rule(ignore_within=-1.0)
