"""A detector's properties."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.application import Application, parse
from pipeline.settings import SettingsError, parameters, settings
from udfs.detector.rules import Rule


def application(**detector: Any) -> Application:
    tree = {
        "title": "x",
        "sources": {"rows": {"stream": "s", "columns": {"x": "DOUBLE", "y": "DOUBLE"}}},
        "relations": [
            {"detector": "watched", "of": "rows", "columns": ["x", "y"], **detector},
            {"detector": "again", "of": "watched", "columns": "x"},
        ],
    }
    return parse(tree, name="watching", folder=Path("watching"), queries={})


def test_the_first_detectors_group_is_detector_the_others_have_their_relations_name() -> None:
    assert list(application().groups) == ["source", "detector", "again"]


def test_one_value_goes_for_all_columns_and_a_list_for_each() -> None:
    given = {
        "tell_from": "2026-03-02T10:00:00+01:00",
        "side": "above,both",
        "ignore_within": "5",
        "quiet_time": "60",
        "interval": "1.5",
    }
    chosen = settings(application(missing="previous"), {"detector": given})
    options = chosen.detector.options  # type: ignore[attr-defined]
    assert options.columns == ("x", "y")
    assert options.rules == (Rule("above", 5.0), Rule("both", 5.0))
    assert (options.quiet_time, options.interval) == (timedelta(minutes=1), timedelta(seconds=1.5))
    assert options.missing == "previous"
    assert options.tell_from == datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp()
    assert parameters(chosen)["detector.ignore_within"] == "5.0"


def test_rules_are_reported_in_the_description_too() -> None:
    options = settings(application(side=["below"], ignore_within_percent=20), {}).detector.options  # type: ignore[attr-defined]
    assert options.rules == (Rule("below", 0.0, 20.0),) * 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"side": "up"}, "detector.side"),
        (
            {"side": "above,below,both"},
            "detector.side must be one value, or one for each of 2 columns, got 3",
        ),
        ({"ignore_within": "-1"}, "detector.ignore_within"),
        ({"missing": "guess"}, "detector.missing"),
        ({"again": "0.5"}, "detector.again"),
        ({"threshold": "0.9"}, "detector.threshold"),
        ({"tell_from": "2026-03-02T10:00:00"}, "detector.tell_from"),
    ],
)
def test_what_is_out_of_range_is_reported(given: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings(application(), {"detector": given})
