"""Charts: which rows are drawn how, and that no row can break a chart."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from console.charts import MOST_LINES, MOST_POINTS, figures
from console.resources import resources
from console.row_buffer import bounded
from pipeline.application import Application, parse
from pipeline.catalog import JOBS, read

CTR, SESSIONS, TRADES = (read(JOBS / name) for name in ("ctr", "sessions", "trades"))


def drawn(application: Application, rows: Mapping[str, Any]) -> list[dict[str, Any]]:
    return figures(application, rows, resources(application).parameters)


def trace(figure: dict[str, Any], name: str) -> dict[str, Any]:
    return next(trace for trace in figure["data"] if trace["name"] == name)


def score(second: int, ctr: float, anomaly_score: float) -> dict[str, Any]:
    return {
        "window_end": f"2024-01-31T12:00:{second:02}",
        "ctr": ctr,
        "anomaly_score": anomaly_score,
        "expected_ctr": 100.0,
        "threshold": 2.5,
    }


def described(**parts: Any) -> Application:
    """An application with one source, and what a test adds."""
    queries = parts.pop("queries", {})
    source = {"stream": "in", "columns": {"name": "VARCHAR(9)", "size": "DOUBLE"}}
    tree = {"title": "T", "sources": {"rows_in": source}, **parts}
    return parse(tree, name="own", folder=Path("own"), queries=queries)


def test_marked_rows_are_found_by_their_x_whatever_the_names_case() -> None:
    found = {"WINDOW_END": "2024-01-31T12:00:20", "CTRPERCENT": 400.0, "ANOMALY_SCORE": 3.1}
    gone = {"WINDOW_END": "2024-01-31T11:00:00", "CTRPERCENT": 300.0, "ANOMALY_SCORE": 3.3}
    # Out of order, as the tap may have them.
    rows = {"scores": [score(20, 400.0, 3.1), score(10, 100.0, 0.7)]}
    rows |= {"alerts": [gone, found], "anomalies": [gone, found]}
    rate, scores = drawn(CTR, rows)
    assert trace(rate, "ctr")["y"] == [100.0, 400.0]
    # The marked relation has no column of that name: the height is that of the drawn row.
    assert (trace(rate, "anomaly")["x"], trace(rate, "anomaly")["y"]) == (["2024-01-31T12:00:20"], [400.0])
    assert trace(scores, "anomaly")["y"] == [3.1]
    assert trace(scores, "threshold")["y"] == [2.5, 2.5]
    assert rate["summary"] == "Click-through rate, %: 2 rows, newest ctr 400 %, 1 marked as anomaly."


def test_a_row_is_marked_or_ordinary_never_both() -> None:
    rows = {
        "temp_stream": [{"id": n, "price": 100.0, "quantity": 50, "anomaly_score": 0.8} for n in range(3)],
        "destination_sql_stream": [{"id": 2, "price": 100.0, "quantity": 50, "anomaly_score": 0.8}],
    }
    figure, _ = drawn(TRADES, rows)
    assert len(trace(figure, "ordinary")["x"]) == 2
    assert trace(figure, "anomaly")["x"] == [100.0]
    assert trace(figure, "anomaly")["text"] == ["id 2, anomaly_score 0.8"]


def test_spans_go_from_their_start_to_their_last_row() -> None:
    def click(second: int, user: str, starts: bool) -> dict[str, Any]:
        moment = f"2024-01-31T12:00:{second:02}"
        return {"event_timestamp": moment, "user_id": user, "session_timestamp": moment if starts else None}

    # Out of order, as the tap may have them.
    rows = [click(5, "a", False), click(0, "a", True), click(7, "b", True), click(30, "a", True)]
    (figure,) = drawn(SESSIONS, {"intermediate_sql_stream": rows})
    span, start = trace(figure, "span"), trace(figure, "start")
    assert [x and x[-2:] for x in span["x"]] == ["00", "05", None, "30", "30", None, "07", "07", None]
    assert sorted(start["y"]) == ["a", "a", "b"]


def test_without_charts_each_forest_has_its_score_with_its_threshold() -> None:
    application = described(
        properties={"alerts": {"threshold": {"default": 2.25, "help": "h"}}},
        relations=[
            {"forest": "scored", "of": "rows_in", "columns": "size", "partition_by": "name"},
            "alerts",
            {"forest": "again", "of": "alerts", "columns": "size", "group": "again"},
        ],
        queries={"alerts": "SELECT * FROM scored WHERE `anomaly_score` > :alerts.threshold"},
    )
    row = {"rowtime": "2024-01-31T12:00:00.000Z", "size": 1.0}
    rows = [row | {"name": name, "anomaly_score": value} for name, value in (("a", 0.5), ("b", 3.0))]
    first, second = drawn(application, {"scored": rows, "alerts": rows[1:]})
    assert first["title"] == "Anomaly score of scored"
    assert (trace(first, "a")["y"], trace(first, "b")["y"]) == ([0.5], [3.0])
    assert trace(first, "threshold")["y"] == [2.25, 2.25]
    assert trace(first, "anomaly")["y"] == [3.0]
    assert "Nothing" not in second["summary"]
    assert [t["name"] for t in second["data"]] == ["anomaly_score"]


def test_without_forests_numeric_columns_are_drawn_over_time() -> None:
    application = described(
        relations=["averages"],
        destinations=[{"of": "averages", "type": "kinesis", "stream": "out"}],
        queries={"averages": "SELECT name, size FROM rows_in"},
    )
    rows = [
        {"rowtime": f"2024-01-31T12:00:0{n}Z", "name": f"v{n % 2}", "size": n, "note": None} for n in range(4)
    ]
    (figure,) = drawn(application, {"averages": rows, "rows_in": rows})
    assert figure["title"] == "size of averages"
    assert (trace(figure, "v0")["y"], trace(figure, "v1")["y"]) == ([0, 2], [1, 3])
    assert drawn(application, {}) == []


def test_only_so_many_lines_are_drawn() -> None:
    application = described(charts=[{"title": "T", "of": "rows_in", "y": "size", "by": "name"}])
    rows = [{"rowtime": "2024-01-31T12:00:00Z", "name": f"v{n}", "size": n} for n in range(99)]
    (figure,) = drawn(application, {"rows_in": rows})
    assert len(figure["data"]) == MOST_LINES


@pytest.mark.parametrize("application", [CTR, SESSIONS, TRADES], ids=lambda a: a.name)
def test_any_rows_give_figures_that_a_browser_takes(application: Application) -> None:
    odd: list[Any] = [None, "x", "<b>", float("nan"), float("inf"), -1, 0, True, [1], {"a": 1}, 1e308]
    columns = ("ctr", "anomaly_score", "window_end", "price", "quantity", "id", "user_id", "event_timestamp")
    rows = [
        bounded({c: odd[(i + n) % len(odd)] for n, c in enumerate(columns)}) for i in range(len(odd))
    ] * 200
    for described_so in (application, application.model_copy(update={"charts": ()})):
        for figure in drawn(described_so, dict.fromkeys(application.shown, rows)):
            assert "<b>" not in json.dumps(figure, allow_nan=False)
            assert all(len(t["x"]) <= 3 * MOST_POINTS for t in figure["data"])


def test_no_rows_give_empty_charts() -> None:
    for application in (CTR, SESSIONS, TRADES):
        assert all(not t["x"] for f in drawn(application, {}) for t in f["data"])
