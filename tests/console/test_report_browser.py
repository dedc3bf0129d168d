"""The report in a real browser: it is drawn from its one file, for any records, without a network."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli import report
from cli.backtest_chart import chart
from pipeline.backtest import Label
from udfs.detector.function import DetectorOptions

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">"
ROWS: dict[str, dict[str, list[dict[str, Any]]]] = {
    "ctr": {
        "scores": [
            {
                "window_end": f"2024-01-31T12:00:{n:02}",
                "ctr": 100.0,
                "anomaly_score": 0.7,
                "expected_ctr": 100.0,
            }
            for n in range(20)
        ],
        "error_stream": [{"error_name": "INVALID_JSON", "message": HOSTILE, "record": HOSTILE}],
    },
    "trades": {
        "temp_stream": [
            {"id": n, "ticker_symbol": HOSTILE, "price": 100.0 + n, "quantity": 50, "anomaly_score": 0.8}
            for n in range(20)
        ]
    },
    "sessions": {
        "intermediate_sql_stream": [
            {
                "user_id": HOSTILE,
                "event_timestamp": f"2024-01-31T12:00:{n:02}",
                "session_timestamp": None if n % 5 else f"2024-01-31T12:00:{n:02}",
            }
            for n in range(20)
        ]
    },
}


@pytest.mark.parametrize("lab", ROWS)
def test_the_report_draws_its_charts_without_a_network(lab: str, browser: Any, tmp_path: Path) -> None:
    path = report.write(tmp_path / "report.html", report.Report(lab, ROWS[lab]))
    context = browser.new_context(viewport={"width": 390, "height": 844}, offline=True)
    page, complaints, asked = context.new_page(), [], []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.locator(".plot .scatterlayer .point").nth(15).wait_for(state="attached", timeout=60_000)
    assert asked == [path.as_uri()]
    assert complaints == []
    assert page.title() != "owned"
    assert page.locator("img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, "nothing may be wider than a phone"
    context.close()


def test_a_backtest_shows_the_alerts_of_the_threshold_that_is_chosen(browser: Any, tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(20, 1, 900)
    values[700:] += 9
    rows = [{"x": float(x), "site": "<b>"} for x in values]
    options = DetectorOptions(("x",), partition_by="site", number_of_trees=20)
    times, labels = [60.0 * k for k in range(900)], [Label(41_900, 42_600)]
    path = tmp_path / "chart.html"
    path.write_text(chart("Rates", rows, times, {"as it is": options}, labels))
    page = browser.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector(".slider-rail-rect", state="attached")
    said = page.inner_text("main")
    assert "x of <b>, as it is" in said
    assert "900 rows, 1 alerts at threshold 1.5." in said
    shown = "document.querySelector('.plot').data.filter(t => t.visible === true && t.mode === 'markers')"
    assert page.evaluate(f"{shown}.map(t => t.name)") == ["alert, threshold 1.5"]
    rail = page.locator(".slider-rail-touch-rect").bounding_box()
    page.mouse.click(rail["x"] + 2, rail["y"] + rail["height"] / 2)
    page.wait_for_function(f"() => {shown}.map(t => t.name).join() === 'alert, threshold 1.2'")
    page.close()
