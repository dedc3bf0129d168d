"""Charts: what is drawn from which rows, and that no row can break them."""

import json
from typing import Any

import pytest
from console.rings import bounded

from console.charts import MOST_POINTS, figures


def trace(figure: dict[str, Any], name: str) -> dict[str, Any]:
    return next(trace for trace in figure["data"] if trace["name"] == name)


def score(second: int, ctr: float, anomaly_score: float) -> dict[str, Any]:
    return {
        "window_end": f"2024-01-31T12:00:{second:02}",
        "ctr": ctr,
        "anomaly_score": anomaly_score,
        "usual_ctr": 100.0,
    }


def test_ctr_marks_the_anomalous_windows() -> None:
    found = {"WINDOW_END": "2024-01-31T12:00:20", "CTRPERCENT": 400.0, "ANOMALY_SCORE": 3.1}
    rows = {"scores": [score(10, 100.0, 0.7), score(20, 400.0, 3.1)], "destination_sql_stream": [found]}
    rate, scores = figures("ctr", rows)
    assert trace(rate, "CTR")["y"] == [100.0, 400.0]
    assert (trace(rate, "anomaly")["x"], trace(rate, "anomaly")["y"]) == (["2024-01-31T12:00:20"], [400.0])
    assert trace(scores, "threshold")["y"] == [2.0, 2.0]
    assert "newest 400 %, 1 anomalies" in rate["summary"]
    told = figures("ctr", {"scores": [score(10, 100.0, 0.7) | {"threshold": 2.5}]})[1]
    assert trace(told, "threshold")["y"] == [2.5]


def test_trades_are_anomalies_or_ordinary_never_both() -> None:
    rows = {
        "temp_stream": [{"id": n, "price": 100.0, "quantity": 50, "anomaly_score": 0.8} for n in range(3)],
        "destination_sql_stream": [{"id": 2, "price": 900.0, "quantity": 500, "anomaly_score": 3.0}],
    }
    (figure,) = figures("trades", rows)
    assert len(trace(figure, "ordinary")["x"]) == 2
    assert trace(figure, "anomaly")["x"] == [900.0]


def test_sessions_span_from_their_start_to_their_last_click() -> None:
    def click(second: int, user: str, starts: bool) -> dict[str, Any]:
        moment = f"2024-01-31T12:00:{second:02}"
        return {"event_timestamp": moment, "user_id": user, "session_timestamp": moment if starts else None}

    # Out of order, as the tap may have them.
    rows = [click(5, "a", False), click(0, "a", True), click(7, "b", True), click(30, "a", True)]
    (figure,) = figures("sessions", {"intermediate_sql_stream": rows})
    session, start = trace(figure, "session"), trace(figure, "session start")
    assert [x and x[-2:] for x in session["x"]] == ["00", "05", None, "30", "30", None, "07", "07", None]
    assert start["y"] == ["a", "b", "a"]


@pytest.mark.parametrize("lab", ["ctr", "trades", "sessions"])
def test_any_rows_give_figures_that_a_browser_takes(lab: str) -> None:
    odd: list[Any] = [None, "x", "<b>", float("nan"), float("inf"), -1, 0, True, [1], {"a": 1}, 1e308]
    columns = ("ctr", "anomaly_score", "window_end", "price", "quantity", "id", "user_id", "event_timestamp")
    rows = [
        bounded({c: odd[(i + n) % len(odd)] for n, c in enumerate(columns)}) for i in range(len(odd))
    ] * 200
    names = ("scores", "destination_sql_stream", "temp_stream", "intermediate_sql_stream")
    for figure in figures(lab, {name: rows for name in names}):
        assert "<b>" not in json.dumps(figure, allow_nan=False)
        assert all(len(t["x"]) <= 3 * MOST_POINTS for t in figure["data"])


def test_no_rows_give_empty_charts() -> None:
    assert all(
        not t["x"] for lab in ("ctr", "trades", "sessions") for f in figures(lab, {}) for t in f["data"]
    )
